//! The driver alone, as somebody would write it who knows what they do: statements prepared once, the workspace set in the
//! message that begins the transaction.

use std::fmt::Write as _;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;
use workspace_db::config::DatabaseUrl;

use crate::{BULK, Fixture, Operation, PAGE, Row};

/// A client and what it has prepared.
pub struct Hand {
    client: Client,
    read: Uuid,
    written: Uuid,
    document: Uuid,
    list: Statement,
    fetch: Statement,
    insert_one: Statement,
    insert_thousand: Statement,
    join: Statement,
}

const COLUMNS: &str = "id, title, external_id, metadata, is_published, created_at";

fn row(row: &tokio_postgres::Row) -> Row {
    Row {
        id: row.get(0),
        title: row.get(1),
        external_id: row.get(2),
        metadata: row.get(3),
        is_published: row.get(4),
        created_at: row.get(5),
    }
}

impl Hand {
    /// Connected by this URL.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn new(fixture: &Fixture, url: &DatabaseUrl) -> Self {
        let (client, connection) = tokio_postgres::connect(url.expose(), NoTls).await.expect("connected");
        tokio::spawn(connection);
        let mut thousand = "INSERT INTO documents (workspace_id, id, title) VALUES ".to_owned();
        for n in 0..BULK {
            let comma = if n == 0 { "" } else { ", " };
            write!(thousand, "{comma}(${}, ${}, ${})", 3 * n + 1, 3 * n + 2, 3 * n + 3).expect("a string");
        }
        let list = format!("SELECT {COLUMNS} FROM documents WHERE workspace_id = $1 ORDER BY id DESC LIMIT $2");
        let fetch = format!("SELECT {COLUMNS} FROM documents WHERE workspace_id = $1 AND id = $2");
        let one = "INSERT INTO documents (workspace_id, id, title) VALUES ($1, $2, $3)";
        let join = "SELECT d.id, d.title, s.name FROM documents d
            JOIN datasources s ON s.workspace_id = d.workspace_id AND s.id = d.datasource_id
            WHERE d.workspace_id = $1 ORDER BY d.id DESC LIMIT $2";
        Self {
            list: client.prepare(&list).await.expect("prepared"),
            fetch: client.prepare(&fetch).await.expect("prepared"),
            insert_one: client.prepare(one).await.expect("prepared"),
            insert_thousand: client.prepare(&thousand).await.expect("prepared"),
            join: client.prepare(join).await.expect("prepared"),
            client,
            read: *fixture.read.workspace.as_uuid(),
            written: *fixture.written.workspace.as_uuid(),
            document: *fixture.read.document.as_uuid(),
        }
    }

    /// There and back.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn trip(&self) {
        self.client.batch_execute("").await.expect("an answer");
    }

    /// Does it; how many rows came or went.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn run(&mut self, operation: Operation) -> usize {
        let workspace = if operation.writes() { self.written } else { self.read };
        let begin = format!("BEGIN; SET LOCAL app.workspace_id = '{workspace}'");
        self.client.batch_execute(&begin).await.expect("begun");
        let count = match operation {
            Operation::List => {
                let rows = self.client.query(&self.list, &[&workspace, &PAGE]).await.expect("rows");
                std::hint::black_box(rows.iter().map(row).collect::<Vec<_>>()).len()
            }
            Operation::Fetch => {
                let found = self.client.query_one(&self.fetch, &[&workspace, &self.document]).await.expect("a row");
                std::hint::black_box(row(&found));
                1
            }
            Operation::InsertOne => {
                let values: [&(dyn ToSql + Sync); 3] = [&workspace, &Uuid::now_v7(), &"Document"];
                usize::try_from(self.client.execute(&self.insert_one, &values).await.expect("inserted")).expect("few")
            }
            Operation::InsertThousand => {
                let ids: Vec<Uuid> = (0..BULK).map(|_| Uuid::now_v7()).collect();
                let mut values: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(3 * BULK);
                for id in &ids {
                    values.extend([&workspace as &(dyn ToSql + Sync), id, &"Document"]);
                }
                let inserted = self.client.execute(&self.insert_thousand, &values).await.expect("inserted");
                usize::try_from(inserted).expect("few")
            }
            Operation::Join => {
                let rows = self.client.query(&self.join, &[&workspace, &PAGE]).await.expect("rows");
                let rows: Vec<(Uuid, String, String)> =
                    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
                std::hint::black_box(rows).len()
            }
        };
        self.client.batch_execute("COMMIT").await.expect("committed");
        count
    }
}
