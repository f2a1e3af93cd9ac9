//! Jobs: their current status, their recent results, and single jobs.

use std::collections::BTreeMap;

use axum::response::{Html, Response};
use diesel::prelude::*;
use maud::{Markup, html};
use serde_json::json;

use super::access_control::PostedForm;
use super::display::{Budget, cut, moment, null, text, time};
use super::json::folded;
use super::layout;
use super::params::see;
use super::problem::Problem;
use super::request::StudioRequest;
use super::secrets::without_secrets;
use super::statement::{DynamicStatement, Row};
use super::uuid_v7::LAST_IN_ORDER;
use super::view::View;
use serde_json::Value;
use workspace_db::Result;
use workspace_db::auth::{self, AuditedChange};
use workspace_db::id::JobId;
use workspace_db::models::Job;
use workspace_db::schema::jobs;
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::{InWorkspace as _, PlatformScope, WorkspaceScope};

/// Maximum number of examined jobs: the newest of a workspace, or those of each status across workspaces.
const NEWEST: usize = 10_000;
/// Number of workspaces whose newest jobs are examined across workspaces, and number of jobs of each.
const WORKSPACES: usize = 100;
const OF_EACH: usize = 50;
/// Maximum number of shown queues, each with one kind.
const QUEUES: usize = 200;
/// Maximum number of listed jobs.
const LISTED: usize = 50;
/// Maximum bytes of a job's arguments, result and errors.
const PAGE: usize = 120_000;
const REASON: &str = "the operator in the studio";

/// Handles `GET /{view}/jobs`.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let address = visit.params.at(&visit.view.path("jobs/live")).into_owned();
    let first = live_part(&visit).await?;
    let body = html! {
        nav class="bar" aria-label="Status" {
            a href=(visit.view.path("jobs")) { "All" }
            @for status in JobStatus::ALL {
                a href={ (visit.view.path("jobs")) "?status=" (status) } aria-current=[(visit.params.value("status") == Some(status.label())).then_some("true")] { (status) }
            }
        }
        div hx-get=(address) hx-trigger="every 2s" { (first) }
    };
    Ok(layout::page(&visit, "jobs", "Jobs", &body))
}

/// Handles `GET /{view}/jobs/live`: the part of the page that refreshes itself.
pub(super) async fn live(visit: StudioRequest) -> Result<Html<String>, Problem> {
    Ok(Html(live_part(&visit).await?.into_string()))
}

const COLUMNS: &str = "id, workspace_id, queue, job_type, status, attempts, max_attempts, scheduled_at, created_at,
    coalesce(completed_at, failed_at, cancelled_at) AS ended_at, last_error";

/// Returns the SQL of the newest jobs up to a limit: of one workspace, or of each of many workspaces.
fn newest(view: &View) -> String {
    match view {
        View::Workspace { id, .. } => {
            // Ids of version 7 are in order of time and below this limit. Ids of version 4, from other programs, are mostly
            // above it. Each kind gets half of the limit.
            let part = NEWEST / 2;
            let own = format!("SELECT {COLUMNS} FROM jobs WHERE workspace_id = '{id}'");
            format!(
                "({own} AND id < '{LAST_IN_ORDER}' ORDER BY id DESC LIMIT {part})
                 UNION ALL ({own} AND id >= '{LAST_IN_ORDER}' ORDER BY id DESC LIMIT {part})"
            )
        }
        View::Platform => format!(
            "SELECT own.* FROM (
                WITH RECURSIVE each AS (
                    (SELECT workspace_id FROM jobs ORDER BY workspace_id LIMIT 1)
                    UNION ALL
                    SELECT (
                        SELECT j.workspace_id FROM jobs AS j WHERE j.workspace_id > each.workspace_id
                        ORDER BY j.workspace_id LIMIT 1
                    ) FROM each WHERE each.workspace_id IS NOT NULL
                )
                SELECT workspace_id FROM each WHERE workspace_id IS NOT NULL LIMIT {WORKSPACES}
            ) AS each, LATERAL (
                SELECT {COLUMNS} FROM jobs AS j WHERE j.workspace_id = each.workspace_id ORDER BY j.id DESC LIMIT {OF_EACH}
            ) AS own"
        ),
    }
}

