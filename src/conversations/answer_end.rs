//! The end of an answer.

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Double, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use serde_json::{Value, json};
use uuid::Uuid;

use super::missing::no_message;
use crate::error::Result;
use crate::id::MessageId;
use crate::schema::messages;
use crate::sql_types::MessageState;
use crate::tenancy::{FunctionCall, InWorkspace as _, MayWrite, OptionalRow as _, WorkspaceConnection};

/// Ends an answer that another program makes, with what it has flushed, and returns its state. Returns `None` if the message
/// is not being made. Its writer learns it at the next flush.
///
/// # Errors
///
/// [`is_not_found`](crate::Error::is_not_found) if the workspace has no such message;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::stop_answer;
/// use workspace_db::id::MessageId;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, answer: MessageId) -> workspace_db::Result<()> {
/// // The visitor has pressed the stop button, in a request that another process answers.
/// stop_answer(ws, answer).await?;
/// # Ok(())
/// # }
/// ```
pub async fn stop_answer(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    message: MessageId,
) -> Result<Option<MessageState>> {
    let query = messages::table.in_workspace(&ws).find(message).select(messages::lease_token);
    let lease: Option<Option<Uuid>> = query.first(ws).await.optional()?;
    let Some(lease) = lease.ok_or_else(|| no_message(message))? else { return Ok(None) };
    let end = AnswerEnd {
        message,
        lease,
        position: None,
        rest: "",
        ending: MessageState::Interrupted,
        tokens: None,
        confidence: None,
        metadata: json!({}),
    };
    end.run(ws).await
}

/// Arguments of the function that ends an answer.
pub(super) struct AnswerEnd<'a> {
    pub(super) message: MessageId,
    pub(super) lease: Uuid,
    pub(super) position: Option<i64>,
    pub(super) rest: &'a str,
    pub(super) ending: MessageState,
    pub(super) tokens: Option<i32>,
    pub(super) confidence: Option<f64>,
    pub(super) metadata: Value,
}

impl AnswerEnd<'_> {
    /// Returns the final state, or `None` if the lease is lost.
    pub(super) async fn run(self, ws: &mut WorkspaceConnection<impl MayWrite>) -> Result<Option<MessageState>> {
        let arguments = (
            ws.workspace().into_sql::<SqlUuid>(),
            self.message.into_sql::<SqlUuid>(),
            self.lease.into_sql::<SqlUuid>(),
            self.position.into_sql::<Nullable<BigInt>>(),
            self.rest.into_sql::<Text>(),
            self.ending.into_sql::<MessageState>(),
            self.tokens.into_sql::<Nullable<Integer>>(),
            self.confidence.into_sql::<Nullable<Double>>(),
            self.metadata.into_sql::<Jsonb>(),
        );
        let call = FunctionCall::<_, _, MessageState>::new("workspace_db_end_answer", "final_state", arguments);
        Ok(call.load_in::<MessageState>(ws).await?.into_iter().next())
    }
}
