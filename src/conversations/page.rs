//! Pages of a conversation.

use diesel::IntoSql as _;
use diesel::sql_types::{Bool, Integer, Jsonb, Nullable, Uuid as SqlUuid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::missing::no_conversation;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ConversationId, MessageId};
use crate::models::{Conversation, Feedback, Message, MessageSource};
use crate::tenancy::{Access, FunctionCall, WorkspaceConnection};

/// Maximum number of messages of a page. With 1 MiB each they fit into a JSON array of PostgreSQL, which has at most 256 MiB.
pub const MAX_PAGE: u32 = 100;

/// Place of a page in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageStart {
    /// The first messages.
    Oldest,
    /// The last messages.
    Newest,
    /// Those directly after this message.
    After(MessageId),
    /// Those directly before this message.
    Before(MessageId),
}

/// A conversation with a page of its messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConversationPage {
    /// The conversation.
    pub conversation: Conversation,
    /// Messages of all branches and in all states, the oldest first.
    pub messages: Vec<MessageDetail>,
}

/// A message with what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageDetail {
    /// The message.
    pub message: Message,
    /// Its judgements, that of the visitor first.
    pub feedback: Vec<Feedback>,
    /// Its sources, by rank.
    pub sources: Vec<SourceDetail>,
}

/// A source of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceDetail {
    /// The source as it was.
    #[serde(flatten)]
    pub source: MessageSource,
    /// True if its document has no chunk with that text any more.
    pub is_gone: bool,
}

/// Returns a conversation of the connection's workspace with at most `limit` of its messages, by one query.
///
/// Messages come in their order, the oldest first, whichever way you page. A page can't begin at a message of another conversation.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no such conversation;
/// [`is_invalid_input`](Error::is_invalid_input) if the page begins at a message that the conversation does not have, or `limit` is
/// not 1 to 100; [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::{PageStart, conversation_page};
/// use workspace_db::id::ConversationId;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, talk: ConversationId) -> workspace_db::Result<()> {
/// let last = conversation_page(ws, talk, PageStart::Newest, 50).await?;
/// if let Some(oldest) = last.messages.first() {
///     let earlier = conversation_page(ws, talk, PageStart::Before(oldest.message.id), 50).await?;
///     println!("{} messages before", earlier.messages.len());
/// }
/// # Ok(())
/// # }
/// ```
pub async fn conversation_page(
    ws: &mut WorkspaceConnection<impl Access>,
    conversation: ConversationId,
    start: PageStart,
    limit: u32,
) -> Result<ConversationPage> {
    if limit == 0 || limit > MAX_PAGE {
        return Err(Error::invalid(format!("a page of {limit} messages is not possible"))
            .remedy(format!("request 1 to {MAX_PAGE}"))
            .about("limit"));
    }
    let (is_forward, cursor) = match start {
        PageStart::Oldest => (true, None),
        PageStart::Newest => (false, None),
        PageStart::After(message) => (true, Some(message)),
        PageStart::Before(message) => (false, Some(message)),
    };
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        conversation.into_sql::<SqlUuid>(),
        is_forward.into_sql::<Bool>(),
        cursor.into_sql::<Nullable<SqlUuid>>(),
        i32::try_from(limit).unwrap_or(i32::MAX).into_sql::<Integer>(),
    );
    let columns = "conversation, messages, is_known_cursor";
    let call = FunctionCall::<_, _, (Jsonb, Jsonb, Bool)>::new("workspace_db_conversation_page", columns, arguments);
    let rows: Vec<(Value, Value, bool)> = call.load_in(ws).await?;
    let (found, messages, is_known) = rows.into_iter().next().ok_or_else(|| no_conversation(conversation))?;
    if !is_known {
        let cursor = cursor.map(|cursor| cursor.to_string()).unwrap_or_default();
        return Err(Error::invalid(format!("conversation {conversation} has no message {cursor}"))
            .remedy("begin the page at a message of this conversation")
            .about("cursor"));
    }
    let unreadable = |error: serde_json::Error| {
        Error::new(ErrorKind::Unreadable, format!("conversation {conversation} can't be read: {error}"))
    };
    Ok(ConversationPage {
        conversation: serde_json::from_value(found).map_err(unreadable)?,
        messages: serde_json::from_value(messages).map_err(unreadable)?,
    })
}
