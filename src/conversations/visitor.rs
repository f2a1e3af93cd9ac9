//! Conversations of visitors.

use diesel::IntoSql as _;
use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};

use crate::error::{Error, ErrorKind, Result};
use crate::id::ConversationId;
use crate::tenancy::{FunctionCall, MayWrite, WorkspaceConnection};

/// Maximum size of a visitor's id, in bytes: an entry of the index has at most 2,704.
pub const MAX_VISITOR_BYTES: usize = 500;

/// The conversation of a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorConversation {
    /// The conversation.
    pub id: ConversationId,
    /// True if the visitor had none that is open or pending.
    pub is_new: bool,
}

/// Returns the newest conversation of a visitor that is open or pending, or begins one, in the connection's workspace.
///
/// Two calls at once for one visitor return the same conversation: the second waits until the transaction of the first ends.
/// In a transaction with isolation `REPEATABLE READ` or stricter, a conversation that began after its first statement is not
/// seen. The id is the `external_user_id`.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if the id is empty, has more than 500 bytes or a NUL character;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::for_visitor;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let conversation = for_visitor(ws, "visitor-42").await?;
/// println!("{} {}", conversation.id, if conversation.is_new { "begins" } else { "goes on" });
/// # Ok(())
/// # }
/// ```
pub async fn for_visitor(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    external_user_id: &str,
) -> Result<VisitorConversation> {
    if external_user_id.is_empty() || external_user_id.len() > MAX_VISITOR_BYTES || external_user_id.contains('\0') {
        let text = format!("an id of {} bytes is no id of a visitor", external_user_id.len());
        let remedy = format!("use 1 to {MAX_VISITOR_BYTES} bytes, without NUL");
        return Err(Error::invalid(text).remedy(remedy).about("external_user_id"));
    }
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        external_user_id.into_sql::<Text>(),
        ConversationId::generate().into_sql::<SqlUuid>(),
    );
    let columns = "conversation, is_new";
    let call = FunctionCall::<_, _, (SqlUuid, Bool)>::new("workspace_db_open_conversation", columns, arguments);
    let rows: Vec<(ConversationId, bool)> = call.load_in(ws).await?;
    let row = rows.into_iter().next();
    let (id, is_new) = row.ok_or_else(|| Error::new(ErrorKind::Database, "the database returned no conversation"))?;
    Ok(VisitorConversation { id, is_new })
}
