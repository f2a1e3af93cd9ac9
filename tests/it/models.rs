//! Rows go in and come out, changesets change what they name, and no key reaches into another workspace.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use workspace_db::Error;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::sql_types::*;
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

/// A database with two workspaces, each with a row in every table.
async fn two_workspaces() -> (TestDatabase, AsyncPgConnection, SeededWorkspace, SeededWorkspace) {
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let a = seed(&mut conn, "a").await.unwrap();
    let b = seed(&mut conn, "b").await.unwrap();
    (database, conn, a, b)
}

/// Loads every row of a table through its model, which fails where a field's type does not fit the column's.
macro_rules! assert_loads {
    ($conn:expr, $($model:ident),+) => {$(
        let rows = $model::query().load::<$model>(&mut $conn).await.unwrap();
        assert_eq!(rows.len(), 2, "{}", stringify!($model));
    )+};
}

#[tokio::test]
async fn every_model_reads_what_was_inserted() {
    let (_database, mut conn, a, _b) = two_workspaces().await;
    assert_loads!(
        conn,
        AdminUser,
        AnalyticsEvent,
        AuditEntry,
        ChunkReembedding,
        Conversation,
        Datasource,
        Document,
        DocumentChunk,
        Feedback,
        Job,
        JobSchedule,
        Message,
        ServiceToken,
        WebhookSubscription,
        Workspace,
        WorkspaceAdmin,
        WorkspaceSettings
    );
    let chunk =
        DocumentChunk::query().filter(document_chunks::workspace_id.eq(a.workspace)).first(&mut conn).await.unwrap();
    assert_eq!(chunk.id, a.document_chunk);
    assert_eq!(chunk.vector, Embedding::try_from([0.5; DIMENSIONS]).unwrap());
    let job = Job::query().find((a.workspace, a.job)).first(&mut conn).await.unwrap();
    assert_eq!((job.status, job.attempts, job.max_attempts, job.priority), (JobStatus::Queued, 0, 3, 5));
    assert!(job.scheduled_at.is_some());
}

#[tokio::test]
async fn a_changeset_changes_what_it_names_and_the_time() {
    let (_database, mut conn, a, b) = two_workspaces().await;
    let before = Document::query().find((a.workspace, a.document)).first(&mut conn).await.unwrap();
    let changes = DocumentChanges {
        title: Some("Holidays".to_owned()),
        summary: Some(Some("When we are closed.".to_owned())),
        status: Some(DocumentStatus::Draft),
        metadata: Some(json!({ "source": "intranet" })),
        ..Default::default()
    };
    let target = documents::table.find((a.workspace, a.document));
    diesel::update(target).set(&changes).execute(&mut conn).await.unwrap();
    let after = Document::query().find((a.workspace, a.document)).first(&mut conn).await.unwrap();
    assert_eq!((after.title.as_str(), after.status), ("Holidays", DocumentStatus::Draft));
    assert_eq!(after.metadata, json!({ "source": "intranet" }));
    assert!(after.updated_at > before.updated_at);
    assert_eq!(after.created_at, before.created_at);

    let emptied = DocumentChanges { summary: Some(None), ..Default::default() };
    diesel::update(target).set(&emptied).execute(&mut conn).await.unwrap();
    let last = Document::query().find((a.workspace, a.document)).first(&mut conn).await.unwrap();
    assert_eq!((last.summary, last.title.as_str()), (None, "Holidays"));

    let other = Document::query().find((b.workspace, b.document)).first(&mut conn).await.unwrap();
    assert_eq!(other.title, "Opening hours");
}

#[tokio::test]
async fn a_changeset_without_changes_still_sets_the_time() {
    let (_database, mut conn, a, _b) = two_workspaces().await;
    let target = workspaces::table.find(a.workspace);
    let before: Workspace = Workspace::query().find(a.workspace).first(&mut conn).await.unwrap();
    diesel::update(target).set(&WorkspaceChanges::default()).execute(&mut conn).await.unwrap();
    let after: Workspace = Workspace::query().find(a.workspace).first(&mut conn).await.unwrap();
    assert!(after.updated_at > before.updated_at);
    assert_eq!(Workspace { updated_at: before.updated_at, ..after }, before);
}

