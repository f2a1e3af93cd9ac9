//! The state that all requests share, and what every page does with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use tokio::sync::Mutex;

use super::catalog::TableCatalog;
use super::gate::Gate;
use super::row_change::AppliedChange;
use super::statement::{DynamicStatement, REASON, Row, begin, only};
use super::view::View;
use workspace_db::config::Config;
use workspace_db::embeddings::Embedder;
use workspace_db::id::WorkspaceId;
use workspace_db::schema::workspaces;
use workspace_db::tenancy::{Database, RawConnection, WorkspaceScope};
use workspace_db::{Error, ErrorKind, Result};

/// Lifetime of what is cached. A migration, or another name of a workspace, is visible after this time.
const REMEMBERED: Duration = Duration::from_secs(10);

/// State that all requests share.
pub(super) struct AppState {
    pub(super) db: Database,
    pub(super) config: Config,
    pub(super) gate: Gate,
    pub(super) may_write: bool,
    pub(super) embedders: Vec<Box<dyn Embedder>>,
    pub(super) catalog: CatalogCache,
    pub(super) names: WorkspaceNames,
    /// Lock that runs compared searches one after another.
    pub(super) searching: Mutex<()>,
    /// Last change, for undo.
    pub(super) last_change: Mutex<Option<AppliedChange>>,
}

/// Slugs and names of the workspaces that were viewed. Each raw statement costs a connection, and every page shows them.
#[derive(Default)]
pub(super) struct WorkspaceNames(Mutex<HashMap<WorkspaceId, (Instant, String, String)>>);

/// The most recently read catalog.
#[derive(Default)]
pub(super) struct CatalogCache(Mutex<Option<(Instant, Arc<TableCatalog>)>>);

impl AppState {
    /// Returns the rows of each statement. All statements run in one read-only transaction: of one workspace under row-level
    /// security, or of all workspaces.
    pub(super) async fn ask(
        &self,
        workspace: Option<WorkspaceId>,
        statements: impl IntoIterator<Item = DynamicStatement>,
    ) -> Result<Vec<Vec<Row>>> {
        let statements: Vec<DynamicStatement> = statements.into_iter().collect();
        match workspace {
            Some(workspace) => {
                // The reader role may lack grants on your own tables, so this is no read scope. The transaction itself is
                // read-only.
                let scope = WorkspaceScope::unchecked(workspace, REASON);
                let mut ws = self.db.workspace(&scope).await?;
                ws.under_row_security(REASON, async |conn| answers(conn, statements).await).await
            }
            None => self.db.across_workspaces(REASON, async |conn| answers(conn, statements).await).await,
        }
    }

    /// Runs one statement as [`ask`](Self::ask) does.
    pub(super) async fn rows(&self, workspace: Option<WorkspaceId>, statement: DynamicStatement) -> Result<Vec<Row>> {
        Ok(self.ask(workspace, [statement]).await?.pop().unwrap_or_default())
    }

    /// Returns the catalog, which is read again after its lifetime.
    pub(super) async fn catalog(&self) -> Result<Arc<TableCatalog>> {
        let mut known = self.catalog.0.lock().await;
        if let Some((read_at, catalog)) = known.as_ref()
            && read_at.elapsed() < REMEMBERED
        {
            return Ok(Arc::clone(catalog));
        }
        let rows = self.rows(None, DynamicStatement::new(include_str!("catalog.sql"))).await?;
        let catalog = Arc::new(TableCatalog::parse(&only(rows).unwrap_or_default())?);
        *known = Some((Instant::now(), Arc::clone(&catalog)));
        Ok(catalog)
    }

    /// Returns the slug and the name of a workspace, or `None` if there is none with this id.
    pub(super) async fn workspace_names(&self, id: WorkspaceId) -> Result<Option<(String, String)>> {
        if let Some((read_at, slug, name)) = self.names.0.lock().await.get(&id)
            && read_at.elapsed() < REMEMBERED
        {
            return Ok(Some((slug.clone(), name.clone())));
        }
        let found: Option<(String, String)> = self
            .db
            .across_workspaces(REASON, async |conn| {
                let query = workspaces::table.find(id).select((workspaces::slug, workspaces::name));
                Ok::<_, Error>(query.first(conn).await.optional()?)
            })
            .await?;
        let mut names = self.names.0.lock().await;
        names.retain(|_, (read_at, ..)| read_at.elapsed() < REMEMBERED);
        if let Some((slug, name)) = &found {
            names.insert(id, (Instant::now(), slug.clone(), name.clone()));
        }
        Ok(found)
    }

    /// Returns true if the last change belongs to the workspace of the view, so that it can be undone there.
    pub(super) fn can_undo(&self, view: &View) -> bool {
        let last = self.last_change.try_lock();
        last.is_ok_and(|last| last.as_ref().is_some_and(|last| Some(last.workspace) == view.workspace()))
    }

    /// Rejects a change if the studio was started without `--write`.
    pub(super) fn refuse_to_write(&self) -> Result<()> {
        if self.may_write {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Forbidden, "this studio is read-only").remedy("start it with --write"))
    }
}

async fn answers(conn: &mut RawConnection, statements: Vec<DynamicStatement>) -> Result<Vec<Vec<Row>>> {
    begin(conn, "SET TRANSACTION READ ONLY; ").await?;
    let mut answers = Vec::new();
    for statement in statements {
        answers.push(statement.rows(conn).await?);
    }
    Ok(answers)
}
