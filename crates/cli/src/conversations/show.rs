//! `workspace-db conversations show`

use anyhow::Result;
use clap::Args;
use serde_json::json;
use workspace_db::conversations::{
    ConversationPage, MAX_PAGE, MessageDetail, ModelUsage, PageStart, Rating, SourceDetail, UsageOf, conversation_page,
    model_usage,
};
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::models::Feedback;

use super::of_workspace::OfWorkspace;
use crate::context::Context;
use crate::output;

/// Show a conversation with its messages, sources and feedback
#[derive(Args, Debug)]
pub(super) struct Show {
    id: ConversationId,
    #[command(flatten)]
    of: OfWorkspace,
    /// Show the messages before this one, and not the last ones
    #[arg(long, value_name = "MESSAGE")]
    before: Option<MessageId>,
    /// Maximum number of messages
    #[arg(short = 'n', long, alias = "number", value_name = "N", default_value_t = MAX_PAGE)]
    limit: u32,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let mut ws = self.of.connect(context).await?;
        let start = self.before.map_or(PageStart::Newest, PageStart::Before);
        let page = conversation_page(&mut ws, self.id, start, self.limit).await?;
        let usage = model_usage(&mut ws, UsageOf::Conversation(self.id)).await?;
        if context.json {
            return output::print_json(&json!({
                "conversation": page.conversation, "messages": page.messages, "usage": usage,
            }));
        }
        let messages = page.messages.iter().flat_map(message);
        output::print_lines(head(&page).into_iter().chain(messages).chain(usage.iter().map(cost)))
    }
}

fn head(page: &ConversationPage) -> Vec<String> {
    let one = &page.conversation;
    vec![
        format!("title     {}", one.title.as_deref().unwrap_or("-")),
        format!("visitor   {}", one.external_user_id.as_deref().unwrap_or("-")),
        format!("status    {}, {} answers", one.status, one.speaker),
        format!("messages  {}", one.last_seq),
        String::new(),
    ]
}

fn message(detail: &MessageDetail) -> Vec<String> {
    let one = &detail.message;
    let number = one.seq.map(|seq| format!("{seq}. ")).unwrap_or_default();
    let author = if one.by_human { "human" } else { one.role.label() };
    let confidence = one.confidence.map(|confidence| format!("  confidence {confidence:.2}")).unwrap_or_default();
    let review = if one.needs_review { "  needs review" } else { "" };
    let time = one.created_at.format("%F %T UTC");
    let mut lines = vec![format!("{number}{author}  {time}  {}  {}{confidence}{review}", one.state, one.id)];
    lines.extend(one.content.lines().map(|line| format!("   {line}")));
    lines.extend(detail.sources.iter().map(source));
    lines.extend(detail.feedback.iter().map(judgement));
    lines.push(String::new());
    lines
}

fn source(detail: &SourceDetail) -> String {
    let one = &detail.source;
    let cited = one.citation.map(|number| format!("  cited as {number}")).unwrap_or_default();
    let gone = if detail.is_gone { "  gone" } else { "" };
    format!("   [{}] {}  {:.3} {}{cited}{gone}", one.rank, one.title, one.score, one.method)
}

fn judgement(one: &Feedback) -> String {
    let texts = [("", &one.label), ("", &one.comment), ("better: ", &one.better_answer)];
    let texts: String =
        texts.into_iter().filter_map(|(name, text)| Some(format!("  {name}{}", text.as_ref()?))).collect();
    format!("   {} by {}{texts}", Rating::from_score(one.score), one.judge)
}

fn cost(usage: &ModelUsage) -> String {
    let tokens = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let cost = usage.cost_usd.as_ref().map_or_else(|| "-".to_owned(), |cost| format!("${}", cost.to_plain_string()));
    format!(
        "{}  {} calls  {} in  {} out  {cost}",
        usage.model,
        usage.calls,
        tokens(usage.input_tokens),
        tokens(usage.output_tokens)
    )
}
