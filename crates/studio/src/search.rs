//! The passages that answer a question, and a comparison of the search methods.

use std::time::{Duration, Instant};

use axum::response::Html;
use maud::{Markup, html};

use super::display::{cut, text};
use super::layout;
use super::params::Params;
use super::problem::{Problem, message};
use super::request::StudioRequest;
use super::statement::{DynamicStatement, TIMEOUT, only};
use workspace_db::embeddings::Embedder;
use workspace_db::id::{DocumentChunkId, WorkspaceId};
use workspace_db::schema::document_chunks;
use workspace_db::search::{Hit, Plan, Question, SearchChunks as _, SearchResults, own_index};
use workspace_db::sql_types::{DocumentStatus, Embedding};
use workspace_db::tenancy::{InWorkspace as _, Read, WorkspaceConnection, WorkspaceScope};
use workspace_db::{Error, ErrorKind, Result};

/// Search methods: the name in an address, and the title.
const WAYS: [(&str, &str); 5] = [
    ("exact", "Exact"),
    ("bits", "Bits"),
    ("approximate", "Approximate"),
    ("words", "Full text"),
    ("hybrid", "Hybrid"),
];
/// Value of the parameter `tab` for the comparison.
const COMPARISON: &str = "comparison";
/// Number of chunks per list.
const K: u32 = 10;
/// Maximum characters of a chunk.
const SHOWN: usize = 280;

/// Handles `GET /{view}/search?q=`, or `?like=` with a chunk's id.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    visit.the_workspace("searches")?;
    let params = &visit.params;
    let (q, like) = (params.value("q").unwrap_or_default(), params.value("like"));
    let has_question = !q.is_empty() || like.is_some();
    let compares = params.value("tab") == Some(COMPARISON) || like.is_some();
    let search = visit.view.path("search");
    let body = html! {
        form class="bar" role="search" {
            label for="q" { "Question" }
            input id="q" name="q" type="search" value=(q) class="long" required autofocus[!has_question];
            label for="status" { "Status" }
            select id="status" name="status" {
                option value="" { "any" }
                @for status in DocumentStatus::ALL {
                    option value=(status) selected[params.value("status") == Some(&status.to_string())] { (status) }
                }
            }
            label for="language" { "Language" }
            input id="language" name="language" value=(params.value("language").unwrap_or_default()) class="short" placeholder="any";
            @if compares { input type="hidden" name="tab" value=(COMPARISON); }
            button { "Search" }
        }
        @if let Some(like) = like { p { "More like the chunk " code { (text(like)) } "." } }
        @if has_question {
            @if like.is_none() {
                nav class="tabs" aria-label="Results" {
                    a href=(params.without(&["tab"]).at(&search)) aria-current=[(!compares).then_some("page")] { "Answer" }
                    " "
                    a href=(params.without(&["tab"]).with("tab", COMPARISON).at(&search)) aria-current=[compares.then_some("page")] { "Comparison of the methods" }
                }
            }
            @if compares {
                p class="quiet" { "Questions are embedded by " (models(&visit)) ". The searches run one after another, so that none slows down another." }
                div class="lists" {
                    @for (way, name) in WAYS.iter().filter(|(way, _)| like.is_none() || is_by_vector_alone(way)) {
                        section aria-label=(name) {
                            h2 { (name) }
                            (loading(&params.at(&visit.view.path(&format!("search/{way}")))))
                        }
                    }
                }
            } @else {
                section aria-label="Answer" { (loading(&params.at(&visit.view.path("search/answer")))) }
            }
        }
    };
    Ok(layout::page(&visit, "search", "Search", &body))
}

/// Returns an element that the browser replaces by the list at this address.
fn loading(address: &str) -> Markup {
    html! { div hx-get=(address) hx-trigger="load" aria-live="polite" { p class="quiet" { "searching …" } } }
}

fn is_by_vector_alone(way: &str) -> bool {
    matches!(way, "exact" | "bits" | "approximate")
}

/// Handles `GET /{view}/search/{way}?q=`, which returns one list.
pub(super) async fn list(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let workspace = visit.the_workspace("searches")?;
    let way = visit.part("way").to_owned();
    if way != "answer" && !WAYS.iter().any(|(known, _)| *known == way) {
        return Err(Problem::not_found(format!("there is no search method {way:?}")));
    }
    if way == "approximate" && !has_own_index(&visit, workspace).await? {
        return Ok(Html(html! {
            p class="quiet" { "This workspace has no index of its own. " code { "workspace-db index retrain" } " creates one if the workspace is large enough." }
        }.into_string()));
    }
    let _turn = visit.shared.searching.lock().await;
    let answered = match tokio::time::timeout(TIMEOUT, answer(&visit, workspace, &way)).await {
        Ok(answered) => answered,
        Err(_) => Err(Error::new(ErrorKind::Interrupted, "this search took longer than 5 seconds and was cancelled")),
    };
    let body = match answered {
        Ok((answer, took)) => render_results(&visit, workspace, &answer, took, way == "answer"),
        Err(error) => html! { p class="error" role="alert" { (message(&error)) } },
    };
    Ok(Html(body.into_string()))
}

