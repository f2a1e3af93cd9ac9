//! The ways of searching that are compared. All give the same columns, under the same policies, over one connection.

use futures_util::future::try_join;
use pgvector::Vector as PgVector;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;
use workspace_db::schema::document_chunks;
use workspace_db::search::{Question, SearchChunks as _};
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceConnection, WorkspaceScope};
use workspace_db_testing::TestDatabase;

use crate::K;
use crate::platform::{MODEL, Tenant};

/// The index that the migrations make on the empty table, renamed so that a trained one can stand beside it.
pub const EMPTY_IVFFLAT: &str = "ivfflat_built_empty";
/// What `workspace-db index retrain` makes of it.
pub const TRAINED_IVFFLAT: &str = "document_chunks_vector_idx";
/// HNSW over all vectors, with pgvector's own parameters.
pub const HNSW: &str = "hnsw_vectors";
const VECTOR_INDEXES: [&str; 3] = [EMPTY_IVFFLAT, TRAINED_IVFFLAT, HNSW];

/// A way of searching.
pub struct Side {
    /// As the table calls it.
    pub name: &'static str,
    pub how: How,
}

pub enum How {
    /// This crate, as it plans by itself.
    Ours,
    /// Every vector of the workspace, as somebody would write it who drops the vector indexes.
    Exact,
    /// The driver, with the one index that there then is, and these settings.
    ByIndex { index: &'static str, settings: &'static str },
}

const fn by_index(name: &'static str, index: &'static str, settings: &'static str) -> Side {
    Side { name, how: How::ByIndex { index, settings } }
}

/// Those of the table, the first is ours and the second exact.
pub const SIDES: [Side; 7] = [
    Side { name: "workspace-db", how: How::Ours },
    Side { name: "exact", how: How::Exact },
    by_index(
        "IVFFlat built empty, 1 probe",
        EMPTY_IVFFLAT,
        "ivfflat.probes = 1; SET LOCAL ivfflat.iterative_scan = off",
    ),
    by_index(
        "IVFFlat retrained, 10 probes",
        TRAINED_IVFFLAT,
        "ivfflat.probes = 10; SET LOCAL ivfflat.iterative_scan = off",
    ),
    by_index("HNSW, ef 40", HNSW, "hnsw.ef_search = 40; SET LOCAL hnsw.iterative_scan = off"),
    by_index("HNSW strict, ef 40", HNSW, "hnsw.ef_search = 40; SET LOCAL hnsw.iterative_scan = strict_order"),
    by_index("HNSW relaxed, ef 200", HNSW, "hnsw.ef_search = 200; SET LOCAL hnsw.iterative_scan = relaxed_order"),
];

/// More settings of the best of the others, to find the one whose recall is ours.
pub const MORE_HNSW: [Side; 2] = [
    by_index("HNSW relaxed, ef 100", HNSW, "hnsw.ef_search = 100; SET LOCAL hnsw.iterative_scan = relaxed_order"),
    by_index("HNSW relaxed, ef 400", HNSW, "hnsw.ef_search = 400; SET LOCAL hnsw.iterative_scan = relaxed_order"),
];

/// The connections that searches run on.
pub struct Searcher {
    db: Database,
    client: Client,
    superuser: Client,
    statement: Statement,
}

/// A workspace as this crate enters it.
pub struct TenantConnection {
    scope: WorkspaceScope,
    ws: WorkspaceConnection,
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

impl Searcher {
    /// Connected as the application, as this crate is.
    pub async fn new(database: &TestDatabase) -> Self {
        let client_of_app = client(database.app_url().expect("a URL").expose()).await;
        let query =
            "SELECT 1 - (c.vector <=> $2), c.id, c.document_id, d.title, d.external_id, c.chunk_index, c.content
            FROM document_chunks AS c JOIN documents AS d ON d.workspace_id = c.workspace_id AND d.id = c.document_id
            WHERE c.workspace_id = $1 AND c.embedding_model = $3 AND d.status = 'ready'
            ORDER BY c.vector <=> $2 LIMIT $4";
        Self {
            db: database.open(1).await.expect("a database"),
            statement: client_of_app.prepare(query).await.expect("prepared"),
            client: client_of_app,
            superuser: client(database.superuser_url().expect("a URL").expose()).await,
        }
    }

    /// Leaves the planner no other index on the vectors than the side's.
    pub async fn make_way_for(&self, side: &Side) {
        let valid = match side.how {
            How::ByIndex { index, .. } => index,
            How::Ours | How::Exact => "",
        };
        let update = "UPDATE pg_index SET indisvalid = (indexrelid::regclass::text = $1)
            WHERE indexrelid::regclass::text = ANY($2) AND indisvalid <> (indexrelid::regclass::text = $1)";
        self.superuser.execute(update, &[&valid, &VECTOR_INDEXES.as_slice()]).await.expect("switched");
    }

    pub async fn enter(&self, tenant: &Tenant) -> TenantConnection {
        let scope = WorkspaceScope::unchecked(tenant.workspace, "a benchmark");
        let ws = self.db.workspace(&scope).await.expect("lent");
        TenantConnection { scope, ws }
    }

    /// Searches; the scores of what came.
    pub async fn search(&self, side: &Side, connection: &mut TenantConnection, question: &[f32]) -> Vec<f64> {
        match side.how {
            How::Ours => {
                let vector = Embedding::try_from(question.to_vec()).expect("a vector");
                let chunks = document_chunks::table.in_workspace(&connection.scope);
                let search = chunks.nearest(&Question::new(vector, MODEL), K);
                let answer = search.run(&mut connection.ws).await.expect("an answer");
                answer.hits.iter().map(|hit| hit.score).collect()
            }
            How::Exact => self.by_hand(connection, question, "").await,
            How::ByIndex { settings, .. } => {
                // Of a small workspace every row would be sorted, whatever index there is.
                let forced =
                    format!("; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL {settings}");
                self.by_hand(connection, question, &forced).await
            }
        }
    }

    async fn by_hand(&self, connection: &TenantConnection, question: &[f32], settings: &str) -> Vec<f64> {
        let workspace = *connection.scope.workspace().as_uuid();
        let begin = format!(
            "BEGIN; SET LOCAL app.workspace_id = '{workspace}'; SET LOCAL plan_cache_mode = force_custom_plan;
             SET LOCAL jit = off{settings}"
        );
        let (vector, k) = (PgVector::from(question.to_vec()), i64::from(K));
        let values: [&(dyn ToSql + Sync); 4] = [&workspace, &vector, &MODEL, &k];
        // Both travel at once, as this crate sends them.
        let begun = self.client.batch_execute(&begin);
        let rows = self.client.query(&self.statement, &values);
        let ((), rows) = try_join(begun, rows).await.expect("an answer");
        self.client.batch_execute("COMMIT").await.expect("committed");
        let read = |row: &tokio_postgres::Row| {
            let passage: (Uuid, Uuid, String, Option<String>, i32, String) =
                (row.get(1), row.get(2), row.get(3), row.get(4), row.get(5), row.get(6));
            std::hint::black_box(passage);
            row.get(0)
        };
        rows.iter().map(read).collect()
    }
}
