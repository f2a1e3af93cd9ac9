//! The list of workspaces, and the switch between them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, Response};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use maud::html;

use super::layout;
use super::params::{Params, see};
use super::problem::Problem;
use super::state::AppState;
use super::statement::{REASON, literally};
use super::view::View;
use workspace_db::id::WorkspaceId;
use workspace_db::schema::workspaces;
use workspace_db::{Error, Result};

/// Maximum number of workspaces on one page.
const MOST: i64 = 100;

impl AppState {
    /// Returns workspaces whose slug or name begins with that text, ordered by slug.
    async fn workspaces(&self, begins: &str, limit: i64) -> Result<Vec<(WorkspaceId, String, String)>> {
        let pattern = format!("{}%", literally(begins));
        self.db
            .across_workspaces(REASON, async |conn| {
                let query = workspaces::table
                    .filter(workspaces::slug.ilike(&pattern).or(workspaces::name.ilike(&pattern)))
                    .order(workspaces::slug)
                    .limit(limit)
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
            a class="button loud" href=(View::Platform.path("tables")) { "All workspaces" }
        }
        @if found.is_empty() { p class="empty" { "No workspace starts with this." } }
        ul class="cards" {
            @for (id, slug, name) in found.iter().take(usize::try_from(MOST).unwrap_or(usize::MAX)) {
                li { a href={ "/" (id) "/tables" } { strong dir="auto" { (name) } span class="quiet" { (slug) } } }
            }
        }
        @if i64::try_from(found.len()).unwrap_or(i64::MAX) > MOST { p class="quiet" { "There are more workspaces. Type the start of a slug or name." } }
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
