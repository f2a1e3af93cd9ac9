//! `workspace-db conversations list`

use anyhow::Result;
use clap::Args;
use workspace_db::conversations::{ConversationFilter, Rating, list_conversations};
use workspace_db::models::Conversation;
use workspace_db::sql_types::{ConversationSpeaker, ConversationStatus};

use super::of_workspace::OfWorkspace;
use crate::context::Context;
use crate::output;

/// List conversations, newest first
#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    of: OfWorkspace,
    /// List only the conversations of one visitor, by the embedding application's id
    #[arg(long, value_name = "EXTERNAL_USER_ID")]
    person: Option<String>,
    /// List only conversations with this status: open, pending, resolved or closed
    #[arg(long, value_name = "STATUS")]
    status: Option<ConversationStatus>,
    /// List only conversations where this one answers: bot, human or nobody
    #[arg(long, value_name = "SPEAKER")]
    speaker: Option<ConversationSpeaker>,
    /// List only conversations with a message that was rated bad, neutral or good
    #[arg(long, value_name = "RATING")]
    rating: Option<Rating>,
    /// List only conversations with a message that a person should read
    #[arg(long)]
    to_review: bool,
    /// Maximum number of conversations
    #[arg(short = 'n', long, alias = "number", value_name = "N", default_value_t = 50)]
    limit: u32,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let mut ws = self.of.connect(context).await?;
        let filter = ConversationFilter {
            external_user_id: self.person,
            status: self.status,
            speaker: self.speaker,
            rating: self.rating,
            to_review: self.to_review,
        };
        let found = list_conversations(&mut ws, &filter, None, self.limit).await?;
        let found: Vec<Conversation> = found.into_iter().collect::<Result<_, _>>()?;
        if context.json {
            return output::print_json(&found);
        }
        output::print_lines(found.iter().map(line))
    }
}

fn line(one: &Conversation) -> String {
    let time = one.created_at.format("%F %T UTC");
    let person = one.external_user_id.as_deref().unwrap_or("-");
    let title = one.title.as_deref().unwrap_or("-");
    format!("{}  {time}  {:<8}  {:<6}  {:>5}  {person}  {title}", one.id, one.status, one.speaker, one.last_seq)
}
