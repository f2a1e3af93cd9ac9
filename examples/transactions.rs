//! Transactions: all or nothing, a savepoint within, rows that are locked as a queue does it.
//!
//! `cargo run --example transactions`

use diesel::prelude::*;
use workspace_db::models::{Job, NewConversation, NewJob, NewMessage};
use workspace_db::schema::{conversations, jobs, messages};
use workspace_db::sql_types::{JobStatus, MessageRole, StatementTime};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db::testing::{TestDatabase, seed};
use workspace_db::{Error, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let database = TestDatabase::new().await?;
    let here = seed(&mut database.connect().await?, "here").await?;
    let db = database.open(2).await?;
    let scope = WorkspaceScope::vouched_for(here.workspace, "an example");
    let mut ws = db.workspace(&scope).await?;

    ws.transaction(async |tx| {
        let conversation = NewConversation::default();
        conversations::table.in_workspace(&scope).insert(&conversation).execute(tx).await?;
        let message = NewMessage::new(conversation.id, MessageRole::User, "When do you open?");
        messages::table.in_workspace(&scope).insert(&message).execute(tx).await?;
        // A transaction within is a savepoint: it fails alone.
        let undone: Result<()> = tx
            .transaction(async |savepoint| {
                messages::table.in_workspace(&scope).delete().execute(savepoint).await?;
                messages::table.in_workspace(&scope).insert(&message).execute(savepoint).await?;
                messages::table.in_workspace(&scope).insert(&message).execute(savepoint).await.map(drop)
            })
            .await;
        assert!(undone.is_err_and(|error| error.is_conflict()));
        Ok::<_, Error>(())
    })
    .await?;
    let said: i64 = messages::table.in_workspace(&scope).count().get_result(&mut ws).await?;
    println!("{said} messages");

    jobs::table.in_workspace(&scope).insert(&NewJob::new("reindex")).execute(&mut ws).await?;
    let taken = ws
        .transaction(async |tx| {
            let free = jobs::table
                .in_workspace(&scope)
                .filter(jobs::status.eq(JobStatus::Queued))
                .order(jobs::scheduled_at)
                .limit(1)
                .for_update()
                .skip_locked();
            let job: Job = free.get_result(tx).await?;
            let started = (jobs::status.eq(JobStatus::Running), jobs::updated_at.eq(StatementTime));
            jobs::table.in_workspace(&scope).find(job.id).update().set(started).execute(tx).await?;
            Ok::<_, Error>(job)
        })
        .await?;
    println!("took {}", taken.job_type);
    Ok(())
}
