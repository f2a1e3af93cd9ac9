//! The same five operations, under the same policies, by this crate, by hand and by other libraries.

pub mod by_hand;
pub mod by_sea_orm;
pub mod by_sqlx;
pub mod by_us;
pub mod latency;

use workspace_db::config::DatabaseUrl;
use workspace_db::db;
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

/// Documents of the workspace that is read.
pub const DOCUMENTS: usize = 10_000;
/// Rows of a page.
pub const PAGE: i64 = 50;
/// Rows of a bulk insert.
pub const BULK: usize = 1_000;

/// What every side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The newest 50 of 10,000 documents.
    List,
    /// One document by its id.
    Fetch,
    /// One row in one statement.
    InsertOne,
    /// A thousand rows in one statement.
    InsertThousand,
    /// 50 documents with the names of their datasources.
    Join,
}

impl Operation {
    /// All of them, with how often each is run in a round.
    pub const ALL: [(Self, usize); 5] =
        [(Self::List, 60), (Self::Fetch, 200), (Self::InsertOne, 100), (Self::InsertThousand, 3), (Self::Join, 60)];

    /// Whether it inserts, into the workspace that is there for it.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Self::InsertOne | Self::InsertThousand)
    }

    /// As the table calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list 50 of 10,000",
            Self::Fetch => "fetch by id",
            Self::InsertOne => "insert one",
            Self::InsertThousand => "insert 1,000",
            Self::Join => "join of two tables",
        }
    }
}

/// What is read: a row as each library maps it. Its fields are looked at, so that nothing is left out by a lazy mapper.
#[derive(Debug)]
pub struct Row {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its title.
    pub title: String,
    /// Its name in the datasource.
    pub external_id: Option<String>,
    /// Anything else.
    pub metadata: serde_json::Value,
    /// Whether it may be quoted.
    pub is_published: bool,
    /// When it was made.
    pub created_at: chrono::DateTime<chrono::Utc>,
}

/// A database with a workspace of 10,000 documents, nine of 1,000, and an empty one to insert into.
pub struct Fixture {
    /// Dropped with it.
    pub database: TestDatabase,
    /// The workspace that is read.
    pub read: SeededWorkspace,
    /// The workspace that is written.
    pub written: SeededWorkspace,
}

impl Fixture {
    /// Made anew.
    ///
    /// # Panics
    ///
    /// Where there is no PostgreSQL.
    pub async fn new() -> Self {
        use diesel_async::SimpleAsyncConnection as _;
        let database = TestDatabase::new().await.expect("a server");
        let mut conn = database.connect().await.expect("a connection");
        let read = seed(&mut conn, "read").await.expect("a workspace");
        let written = seed(&mut conn, "written").await.expect("a workspace");
        for n in 0..10 {
            let (workspace, count) = if n == 0 {
                (read, DOCUMENTS)
            } else {
                (seed(&mut conn, &format!("other{n}")).await.expect("a workspace"), 1_000)
            };
            let fill = format!(
                "INSERT INTO documents (workspace_id, datasource_id, external_id, title, metadata)
                 SELECT '{}', '{}', 'handbook/' || n, 'Document number ' || n, '{{\"pages\": 3, \"source\": \"handbook\"}}'
                 FROM generate_series(1, {count}) n",
                workspace.workspace, workspace.datasource
            );
            conn.batch_execute(&fill).await.expect("documents");
        }
        let mut owner = db::connect(&database.url().expect("a URL")).await.expect("the owner");
        owner.batch_execute("VACUUM ANALYZE documents").await.expect("vacuum");
        Self { database, read, written }
    }

    /// The application's login.
    ///
    /// # Panics
    ///
    /// Never: the URL is made of fixed parts.
    #[must_use]
    pub fn app(&self) -> DatabaseUrl {
        self.database.app_url().expect("a URL")
    }

    /// Takes back what was inserted.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn tidy(&self) {
        use diesel_async::SimpleAsyncConnection as _;
        let mut conn = self.database.connect().await.expect("a connection");
        let delete = format!("DELETE FROM documents WHERE workspace_id = '{}'", self.written.workspace);
        conn.batch_execute(&delete).await.expect("deleted");
        let mut owner = db::connect(&self.database.url().expect("a URL")).await.expect("the owner");
        owner.batch_execute("VACUUM documents").await.expect("vacuum");
    }
}
