//! Branches of a conversation: a message has one parent, and several messages may have the same.

use diesel::IntoSql as _;
use diesel::prelude::{ExpressionMethods as _, SelectableHelper as _};
use diesel::sql_types::{Integer, Nullable, Uuid as SqlUuid};

use super::missing::no_message;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ConversationId, MessageId};
use crate::models::Message;
use crate::schema::messages;
use crate::tenancy::{Access, FunctionCall, InWorkspace as _, MayWrite, OptionalRow as _, WorkspaceConnection};

/// Returns the last `limit` messages of the active branch, the oldest first: the history to give to a model.
///
/// It follows the parents from the head. If the conversation has no valid head, it begins with its last message. Messages
/// that are being made, failed or are withheld are left out. The result is empty if the workspace has no such conversation.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::history;
/// use workspace_db::id::ConversationId;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, conversation: ConversationId) -> workspace_db::Result<()> {
/// for message in history(ws, conversation, 50).await? {
///     println!("{}: {}", message.role, message.content);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn history(
    ws: &mut WorkspaceConnection<impl Access>,
    conversation: ConversationId,
    limit: u32,
) -> Result<Vec<Message>> {
    chain(ws, conversation, None, limit).await
}

/// Returns the last `limit` messages of the branch that ends with a message, the oldest first, like [`history`].
///
/// # Errors
///
/// Same as [`history`].
pub async fn history_until(
    ws: &mut WorkspaceConnection<impl Access>,
    conversation: ConversationId,
    last: MessageId,
    limit: u32,
) -> Result<Vec<Message>> {
    chain(ws, conversation, Some(last), limit).await
}

async fn chain(
    ws: &mut WorkspaceConnection<impl Access>,
    conversation: ConversationId,
    last: Option<MessageId>,
    limit: u32,
) -> Result<Vec<Message>> {
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        conversation.into_sql::<SqlUuid>(),
        last.into_sql::<Nullable<SqlUuid>>(),
        i32::try_from(limit).unwrap_or(i32::MAX).into_sql::<Integer>(),
    );
    let columns = Message::as_select();
    FunctionCall::rows_of(messages::table, "workspace_db_message_history", columns, arguments).load_in(ws).await
}

/// Returns the messages with the same parent as this one, itself included, in the order in which they were appended.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no such message; otherwise the same as [`history`].
pub async fn siblings(ws: &mut WorkspaceConnection<impl Access>, message: MessageId) -> Result<Vec<Message>> {
    let place = (messages::conversation_id, messages::parent_id, messages::seq);
    let query = messages::table.in_workspace(&ws).find(message).select(place);
    let place: Option<(ConversationId, Option<MessageId>, Option<i64>)> = query.first(ws).await.optional()?;
    let Some((conversation, parent, seq)) = place else {
        return Err(no_message(message));
    };
    let of_workspace = messages::table.in_workspace(&ws);
    if seq.is_none() {
        // Without a number it has no place in the tree yet.
        return of_workspace.filter(messages::id.eq(message)).select(Message::as_select()).load(ws).await;
    }
    let in_order = of_workspace.filter(messages::seq.is_not_null()).order(messages::seq).select(Message::as_select());
    let Some(parent) = parent else {
        let roots = in_order.filter(messages::conversation_id.eq(conversation));
        return roots.filter(messages::parent_id.is_null()).load(ws).await;
    };
    // All messages with this parent are of its conversation.
    in_order.filter(messages::parent_id.eq(parent)).load(ws).await
}

/// Makes the branch of a message the active one, and returns its last message: the newest that follows.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the conversation has no such message that is shown; otherwise the same as
/// [`history`].
///
/// ```no_run
/// use workspace_db::conversations::{select_branch, siblings};
/// use workspace_db::id::{ConversationId, MessageId};
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, talk: ConversationId, answer: MessageId) -> workspace_db::Result<()> {
/// // The visitor goes back to the first of the answers.
/// if let Some(first) = siblings(ws, answer).await?.first() {
///     select_branch(ws, talk, first.id).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub async fn select_branch(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    conversation: ConversationId,
    message: MessageId,
) -> Result<MessageId> {
    let arguments =
        (ws.workspace().into_sql::<SqlUuid>(), conversation.into_sql::<SqlUuid>(), message.into_sql::<SqlUuid>());
    let call = FunctionCall::<_, _, SqlUuid>::new("workspace_db_select_branch", "leaf", arguments);
    let rows: Vec<MessageId> = call.load_in(ws).await?;
    rows.into_iter().next().ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("conversation {conversation} shows no message {message}")).about("id")
    })
}
