//! `workspace-db conversations search`

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;
use workspace_db::conversations::Rating;
use workspace_db::id::ConversationId;
use workspace_db::noun::noun_for;
use workspace_db::search::{MessageHit, MessageSearch};
use workspace_db::sql_types::MessageState;

use super::of_workspace::OfWorkspace;
use crate::context::Context;
use crate::output;

/// Search messages by words, best first
///
/// Words, "a phrase", or, -without. A message has all of the words, in any form of its language.
#[derive(Args, Debug)]
pub(super) struct Search {
    /// The words
    words: String,
    #[command(flatten)]
    of: OfWorkspace,
    /// Search only messages of one visitor's conversations, by the embedding application's id
    #[arg(long, value_name = "EXTERNAL_USER_ID")]
    person: Option<String>,
    /// Search only one conversation
    #[arg(long, value_name = "ID")]
    conversation: Option<ConversationId>,
    /// Search only messages in this state, such as complete or withheld; can be repeated
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<MessageState>,
    /// Search only messages that were rated bad, neutral or good
    #[arg(long, value_name = "RATING")]
    rating: Option<Rating>,
    /// Search only messages from this time on, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Search only messages before this time
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Maximum number of messages
    #[arg(short = 'n', short_alias = 'k', long, alias = "count", value_name = "N", default_value_t = 10)]
    limit: u32,
}

impl Search {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let mut ws = self.of.connect(context).await?;
        let mut search = MessageSearch::new(self.words, self.limit);
        if let Some(person) = self.person {
            search = search.person(person);
        }
        if let Some(conversation) = self.conversation {
            search = search.conversation(conversation);
        }
        if !self.states.is_empty() {
            search = search.states(self.states);
        }
        if let Some(rating) = self.rating {
            search = search.rating(rating);
        }
        if let Some(since) = self.since {
            search = search.since(since);
        }
        if let Some(until) = self.until {
            search = search.until(until);
        }
        let found = search.run(&mut ws).await?;
        if context.json {
            return output::print_json(&found);
        }
        let more = if found.bound_reached { " or more" } else { "" };
        let (shown, matches) = (found.hits.len(), found.matches);
        let end = format!("{shown} of {matches}{more} {}", noun_for(matches, "message"));
        output::print_harmless(found.hits.iter().flat_map(lines).chain([end]))
    }
}

fn lines(hit: &MessageHit) -> [String; 3] {
    let person = hit.external_user_id.as_deref().unwrap_or("-");
    let author = if hit.by_human { "human" } else { hit.role.label() };
    let time = hit.created_at.format("%F %T UTC");
    let head = format!("{:.3}  {time}  {author}  {person}  {}", hit.score, hit.conversation_id);
    let text: String = hit.excerpt.iter().map(output::marked).collect();
    [output::harmless(&head).into_owned(), format!("   {}", text.trim_end()), String::new()]
}
