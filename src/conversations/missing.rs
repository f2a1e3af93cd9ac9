//! Errors for a conversation or message that is not there.

use crate::error::{Error, ErrorKind};
use crate::id::{ConversationId, MessageId};

pub(super) fn no_conversation(conversation: ConversationId) -> Error {
    Error::new(ErrorKind::NotFound, format!("the workspace has no conversation {conversation}"))
        .about("conversation_id")
}

pub(super) fn no_message(message: MessageId) -> Error {
    Error::new(ErrorKind::NotFound, format!("the workspace has no message {message}")).about("id")
}
