//! A platform's table of chunks, with workspaces of known sizes in it.

use std::sync::Arc;

use dataset::{Dataset, Vector};
use diesel_async::SimpleAsyncConnection as _;
use fastrand::Rng;
use futures_util::stream;
use workspace_db::config::Config;
use workspace_db::id::{DatasourceId, WorkspaceId};
use workspace_db::load::{LoadOptions, Passage, SourceDocument, load};
use workspace_db::models::{NewDatasource, NewDocument};
use workspace_db::sql_types::{DatasourceType, Embedding};
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db::{db, indexes};
use workspace_db_testing::TestDatabase;

/// What made the vectors.
pub const MODEL: &str = "all-MiniLM-L6-v2";
/// Passages of a document.
const PASSAGES: usize = 50;
/// Words of a passage.
const WORDS: usize = 100;
/// Different words.
const VOCABULARY: u32 = 20_000;

/// A workspace that is measured.
pub struct Tenant {
    /// Its chunks.
    pub size: usize,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Questions, in the schema's dimensions, none of which is in any workspace.
    pub questions: Vec<Vector>,
}

/// Settings of a server with 24 GB and two cores, on which everything fits into memory.
pub async fn tuned() -> TestDatabase {
    let database = TestDatabase::alone().await.expect("a server");
    let mut superuser = db::connect(&database.superuser_url().expect("a URL")).await.expect("a superuser");
    for setting in ["shared_buffers = '4GB'", "maintenance_work_mem = '2GB'", "max_wal_size = '8GB'"] {
        superuser.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.expect("set");
    }
    drop(superuser);
    database.restart_server().await.expect("restarted");
    database
}

/// A text of words as frequent as in a language: the n-th in proportion to 1/n.
pub fn text(rng: &mut Rng, words: usize) -> String {
    let word = |rng: &mut Rng| {
        let share = f64::from(VOCABULARY).powf(rng.f64());
        format!("w{share:.0}")
    };
    (0..words).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

/// The vectors of a workspace of that size. Up to the largest of the dataset they are one of its workspaces, beyond it
/// vectors of all of them and copies with noise.
fn vectors(dataset: &Dataset, size: usize, rng: &mut Rng) -> Vec<Vector> {
    match dataset.workspaces.iter().rev().find(|workspace| workspace.len() >= size) {
        Some(workspace) => workspace.iter().take(size).cloned().collect(),
        None => dataset.many(size, rng),
    }
}

/// Questions about what is in such a workspace: of the same source where it is one, of any where it is many.
fn questions(dataset: &Dataset, size: usize, count: usize) -> Vec<Vector> {
    let source = dataset.workspaces.iter().rposition(|workspace| workspace.len() >= size);
    let of_source = dataset.questions.iter().filter(|(number, _)| Some(*number) == source);
    let of_others = dataset.questions.iter().filter(|(number, _)| Some(*number) != source);
    of_source.chain(of_others).take(count).map(|(_, vector)| dataset.embed(vector)).collect()
}

/// Makes a workspace of that size.
pub async fn tenant(
    database: &TestDatabase,
    db: &Database,
    dataset: &Arc<Dataset>,
    size: usize,
    count: usize,
) -> Tenant {
    let mut rng = Rng::with_seed(size as u64);
    let vectors = vectors(dataset, size, &mut rng);
    let workspace = fill(database, db, dataset, &format!("of-{size}"), vectors).await;
    Tenant { size, workspace, questions: questions(dataset, size, count) }
}

/// Makes workspaces of the dataset's own sizes, until the table has grown by so many chunks.
pub async fn others(database: &TestDatabase, db: &Database, dataset: &Arc<Dataset>, chunks: usize, name: &str) {
    let mut rng = Rng::with_seed(name.bytes().map(u64::from).sum());
    let mut left = chunks;
    for number in 0.. {
        // Some real size times 40, so that there are tens of them and not thousands.
        let size = (40 * dataset.workspaces[number % dataset.workspaces.len()].len()).min(left);
        if size == 0 {
            return;
        }
        fill(database, db, dataset, &format!("{name}-{number}"), dataset.many(size, &mut rng)).await;
        left -= size;
    }
}

async fn fill(
    database: &TestDatabase,
    db: &Database,
    dataset: &Arc<Dataset>,
    slug: &str,
    vectors: Vec<Vector>,
) -> WorkspaceId {
    let (scope, source) = workspace(database, db, slug).await;
    let documents = documents(Arc::clone(dataset), vectors);
    load(db, &scope, &LoadOptions::new(source), stream::iter(documents), &|_| ()).await.expect("loaded");
    scope.workspace()
}

/// A workspace of that slug, with a datasource.
pub async fn workspace(database: &TestDatabase, db: &Database, slug: &str) -> (WorkspaceScope, DatasourceId) {
    let mut conn = database.connect().await.expect("a connection");
    let workspace = workspace_db_testing::workspace(&mut conn, slug).await.expect("a workspace").id;
    let scope = WorkspaceScope::unchecked(workspace, "a benchmark");
    let source = NewDatasource::named(workspace, "benchmark", DatasourceType::Api);
    let mut ws = db.workspace(&scope).await.expect("lent");
    let source = source.find_or_insert(&mut ws).await.expect("a datasource");
    (scope, source)
}

fn documents(
    dataset: Arc<Dataset>,
    vectors: Vec<Vector>,
) -> impl Iterator<Item = workspace_db::Result<SourceDocument>> + Send {
    let mut rng = Rng::with_seed(vectors.len() as u64);
    let mut vectors = vectors.into_iter().peekable();
    std::iter::from_fn(move || {
        vectors.peek()?;
        let passages = vectors.by_ref().take(PASSAGES).map(|vector| {
            let vector = Embedding::try_from(dataset.embed(&vector)).expect("1,536 finite numbers");
            Passage { language: "en".parse().ok(), ..Passage::new(text(&mut rng, WORDS), vector) }
        });
        let passages: Vec<Passage> = passages.collect();
        Some(document(&text(&mut Rng::with_seed(passages.len() as u64), 4), passages))
    })
    .enumerate()
    .map(|(number, mut document)| {
        document.document.external_id = Some(format!("doc/{number}"));
        Ok(document)
    })
}

/// A document of these passages.
pub fn document(title: &str, passages: Vec<Passage>) -> SourceDocument {
    SourceDocument { document: NewDocument::new(title), model: MODEL.into(), passages }
}

/// Does what `workspace-db index retrain` does, and tells each step.
pub async fn retrain(database: &TestDatabase, tell: &(dyn Fn(&str) + Sync)) {
    let progress = |progress: &indexes::IndexProgress| {
        if progress.phase.is_empty() {
            tell(&progress.step.to_string());
        }
    };
    let from = Config::default().own_index_from;
    indexes::retrain(&database.url().expect("a URL"), from, &progress).await.expect("retrained");
}

/// Index-only scans need the visibility map, and the planner its statistics, as autovacuum keeps both.
pub async fn vacuum(database: &TestDatabase) {
    let mut superuser = db::connect(&database.superuser_url().expect("a URL")).await.expect("a superuser");
    superuser.batch_execute("VACUUM ANALYZE").await.expect("vacuumed");
}
