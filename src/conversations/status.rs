//! Status of a conversation, and who answers its visitor.

use diesel::prelude::{ExpressionMethods as _, NullableExpressionMethods as _, SelectableHelper as _};
use diesel::sql_types::{Bool, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel::{IntoSql as _, dsl};

use super::missing::{no_conversation, no_message};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ConversationId, MessageId};
use crate::models::Conversation;
use crate::schema::conversations;
use crate::sql_types::{ConversationSpeaker, ConversationStatus, StatementTime};
use crate::tenancy::{FunctionCall, InWorkspace as _, MayWrite, OptionalRow as _, WorkspaceConnection};

/// A change of a conversation's status or speaker.
///
/// | change | from | to |
/// |---|---|---|
/// | `RequestHuman` | open or pending, bot | pending, nobody |
/// | `TakeOver` | open or pending, bot or nobody | open, human |
/// | `GiveBack` | open or pending, human or nobody | open, bot |
/// | `Resolve` | open or pending | resolved, bot |
/// | `Reopen` | resolved | open, bot |
/// | `Close` | open, pending or resolved | closed, bot |
///
/// A visitor's message that is appended to a resolved conversation reopens it. A closed one stays closed, until the workspace's
/// retention deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusChange {
    /// The visitor waits for a person, and the bot no longer answers.
    RequestHuman,
    /// A person answers from now on.
    TakeOver,
    /// The bot answers again.
    GiveBack,
    /// The question is answered.
    Resolve,
    /// The question is open again.
    Reopen,
    /// The conversation is over, and archived.
    Close,
}

impl StatusChange {
    /// Returns the status and the speaker after this change, or `None` if it is not allowed.
    ///
    /// ```
    /// use workspace_db::conversations::StatusChange;
    /// use workspace_db::sql_types::{ConversationSpeaker, ConversationStatus};
    ///
    /// let (open, bot) = (ConversationStatus::Open, ConversationSpeaker::Bot);
    /// assert_eq!(StatusChange::TakeOver.apply(open, bot), Some((open, ConversationSpeaker::Human)));
    /// assert_eq!(StatusChange::GiveBack.apply(open, bot), None);
    /// ```
    #[must_use]
    pub fn apply(
        self,
        status: ConversationStatus,
        speaker: ConversationSpeaker,
    ) -> Option<(ConversationStatus, ConversationSpeaker)> {
        use ConversationSpeaker::{Bot, Human, Nobody};
        use ConversationStatus::{Closed, Open, Pending, Resolved};
        match (self, status, speaker) {
            (Self::RequestHuman, Open | Pending, Bot) => Some((Pending, Nobody)),
            (Self::TakeOver, Open | Pending, Bot | Nobody) => Some((Open, Human)),
            (Self::Resolve, Open | Pending, _) => Some((Resolved, Bot)),
            (Self::GiveBack, Open | Pending, Human | Nobody) | (Self::Reopen, Resolved, _) => Some((Open, Bot)),
            (Self::Close, Open | Pending | Resolved, _) => Some((Closed, Bot)),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::RequestHuman => "request a person for",
            Self::TakeOver => "take over",
            Self::GiveBack => "give back",
            Self::Resolve => "resolve",
            Self::Reopen => "reopen",
            Self::Close => "close",
        }
    }
}

/// Changes the status of a conversation of the connection's workspace, and returns the changed row.
///
/// The conversation is locked until the end of the transaction. Of two people who take it over at once, the second gets an
/// error.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no such conversation; [`is_conflict`](Error::is_conflict) if
/// [`StatusChange`] doesn't allow the change; [`is_unreachable`](Error::is_unreachable),
/// [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::{MessageInput, StatusChange, append, change_status};
/// use workspace_db::id::ConversationId;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, conversation: ConversationId) -> workspace_db::Result<()> {
/// change_status(ws, conversation, StatusChange::TakeOver).await?;
/// append(ws, conversation, &MessageInput::human("Let me look into it.")).await?;
/// change_status(ws, conversation, StatusChange::GiveBack).await?;
/// # Ok(())
/// # }
/// ```
pub async fn change_status(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    conversation: ConversationId,
    change: StatusChange,
) -> Result<Conversation> {
    ws.transaction(async |tx| {
        let state =
            (conversations::status, conversations::speaker, conversations::last_seq, conversations::hand_over_seq);
        let query = conversations::table.in_workspace(&tx).find(conversation).select(state).for_no_key_update();
        let now: Option<(ConversationStatus, ConversationSpeaker, i64, i64)> = query.first(tx).await.optional()?;
        let (status, speaker, last, handed_over) = now.ok_or_else(|| no_conversation(conversation))?;
        let Some((next, next_speaker)) = change.apply(status, speaker) else {
            let text = format!(
                "can't {} conversation {conversation}: it is {status}, and its speaker is {speaker}",
                change.name()
            );
            return Err(Error::new(ErrorKind::Conflict, text).remedy("reload it: somebody else may have changed it"));
        };
        // An answer that was begun before the hand-over is withheld, also after the bot has been given the word back.
        let hands_over = matches!(change, StatusChange::RequestHuman | StatusChange::TakeOver);
        let closes = (next == ConversationStatus::Closed).into_sql::<Bool>();
        conversations::table
            .in_workspace(&tx)
            .find(conversation)
            .update()
            .set((
                conversations::status.eq(next),
                conversations::speaker.eq(next_speaker),
                conversations::hand_over_seq.eq(if hands_over { last } else { handed_over }),
                conversations::closed_at.eq(dsl::case_when(closes, dsl::now.into_sql::<Timestamptz>().nullable())),
                conversations::updated_at.eq(StatementTime),
            ))
            .returning(Conversation::as_returning())
            .get_result(tx)
            .await
    })
    .await
}

/// Shows an answer that was withheld, and returns true; returns false if the message is not withheld.
///
/// It becomes the head of its conversation if the message that it follows is the head. Otherwise it is one more branch.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no such message; [`is_conflict`](Error::is_conflict) if its
/// conversation is closed; [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::release;
/// use workspace_db::id::MessageId;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, draft: MessageId) -> workspace_db::Result<()> {
/// // The person reads what the bot would have said, and sends it.
/// assert!(release(ws, draft).await?);
/// # Ok(())
/// # }
/// ```
pub async fn release(ws: &mut WorkspaceConnection<impl MayWrite>, message: MessageId) -> Result<bool> {
    let arguments = (ws.workspace().into_sql::<SqlUuid>(), message.into_sql::<SqlUuid>());
    let call = FunctionCall::<_, _, Nullable<Bool>>::new("workspace_db_release_message", "released", arguments);
    let rows: Vec<Option<bool>> = call.load_in(ws).await?;
    let closed = || Error::new(ErrorKind::Conflict, format!("the conversation of message {message} is closed"));
    rows.into_iter().next().ok_or_else(|| no_message(message))?.ok_or_else(closed)
}
