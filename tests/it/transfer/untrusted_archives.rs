//! Archives that a tenant made: content is taken, and nothing that would run, let somebody in or tell of others.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use serde_json::{Value, json};
use workspace_db::Result;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::sql_types::AdminRole;
use workspace_db::transfer::{ImportOptions, ImportReport, import};
use workspace_db_testing::TestDatabase;

use super::corrupt_archives::{DOCUMENTS, Files, packed, replace, unpacked};
use super::{Fixture, administer, imported, platform};

async fn count(conn: &mut AsyncPgConnection, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    diesel::sql_query(query).get_result::<Row>(conn).await.unwrap().count
}

/// The rows of a table in an archive, changed.
fn edit(files: &mut Files, table: &str, change: impl Fn(&mut Value)) {
    let name = files.keys().find(|name| name.starts_with(&format!("{table}/"))).expect("rows of the table").clone();
    let lines = String::from_utf8(files[&name].clone()).unwrap();
    let changed = lines.lines().map(|line| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        change(&mut row);
        format!("{row}\n")
    });
    let changed: String = changed.collect();
    files.insert(name, changed.into_bytes());
}

/// The same without a column, which the manifest does not name either.
fn without(files: &mut Files, table: &str, column: &str) {
    edit(files, table, |row| drop(row.as_object_mut().unwrap().remove(column)));
    let mut manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    for one in manifest["tables"].as_array_mut().unwrap().iter_mut().filter(|one| one["name"] == table) {
        one["columns"].as_array_mut().unwrap().retain(|name| name != column);
    }
    files.insert("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap());
}

/// As the tenant hands it over: exported, changed so that it agrees with itself, and brought into another database.
async fn brought(
    change: impl FnOnce(&mut Files),
    options: ImportOptions,
) -> (Fixture, TestDatabase, Result<ImportReport>) {
    let (fixture, other) = (Fixture::new().await, TestDatabase::new().await.unwrap());
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    change(&mut files);
    packed(&fixture.path("strange.tar"), files);
    let there = other.open(4).await.unwrap();
    let report = import(&there, &platform(), &fixture.path("strange.tar"), options, &|_| ()).await;
    (fixture, other, report)
}

const AT_REST: &str = "SELECT (SELECT count(*) FROM jobs WHERE status <> 'cancelled' OR cancelled_at IS NULL)
    + (SELECT count(*) FROM job_schedules WHERE next_at IS NOT NULL) + (SELECT count(*) FROM service_tokens)
    + (SELECT count(*) FROM workspace_admins WHERE joined_at IS NOT NULL OR invitation_hash IS NOT NULL) AS count";

#[rstest]
#[case::as_it_was(|_: &mut Files| ())]
#[case::without_the_state(|files: &mut Files| without(files, "jobs", "status"))]
#[case::without_the_next_time(|files: &mut Files| without(files, "job_schedules", "next_at"))]
#[case::a_job_that_runs(|files: &mut Files| edit(files, "jobs", |job| job["status"] = json!("running")))]
#[tokio::test]
async fn what_would_run_or_let_somebody_in_is_at_rest(#[case] change: fn(&mut Files)) {
    let (_fixture, other, report) = brought(change, ImportOptions::default()).await;
    let report = report.unwrap();
    assert_eq!((report.left_out.jobs, report.left_out.service_tokens, report.left_out.memberships), (1, 1, 1));
    assert_eq!(report.to_invite, ["admin@a.example"]);
    assert_eq!(count(&mut other.connect().await.unwrap(), AT_REST).await, 0);
}

#[tokio::test]
async fn with_the_operators_word_jobs_wait_and_still_nobody_is_let_in() {
    let options = ImportOptions { with_jobs: true, ..ImportOptions::default() };
    let (_fixture, other, report) = brought(|_| (), options).await;
    assert_eq!((report.as_ref().unwrap().left_out.jobs, report.unwrap().left_out.service_tokens), (0, 1));
    let mut conn = other.connect().await.unwrap();
    assert_eq!(count(&mut conn, "SELECT count(*) FROM jobs WHERE status = 'queued'").await, 1);
    let let_in = "SELECT (SELECT count(*) FROM service_tokens)
        + (SELECT count(*) FROM workspace_admins WHERE joined_at IS NOT NULL OR invitation_hash IS NOT NULL) AS count";
    assert_eq!(count(&mut conn, let_in).await, 0);
}

/// An invitation whose token the archive's maker knows makes them nobody, and keeps the real one from nobody.
#[tokio::test]
async fn an_invitation_of_an_archive_opens_nothing() {
    let fixture = Fixture::new().await;
    let email = "ceo@victim.example".parse().unwrap();
    let planted = auth::invite(&fixture.db, &administer(fixture.a.workspace), &email, AdminRole::Admin).await.unwrap();
    fixture.export("a.tar").await.unwrap();
    let other = TestDatabase::new().await.unwrap();
    let there = other.open(4).await.unwrap();
    let report = import(&there, &platform(), &fixture.path("a.tar"), ImportOptions::default(), &|_| ()).await.unwrap();
    assert_eq!(report.left_out.invitations, 1);
    let joined = auth::join(&there, &planted.token, &"a password of theirs".into(), &ClientInfo::default()).await;
    assert!(joined.unwrap_err().is_unauthenticated());
    let mut conn = other.connect().await.unwrap();
    let real = workspace_db_testing::workspace(&mut conn, "real").await.unwrap();
    let invited = auth::invite(&there, &administer(real.id), &email, AdminRole::Admin).await.unwrap();
    assert!(invited.is_new);
    let (session, _) =
        auth::join(&there, &invited.token, &"a password of their own".into(), &ClientInfo::default()).await.unwrap();
    assert!(session.workspace(real.id, &there).await.is_ok());
    assert!(
        session.workspace(fixture.a.workspace, &there).await.unwrap_err().is_not_found(),
        "joined there, and not here"
    );
}

/// The former tenant's log is not the newcomer's to read; one's own archive comes back without a word.
#[tokio::test]
async fn the_id_of_an_erased_workspace_is_nobody_elses() {
    let fixture = Fixture::new().await;
    let before = fixture.rows(fixture.a.workspace).await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    replace(&mut files, DOCUMENTS, "Opening hours", "Newcomer");
    packed(&fixture.path("strange.tar"), files);
    fixture.erase().await.unwrap();
    let error = fixture.import("strange.tar").await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("the audit log contains a workspace"), "{error}");
    fixture.import("a.tar").await.unwrap();
    assert_eq!(fixture.rows(fixture.a.workspace).await, imported(before), "members are what they were");
    fixture.erase().await.unwrap();
    let options = ImportOptions { restores: true, ..ImportOptions::default() };
    let report = import(&fixture.db, &platform(), &fixture.path("strange.tar"), options, &|_| ()).await.unwrap();
    assert_eq!(report.left_out.memberships, 1, "it is not the archive that was written here");
}

