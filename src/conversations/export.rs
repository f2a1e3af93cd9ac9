//! Reviewed answers as data for fine-tuning.

use diesel::dsl::sql;
use diesel::prelude::ExpressionMethods as _;
use diesel::sql_types::{Bool, Integer, Text, Uuid as SqlUuid};
use futures_util::stream::BoxStream;

use crate::error::{Error, Result};
use crate::schema::feedback;
use crate::sql_types::FeedbackJudge;
use crate::tenancy::{Access, InWorkspace as _, WorkspaceConnection};

/// Maximum number of messages before an answer.
pub const MAX_PROMPT_MESSAGES: u32 = 1000;

/// Format of data for fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingFormat {
    /// `{"messages": [...]}`, which ends with the answer: the reviewer's better one, or the one that the reviewer found good.
    Chat,
    /// `{"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}`, for direct preference
    /// optimization: the reviewer's better answer before the model's, and a sibling that a reviewer found good before one that
    /// a reviewer found bad.
    Preference,
}

/// Returns the reviewed answers of the connection's workspace as JSON Lines, each without its line break, in the order of the
/// answers' ids. Two runs over the same rows give the same bytes.
///
/// A line holds at most `max_messages` before the answer, and of those the last half MiB. It has the form that all providers
/// accept: the system message first, then the visitor and the assistant alternate, with neighbouring messages of one author as one.
/// Left out are answers without a question, what the assistant said between the question and the answer, redacted texts, and results
/// of tools, whose calls are not stored.
///
/// One statement reads the rows, and at most some of them are in memory. It takes about 1 ms for a line of 50 messages: set the
/// connection's [timeouts](WorkspaceConnection::set_timeouts) if there are thousands. A stream that is dropped before its end costs
/// the connection. The lines contain what visitors wrote.
///
/// Sources: the formats that OpenAI, Azure and Together AI publish for chat and preference fine-tuning, 2026-11.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if `max_messages` is 0 or above [`MAX_PROMPT_MESSAGES`];
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure), also in the stream, which ends
/// after its first error.
///
/// ```no_run
/// use futures_util::TryStreamExt as _;
/// use workspace_db::config::Timeouts;
/// use workspace_db::conversations::{TrainingFormat, training_lines};
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// ws.set_timeouts(Timeouts::NONE);
/// let mut lines = training_lines(ws, TrainingFormat::Chat, 20).await?;
/// while let Some(line) = lines.try_next().await? {
///     println!("{line}");
/// }
/// # Ok(())
/// # }
/// ```
pub async fn training_lines(
    ws: &mut WorkspaceConnection<impl Access>,
    format: TrainingFormat,
    max_messages: u32,
) -> Result<BoxStream<'_, Result<String>>> {
    let most = i32::try_from(max_messages).ok().filter(|_| (1..=MAX_PROMPT_MESSAGES).contains(&max_messages));
    let most = most.ok_or_else(|| {
        Error::invalid(format!("a prompt of {max_messages} messages is not possible"))
            .remedy(format!("request 1 to {MAX_PROMPT_MESSAGES}"))
            .about("max_messages")
    })?;
    let lines = sql::<Text>("workspace_db_training_lines(")
        .bind::<SqlUuid, _>(ws.workspace())
        .sql(", feedback.message_id, ")
        .bind::<Bool, _>(format == TrainingFormat::Preference)
        .sql(", ")
        .bind::<Integer, _>(most)
        .sql(")");
    feedback::table
        .in_workspace(&ws)
        .filter(feedback::judge.eq(FeedbackJudge::Reviewer))
        .order(feedback::message_id)
        .select(lines)
        .load_stream(ws)
        .await
}
