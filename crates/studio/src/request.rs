//! A request with its view.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use uuid::Uuid;

use super::catalog::TableInfo;
use super::gate::BrowserSession;
use super::params::Params;
use super::problem::Problem;
use super::state::AppState;
use super::view::{PLATFORM, View};
use workspace_db::id::WorkspaceId;
use workspace_db::{Error, Result};

/// An admitted request with its browser session, view and parameters.
pub(super) struct StudioRequest {
    pub(super) shared: Arc<AppState>,
    pub(super) view: View,
    pub(super) browser_session: BrowserSession,
    pub(super) params: Params,
    path: Vec<(String, String)>,
}

impl StudioRequest {
    /// Returns a part of the address by its name in `routes`.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Returns a part of the address as an id. Text that is no id is reported as not found.
    pub(super) fn id<I: From<Uuid>>(&self, name: &str) -> Result<I, Problem> {
        let text = self.part(name);
        text.parse().map(|id: Uuid| id.into()).map_err(|_| Problem::not_found(format!("{text:?} is not an id")))
    }

    /// Returns the value that the address gives for a column of a row's key.
    pub(super) fn key_part(&self, column: &str) -> Result<&str, Problem> {
        let value = self.params.value(&format!("k.{column}"));
        value.ok_or_else(|| Problem::not_found(format!("the address has no value for {column}")))
    }

    /// Returns true if rows of a table can be changed in this view.
    pub(super) fn may_edit(&self, table: &TableInfo) -> bool {
        self.shared.may_write && self.view != View::Platform && table.is_edited()
    }

    /// Returns the workspace, for a page that shows only one workspace.
    pub(super) fn the_workspace(&self, what: &str) -> Result<WorkspaceId, Problem> {
        self.view.workspace().ok_or_else(|| {
            let error = Error::invalid(format!("{what} are available only in the view of one workspace"));
            error.remedy("choose a workspace").into()
        })
    }
}

impl FromRequestParts<Arc<AppState>> for StudioRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<AppState>) -> Result<Self, Problem> {
        let raw = RawPathParams::from_request_parts(parts, shared).await;
        let raw = raw.map_err(|error| Error::invalid("the address is not valid").caused_by(error))?;
        let path: Vec<(String, String)> = raw.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let named = path.iter().find(|(key, _)| key == "view").map_or("", |(_, value)| value);
        let view = match named {
            PLATFORM => View::Platform,
            id => match id.parse::<Uuid>() {
                Ok(id) => shared.workspace_view(id.into()).await?,
                Err(_) => return Err(Problem::not_found(format!("{id:?} is not the id of a workspace"))),
            },
        };
        let Ok(params) = Params::from_request_parts(parts, shared).await;
        let Some(browser_session) = parts.extensions.get::<BrowserSession>().cloned() else {
            return Err(Error::invalid("the request has no browser session").into());
        };
        Ok(Self { shared: Arc::clone(shared), view, browser_session, params, path })
    }
}

impl AppState {
    async fn workspace_view(&self, id: WorkspaceId) -> Result<View, Problem> {
        let found = self.workspace_names(id).await?;
        let (slug, name) = found.ok_or_else(|| Problem::not_found(format!("there is no workspace {id}")))?;
        Ok(View::Workspace { id, slug, name })
    }
}