#[tokio::test]
async fn values_that_are_not_plain_come_back_as_they_were() {
    let (_database, mut conn, a, _b) = two_workspaces().await;
    let key = SecretKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=").unwrap();
    let secret = SealedSecret::seal(&key, a.workspace, &SecretString::from("whsec_1")).unwrap();
    let events = TextArray::from_iter(["message.created", "with, comma", "quote\"d", ""]);
    let changes = WebhookSubscriptionChanges {
        secret: Some(Some(secret)),
        events: Some(events.clone()),
        headers: Some(json!({ "X-Key": "ü" })),
        ..Default::default()
    };
    diesel::update(webhook_subscriptions::table.find((a.workspace, a.webhook_subscription)))
        .set(&changes)
        .execute(&mut conn)
        .await
        .unwrap();
    let row = WebhookSubscription::query().find((a.workspace, a.webhook_subscription)).first(&mut conn).await.unwrap();
    assert_eq!((row.events, row.headers), (events, json!({ "X-Key": "ü" })));
    assert_eq!(row.secret.unwrap().open(&key, a.workspace).unwrap().expose_secret(), "whsec_1");

    let settings = WorkspaceSettingsChanges {
        metadata: Some(json!({ "plan": "pro" }).try_into().unwrap()),
        fallback_language: Some(Some("pt-BR".parse().unwrap())),
        temperature: Some(Some(1.25)),
        ..Default::default()
    };
    diesel::update(workspace_settings::table.find(a.workspace)).set(&settings).execute(&mut conn).await.unwrap();
    let row: WorkspaceSettings = WorkspaceSettings::query().find(a.workspace).first(&mut conn).await.unwrap();
    assert_eq!(row.fallback_language.unwrap().as_str(), "pt-BR");
    assert_eq!((row.temperature, row.tone.as_deref()), (Some(1.25), Some("professional")));
}

#[tokio::test]
async fn a_child_can_not_be_attached_to_another_workspaces_parent() {
    let (_database, mut conn, a, b) = two_workspaces().await;
    let stray = NewMessage::new(b.conversation, MessageRole::User, "into the wrong house");
    let error = diesel::insert_into(messages::table)
        .values((messages::workspace_id.eq(a.workspace), stray))
        .execute(&mut conn)
        .await
        .unwrap_err();
    let error = Error::from(error);
    assert!(error.is_not_found(), "another workspace's row must look like none at all: {error}");
    let stray = NewDocument { datasource_id: Some(b.datasource), ..NewDocument::new("stray") };
    let error = diesel::insert_into(documents::table)
        .values((documents::workspace_id.eq(a.workspace), stray))
        .execute(&mut conn)
        .await
        .unwrap_err();
    assert!(Error::from(error).is_not_found());
}

#[tokio::test]
async fn no_unique_key_reaches_into_another_workspace() {
    let (_database, mut conn, a, b) = two_workspaces().await;
    let document = |datasource| NewDocument {
        datasource_id: datasource,
        external_id: Some("handbook/1".to_owned()),
        content_hash: Some("same".to_owned()),
        ..NewDocument::new("x")
    };
    // The same id, hash and external id in two workspaces, and in one with and without a datasource.
    let first = document(None);
    for (workspace, row) in
        [(a.workspace, first.clone()), (b.workspace, first), (a.workspace, document(Some(a.datasource)))]
    {
        diesel::insert_into(documents::table)
            .values((documents::workspace_id.eq(workspace), row))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let again = diesel::insert_into(documents::table)
        .values((documents::workspace_id.eq(a.workspace), document(None)))
        .execute(&mut conn)
        .await
        .unwrap_err();
    assert!(Error::from(again).is_conflict(), "without a datasource an external id is unique too");
    // Documents without an external id don't collide.
    for _ in 0..2 {
        diesel::insert_into(documents::table)
            .values((documents::workspace_id.eq(a.workspace), NewDocument::new("untitled")))
            .execute(&mut conn)
            .await
            .unwrap();
    }
}

/// Counts the rows of a workspace in every tenant table.
async fn rows_of(conn: &mut AsyncPgConnection, of: workspace_db::id::WorkspaceId) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    macro_rules! count {
        ($($table:ident),+) => {$(
            let rows = $table::table.filter($table::workspace_id.eq(of)).select(count_star()).first(conn).await.unwrap();
            counts.push((stringify!($table), rows));
        )+};
    }
    count!(
        analytics_events,
        chunk_reembeddings,
        conversations,
        datasources,
        document_chunks,
        documents,
        feedback,
        job_schedules,
        jobs,
        message_deltas,
        message_sources,
        messages,
        model_calls,
        service_tokens,
        webhook_subscriptions,
        workspace_admins,
        workspace_settings
    );
    counts
}