async fn has_own_index(visit: &StudioRequest, workspace: WorkspaceId) -> Result<bool> {
    let statement = DynamicStatement::new("SELECT ARRAY[to_regclass($1)::text] AS cells").with([own_index(workspace)]);
    let rows = visit.shared.rows(Some(workspace), statement).await?;
    Ok(only(rows).is_some())
}

async fn answer(visit: &StudioRequest, workspace: WorkspaceId, way: &str) -> Result<(SearchResults, Duration)> {
    let scope = WorkspaceScope::unchecked(workspace, "the studio searches").to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let chunks = document_chunks::table.in_workspace(&ws);
    let words = visit.params.value("q").unwrap_or_default();
    let search = match way {
        "words" => chunks.full_text(words, K),
        "hybrid" => chunks.hybrid(&question(visit, &mut ws).await?, words, K),
        "answer" => {
            let search = chunks.hybrid(&question(visit, &mut ws).await?, words, K);
            search.per_document(1).without_near_duplicates().excerpts(words)
        }
        way => {
            let search = chunks.nearest(&question(visit, &mut ws).await?, K);
            search.with_plan(match way {
                "exact" => Plan::Exact,
                "bits" => Plan::Bits,
                _ => Plan::Approximate,
            })
        }
    };
    let mut search = match visit.params.value("status") {
        Some(status) => search.status(status.parse()?),
        None => search.any_status(),
    };
    if let Some(language) = visit.params.value("language") {
        search = search.language(language.parse()?);
    }
    let began = Instant::now();
    let answer = search.run(&mut ws).await?;
    Ok((answer, began.elapsed()))
}

fn models(visit: &StudioRequest) -> String {
    visit.shared.embedders.iter().map(|embedder| embedder.model()).collect::<Vec<_>>().join(" or ")
}

/// Returns the vector to search for: that of an existing chunk, or that of the text.
async fn question(visit: &StudioRequest, ws: &mut WorkspaceConnection<Read>) -> Result<Question> {
    let Some(like) = visit.params.value("like") else {
        let embedders: Vec<&dyn Embedder> = visit.shared.embedders.iter().map(Box::as_ref).collect();
        return Question::embed_for_workspace(ws, &embedders, visit.params.value("q").unwrap_or_default()).await;
    };
    let id: uuid::Uuid = like.parse().map_err(|_| Error::invalid(format!("{like:?} is not the id of a chunk")))?;
    let (vector, model): (Embedding, String) = document_chunks::table
        .in_workspace(&ws)
        .find(DocumentChunkId::from(id))
        .select((document_chunks::vector, document_chunks::embedding_model))
        .first(ws)
        .await?;
    Ok(Question::new(vector, model))
}

fn render_results(
    visit: &StudioRequest,
    workspace: WorkspaceId,
    answer: &SearchResults,
    took: Duration,
    is_answer: bool,
) -> Markup {
    html! {
        p class="quiet" {
            strong { (format!("{:.1} ms", took.as_secs_f64() * 1000.0)) }
            @for list in [&answer.by_vector, &answer.by_words].into_iter().flatten() { " · " (list) }
        }
        @if answer.hits.is_empty() { p class="empty" { @if is_answer { "No passage answers the question." } @else { "No results." } } }
        ol class="hits" { @for hit in &answer.hits { (passage(visit, workspace, hit)) } }
    }
}

fn passage(visit: &StudioRequest, workspace: WorkspaceId, hit: &Hit) -> Markup {
    let like = Params::default().with("like", hit.chunk_id.to_string());
    html! {
        li {
            a href=(visit.view.known_row("document_chunks", workspace, *hit.chunk_id.as_uuid())) {
                (text(&cut(&hit.title, SHOWN)))
                @for heading in hit.headings() { " › " (text(&cut(heading, SHOWN))) }
                @if hit.headings().next().is_none() { " #" (hit.chunk_index) }
            }
            span class="quiet" {
                @if let (Some(name), Some(line)) = (&hit.external_id, hit.line()) { " " (text(&cut(name, SHOWN))) ":" (line) " ·" }
                " " (format!("{:.4}", hit.score))
                @if let (Some(near), Some(words)) = (hit.by_vector, hit.by_words) { " (vector rank " (near.rank) ", full-text rank " (words.rank) ")" }
                " · " a href=(like.at(&visit.view.path("search"))) { "more like this" }
            }
            div class="text" {
                @if hit.excerpt.is_empty() { (text(&cut(&hit.content, SHOWN))) }
                @for part in &hit.excerpt {
                    @if part.is_match { mark { (text(&part.text)) } } @else { (text(&cut(&part.text, SHOWN))) }
                }
            }
        }
    }
}