/// Returns the SQL of the jobs that the statistics of queues count. For a workspace these are the newest, running and failed
/// jobs. Across workspaces they are a limited number of queued, running and failed jobs, which partial indexes find.
fn queue_jobs_sql(view: &View) -> String {
    if let View::Workspace { id, .. } = view {
        let own = |status: &str| {
            format!("(SELECT {COLUMNS} FROM jobs WHERE workspace_id = '{id}' AND status = '{status}' LIMIT {NEWEST})")
        };
        return format!("({}) UNION {} UNION {}", newest(view), own("running"), own("failed"));
    }
    let of = |status: &str| format!("(SELECT {COLUMNS} FROM jobs WHERE status = '{status}' LIMIT {NEWEST})");
    format!("{} UNION ALL {} UNION ALL {}", of("queued"), of("running"), of("failed"))
}

/// Returns the statements of the jobs by queue and kind, of the jobs that ended per minute, and of the newest jobs.
fn statements(visit: &StudioRequest) -> [DynamicStatement; 3] {
    let (newest, counted_jobs) = (newest(&visit.view), queue_jobs_sql(&visit.view));
    let by_queue = format!(
        "SELECT ARRAY[queue, job_type,
            (count(*) FILTER (WHERE status = 'queued' AND scheduled_at <= now()))::text,
            (count(*) FILTER (WHERE status = 'queued' AND scheduled_at > now()))::text,
            (count(*) FILTER (WHERE status = 'running'))::text, (count(*) FILTER (WHERE status = 'failed'))::text,
            date_trunc('second', now() - min(scheduled_at) FILTER (WHERE status = 'queued' AND scheduled_at <= now() AND isfinite(scheduled_at)))::text
         ] AS cells
         FROM ({counted_jobs}) AS counted_jobs GROUP BY queue, job_type ORDER BY queue, job_type LIMIT {QUEUES}"
    );
    let over_time = format!(
        "SELECT ARRAY[extract(epoch FROM date_trunc('minute', ended_at))::bigint::text,
            (count(*) FILTER (WHERE status = 'completed'))::text, (count(*) FILTER (WHERE status = 'failed'))::text] AS cells
         FROM ({newest}) AS newest WHERE ended_at BETWEEN now() - interval '6 hours' AND now() GROUP BY date_trunc('minute', ended_at) ORDER BY 1"
    );
    let mut listed = DynamicStatement::default();
    let status = visit.params.value("status").filter(|name| JobStatus::ALL.iter().any(|known| known.label() == *name));
    let of = match status {
        Some(status) => format!("WHERE status = {}", listed.bind(Some(status), "job_status")),
        None => String::new(),
    };
    let both = if visit.view == View::Platform { format!("({counted_jobs}) UNION ({newest})") } else { counted_jobs };
    listed.push(&format!(
        "SELECT ARRAY[id, workspace_id, queue, job_type, status, attempts || ' of ' || max_attempts, scheduled_at, created_at,
            ended_at, left(last_error, 200)]::text[] AS cells FROM ({both}) AS newest {of} ORDER BY created_at DESC, id DESC LIMIT {LISTED}"
    ));
    [DynamicStatement::new(by_queue), DynamicStatement::new(over_time), listed]
}

async fn live_part(visit: &StudioRequest) -> Result<Markup> {
    let mut answers = visit.shared.ask(visit.view.workspace(), statements(visit)).await?.into_iter();
    let [by_queue, over_time, listed] = [(); 3].map(|()| answers.next().unwrap_or_default());
    let of = match &visit.view {
        View::Workspace { .. } => format!("the newest {NEWEST} jobs"),
        View::Platform => format!("the newest {OF_EACH} jobs of each of the first {WORKSPACES} workspaces"),
    };
    let counted = match &visit.view {
        View::Workspace { .. } => {
            format!("the newest {NEWEST} jobs, and up to {NEWEST} running and {NEWEST} failed jobs")
        }
        View::Platform => format!("up to {NEWEST} queued, {NEWEST} running and {NEWEST} failed jobs"),
    };
    Ok(html! {
        @if listed.is_empty() && by_queue.is_empty() { p class="empty" { "There are no jobs." } } @else {
            p class="quiet" { "The counts cover " (counted) "." }
            (queues(&by_queue))
            (chart(&over_time, &of))
            (list(&listed))
        }
    })
}

