//! Messages that are appended to a conversation.

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Interval, Jsonb, Nullable, Text, Uuid as SqlUuid};
use serde_json::{Value, json};

use super::answer_lease::NewLease;
use super::input::{Author, MessageInput, Place};
use super::missing::no_conversation;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ConversationId, MessageId};
use crate::sql_types::{LanguageTag, MessageRole, MessageState, interval};
use crate::tenancy::{FunctionCall, MayWrite, WorkspaceConnection};

/// A message as [`append`] has stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendResult {
    /// The message.
    pub message: MessageId,
    /// Its position in the conversation, from 1. `None` if another program has inserted the message with this client id.
    pub seq: Option<i64>,
    /// The message that it follows; `None` for a first message.
    pub parent: Option<MessageId>,
    /// Its state: withheld if a person has taken over and the model has written it.
    pub state: MessageState,
    /// False if the message was there: the client has sent it again.
    pub is_new: bool,
}

/// SQL types of a [`Row`].
type Columns = (Text, Nullable<SqlUuid>, Nullable<BigInt>, Nullable<SqlUuid>, Nullable<MessageState>, Nullable<Bool>);

type Row = (String, Option<MessageId>, Option<i64>, Option<MessageId>, Option<MessageState>, Option<bool>);

/// Appends a message to a conversation of the connection's workspace, in one statement.
///
/// The statement locks the conversation until the end of the transaction. It numbers the message, so that the order of
/// messages is the order of commits. It moves the head of the conversation to the message, sets the time of the last message,
/// and takes the title from the first line of the visitor's first message. A message with the
/// [client id](MessageInput::client_id) of an earlier one is not inserted again.
///
/// - A visitor's message reopens a resolved conversation.
/// - An answer of the model is withheld if the conversation's speaker is not the bot. Messages of tools and the platform are stored.
///   [`release`](super::release()) shows it.
/// - A person's answer needs [`TakeOver`](super::StatusChange::TakeOver) first.
///
/// Transactions that append to several conversations take their locks in the order of the calls. Append in the order of the
/// ids, so that two of them can't wait for each other.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) with the field if a text or number is out of bounds;
/// [`is_not_found`](Error::is_not_found) if the workspace has no such conversation, or the conversation no such message to
/// follow; [`is_conflict`](Error::is_conflict) if the client id was used for another text, the conversation is closed, the
/// parent is still being made, or a person answers who has not taken over; [`is_unreachable`](Error::is_unreachable),
/// [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::{MessageInput, append, for_visitor};
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// ws.transaction(async |tx| {
///     let conversation = for_visitor(tx, "visitor-42").await?.id;
///     let question = MessageInput::user("How late are you open?").client_id("wamid.HBgL");
///     append(tx, conversation, &question).await
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
pub async fn append(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    conversation: ConversationId,
    message: &MessageInput,
) -> Result<AppendResult> {
    message.check()?;
    let (result, _) = append_with_lease(ws, conversation, message, None).await?;
    Ok(result)
}

/// Appends a message, or begins an answer under a lease. Also returns true if the answer would be withheld.
pub(super) async fn append_with_lease(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    conversation: ConversationId,
    message: &MessageInput,
    lease: Option<NewLease>,
) -> Result<(AppendResult, bool)> {
    let id = MessageId::generate();
    let (place, place_id) = match message.place {
        Place::AfterHead => ("head", None),
        Place::After(parent) => ("after", Some(parent)),
        Place::Beside(sibling) => ("beside", Some(sibling)),
    };
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        conversation.into_sql::<SqlUuid>(),
        id.into_sql::<SqlUuid>(),
        message.author.role().into_sql::<MessageRole>(),
        (message.author == Author::Human).into_sql::<Bool>(),
        message.content.as_str().into_sql::<Text>(),
        message.client_id.as_deref().into_sql::<Nullable<Text>>(),
        place.into_sql::<Text>(),
        place_id.into_sql::<Nullable<SqlUuid>>(),
        message.tokens.map(|tokens| i32::try_from(tokens).unwrap_or(i32::MAX)).into_sql::<Nullable<Integer>>(),
        message.confidence.into_sql::<Nullable<Double>>(),
        message.metadata.clone().map_or_else(|| json!({}), Value::from).into_sql::<Jsonb>(),
        message.language.as_ref().map(LanguageTag::as_str).into_sql::<Nullable<Text>>(),
        lease.map(|lease| lease.token).into_sql::<Nullable<SqlUuid>>(),
        lease.map(|lease| interval(lease.length)).into_sql::<Nullable<Interval>>(),
    );
    let columns = "outcome, message, message_seq, message_parent, message_state, is_withheld";
    let call = FunctionCall::<_, _, Columns>::new("workspace_db_append_message", columns, arguments);
    let rows: Vec<Row> = call.load_in(ws).await?;
    match rows.into_iter().next() {
        Some((outcome, Some(stored), seq, parent, Some(state), withheld)) if outcome != "other_content" => {
            let result = AppendResult { message: stored, seq, parent, state, is_new: outcome == "inserted" };
            Ok((result, withheld.unwrap_or(false)))
        }
        row => Err(refusal(row.map(|row| row.0).as_deref().unwrap_or_default(), conversation, message)),
    }
}

/// Returns the error for an outcome of the function that stored nothing.
fn refusal(outcome: &str, conversation: ConversationId, message: &MessageInput) -> Error {
    let conflict = |text: String| Error::new(ErrorKind::Conflict, text);
    let parent = match message.place {
        Place::After(id) | Place::Beside(id) => id.to_string(),
        Place::AfterHead => String::new(),
    };
    match outcome {
        "other_content" => {
            let id = message.client_id.as_deref().unwrap_or_default();
            conflict(format!("the conversation has a message with the client id {id:?} and another text"))
                .remedy("give a new message an id of its own, and send the same text with the same id")
                .about("client_id")
        }
        "closed" => conflict(format!("conversation {conversation} is closed"))
            .remedy("begin another conversation of this visitor")
            .about("conversation_id"),
        "not_the_human" => conflict(format!("no person has taken over conversation {conversation}"))
            .remedy("take the conversation over before a person answers")
            .about("author"),
        "no_parent" => Error::new(ErrorKind::NotFound, format!("conversation {conversation} has no message {parent}"))
            .remedy("pass the id of a message of this conversation")
            .about("parent_id"),
        "unfinished_parent" => conflict(format!("message {parent} is still being made"))
            .remedy("wait until it is complete, or reply to the message before it")
            .about("parent_id"),
        _ => no_conversation(conversation),
    }
}
