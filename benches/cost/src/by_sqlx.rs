//! sqlx, with its cache of prepared statements, as its documentation has it.

use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{PgPool, QueryBuilder, Row as _};
use uuid::Uuid;

use crate::{BULK, Fixture, Operation, PAGE, Row};

/// A pool of one connection.
pub struct Sqlx {
    pool: PgPool,
    read: Uuid,
    written: Uuid,
    document: Uuid,
}

fn row(row: &PgRow) -> Row {
    Row {
        id: row.get(0),
        title: row.get(1),
        external_id: row.get(2),
        metadata: row.get(3),
        is_published: row.get(4),
        created_at: row.get(5),
    }
}

impl Sqlx {
    /// Connected as the application.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn new(fixture: &Fixture) -> Self {
        let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
        Self {
            pool: pool.connect(fixture.app().expose()).await.expect("connected"),
            read: *fixture.read.workspace.as_uuid(),
            written: *fixture.written.workspace.as_uuid(),
            document: *fixture.read.document.as_uuid(),
        }
    }

    /// Does it; how many rows came or went.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn run(&mut self, operation: Operation) -> usize {
        let workspace = if operation.writes() { self.written } else { self.read };
        let mut tx = self.pool.begin().await.expect("begun");
        let set = sqlx::query("SELECT set_config('app.workspace_id', $1, true)").bind(workspace.to_string());
        set.execute(&mut *tx).await.expect("set");
        let columns = "id, title, external_id, metadata, is_published, created_at";
        let count = match operation {
            Operation::List => {
                let sql = format!("SELECT {columns} FROM documents WHERE workspace_id = $1 ORDER BY id DESC LIMIT $2");
                let rows = sqlx::query(&sql).bind(workspace).bind(PAGE).fetch_all(&mut *tx).await.expect("rows");
                std::hint::black_box(rows.iter().map(row).collect::<Vec<_>>()).len()
            }
            Operation::Fetch => {
                let sql = format!("SELECT {columns} FROM documents WHERE workspace_id = $1 AND id = $2");
                let query = sqlx::query(&sql).bind(workspace).bind(self.document);
                std::hint::black_box(row(&query.fetch_one(&mut *tx).await.expect("a row")));
                1
            }
            Operation::InsertOne => {
                let query = sqlx::query("INSERT INTO documents (workspace_id, id, title) VALUES ($1, $2, $3)");
                let query = query.bind(workspace).bind(Uuid::now_v7()).bind("Document");
                usize::try_from(query.execute(&mut *tx).await.expect("inserted").rows_affected()).expect("few")
            }
            Operation::InsertThousand => {
                let mut query = QueryBuilder::new("INSERT INTO documents (workspace_id, id, title) ");
                query.push_values(0..BULK, |mut values, _| {
                    values.push_bind(workspace).push_bind(Uuid::now_v7()).push_bind("Document");
                });
                let inserted = query.build().execute(&mut *tx).await.expect("inserted");
                usize::try_from(inserted.rows_affected()).expect("few")
            }
            Operation::Join => {
                let sql = "SELECT d.id, d.title, s.name FROM documents d
                    JOIN datasources s ON s.workspace_id = d.workspace_id AND s.id = d.datasource_id
                    WHERE d.workspace_id = $1 ORDER BY d.id DESC LIMIT $2";
                let query = sqlx::query_as::<_, (Uuid, String, String)>(sql).bind(workspace).bind(PAGE);
                std::hint::black_box(query.fetch_all(&mut *tx).await.expect("rows")).len()
            }
        };
        tx.commit().await.expect("committed");
        count
    }
}
