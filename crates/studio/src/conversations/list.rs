//! The list of conversations, and the messages that a search finds.

use axum::response::Html;
use maud::{Markup, html};

use crate::display::{cut, moment, text};
use crate::layout;
use crate::params::Params;
use crate::problem::Problem;
use crate::request::StudioRequest;
use crate::statement::readable;
use workspace_db::Result;
use workspace_db::conversations::{ConversationFilter, Rating, list_conversations};
use workspace_db::models::Conversation;
use workspace_db::search::{MessageHit, MessageSearch, MessageSearchResults};
use workspace_db::sql_types::{ConversationSpeaker, ConversationStatus};
use workspace_db::tenancy::{Keyset as _, PageKey, WorkspaceScope};

/// Maximum number of conversations, or of found messages, on a page.
const LISTED: u32 = 50;
/// Maximum characters of a title.
pub(super) const TITLE: usize = 200;
const RATINGS: [Rating; 3] = [Rating::Bad, Rating::Neutral, Rating::Good];

/// Handles `GET /{view}/conversations?words=&person=&status=&speaker=&rating=&review=&after=`.
pub(crate) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let workspace = visit.the_workspace("conversations")?;
    let scope = WorkspaceScope::unchecked(workspace, "the studio shows conversations").to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let params = &visit.params;
    let filter = filter_of(params)?;
    let found = if let Some(words) = params.value("words") {
        let mut search = MessageSearch::new(words, LISTED);
        if let Some(person) = &filter.external_user_id {
            search = search.person(person);
        }
        if let Some(rating) = filter.rating {
            search = search.rating(rating);
        }
        render_hits(&visit, &search.run(&mut ws).await?)
    } else {
        let after = params.value("after").map(str::parse::<PageKey>).transpose()?;
        let mut found = list_conversations(&mut ws, &filter, after, LISTED + 1).await?;
        let shown = usize::try_from(LISTED).unwrap_or(usize::MAX);
        let is_more = found.len() > shown;
        found.truncate(shown);
        render_list(&visit, &readable(found), is_more)
    };
    let body = html! { (form(params)) (found) };
    Ok(layout::page(&visit, "conversations", "Conversations", &body))
}

fn filter_of(params: &Params) -> Result<ConversationFilter> {
    Ok(ConversationFilter {
        external_user_id: params.value("person").map(str::to_owned),
        status: params.value("status").map(str::parse).transpose()?,
        speaker: params.value("speaker").map(str::parse).transpose()?,
        rating: params.value("rating").map(str::parse).transpose()?,
        to_review: params.value("review").is_some(),
    })
}

fn form(params: &Params) -> Markup {
    let statuses: Vec<String> = ConversationStatus::ALL.iter().map(ToString::to_string).collect();
    let speakers: Vec<String> = ConversationSpeaker::ALL.iter().map(ToString::to_string).collect();
    let ratings: Vec<String> = RATINGS.iter().map(ToString::to_string).collect();
    let choices = [("status", "Status", statuses), ("speaker", "Answers", speakers), ("rating", "Rating", ratings)];
    html! {
        form class="bar" role="search" {
            label for="words" { "Words" }
            input id="words" name="words" type="search" value=(params.value("words").unwrap_or_default()) class="long";
            label for="person" { "Visitor" }
            input id="person" name="person" value=(params.value("person").unwrap_or_default()) class="short" placeholder="any";
            @for (name, label, values) in &choices {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    option value="" { "any" }
                    @for value in values {
                        option value=(value) selected[params.value(name) == Some(value.as_str())] { (value) }
                    }
                }
            }
            label { input type="checkbox" name="review" value="yes" checked[params.value("review").is_some()]; " to review" }
            button { "Show" }
        }
    }
}

fn render_list(visit: &StudioRequest, found: &[Conversation], is_more: bool) -> Markup {
    html! {
        @if found.is_empty() { p class="empty" { "There are no such conversations." } }
        ul class="cards tall" {
            @for one in found {
                li { a href=(visit.view.path(&format!("conversations/{}", one.id))) {
                    strong { (text(&cut(one.title.as_deref().unwrap_or("Untitled"), TITLE))) }
                    span class="quiet" {
                        (one.status) ", " (one.speaker) " answers"
                        @if let Some(user) = &one.external_user_id { " · " (text(&cut(user, TITLE))) }
                    }
                    span class="quiet" { (moment(one.created_at)) }
                } }
            }
        }
        @if let (true, Some(last)) = (is_more, found.last()) {
            @let next = visit.params.without(&["after"]).with("after", last.page_key().to_string());
            a class="button" rel="next" href=(next.at(&visit.view.path("conversations"))) { "Next →" }
        }
    }
}

fn render_hits(visit: &StudioRequest, found: &MessageSearchResults) -> Markup {
    html! {
        p class="quiet" {
            "Messages with these words, the best first: " (found.hits.len()) " of " (found.matches)
            @if found.bound_reached { " or more; only the newest are ranked" }
            ". Status, who answers and the review queue do not limit a search by words."
        }
        ol class="hits" { @for hit in &found.hits { (render_hit(visit, hit)) } }
    }
}

fn render_hit(visit: &StudioRequest, hit: &MessageHit) -> Markup {
    let author = if hit.by_human { "human" } else { hit.role.label() };
    let address = visit.view.path(&format!("conversations/{}", hit.conversation_id));
    html! {
        li {
            a href={ (address) "?at=" (hit.message_id) "#m-" (hit.message_id) } {
                (text(&cut(hit.title.as_deref().unwrap_or("Untitled"), TITLE)))
            }
            " " span class="quiet" {
                (author) " · " (moment(hit.created_at))
                @if let Some(user) = &hit.external_user_id { " · " (text(&cut(user, TITLE))) }
            }
            p { @for part in &hit.excerpt { @if part.is_match { mark { (text(&part.text)) } } @else { (text(&part.text)) } } }
        }
    }
}