fn cell(row: &Row, at: usize) -> &str {
    row.get(at).and_then(Option::as_deref).unwrap_or_default()
}

fn queues(by_queue: &[Row]) -> Markup {
    let heads = ["Queue", "Type", "Due", "Scheduled", "Running", "Failed", "Oldest due"];
    html! {
        div class="wide" tabindex="0" role="region" aria-label="Queues" {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for row in by_queue {
                    tr {
                        th scope="row" { (text(cell(row, 0))) }
                        td { (text(cell(row, 1))) }
                        @for at in 2..heads.len() { td class="number" { (cell(row, at)) } }
                    }
                } }
            }
        }
    }
}

/// Draws the ended jobs per minute, with the numbers as text for users who can't see the chart.
fn chart(over_time: &[Row], of: &str) -> Markup {
    let number = |row: &Row, at: usize| cell(row, at).parse::<i64>().unwrap_or(0);
    // A minute in which no job ended is also a point.
    let minutes: BTreeMap<i64, (i64, i64)> =
        over_time.iter().map(|row| (number(row, 0), (number(row, 1), number(row, 2)))).collect();
    let (Some((first, _)), Some((last, _))) = (minutes.first_key_value(), minutes.last_key_value()) else {
        return html! { p class="quiet" { "None of " (of) " ended in the last six hours." } };
    };
    let all: Vec<i64> = (*first..=*last).step_by(60).collect();
    let series = |of: fn((i64, i64)) -> i64| -> Vec<i64> {
        all.iter().map(|minute| minutes.get(minute).copied().map_or(0, of)).collect()
    };
    let (completed, failed) = (series(|ended| ended.0), series(|ended| ended.1));
    let data = json!([all, completed, failed]).to_string();
    html! {
        figure class="chart" data-chart=(data) data-names="completed,failed" {
            figcaption {
                "Jobs that ended in the last six hours, per minute, among " (of) ": " (completed.iter().sum::<i64>()) " completed, " (failed.iter().sum::<i64>()) " failed"
            }
        }
    }
}

fn list(listed: &[Row]) -> Markup {
    html! {
        div class="wide" tabindex="0" role="region" aria-label="Jobs" {
            table {
                thead { tr { @for head in ["Job", "Queue", "Type", "Status", "Attempts", "Scheduled", "Created", "Ended", "Error"] { th scope="col" { (head) } } } }
                tbody { @for row in listed {
                    tr {
                        th scope="row" { a id={ "job-" (cell(row, 0)) } href={ "/" (cell(row, 1)) "/jobs/" (cell(row, 0)) } { (cut(cell(row, 0), 13)) } }
                        td { (text(cell(row, 2))) }
                        td { (text(cell(row, 3))) }
                        td { span class={ "status " (cell(row, 4)) } { (cell(row, 4)) } }
                        td { (cell(row, 5)) }
                        @for at in 6..9 { td { @match row.get(at) { Some(Some(at)) => (time(at)), _ => (null()) } } }
                        td { (text(cell(row, 9))) }
                    }
                } }
            }
        }
        @if listed.is_empty() { p class="empty" { "None of these jobs has this status." } }
    }
}

