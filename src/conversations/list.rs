//! Lists of conversations.

use diesel::IntoSql as _;
use diesel::prelude::SelectableHelper as _;
use diesel::sql_types::{Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use super::feedback::Rating;
use super::input::reject_nul;
use crate::error::Result;
use crate::models::Conversation;
use crate::schema::conversations;
use crate::sql_types::{ConversationSpeaker, ConversationStatus};
use crate::tenancy::{Access, FunctionCall, PageKey, WorkspaceConnection};
use crate::unreadable::Readable;

/// Conversations to list: those that all set fields describe. The default is all of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    /// Those of a visitor.
    pub external_user_id: Option<String>,
    /// Those with this status.
    pub status: Option<ConversationStatus>,
    /// Those where this one answers.
    pub speaker: Option<ConversationSpeaker>,
    /// Those with a message that the visitor or a reviewer has rated so.
    pub rating: Option<Rating>,
    /// Those with a message in the [review queue](super::review_queue()).
    pub to_review: bool,
}

/// Returns at most `limit` conversations of the connection's workspace, the newest first, after those of the page before: each, or the
/// reason why it can't be read.
///
/// Pass the [`page_key`](crate::tenancy::Keyset::page_key) of the last conversation as `after`. Indexes give the lists by time, by
/// status and by visitor. The other conditions are checked for each conversation until enough are found.
/// [`MessageSearch`](../search/struct.MessageSearch.html) finds conversations by words.
///
/// # Errors
///
/// [`is_invalid_input`](crate::Error::is_invalid_input) if the visitor's id has a NUL character;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::{ConversationFilter, list_conversations};
/// use workspace_db::sql_types::ConversationStatus;
/// use workspace_db::tenancy::{Keyset, WorkspaceConnection};
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let waiting = ConversationFilter { status: Some(ConversationStatus::Pending), ..ConversationFilter::default() };
/// let first = list_conversations(ws, &waiting, None, 20).await?;
/// let last = first.iter().rev().find_map(|row| row.as_ref().ok());
/// let second = list_conversations(ws, &waiting, last.map(Keyset::page_key), 20).await?;
/// # drop(second);
/// # Ok(())
/// # }
/// ```
pub async fn list_conversations(
    ws: &mut WorkspaceConnection<impl Access>,
    filter: &ConversationFilter,
    after: Option<PageKey>,
    limit: u32,
) -> Result<Vec<Readable<Conversation>>> {
    let person = filter.external_user_id.as_deref();
    person.map_or(Ok(()), |person| reject_nul("external_user_id", person))?;
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        person.into_sql::<Nullable<Text>>(),
        filter.status.into_sql::<Nullable<ConversationStatus>>(),
        filter.speaker.into_sql::<Nullable<ConversationSpeaker>>(),
        filter.rating.map(|rating| i32::from(rating.score())).into_sql::<Nullable<Integer>>(),
        filter.to_review.into_sql::<Bool>(),
        after.map(|key| key.created_at).into_sql::<Nullable<Timestamptz>>(),
        after.map(|key| key.id).into_sql::<Nullable<SqlUuid>>(),
        i32::try_from(limit).unwrap_or(i32::MAX).into_sql::<Integer>(),
    );
    let columns = Conversation::as_select();
    let call = FunctionCall::rows_of(conversations::table, "workspace_db_list_conversations", columns, arguments);
    call.load_each_in(ws).await
}
