//! Rows a second into a table with all of its indexes: this crate, psql's `\copy` and sqlx.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use dataset::Dataset;
use diesel_async::SimpleAsyncConnection as _;
use fastrand::Rng;
use futures_util::stream;
use pgvector::Vector as PgVector;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, QueryBuilder};
use uuid::Uuid;
use workspace_db::db;
use workspace_db::id::DatasourceId;
use workspace_db::load::{LoadOptions, Passage, SourceDocument, load};
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db_testing::TestDatabase;

use crate::platform::{MODEL, document, text, workspace};

const ROUNDS: usize = 5;
const PASSAGES: usize = 10;
const WORDS: usize = 180;
/// Rows of one INSERT by sqlx, below PostgreSQL's 65,535 bound values.
const BATCH: usize = 1_000;
const COLUMNS: &str =
    "workspace_id, id, document_id, chunk_index, content, token_count, embedding_model, vector, language";

struct Loading<'a> {
    database: &'a TestDatabase,
    db: Database,
    scope: WorkspaceScope,
    source: DatasourceId,
    documents: Vec<SourceDocument>,
    pool: PgPool,
}

/// Loads the same rows by each side in turn, five times; the seconds of each.
pub async fn compare(
    database: &TestDatabase,
    dataset: &Dataset,
    rows: usize,
    folder: &Path,
) -> [(&'static str, Vec<f64>); 3] {
    let file = folder.join("document_chunks.bin");
    let loading = Loading::new(database, dataset, rows).await;
    // Once, unmeasured, so that there is something to copy out.
    loading.by_us().await;
    loading
        .psql(&format!("\\copy (SELECT {COLUMNS} FROM document_chunks) TO '{}' WITH (FORMAT binary)", file.display()));
    let mut seconds = [("workspace-db", Vec::new()), ("psql \\copy", Vec::new()), ("sqlx", Vec::new())];
    for round in 0..ROUNDS {
        for turn in 0..3 {
            let at = (round + turn) % 3;
            // The documents are there before others copy or insert their passages; ours brings them, in its time.
            loading.empty(at == 0).await;
            let began = Instant::now();
            match at {
                0 => loading.by_us().await,
                1 => loading.psql(&format!(
                    "\\copy document_chunks ({COLUMNS}) FROM '{}' WITH (FORMAT binary)",
                    file.display()
                )),
                _ => loading.by_sqlx().await,
            }
            seconds[at].1.push(began.elapsed().as_secs_f64());
            loading.count(rows).await;
        }
    }
    seconds
}

impl<'a> Loading<'a> {
    async fn new(database: &'a TestDatabase, dataset: &Dataset, rows: usize) -> Self {
        let db = database.open(1).await.expect("a database");
        let (scope, source) = workspace(database, &db, "loaded").await;
        let mut rng = Rng::with_seed(9);
        let vectors: Vec<Vec<f32>> = dataset.many(rows, &mut rng).iter().map(|vector| dataset.embed(vector)).collect();
        let of_document = |(number, vectors): (usize, &[Vec<f32>])| {
            let passage = |vector: &Vec<f32>| Passage {
                language: "en".parse().ok(),
                token_count: Some(250),
                ..Passage::new(text(&mut rng, WORDS), Embedding::try_from(vector.clone()).expect("a vector"))
            };
            let mut document = document("A title", vectors.iter().map(passage).collect());
            document.document.external_id = Some(format!("doc/{number}"));
            document.document.datasource_id = Some(source);
            document
        };
        let documents = vectors.chunks(PASSAGES).enumerate().map(of_document).collect();
        let options = PgPoolOptions::new().max_connections(1);
        let pool = options.connect(database.app_url().expect("a URL").expose()).await.expect("connected");
        Self { database, db, scope, source, documents, pool }
    }

    async fn empty(&self, of_documents: bool) {
        let mut superuser = db::connect(&self.database.superuser_url().expect("a URL")).await.expect("a superuser");
        superuser.batch_execute("TRUNCATE document_chunks CASCADE").await.expect("emptied");
        if of_documents {
            superuser.batch_execute("TRUNCATE documents CASCADE").await.expect("emptied");
        }
        // Every session plans its foreign keys anew, and knows how many documents there are.
        superuser.batch_execute("ANALYZE documents").await.expect("analysed");
        superuser.batch_execute("CHECKPOINT").await.expect("written");
    }

    async fn count(&self, rows: usize) {
        let set = format!("SET app.workspace_id = '{}'", self.scope.workspace());
        sqlx::query(&set).execute(&self.pool).await.expect("set");
        let counted: i64 =
            sqlx::query_scalar("SELECT count(*) FROM document_chunks").fetch_one(&self.pool).await.expect("counted");
        assert_eq!(counted, rows as i64, "a side has lost rows");
    }

    async fn by_us(&self) {
        let documents = self.documents.iter().map(|document| Ok(document.clone()));
        let options = LoadOptions::new(self.source);
        load(&self.db, &self.scope, &options, stream::iter(documents), &|_| ()).await.expect("loaded");
    }

    /// As a superuser, whom no policy binds: others may not copy into this table.
    fn psql(&self, command: &str) {
        let output = Command::new(self.database.install().program("psql"))
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", command])
            .envs(self.database.superuser_url().expect("a URL").libpq_environment())
            .output()
            .expect("psql");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn by_sqlx(&self) {
        let workspace = *self.scope.workspace().as_uuid();
        let rows = self.documents.iter().flat_map(|document| {
            let id = *document.document.id.as_uuid();
            (0_i32..).zip(&document.passages).map(move |(place, passage)| (id, place, passage))
        });
        let rows: Vec<_> = rows.collect();
        for batch in rows.chunks(BATCH) {
            let mut transaction = self.pool.begin().await.expect("begun");
            let set = format!("SET LOCAL app.workspace_id = '{workspace}'");
            sqlx::query(&set).execute(&mut *transaction).await.expect("set");
            let mut insert = QueryBuilder::new(format!("INSERT INTO document_chunks ({COLUMNS}) "));
            insert.push_values(batch, |mut row, (document, place, passage)| {
                row.push_bind(workspace)
                    .push_bind(Uuid::now_v7())
                    .push_bind(document)
                    .push_bind(place)
                    .push_bind(&passage.content)
                    .push_bind(passage.token_count)
                    .push_bind(MODEL)
                    .push_bind(PgVector::from(passage.vector.as_slice().to_vec()))
                    .push_bind(passage.language.as_ref().map(ToString::to_string));
            });
            insert.build().execute(&mut *transaction).await.expect("inserted");
            transaction.commit().await.expect("committed");
        }
    }
}
