//! A copy beside the original.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable};
use diesel_async::SimpleAsyncConnection as _;
use secrecy::{ExposeSecret as _, SecretString};
use workspace_db::auth;
use workspace_db::id::WorkspaceId;
use workspace_db::models::Document;
use workspace_db::schema::{
    audit_log, document_chunks, documents, jobs, service_tokens, webhook_subscriptions, workspace_admins, workspaces,
};
use workspace_db::sql_types::JobStatus;
use workspace_db::sql_types::{SealedSecret, SecretKey};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db::transfer::{ImportOptions, ImportReport, import};

use super::{Fixture, platform};

const SECRET_KEY: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";

async fn beside(fixture: &Fixture, slug: &str, key: Option<SecretKey>) -> workspace_db::Result<ImportReport> {
    let options = ImportOptions { beside_as: Some(slug.parse().unwrap()), key, ..ImportOptions::default() };
    import(&fixture.db, &platform(), &fixture.path("a.tar"), options, &|_| ()).await
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[tokio::test]
async fn a_copy_has_new_ids_that_refer_to_each_other_and_nothing_of_the_original_is_touched() {
    let fixture = Fixture::that_hurts().await;
    let before = fixture.rows(fixture.a.workspace).await;
    fixture.export("a.tar").await.unwrap();
    let report = beside(&fixture, "a-copy", None).await.unwrap();
    let copy = report.workspace;
    assert!(copy != fixture.a.workspace && report.slug == "a-copy");
    assert_eq!(fixture.rows(fixture.a.workspace).await, before);
    let mut conn = fixture.database.connect().await.unwrap();
    let copied = fixture.rows(copy).await;
    for (table, rows) in &before {
        let left_out = if table == "service_tokens" { rows.count } else { 0 };
        assert_eq!(copied[table].count, rows.count - left_out, "{table}");
    }
    // In no table does a row of the copy have the id of one of the original.
    for table in workspace_db::tenancy::TENANT_TABLES {
        let id = match *table {
            "workspace_settings" => continue,
            "chunk_reembeddings" => "chunk_id",
            "message_deltas" => "message_id",
            _ => "id",
        };
        let query = format!(
            "SELECT count(*) AS count FROM {table} AS one JOIN {table} AS other USING ({id})
             WHERE one.workspace_id = '{}' AND other.workspace_id = '{copy}'",
            fixture.a.workspace
        );
        let same: Count = diesel_async::RunQueryDsl::get_result(diesel::sql_query(query), &mut conn).await.unwrap();
        assert_eq!(same.count, 0, "{table}");
    }
    // The chunks of each document of the original are those of its copy.
    let chunks = |workspace: WorkspaceId| {
        documents::table
            .inner_join(
                document_chunks::table.on(document_chunks::workspace_id
                    .eq(documents::workspace_id)
                    .and(document_chunks::document_id.eq(documents::id))),
            )
            .filter(documents::workspace_id.eq(workspace))
            .select((documents::title, document_chunks::content, document_chunks::chunk_index))
            .order((documents::title, document_chunks::chunk_index))
    };
    let of = async |conn: &mut diesel_async::AsyncPgConnection, workspace| -> Vec<(String, String, i32)> {
        diesel_async::RunQueryDsl::load(chunks(workspace), conn).await.unwrap()
    };
    assert_eq!(of(&mut conn, copy).await, of(&mut conn, fixture.a.workspace).await);
    let about: Vec<Option<uuid::Uuid>> = diesel_async::RunQueryDsl::load(
        audit_log::table.filter(audit_log::workspace_id.eq(copy)).select(audit_log::object_id),
        &mut conn,
    )
    .await
    .unwrap();
    assert!(about.iter().all(|id| *id == Some(*copy.as_uuid())), "{about:?}");
}

#[tokio::test]
async fn a_copy_runs_nothing_and_lets_nobody_in_until_it_is_restored() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute(&format!(
        "UPDATE workspaces SET is_published = true WHERE id = '{0}';
         UPDATE workspace_admins SET joined_at = NULL, invitation_hash = decode(repeat('ab', 32), 'hex'),
             invitation_expires_at = now() + interval '1 day' WHERE workspace_id = '{0}'",
        fixture.a.workspace
    ))
    .await
    .unwrap();
    fixture.export("a.tar").await.unwrap();
    let report = beside(&fixture, "a-copy", None).await.unwrap();
    let copy = report.workspace;
    assert_eq!((report.left_out.service_tokens, report.left_out.invitations, report.left_out.secrets), (1, 1, 0));
    assert!(fixture.db.published("a-copy").await.unwrap_err().is_not_found());
    assert!(fixture.db.published("a").await.is_ok());
    let state: (bool, bool) = diesel_async::RunQueryDsl::get_result(
        workspaces::table.find(copy).select((workspaces::is_active, workspaces::is_published)),
        &mut conn,
    )
    .await
    .unwrap();
    assert_eq!(state, (false, false));
    let cancelled = jobs::table.filter(jobs::workspace_id.eq(copy).and(jobs::status.eq(JobStatus::Cancelled))).count();
    assert_eq!(diesel_async::RunQueryDsl::get_result::<i64>(cancelled, &mut conn).await.unwrap(), 1);
    let tokens = service_tokens::table.filter(service_tokens::workspace_id.eq(copy)).count();
    assert_eq!(diesel_async::RunQueryDsl::get_result::<i64>(tokens, &mut conn).await.unwrap(), 0);
    let invitation: Option<Vec<u8>> = diesel_async::RunQueryDsl::get_result(
        workspace_admins::table
            .filter(workspace_admins::workspace_id.eq(copy))
            .select(diesel::dsl::sql::<Nullable<Binary>>("invitation_hash")),
        &mut conn,
    )
    .await
    .unwrap();
    assert_eq!(invitation, None);
    auth::restore(&fixture.db, &platform(), copy).await.unwrap();
    let scope = WorkspaceScope::unchecked(copy, "a test");
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    let found: Vec<Document> = documents::table.in_workspace(&scope).load(&mut ws).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn secrets_of_a_copy_are_sealed_anew_or_left_out() {
    let fixture = Fixture::new().await;
    let key = || SecretKey::from_base64(SECRET_KEY).unwrap();
    let sealed = SealedSecret::seal(&key(), fixture.a.workspace, &SecretString::from("whsec_1")).unwrap();
    let mut conn = fixture.database.connect().await.unwrap();
    let update = diesel::update(
        webhook_subscriptions::table.filter(webhook_subscriptions::workspace_id.eq(fixture.a.workspace)),
    )
    .set(webhook_subscriptions::secret.eq(&sealed));
    diesel_async::RunQueryDsl::execute(update, &mut conn).await.unwrap();
    fixture.export("a.tar").await.unwrap();
    let secret_of =
        async |conn: &mut diesel_async::AsyncPgConnection, workspace: WorkspaceId| -> Option<SealedSecret> {
            let query = webhook_subscriptions::table
                .filter(webhook_subscriptions::workspace_id.eq(workspace))
                .select(webhook_subscriptions::secret);
            diesel_async::RunQueryDsl::get_result(query, conn).await.unwrap()
        };
    let with = beside(&fixture, "with-key", Some(key())).await.unwrap();
    let again = secret_of(&mut conn, with.workspace).await.unwrap();
    assert_eq!(again.open(&key(), with.workspace).unwrap().expose_secret(), "whsec_1");
    assert!(again.open(&key(), fixture.a.workspace).is_err(), "it is bound to the copy");
    let without = beside(&fixture, "without-key", None).await.unwrap();
    assert_eq!(without.left_out.secrets, 1);
    assert!(secret_of(&mut conn, without.workspace).await.is_none());
    let another = SecretKey::from_base64("AAAAASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=").unwrap();
    let error = beside(&fixture, "another-key", Some(another)).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("use the key that sealed it"), "{error}");
    assert!(workspace_gone(&mut conn, "another-key").await);
    // Where it stays the same workspace, it stays the same secret.
    fixture.erase().await.unwrap();
    fixture.import("a.tar").await.unwrap();
    assert_eq!(secret_of(&mut conn, fixture.a.workspace).await, Some(sealed));
}

