//! Answers whose writers have died.

use diesel::IntoSql as _;
use diesel::sql_types::{Integer, Uuid as SqlUuid};

use crate::error::Result;
use crate::id::{MessageId, WorkspaceId};
use crate::tenancy::{Database, FunctionCall};

/// An answer that [`interrupt_expired`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptedAnswer {
    /// Workspace of the message.
    pub workspace: WorkspaceId,
    /// Id of the message.
    pub message: MessageId,
}

/// Ends at most `limit` answers whose writer's lease is over, in all workspaces, each with what was flushed. A
/// `jobs::Worker` does so once per second.
///
/// # Errors
///
/// [`is_missing_prerequisite`](crate::Error::is_missing_prerequisite) without a platform login;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::interrupt_expired;
/// use workspace_db::tenancy::Database;
///
/// # async fn example(db: &Database) -> workspace_db::Result<()> {
/// for answer in interrupt_expired(db, 100).await? {
///     println!("{} of workspace {} is interrupted", answer.message, answer.workspace);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn interrupt_expired(db: &Database, limit: u32) -> Result<Vec<InterruptedAnswer>> {
    let arguments = (i32::try_from(limit).unwrap_or(i32::MAX).into_sql::<Integer>(),);
    let columns = "of_workspace, answer";
    let call = FunctionCall::<_, _, (SqlUuid, SqlUuid)>::new("workspace_db_interrupt_answers", columns, arguments);
    let rows: Vec<(WorkspaceId, MessageId)> = call.load_across(db).await?;
    Ok(rows.into_iter().map(|(workspace, message)| InterruptedAnswer { workspace, message }).collect())
}
