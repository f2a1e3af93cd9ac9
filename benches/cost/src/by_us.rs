//! Scoped queries of this crate.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::Error;
use workspace_db::config::Config;
use workspace_db::id::DocumentId;
use workspace_db::models::NewDocument;
use workspace_db::schema::{datasources, documents};
use workspace_db::tenancy::{Database, InWorkspace as _, RawConnection, WorkspaceConnection, WorkspaceScope};

use crate::{BULK, Fixture, Operation, PAGE, Row};

type Columns = (DocumentId, String, Option<String>, serde_json::Value, bool, chrono::DateTime<chrono::Utc>);

/// Two connections, each as its workspace.
pub struct Us {
    read: (WorkspaceScope, WorkspaceConnection),
    written: (WorkspaceScope, WorkspaceConnection),
    document: DocumentId,
}

fn row((id, title, external_id, metadata, is_published, created_at): Columns) -> Row {
    Row { id: *id.as_uuid(), title, external_id, metadata, is_published, created_at }
}

impl Us {
    /// Connected by these URLs.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn new(fixture: &Fixture, config: Config) -> Self {
        let db = Database::open(&Config { pool_size: 2, ..config }).await.expect("a database");
        let scope = |id| WorkspaceScope::unchecked(id, "a benchmark");
        let (read, written) = (scope(fixture.read.workspace), scope(fixture.written.workspace));
        let connections = (db.workspace(&read).await.expect("lent"), db.workspace(&written).await.expect("lent"));
        Self { read: (read, connections.0), written: (written, connections.1), document: fixture.read.document }
    }

    /// The row of [`Operation::Fetch`] by raw SQL.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn fetch_raw(&mut self) {
        let id = self.document;
        let fetch = async |conn: &mut RawConnection| {
            let title = documents::table.filter(documents::id.eq(id)).select(documents::title);
            Ok::<_, Error>(RunQueryDsl::get_result::<String>(title, conn).await?)
        };
        std::hint::black_box(self.read.1.under_row_security("a benchmark", fetch).await.expect("a row"));
    }

    /// Does it; how many rows came or went.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn run(&mut self, operation: Operation) -> usize {
        let (scope, ws) = if operation.writes() { &mut self.written } else { &mut self.read };
        let scope = &*scope;
        let all = documents::table.in_workspace(scope);
        let columns = (
            documents::id,
            documents::title,
            documents::external_id,
            documents::metadata,
            documents::is_published,
            documents::created_at,
        );
        match operation {
            Operation::List => {
                let rows: Vec<Columns> =
                    all.order(documents::id.desc()).limit(PAGE).select(columns).load(ws).await.expect("rows");
                std::hint::black_box(rows.into_iter().map(row).collect::<Vec<_>>()).len()
            }
            Operation::Fetch => {
                let found: Columns = all.find(self.document).select(columns).get_result(ws).await.expect("a row");
                std::hint::black_box(row(found));
                1
            }
            Operation::InsertOne => all.insert(&NewDocument::new("Document")).execute(ws).await.expect("inserted"),
            Operation::InsertThousand => {
                let rows: Vec<_> = (0..BULK).map(|_| NewDocument::new("Document")).collect();
                all.insert(&rows).execute(ws).await.expect("inserted")
            }
            Operation::Join => {
                let rows: Vec<(DocumentId, String, String)> = all
                    .inner_join(datasources::table)
                    .order(documents::id.desc())
                    .limit(PAGE)
                    .select((documents::id, documents::title, datasources::name))
                    .load(ws)
                    .await
                    .expect("rows");
                std::hint::black_box(rows).len()
            }
        }
    }
}
