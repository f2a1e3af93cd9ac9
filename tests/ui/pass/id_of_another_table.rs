use workspace_db::id::ConversationId;
use workspace_db::models::NewMessage;
use workspace_db::sql_types::MessageRole;

pub fn main() {
    let conversation = ConversationId::generate();
    let _ = NewMessage::new(conversation, MessageRole::User, "hello");
}
