use workspace_db::id::{ConversationId, WorkspaceId};
use workspace_db::models::NewMessage;
use workspace_db::sql_types::MessageRole;

fn main() {
    let workspace = WorkspaceId::generate();
    let _ = NewMessage::new(workspace, MessageRole::User, "hello");
    let _: ConversationId = workspace;
}
