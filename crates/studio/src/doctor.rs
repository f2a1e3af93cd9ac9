//! The results of the doctor as a table.

use axum::response::Html;
use maud::html;

use super::layout;
use super::problem::Problem;
use super::request::StudioRequest;
use workspace_db::doctor::{CHECKS, CheckStatus, Doctor, Thresholds};

/// Handles `GET /{view}/doctor`.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let body = html! {
        p class="quiet" { "The results of " code { "workspace-db doctor --quick" } " for the whole database: all checks except the recall of searches." }
        div hx-get=(visit.view.path("doctor/checks")) hx-trigger="load" aria-live="polite" { p class="quiet" { "running the checks …" } }
    };
    Ok(layout::page(&visit, "doctor", "Doctor", &body))
}

/// Handles `GET /{view}/doctor/checks`.
pub(super) async fn checks(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let thresholds = Thresholds { questions: 0, ..Thresholds::default() };
    let mut findings = Doctor::new(&visit.shared.config)?.with_thresholds(thresholds).run_checks().await?;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.status));
    let bad = findings.iter().filter(|finding| finding.status > CheckStatus::Skipped).count();
    let body = html! {
        p { strong { (bad) " of " (findings.len()) " checks need attention." } }
        div class="wide" tabindex="0" role="region" aria-label="Checks" {
            table {
                thead { tr { th scope="col" { "Status" } th scope="col" { "Check" } th scope="col" { "Findings and remedies" } } }
                tbody { @for finding in &findings {
                    tr {
                        td { span class={ "status " (finding.status) } { (finding.status) } }
                        th scope="row" { (finding.check) }
                        td {
                            @if let Some(check) = CHECKS.iter().find(|check| check.name == finding.check) { span class="quiet" { (check.asks) } }
                            @if !finding.problems.is_empty() { ul { @for problem in finding.problems.iter().take(50) { li { (super::display::text(problem)) } } } }
                            @if let Some(remedy) = finding.remedy { p { "→ " (remedy) } }
                        }
                    }
                } }
            }
        }
    };
    Ok(Html(body.into_string()))
}
