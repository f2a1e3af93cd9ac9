//! Conversations with the confidence of the answers and the feedback on them.

use std::collections::HashMap;

use axum::response::Html;
use diesel::prelude::*;
use maud::{Markup, html};
use uuid::Uuid;

use super::display::{Budget, cut, moment, text};
use super::layout;
use super::params::Params;
use super::problem::Problem;
use super::request::StudioRequest;
use super::statement::readable;
use super::uuid_v7::LAST_IN_ORDER;
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::models::{Conversation, Feedback, Message};
use workspace_db::schema::{conversations, feedback, messages};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};

/// Maximum number of conversations on a page.
const LISTED: usize = 50;
/// Maximum characters of a title.
const TITLE: usize = 200;
/// Maximum number of messages on a page.
const SHOWN: usize = 200;
/// Maximum bytes of all messages on a page.
const PAGE: usize = 120_000;

/// Handles `GET /{view}/conversations?before=`.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let workspace = visit.the_workspace("conversations")?;
    let scope = WorkspaceScope::unchecked(workspace, "the studio shows conversations").to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let before = visit.params.value("before").and_then(|id| id.parse().ok()).unwrap_or(Uuid::max());
    // Newest first, if their ids are in order of time. Conversations with random ids of other programs follow.
    let in_order = (Uuid::nil(), before.min(LAST_IN_ORDER));
    let others = (LAST_IN_ORDER, before);
    let ranges = if before == Uuid::max() || before < LAST_IN_ORDER {
        vec![in_order, (LAST_IN_ORDER, Uuid::max())]
    } else {
        vec![others]
    };
    let mut found: Vec<Conversation> = Vec::new();
    for (from, to) in ranges {
        let more: Vec<Conversation> = conversations::table
            .in_workspace(&ws)
            .filter(
                conversations::id.ge(ConversationId::from(from)).and(conversations::id.lt(ConversationId::from(to))),
            )
            .order(conversations::id.desc())
            .limit(i64::try_from(LISTED + 1 - found.len()).unwrap_or(0))
            .load_each(&mut ws)
            .await
            .map(readable)?;
        found.extend(more);
    }
    let is_more = found.len() > LISTED;
    found.truncate(LISTED);
    let body = html! {
        @if found.is_empty() { p class="empty" { "There are no conversations." } }
        ul class="cards tall" {
            @for one in &found {
                li { a href=(visit.view.path(&format!("conversations/{}", one.id))) {
                    strong { (text(&cut(one.title.as_deref().unwrap_or("Untitled"), TITLE))) }
                    span class="quiet" { (one.status) @if let Some(user) = &one.external_user_id { " · " (text(user)) } }
                    span class="quiet" { (moment(one.created_at)) }
                } }
            }
        }
        @if let (true, Some(last)) = (is_more, found.last()) {
            @let next = Params::default().with("before", last.id.to_string());
            a class="button" rel="next" href=(next.at(&visit.view.path("conversations"))) { "Next →" }
        }
    };
    Ok(layout::page(&visit, "conversations", "Conversations", &body))
}

/// Handles `GET /{view}/conversations/{conversation}`.
pub(super) async fn one(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let workspace = visit.the_workspace("conversations")?;
    let id: ConversationId = visit.id("conversation")?;
    let scope = WorkspaceScope::unchecked(workspace, "the studio shows a conversation").to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let found: Vec<Conversation> = conversations::table.in_workspace(&ws).find(id).load(&mut ws).await?;
    let found = found
        .into_iter()
        .next()
        .ok_or_else(|| Problem::not_found(format!("there is no conversation {id} in this workspace")))?;
    let messages: Vec<Message> = messages::table
        .in_workspace(&ws)
        .filter(messages::conversation_id.eq(id))
        .order((messages::created_at, messages::id))
        .limit(i64::try_from(SHOWN).unwrap_or(i64::MAX))
        .load_each(&mut ws)
        .await
        .map(readable)?;
    let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
    let judged: Vec<Feedback> = feedback::table
        .in_workspace(&ws)
        .filter(feedback::message_id.eq_any(ids))
        .load_each(&mut ws)
        .await
        .map(readable)?;
    let judged: HashMap<MessageId, Feedback> = judged.into_iter().map(|one| (one.message_id, one)).collect();
    let budget = Budget::new(PAGE);
    let body = html! {
        p class="quiet" {
            (found.status)
            @if let Some(user) = &found.external_user_id { " · " (text(user)) }
            " · " (moment(found.created_at)) " · "
            a href=(visit.view.known_row("conversations", workspace, *id.as_uuid())) { "open the row" }
        }
        ol class="said" { @for message in &messages { (render_message(message, judged.get(&message.id), &budget)) } }
        @if messages.len() == SHOWN { p class="quiet" { "Only the first " (SHOWN) " messages are shown." } }
    };
    Ok(layout::page(&visit, "conversations", &cut(found.title.as_deref().unwrap_or("Untitled"), TITLE), &body))
}

fn render_message(message: &Message, judged: Option<&Feedback>, budget: &Budget) -> Markup {
    html! {
        li class={ "message " (message.role) } {
            p class="quiet" {
                strong { (message.role) } " " (moment(message.created_at))
                @if let Some(tokens) = message.tokens { " · " (tokens) " tokens" }
                @if let Some(sure) = message.confidence {
                    " · confidence " (format!("{sure:.2}")) " "
                    meter value=(sure) min="0" max="1" aria-label="confidence" {}
                }
            }
            div class="text" { (text(&budget.cut(&message.content))) }
            @if let Some(judged) = judged {
                p class="judged" {
                    @match judged.score { 1.. => "good", 0 => "neither good nor bad", _ => "bad" }
                    @if let Some(label) = &judged.label { " · " (text(label)) }
                    @if let Some(comment) = &judged.comment { " · " (text(&budget.cut(comment))) }
                }
            }
        }
    }
}
