//! Pages of the audit log.

use axum::response::Html;
use diesel::prelude::*;
use maud::{Markup, html};

use super::display::{Budget, moment, text};
use super::json::folded;
use super::layout;
use super::params::Params;
use super::problem::Problem;
use super::request::StudioRequest;
use super::secrets::without_secrets;
use super::statement::readable;
use workspace_db::Result;
use workspace_db::auth::{self, AuditFilter};
use workspace_db::id::AuditEntryId;
use workspace_db::models::AuditEntry;
use workspace_db::schema::audit_log;
use workspace_db::tenancy::{InWorkspace as _, Keyset as _, PageKey, PlatformScope, WorkspaceScope};

/// Maximum number of entries on a page.
const LISTED: usize = 50;
/// Maximum bytes of changed values on a page.
const PAGE: usize = 100_000;
const REASON: &str = "the studio shows the audit log";

/// Handles `GET /{view}/audit?before=`.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let before: Option<PageKey> = visit.params.value("before").map(str::parse).transpose()?;
    let mut found = entries(&visit, before).await?;
    let is_more = found.len() > LISTED;
    found.truncate(LISTED);
    let budget = Budget::new(PAGE);
    let body = html! {
        @if found.is_empty() { p class="empty" { "There are no entries yet." } }
        ol class="entries" { @for entry in &found { (render_entry(entry, &budget)) } }
        @if let (true, Some(last)) = (is_more, found.last()) {
            @let next = Params::default().with("before", last.page_key().to_string());
            a class="button" rel="next" href=(next.at(&visit.view.path("audit"))) { "Older →" }
        }
    };
    Ok(layout::page(&visit, "audit", "Audit log", &body))
}

/// Returns a workspace's own entries, or all entries, newest first. It returns one entry more than the page shows.
async fn entries(visit: &StudioRequest, before: Option<PageKey>) -> Result<Vec<AuditEntry>> {
    let limit = u32::try_from(LISTED + 1).unwrap_or(u32::MAX);
    let Some(workspace) = visit.view.workspace() else {
        let filter = AuditFilter { before, ..AuditFilter::default() };
        return auth::audit_log(&visit.shared.db, &PlatformScope::unchecked(REASON), &filter, limit).await;
    };
    let scope = WorkspaceScope::unchecked(workspace, REASON).to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let query = audit_log::table.in_workspace(&ws);
    let order = (audit_log::occurred_at.desc(), audit_log::id.desc());
    match before {
        None => query.order(order).limit(limit.into()).load_each(&mut ws).await.map(readable),
        Some(PageKey { created_at, id }) => {
            let at_once = audit_log::occurred_at.eq(created_at).and(audit_log::id.lt(AuditEntryId::from(id)));
            let earlier = audit_log::occurred_at.lt(created_at).or(at_once);
            let query = query.filter(audit_log::occurred_at.le(created_at)).filter(earlier);
            query.order(order).limit(limit.into()).load_each(&mut ws).await.map(readable)
        }
    }
}

fn render_entry(entry: &AuditEntry, budget: &Budget) -> Markup {
    html! {
        li {
            p {
                strong { (text(&entry.action)) } " "
                span class="quiet" {
                    (moment(entry.occurred_at))
                    " · " (entry.actor)
                    @if let Some(admin) = entry.admin_user_id { " " (admin) }
                    @if let Some(reason) = &entry.reason { " · " (text(reason)) }
                    @if let Some(address) = &entry.address { " · " (text(address)) }
                    " · " (text(&entry.object_table)) @if let Some(id) = entry.object_id { " " (id) }
                }
            }
            @for (name, value) in [("Before", &entry.before), ("After", &entry.after)] {
                @if let Some(value) = value { details { summary { (name) } (folded(&without_secrets(value.clone()), budget)) } }
            }
        }
    }
}
