//! The error for a conversation that is not there.

use crate::error::{Error, ErrorKind};
use crate::id::ConversationId;

pub(super) fn no_conversation(conversation: ConversationId) -> Error {
    Error::new(ErrorKind::NotFound, format!("the workspace has no conversation {conversation}"))
        .about("conversation_id")
}
