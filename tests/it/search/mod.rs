//! The right passages, of one workspace alone.

mod filters;
mod full_text;
mod input;
mod plans;
mod rerank;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use workspace_db::config::{Config, SearchLimits};
use workspace_db::id::{DocumentId, WorkspaceId};
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::search::Question;
use workspace_db::sql_types::*;
use workspace_db::tenancy::{Database, InWorkspace as _, Scoped, TenantSource, WorkspaceConnection, WorkspaceScope};
use workspace_db_testing::TestDatabase;

pub(crate) const MODEL: &str = "test-model";

pub(crate) type Chunks = Scoped<<document_chunks::table as TenantSource>::InWorkspace, (document_chunks::table, ())>;

/// Workspaces `a` and `b`, without documents yet, and a connection as `a`.
pub(crate) struct Fixture {
    pub(crate) conn: AsyncPgConnection,
    pub(crate) a: WorkspaceId,
    pub(crate) b: WorkspaceId,
    pub(crate) scope: WorkspaceScope,
    pub(crate) ws: WorkspaceConnection,
    pub(crate) db: Database,
    pub(crate) database: TestDatabase,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let a = workspace_db_testing::workspace(&mut conn, "a").await.unwrap().id;
        let b = workspace_db_testing::workspace(&mut conn, "b").await.unwrap().id;
        let db = by_candidates(&database).await;
        let scope = WorkspaceScope::unchecked(a, "a test");
        let ws = db.workspace(&scope).await.unwrap();
        Self { conn, a, b, scope, ws, db, database }
    }

    pub(crate) fn chunks(&self) -> Chunks {
        document_chunks::table.in_workspace(&self.scope)
    }

    pub(crate) async fn document(&mut self, workspace: WorkspaceId, new: &NewDocument) -> DocumentId {
        diesel::insert_into(documents::table)
            .values((documents::workspace_id.eq(workspace), new))
            .execute(&mut self.conn)
            .await
            .unwrap();
        new.id
    }

    /// Passages of a document, in their order.
    pub(crate) async fn passages(
        &mut self,
        workspace: WorkspaceId,
        document: DocumentId,
        passages: Vec<(String, Embedding)>,
    ) {
        let rows = passages.into_iter().zip(0..).map(|((text, vector), place)| {
            let mut row = NewDocumentChunk::new(document, place, text, vector, MODEL);
            row.language = Some("en".parse().unwrap());
            (document_chunks::workspace_id.eq(workspace), row)
        });
        let rows: Vec<_> = rows.collect();
        for some in rows.chunks(500) {
            diesel::insert_into(document_chunks::table)
                .values(some.iter().map(|(workspace, row)| (*workspace, row)).collect::<Vec<_>>())
                .execute(&mut self.conn)
                .await
                .unwrap();
        }
    }

    /// A document with these passages, whose vectors are of no importance.
    pub(crate) async fn texts(&mut self, workspace: WorkspaceId, texts: &[&str]) -> DocumentId {
        let document = self.document(workspace, &NewDocument::new("Notes")).await;
        let mut rng = fastrand::Rng::with_seed(7);
        let passages = texts.iter().map(|text| ((*text).to_owned(), random(&mut rng))).collect();
        self.passages(workspace, document, passages).await;
        document
    }
}

/// The database, as one whose workspaces are all too large to be searched exactly.
pub(crate) async fn by_candidates(database: &TestDatabase) -> Database {
    let search = SearchLimits { exact_below: 0, ..SearchLimits::default() };
    Database::open(&Config { search, pool_size: 4, ..database.config().unwrap() }).await.unwrap()
}

/// A direction of no meaning.
pub(crate) fn random(rng: &mut fastrand::Rng) -> Embedding {
    let components: Vec<f32> = (0..DIMENSIONS).map(|_| rng.f32() - 0.5).collect();
    Embedding::try_from(components).unwrap()
}

/// Vectors whose signs say nothing: all are positive, but for one component each, so that distances differ at all.
pub(crate) fn same_signs(count: usize) -> Vec<Embedding> {
    let mut rng = fastrand::Rng::with_seed(3);
    let vector = |at: usize| {
        let mut components: Vec<f32> = (0..DIMENSIONS).map(|_| 0.01 + rng.f32()).collect();
        components[at] = -components[at];
        Embedding::try_from(components).unwrap()
    };
    (0..count).map(vector).collect()
}

/// A vector between two, the nearer to the first the smaller `share` is.
fn between(one: &Embedding, other: &Embedding, share: f32) -> Embedding {
    let mixed: Vec<f32> =
        one.as_slice().iter().zip(other.as_slice()).map(|(x, y)| (1.0 - share) * x + share * y).collect();
    Embedding::try_from(mixed).unwrap()
}

pub(crate) fn question(vector: &Embedding) -> Question {
    Question::new(vector.clone(), MODEL)
}

fn cosine(one: &Embedding, other: &Embedding) -> f64 {
    let (one, other) = (one.normalized(), other.normalized());
    one.as_slice().iter().zip(other.as_slice()).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}
