//! The old application goes on, up to the last step.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use workspace_db::db;

use super::{Fixture, count};

#[tokio::test]
async fn what_is_written_meanwhile_is_caught_up_with() {
    let fixture = Fixture::with_every_fault().await;
    fixture.run().await.unwrap();
    let mut there = fixture.there().await;
    there
        .batch_execute(
            "INSERT INTO workspaces (id, slug, name) VALUES (w(9), 'new', 'New');
             INSERT INTO documents (id, workspace_id, title) VALUES (w(90), w(9), 'new');
             UPDATE documents SET title = 'changed' WHERE id = w(1);
             -- What was set aside is in order now, and what was in order is not.
             UPDATE documents SET status = 'ready' WHERE id = w(6);
             UPDATE documents SET status = 'broken' WHERE id = w(3);
             UPDATE webhook_subscriptions SET secret = NULL WHERE id = w(1);
             UPDATE documents SET status = 'ready' WHERE id = w(5);
             UPDATE documents SET external_id = 'z' WHERE id = w(5);
             -- Two exchange their keys.
             UPDATE workspaces SET slug = 'between' WHERE id = w(1);
             UPDATE workspaces SET slug = 'one' WHERE id = w(2);
             UPDATE workspaces SET slug = 'Odd Slug!' WHERE id = w(1);
             DELETE FROM conversations WHERE id = w(1);
             DELETE FROM jobs WHERE id = w(2)",
        )
        .await
        .unwrap();
    let again = fixture.run().await.unwrap();
    assert!(again.rounds[0].changed >= 6 && again.rounds[0].gone >= 1, "{again:?}");
    let compared = again.compared.unwrap();
    let of = |table: &str| compared.iter().find(|one| one.table == table).unwrap();
    assert_eq!((of("documents").same, of("documents").changed, of("documents").set_aside), (5, 1, 1));
    // The chunk of a document that is here now is as well, and that of one that is not any more is set aside.
    assert_eq!((of("document_chunks").same, of("document_chunks").set_aside), (3, 3));
    assert_eq!(of("feedback").set_aside, 2);
    assert_eq!(of("jobs").set_aside, 1);
    let mut here = fixture.here().await;
    assert_eq!(count(&mut here, "documents WHERE title IN ('new', 'changed', 'Half done')").await, 3);
    assert_eq!(count(&mut here, "workspaces WHERE slug IN ('one', 'Odd Slug!')").await, 2);
    assert_eq!(count(&mut here, "webhook_subscriptions WHERE secret IS NOT NULL").await, 0);
    assert_eq!(count(&mut here, "conversations").await, count(&mut there, "conversations").await);
    let switched = fixture.adoption().switch(false, &|_| ()).await.unwrap();
    // Rows of a transaction that ran beside one of another database are looked at again.
    assert_eq!(switched.caught_up.gone, 0);
    let told: Vec<_> = switched.compared.iter().map(|one| (one.table, one.same)).collect();
    assert_eq!(told, compared.iter().map(|one| (one.table, one.same)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_go_on_until_the_last_step_and_nothing_of_theirs_is_lost() {
    let fixture = Fixture::with_every_fault().await;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let url = fixture.old.url().unwrap();
    let writer = tokio::spawn(async move {
        let mut conn = db::connect(&url).await.unwrap();
        let mut written = 0;
        while !*stopped.borrow_and_update() {
            let write = format!(
                "INSERT INTO messages (workspace_id, conversation_id, role, content) VALUES (w(2), w(2), 'user', 'beside {written}');
                 UPDATE conversations SET title = 'beside {written}' WHERE id = w(2);
                 DELETE FROM messages WHERE content = 'beside {}'",
                written - 5
            );
            conn.batch_execute(&write).await.unwrap();
            written += 1;
        }
        written
    });
    for _ in 0..3 {
        fixture.run().await.unwrap();
    }
    // Whoever writes waits for the end of the last step.
    let switched = fixture.adoption().switch(false, &|_| ()).await.unwrap();
    assert!(switched.writers_stopped < Duration::from_secs(10), "{switched:?}");
    let here = count(&mut fixture.here().await, "messages WHERE content LIKE 'beside%'").await;
    stop.send_replace(true);
    assert!(writer.await.unwrap() > 0);
    assert!(here > 0 && here <= 6, "{here}");
}

#[tokio::test]
async fn readers_go_on_and_writers_wait_while_the_last_step_runs() {
    let fixture = Fixture::with_every_fault().await;
    fixture.run().await.unwrap();
    let (mut reader, mut writer) = (fixture.there().await, fixture.there().await);
    // A writer that is not done keeps the last step from beginning, and that says so.
    writer.batch_execute("BEGIN; UPDATE workspaces SET name = 'One more' WHERE id = w(1)").await.unwrap();
    let adoption = fixture.adoption();
    let (switched, ()) = tokio::join!(adoption.switch(false, &|_| ()), async {
        assert_eq!(count(&mut reader, "workspaces").await, 2);
    });
    let error = switched.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("did not release the old tables within 10 s"), "{error}");
    writer.batch_execute("COMMIT").await.unwrap();
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    assert_eq!(count(&mut fixture.here().await, "workspaces WHERE name = 'One more'").await, 1);
}

#[tokio::test]
async fn steps_are_taken_in_their_order() {
    let fixture = Fixture::with_every_fault().await;
    let aside = fixture.folder.path().join("aside.jsonl");
    let error = fixture.adoption().switch(false, &|_| ()).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("nothing has been copied yet"), "{error}");
    assert!(fixture.adoption().finish(&aside).await.unwrap_err().to_string().contains("--switch"));
    fixture.run().await.unwrap();
    assert!(fixture.adoption().finish(&aside).await.unwrap_err().is_conflict());
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    assert!(fixture.adoption().switch(false, &|_| ()).await.unwrap_err().to_string().contains("--finish"));
    let error = fixture.run().await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("--finish"), "{error}");
    fixture.adoption().finish(&aside).await.unwrap();
    assert!(fixture.adoption().finish(&aside).await.unwrap_err().is_conflict());
}