async fn workspace_gone(conn: &mut diesel_async::AsyncPgConnection, slug: &str) -> bool {
    let query = workspaces::table.filter(workspaces::slug.eq(slug)).count();
    diesel_async::RunQueryDsl::get_result::<i64>(query, conn).await.unwrap() == 0
}

#[tokio::test]
async fn what_is_there_already_is_not_overwritten() {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let before = (fixture.rows(fixture.a.workspace).await, fixture.rows(fixture.b.workspace).await);
    let error = fixture.import("a.tar").await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("\"a\" already exists"), "{error}");
    let error = beside(&fixture, "b", None).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("\"b\" already exists"), "{error}");
    let mut conn = fixture.database.connect().await.unwrap();
    fixture.erase().await.unwrap();
    conn.batch_execute("UPDATE workspaces SET slug = 'a' WHERE slug = 'b'").await.unwrap();
    let error = fixture.import("a.tar").await.unwrap_err();
    assert!(error.is_conflict() && error.field() == Some("slug"), "{error}");
    conn.batch_execute("UPDATE workspaces SET slug = 'b' WHERE slug = 'a'").await.unwrap();
    assert_eq!(fixture.rows(fixture.b.workspace).await, before.1);
    fixture.import("a.tar").await.unwrap();
    assert_eq!(fixture.rows(fixture.a.workspace).await, super::imported(before.0));
}
