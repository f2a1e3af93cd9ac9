//! Conversations: an order that can't tie, branches, answers that survive their writer, and a hand-over to people.

mod append;
mod export;
mod feedback;
mod hand_over;
mod mutants;
mod page;
mod search;
mod shell;
mod streaming;
mod tree;
mod usage;

use workspace_db::conversations::{
    AnswerStart, AnswerTimes, AnswerWriter, AppendResult, MessageInput, append, begin_answer,
};
use workspace_db::id::ConversationId;
use workspace_db::models::{Message, NewConversation};
use workspace_db::schema::{conversations, messages};
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceConnection, WorkspaceScope};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

/// Two workspaces with a row in every table, and an empty conversation of `a`.
struct Fixture {
    database: TestDatabase,
    db: Database,
    a: SeededWorkspace,
    b: SeededWorkspace,
    scope: WorkspaceScope,
    ws: WorkspaceConnection,
    talk: ConversationId,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let a = seed(&mut conn, "a").await.unwrap();
        let b = seed(&mut conn, "b").await.unwrap();
        let db = database.open(8).await.unwrap();
        let scope = WorkspaceScope::unchecked(a.workspace, "a test");
        let mut ws = db.workspace(&scope).await.unwrap();
        let talk = conversation(&mut ws).await;
        Self { database, db, a, b, scope, ws, talk }
    }

    async fn append(&mut self, message: MessageInput) -> AppendResult {
        append(&mut self.ws, self.talk, &message).await.unwrap()
    }

    /// Begins an answer in the conversation.
    async fn begin(&self, message: &MessageInput, times: AnswerTimes) -> AnswerWriter {
        begin(&self.db, &self.scope, self.talk, message, times).await
    }

    /// The messages of the conversation, in their order.
    async fn messages(&mut self) -> Vec<Message> {
        messages_of(&mut self.ws, self.talk).await
    }
}

/// Begins an answer that the conversation does not have.
async fn begin(
    db: &Database,
    scope: &WorkspaceScope,
    talk: ConversationId,
    message: &MessageInput,
    times: AnswerTimes,
) -> AnswerWriter {
    match begin_answer(db, scope, talk, message, times).await.unwrap() {
        AnswerStart::New(writer) => writer,
        AnswerStart::Known(known) => unreachable!("the answer is known: {known:?}"),
    }
}

/// Makes an empty conversation.
async fn conversation(ws: &mut WorkspaceConnection) -> ConversationId {
    let new = NewConversation::default();
    conversations::table.in_workspace(&ws).insert(&new).execute(ws).await.unwrap();
    new.id
}

async fn messages_of(ws: &mut WorkspaceConnection, talk: ConversationId) -> Vec<Message> {
    use diesel::{ExpressionMethods as _, SelectableHelper as _};
    messages::table
        .in_workspace(&ws)
        .filter(messages::conversation_id.eq(talk))
        .order((messages::seq, messages::created_at, messages::id))
        .select(Message::as_select())
        .load(ws)
        .await
        .unwrap()
}