/// Handles `GET /{view}/jobs/{job}`.
pub(super) async fn one(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let workspace = visit.the_workspace("single jobs")?;
    let scope = WorkspaceScope::unchecked(workspace, "the studio shows a job").to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let id: JobId = visit.id("job")?;
    let job = jobs::table.in_workspace(&ws).find(id).select(Job::as_select()).load_each::<Job>(&mut ws).await?;
    let job =
        job.into_iter().next().ok_or_else(|| Problem::not_found(format!("there is no job {id} in this workspace")))?;
    let job = match job {
        Ok(job) => job,
        Err(unreadable) => {
            let row = visit.view.known_row("jobs", workspace, *id.as_uuid());
            let body = html! {
                p { "This job can't be read: " (text(unreadable.why())) ". " a href=(row) { "Its row" } " shows each value as text." }
                (action_forms(&visit, id))
            };
            return Ok(layout::page(&visit, "jobs", &format!("Job {id}"), &body));
        }
    };
    let budget = Budget::new(PAGE);
    let times = [
        ("Created", Some(job.created_at)),
        ("Scheduled", job.scheduled_at),
        ("Started", job.started_at),
        ("Heartbeat", job.heartbeat_at),
        ("Lease expires", job.lease_expires_at),
        ("Completed", job.completed_at),
        ("Failed", job.failed_at),
        ("Cancelled", job.cancelled_at),
    ];
    let value = |value: &serde_json::Value| folded(&without_secrets(value.clone()), &budget);
    let body = html! {
        div class="bar" {
            span class={ "status " (job.status) } { (job.status) }
            span { (text(&job.job_type)) " in " (text(&job.queue)) ", attempt " (job.attempts) " of " (job.max_attempts) ", priority " (job.priority) }
            (action_forms(&visit, id))
        }
        dl class="record" {
            @for (name, at) in times {
                @if let Some(at) = at { dt { (name) } dd { (moment(at)) } }
            }
            @if let Some(worker) = &job.leased_by { dt { "Worker" } dd { (text(worker)) } }
            dt { "Arguments" } dd { (value(&job.payload)) }
            @if let Some(result) = &job.result { dt { "Result" } dd { (value(result)) } }
            @if let Some(error) = &job.last_error { dt { "Last error" } dd { div class="text" { (text(&budget.cut(error))) } } }
            dt { "Errors by attempt" } dd { (value(&job.errors)) }
        }
    };
    Ok(layout::page(&visit, "jobs", &format!("Job {id}"), &body))
}

fn action_forms(visit: &StudioRequest, id: JobId) -> Markup {
    html! {
        @if visit.shared.may_write {
            @for (deed, name) in [("retry", "Retry"), ("cancel", "Cancel")] {
                form method="post" action=(visit.view.path(&format!("jobs/{id}/{deed}"))) {
                    input type="hidden" name="form_token" value=(visit.browser_session.form_token);
                    button { (name) }
                }
            }
        }
    }
}

/// Handles `POST /{view}/jobs/{job}/retry`.
pub(super) async fn retry(visit: StudioRequest, PostedForm(_): PostedForm) -> Result<Response, Problem> {
    steer(visit, "job.retry").await
}

/// Handles `POST /{view}/jobs/{job}/cancel`.
pub(super) async fn cancel(visit: StudioRequest, PostedForm(_): PostedForm) -> Result<Response, Problem> {
    steer(visit, "job.cancel").await
}

async fn steer(visit: StudioRequest, action: &'static str) -> Result<Response, Problem> {
    visit.shared.refuse_to_write()?;
    let workspace = visit.the_workspace("single jobs")?;
    let id: JobId = visit.id("job")?;
    let scope = WorkspaceScope::unchecked(workspace, REASON);
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let (table, row) = ("jobs".to_owned(), Some(*id.as_uuid()));
    let change = AuditedChange { workspace, action, table, row, before: Value::Null, after: Value::Null };
    let db = &visit.shared.db;
    ws.transaction(async |ws| {
        match action {
            "job.retry" => workspace_db::jobs::retry(ws, id).await?,
            _ => drop(workspace_db::jobs::cancel(ws, id).await?),
        }
        // The entry is committed before the change, as for rows.
        auth::record_change(db, &PlatformScope::unchecked(REASON), change).await
    })
    .await?;
    see(&visit.view.path(&format!("jobs/{id}")))
}
