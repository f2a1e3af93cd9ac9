//! One conversation.

use axum::response::Html;
use maud::{Markup, html};

use super::list::TITLE;
use super::message::render_message;
use crate::display::{Budget, cut, moment, text};
use crate::layout;
use crate::params::Params;
use crate::problem::Problem;
use crate::request::StudioRequest;
use workspace_db::bigdecimal::BigDecimal;
use workspace_db::conversations::{
    ConversationPage, ModelUsage, PageStart, StatusChange, UsageOf, conversation_page, model_usage,
};
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::models::Conversation;
use workspace_db::sql_types::ConversationSpeaker;
use workspace_db::tenancy::WorkspaceScope;

/// Maximum number of messages on a page.
const SHOWN: u32 = 50;
/// Maximum bytes of all texts on a page.
const PAGE: usize = 120_000;

/// Changes that a person can make: the name in a form, and the label of its button.
pub(super) const CHANGES: [(&str, &str, StatusChange); 6] = [
    ("request_human", "Request a person", StatusChange::RequestHuman),
    ("take_over", "Take over", StatusChange::TakeOver),
    ("give_back", "Give back to the bot", StatusChange::GiveBack),
    ("resolve", "Resolve", StatusChange::Resolve),
    ("reopen", "Reopen", StatusChange::Reopen),
    ("close", "Close", StatusChange::Close),
];

/// Handles `GET /{view}/conversations/{conversation}?before=&after=&at=`: the last messages, or those around one.
pub(crate) async fn one(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let workspace = visit.the_workspace("conversations")?;
    let id: ConversationId = visit.id("conversation")?;
    let scope = WorkspaceScope::unchecked(workspace, "the studio shows a conversation").to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let message = |name: &str| visit.params.value(name).map(str::parse::<MessageId>).transpose();
    let start = match (message("before")?, message("after")?, message("at")?) {
        (Some(before), _, _) => PageStart::Before(before),
        (None, Some(after), _) => PageStart::After(after),
        (None, None, Some(at)) => {
            let previous = conversation_page(&mut ws, id, PageStart::Before(at), 1).await?;
            previous.messages.last().map_or(PageStart::Oldest, |previous| PageStart::After(previous.message.id))
        }
        (None, None, None) => PageStart::Newest,
    };
    let page = conversation_page(&mut ws, id, start, SHOWN).await?;
    let usage = model_usage(&mut ws, UsageOf::Conversation(id)).await?;
    let budget = Budget::new(PAGE);
    let body = html! {
        (head(&visit, &page.conversation))
        (link_to_more(&visit, &page, "before"))
        ol class="said" { @for message in &page.messages { (render_message(message, &budget)) } }
        @if start != PageStart::Newest { (link_to_more(&visit, &page, "after")) }
        (reply_form(&visit, &page.conversation))
        (render_usage(&usage))
    };
    let title = cut(page.conversation.title.as_deref().unwrap_or("Untitled"), TITLE);
    Ok(layout::page(&visit, "conversations", &title, &body))
}

fn address(visit: &StudioRequest, id: ConversationId) -> String {
    visit.view.path(&format!("conversations/{id}"))
}

/// Renders what is known of the conversation, and the buttons of the hand-over.
fn head(visit: &StudioRequest, one: &Conversation) -> Markup {
    html! {
        div class="bar" {
            span class={ "status " (one.status) } { (one.status) }
            span { (one.speaker) " answers" }
            @if let Some(user) = &one.external_user_id { span { "visitor " (text(&cut(user, TITLE))) } }
            span class="quiet" { (one.last_seq) " messages, since " (moment(one.created_at)) }
            a href=(visit.view.known_row("conversations", one.workspace_id, *one.id.as_uuid())) { "open the row" }
            @if visit.shared.may_write {
                @for (name, label, change) in CHANGES {
                    @if change.apply(one.status, one.speaker).is_some() {
                        form method="post" action={ (address(visit, one.id)) "/status" } {
                            input type="hidden" name="form_token" value=(visit.browser_session.form_token);
                            input type="hidden" name="change" value=(name);
                            button { (label) }
                        }
                    }
                }
            }
        }
    }
}

/// Renders the link to the messages before the first one, or after the last one.
fn link_to_more(visit: &StudioRequest, page: &ConversationPage, side: &str) -> Markup {
    let (edge, label) = match side {
        "before" => (page.messages.first(), "← Earlier"),
        _ => (page.messages.last(), "Later →"),
    };
    // The first message has the number 1: there is none before it.
    let edge = edge.filter(|edge| side != "before" || edge.message.seq != Some(1));
    html! {
        @if let Some(edge) = edge {
            @let more = Params::default().with(side, edge.message.id.to_string());
            a class="button" href=(more.at(&address(visit, page.conversation.id))) { (label) }
        }
    }
}

/// Renders the form for an answer of a person who has taken over.
fn reply_form(visit: &StudioRequest, one: &Conversation) -> Markup {
    html! {
        @if visit.shared.may_write && one.speaker == ConversationSpeaker::Human {
            form method="post" action={ (address(visit, one.id)) "/reply" } class="edit" {
                input type="hidden" name="form_token" value=(visit.browser_session.form_token);
                // The same form sent again adds no second answer.
                input type="hidden" name="client_id" value=(MessageId::generate());
                label for="reply" { "Answer" }
                textarea id="reply" name="reply" rows="4" required {}
                button { "Send" }
            }
        }
    }
}

fn render_usage(usage: &[ModelUsage]) -> Markup {
    let tokens = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    html! {
        @if !usage.is_empty() {
            h2 { "Models" }
            div class="wide" tabindex="0" role="region" aria-label="Models" {
                table {
                    thead { tr { @for name in ["Model", "Prices", "Calls", "Input", "Output", "Cost in USD"] { th scope="col" { (name) } } } }
                    tbody { @for one in usage {
                        tr {
                            th scope="row" { (text(&one.model)) }
                            td { (text(one.price_version.as_deref().unwrap_or("none"))) }
                            td class="number" { (one.calls) }
                            td class="number" { (tokens(one.input_tokens)) }
                            td class="number" { (tokens(one.output_tokens)) }
                            td class="number" {
                                (one.cost_usd.as_ref().map_or_else(|| "unknown".to_owned(), BigDecimal::to_plain_string))
                            }
                        }
                    } }
                }
            }
        }
    }
}