#[tokio::test]
async fn entries_of_the_audit_log_say_that_they_were_imported() {
    let (_fixture, other, report) = brought(|_| (), ImportOptions::default()).await;
    report.unwrap();
    let mut conn = other.connect().await.unwrap();
    let own = "action NOT LIKE 'workspace.import%'";
    let marked = format!("SELECT count(*) FROM audit_log WHERE {own} AND after->'imported' = 'true'");
    assert!(count(&mut conn, &marked).await > 0);
    let unmarked = format!("SELECT count(*) FROM audit_log WHERE {own} AND NOT coalesce(after ? 'imported', false)");
    assert_eq!(count(&mut conn, &unmarked).await, 0);
}

#[rstest]
#[case::an_entry_of_the_future(
    |files: &mut Files| edit(files, "audit_log", |entry| entry["occurred_at"] = json!("2099-01-01T00:00:00Z")),
    "a time in the future"
)]
#[case::a_slug_that_climbs(
    |files: &mut Files| edit(files, "workspaces", |row| row["slug"] = json!("../../escaped")),
    "slug"
)]
#[case::a_name_that_turns_the_line(
    |files: &mut Files| edit(files, "workspaces", |row| row["name"] = json!("a\u{202e}b\u{0}")),
    ""
)]
#[case::a_slug_of_the_manifest(
    |files: &mut Files| {
        let mut manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        manifest["slug"] = json!("../../escaped");
        files.insert("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap());
    },
    "slug"
)]
#[case::an_archive_of_the_future(
    |files: &mut Files| {
        let mut manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        manifest["taken_at"] = json!("2099-01-01T00:00:00Z");
        files.insert("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap());
    },
    "which is in the future"
)]
#[tokio::test]
async fn what_can_not_be_said_here_is_refused_and_nothing_is_written(
    #[case] change: fn(&mut Files),
    #[case] word: &str,
) {
    let (_fixture, other, report) = brought(change, ImportOptions::default()).await;
    let error = report.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(word), "{error}");
    let mut conn = other.connect().await.unwrap();
    assert_eq!(
        count(&mut conn, "SELECT (SELECT count(*) FROM workspaces) + (SELECT count(*) FROM audit_log) AS count").await,
        0
    );
}

/// What an archive lacks would be erased by a move.
#[tokio::test]
async fn a_move_erases_nothing_that_the_archive_lacks() {
    let (fixture, other) = (Fixture::new().await, TestDatabase::new().await.unwrap());
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute("UPDATE workspaces SET is_active = false WHERE slug = 'a'").await.unwrap();
    fixture.export("whole.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("whole.tar"));
    without(&mut files, "documents", "summary");
    packed(&fixture.path("a.tar"), files);
    let before = fixture.rows(fixture.a.workspace).await;
    let error = super::relocate::to(&fixture, &other).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("documents"), "{error}");
    assert_eq!(fixture.rows(fixture.a.workspace).await, before);
}

#[cfg(unix)]
#[tokio::test]
async fn an_export_goes_into_no_file_of_somebody_else() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let fixture = Fixture::new().await;
    std::fs::write(fixture.path("important.txt"), "mine").unwrap();
    symlink(fixture.path("important.txt"), fixture.path("a.tar.partial")).unwrap();
    fixture.export("a.tar").await.unwrap();
    symlink("nowhere", fixture.path("dangling.tar")).unwrap();
    assert!(fixture.export("dangling.tar").await.unwrap_err().is_conflict());
    assert!(fixture.export("important.txt").await.unwrap_err().is_conflict());
    assert_eq!(std::fs::read_to_string(fixture.path("important.txt")).unwrap(), "mine");
    assert_eq!(std::fs::metadata(fixture.path("a.tar")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(super::partials(fixture.folder.path()), ["a.tar.partial"]);
}
