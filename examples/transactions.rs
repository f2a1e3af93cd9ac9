//! Transactions: all or nothing, a savepoint inside, and row locks so that two sessions never take the same row.
//!
//! `cargo run --example transactions`

use diesel::prelude::*;
use workspace_db::models::{Conversation, NewConversation, NewMessage};
use workspace_db::schema::{conversations, messages};
use workspace_db::sql_types::{ConversationStatus, MessageRole, StatementTime};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db::{Error, Result};
use workspace_db_testing::{TestDatabase, seed};

#[tokio::main]
async fn main() -> Result<()> {
    let database = TestDatabase::new().await?;
    let here = seed(&mut database.connect().await?, "here").await?;
    let db = database.open(2).await?;
    let scope = WorkspaceScope::unchecked(here.workspace, "an example");
    let mut ws = db.workspace(&scope).await?;

    ws.transaction(async |tx| {
        let conversation = NewConversation::default();
        conversations::table.in_workspace(&tx).insert(&conversation).execute(tx).await?;
        let message = NewMessage::new(conversation.id, MessageRole::User, "When do you open?");
        messages::table.in_workspace(&tx).insert(&message).execute(tx).await?;
        // A nested transaction is a savepoint: its failure does not undo the outer transaction.
        let undone: Result<()> = tx
            .transaction(async |savepoint| {
                messages::table.in_workspace(&savepoint).delete().execute(savepoint).await?;
                messages::table.in_workspace(&savepoint).insert(&message).execute(savepoint).await?;
                messages::table.in_workspace(&savepoint).insert(&message).execute(savepoint).await.map(drop)
            })
            .await;
        assert!(undone.is_err_and(|error| error.is_conflict()));
        Ok::<_, Error>(())
    })
    .await?;
    let said: i64 = messages::table.in_workspace(&ws).count().get_result(&mut ws).await?;
    println!("{said} messages");

    let taken = ws
        .transaction(async |tx| {
            let free = conversations::table
                .in_workspace(&tx)
                .filter(conversations::status.eq(ConversationStatus::Open))
                .order(conversations::created_at)
                .limit(1)
                .for_update()
                .skip_locked();
            let conversation: Conversation = free.get_result(tx).await?;
            let taken =
                (conversations::status.eq(ConversationStatus::Pending), conversations::updated_at.eq(StatementTime));
            conversations::table.in_workspace(&tx).find(conversation.id).update().set(taken).execute(tx).await?;
            Ok::<_, Error>(conversation)
        })
        .await?;
    println!("took {}", taken.id);
    Ok(())
}