#[tokio::test]
async fn a_deleted_workspace_leaves_nothing_behind_and_no_other_touched() {
    let (_database, mut conn, a, b) = two_workspaces().await;
    assert!(rows_of(&mut conn, a.workspace).await.iter().all(|(_, rows)| *rows == 1));
    diesel::delete(workspaces::table.find(a.workspace)).execute(&mut conn).await.unwrap();
    let left: Vec<_> = rows_of(&mut conn, a.workspace).await.into_iter().filter(|(_, rows)| *rows > 0).collect();
    assert_eq!(left, []);
    let entries = AuditEntry::query().filter(audit_log::workspace_id.eq(a.workspace)).load(&mut conn).await.unwrap();
    assert_eq!(entries.len(), 1, "what was done to a workspace is known after it is gone");
    assert!(rows_of(&mut conn, b.workspace).await.iter().all(|(_, rows)| *rows == 1));
}

#[tokio::test]
async fn an_event_outlives_its_conversation_in_its_workspace() {
    let (_database, mut conn, a, _b) = two_workspaces().await;
    diesel::delete(conversations::table.find((a.workspace, a.conversation))).execute(&mut conn).await.unwrap();
    let event = AnalyticsEvent::query().find((a.workspace, a.analytics_event)).first(&mut conn).await.unwrap();
    assert_eq!((event.conversation_id, event.message_id), (None, None));
    // A judge who is deleted is forgotten, the judgement stays; here it went with the message.
    let judgements: i64 = feedback::table.select(count_star()).first(&mut conn).await.unwrap();
    assert_eq!(judgements, 1);
    let judge: Option<workspace_db::id::AdminUserId> =
        feedback::table.select(feedback::admin_user_id).first(&mut conn).await.unwrap();
    diesel::delete(admin_users::table.find(judge.unwrap())).execute(&mut conn).await.unwrap();
    let judge: Option<workspace_db::id::AdminUserId> =
        feedback::table.select(feedback::admin_user_id).first(&mut conn).await.unwrap();
    assert_eq!(judge, None);
}

#[tokio::test]
async fn emails_are_unique_without_regard_to_case_beyond_ascii() {
    let (_database, mut conn, _a, _b) = two_workspaces().await;
    let hash = PasswordHash::from_password(&SecretString::from("x")).unwrap();
    let adopted = "INSERT INTO admin_users (email, password_hash) VALUES ('Émile@example.com', '$argon2id$')";
    diesel::sql_query(adopted).execute(&mut conn).await.unwrap();
    let again = diesel::sql_query(adopted.replace("Émile@example", "émile@EXAMPLE")).execute(&mut conn).await;
    assert!(Error::from(again.unwrap_err()).is_conflict());
    let first = NewAdminUser::new("Emile@example.com".parse().unwrap(), hash.clone());
    diesel::insert_into(admin_users::table).values(first).execute(&mut conn).await.unwrap();
    let second = NewAdminUser::new("emile@EXAMPLE.com".parse().unwrap(), hash);
    let error = diesel::insert_into(admin_users::table).values(second).execute(&mut conn).await.unwrap_err();
    assert!(Error::from(error).is_conflict());
}

#[tokio::test]
async fn an_unknown_slug_is_not_found_and_no_other_is_told() {
    let (_database, mut conn, _a, _b) = two_workspaces().await;
    let error = Workspace::find_by_slug(&mut conn, "c").await.unwrap_err();
    assert!(error.is_not_found());
    assert!(!error.to_string().contains("a, b"), "an error of the library tells other tenants' slugs: {error}");
}
