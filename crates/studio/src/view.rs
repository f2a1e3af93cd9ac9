//! Views: one workspace, or the platform, which sees all workspaces.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::response::{Html, Response};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use maud::html;
use uuid::Uuid;

use super::AppState;
use super::catalog::TableInfo;
use super::gate::BrowserSession;
use super::layout;
use super::params::{Params, see};
use super::problem::Problem;
use super::statement::{REASON, literally};
use workspace_db::id::WorkspaceId;
use workspace_db::schema::workspaces;
use workspace_db::{Error, Result};

/// Name of the platform in an address, in the position of a workspace's id.
const PLATFORM: &str = "platform";
/// Maximum number of workspaces on one page.
const MOST: i64 = 100;

/// View of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    Platform,
    Workspace { id: WorkspaceId, slug: String, name: String },
}

impl View {
    pub(super) fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Self::Platform => None,
            Self::Workspace { id, .. } => Some(*id),
        }
    }

    /// Returns the address of a page in this view.
    pub(super) fn path(&self, page: &str) -> String {
        match self {
            Self::Platform => format!("/{PLATFORM}/{page}"),
            Self::Workspace { id, .. } => format!("/{id}/{page}"),
        }
    }

    /// Returns the address of a row, by the names and values of its key.
    pub(super) fn row<'k>(&self, table: &str, key: impl IntoIterator<Item = (&'k str, String)>) -> String {
        let with = |params: Params, (name, value): (&str, String)| params.with(&format!("k.{name}"), value);
        let params = key.into_iter().fold(Params::default(), with);
        params.at(&self.path(&format!("tables/{table}/row"))).into_owned()
    }

    /// Returns the address of a row in a table of this crate.
    pub(super) fn known_row(&self, table: &str, workspace: WorkspaceId, id: Uuid) -> String {
        self.row(table, [("workspace_id", workspace.to_string()), ("id", id.to_string())])
    }
}

/// An admitted request with its session, view and parameters.
pub(super) struct StudioRequest {
    pub(super) shared: Arc<AppState>,
    pub(super) view: View,
    pub(super) session: BrowserSession,
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
        text.parse().map(|id: Uuid| id.into()).map_err(|_| Problem::not_found(format!("{text:?} is no id")))
    }

    /// Returns the value that the address gives for a column of a row's key.
    pub(super) fn key_part(&self, column: &str) -> Result<&str, Problem> {
        let value = self.params.value(&format!("k.{column}"));
        value.ok_or_else(|| Problem::not_found(format!("the address says no {column}")))
    }

    /// Returns true if rows of a table can be changed in this view.
    pub(super) fn may_edit(&self, table: &TableInfo) -> bool {
        self.shared.may_write && self.view != View::Platform && table.is_edited()
    }

    /// Returns the workspace, for a page that shows only one workspace.
    pub(super) fn the_workspace(&self, what: &str) -> Result<WorkspaceId, Problem> {
        self.view.workspace().ok_or_else(|| {
            let error = Error::invalid(format!("{what} are shown as one workspace sees them"));
            error.remedy("choose a workspace above").into()
        })
    }
}

impl FromRequestParts<Arc<AppState>> for StudioRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<AppState>) -> Result<Self, Problem> {
        let raw = RawPathParams::from_request_parts(parts, shared).await;
        let raw = raw.map_err(|error| Error::invalid("the address can't be read").caused_by(error))?;
        let path: Vec<(String, String)> = raw.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let named = path.iter().find(|(key, _)| key == "view").map_or("", |(_, value)| value);
        let view = match named {
            PLATFORM => View::Platform,
            id => match id.parse::<Uuid>() {
                Ok(id) => shared.workspace_view(id.into()).await?,
                Err(_) => return Err(Problem::not_found(format!("{id:?} is no workspace's id"))),
            },
        };
        let Ok(params) = Params::from_request_parts(parts, shared).await;
        let Some(session) = parts.extensions.get::<BrowserSession>().cloned() else {
            return Err(Error::invalid("the request has no session").into());
        };
        Ok(Self { shared: Arc::clone(shared), view, session, params, path })
    }
}

impl AppState {
    async fn workspace_view(&self, id: WorkspaceId) -> Result<View, Problem> {
        let found: Option<(String, String)> = self
            .db
            .across_workspaces(REASON, async |conn| {
                let query = workspaces::table.find(id).select((workspaces::slug, workspaces::name));
                Ok::<_, Error>(query.first(conn).await.optional()?)
            })
            .await?;
        let (slug, name) = found.ok_or_else(|| Problem::not_found(format!("there is no workspace {id}")))?;
        Ok(View::Workspace { id, slug, name })
    }

    /// Returns workspaces whose slug or name begins with that text, ordered by slug.
    async fn workspaces(&self, begins: &str, most: i64) -> Result<Vec<(WorkspaceId, String, String)>> {
        let pattern = format!("{}%", literally(begins));
        self.db
            .across_workspaces(REASON, async |conn| {
                let query = workspaces::table
                    .filter(workspaces::slug.ilike(&pattern).or(workspaces::name.ilike(&pattern)))
                    .order(workspaces::slug)
                    .limit(most)
                    .select((workspaces::id, workspaces::slug, workspaces::name));
                Ok(query.load(conn).await?)
            })
            .await
    }
}

/// Handles `GET /`: the list of workspaces.
pub(super) async fn choose(State(shared): State<Arc<AppState>>, params: Params) -> Result<Html<String>, Problem> {
    let begins = params.value("q").unwrap_or_default();
    let found = shared.workspaces(begins, MOST + 1).await?;
    let body = html! {
        form class="bar" action="/" role="search" {
            label for="q" { "Workspace" }
            input id="q" name="q" type="search" value=(begins) placeholder="slug or name" autofocus;
            button { "Find" }
            a class="button loud" href=(View::Platform.path("tables")) { "Across all workspaces" }
        }
        @if found.is_empty() { p class="empty" { "There is no workspace that begins so." } }
        ul class="cards" {
            @for (id, slug, name) in found.iter().take(usize::try_from(MOST).unwrap_or(usize::MAX)) {
                li { a href={ "/" (id) "/tables" } { strong dir="auto" { (name) } span class="quiet" { (slug) } } }
            }
        }
        @if i64::try_from(found.len()).unwrap_or(i64::MAX) > MOST { p class="quiet" { "There are more: say how its name begins." } }
    };
    Ok(layout::front("Workspaces", &shared, &body))
}

/// Handles `GET /switch?to=`: redirects to the same page of another workspace, or to the list if none has that slug.
pub(super) async fn switch(State(shared): State<Arc<AppState>>, params: Params) -> Result<Response, Problem> {
    let slug = params.value("to").unwrap_or_default();
    let page = params.value("page").unwrap_or("tables");
    let found: Option<WorkspaceId> = shared
        .db
        .across_workspaces(REASON, async |conn| {
            let query = workspaces::table.filter(workspaces::slug.eq(slug)).select(workspaces::id);
            Ok::<_, Error>(query.first(conn).await.optional()?)
        })
        .await?;
    let to = match found {
        Some(id) => format!("/{id}/{}", layout::known_page(page)),
        None => Params::default().with("q", slug).at("/").into_owned(),
    };
    see(&to)
}
