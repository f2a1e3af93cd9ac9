//! What the doctor mends by itself.

use super::*;
use crate::until;

#[tokio::test]
async fn what_is_safe_is_mended() {
    let database = seeded().await;
    let few = Thresholds { dead_rows: 2, ..Thresholds::default() };
    let doctor = doctor(&database).with_thresholds(few);
    for sql in [
        "ALTER TABLE documents DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE messages NO FORCE ROW LEVEL SECURITY",
        "GRANT SELECT ON feedback TO PUBLIC",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'documents_content_hash_idx'::regclass",
        "CREATE INDEX documents_title_idx_ccnew ON documents (title)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'documents_title_idx_ccnew'::regclass",
        "UPDATE documents SET title = title; UPDATE documents SET title = title; SELECT pg_stat_force_next_flush()",
    ] {
        as_superuser(&database, sql).await;
    }
    let mut conn = connect(&database.superuser_url().unwrap()).await.unwrap();
    until(&mut conn, "SELECT n_dead_tup >= 2 AS met FROM pg_stat_user_tables WHERE relname = 'documents'").await;
    let before = doctor.run_checks().await.unwrap();
    let broken = ["policies", "grants", "invalid_indexes", "dead_rows"];
    assert!(broken.iter().all(|check| finding(&before, check).status > CheckStatus::Skipped), "{before:#?}");
    let tried = doctor.fix().await.unwrap();
    assert!(tried.iter().all(|one| one.refused.is_none()), "{tried:#?}");
    for sql in [
        "REINDEX INDEX CONCURRENTLY documents_content_hash_idx",
        "DROP INDEX CONCURRENTLY documents_title_idx_ccnew",
        "REVOKE ALL ON TABLE feedback FROM PUBLIC",
    ] {
        assert!(tried.iter().any(|one| one.sql == sql), "{tried:#?}");
    }
    until(&mut conn, "SELECT n_dead_tup = 0 AS met FROM pg_stat_user_tables WHERE relname = 'documents'").await;
    let after = doctor.run_checks().await.unwrap();
    for check in broken {
        assert_eq!(finding(&after, check).status, CheckStatus::Pass, "{after:#?}");
    }
    assert_eq!(doctor.fix().await.unwrap(), []);
}

/// An index that can't be built again says why, and the rest is done all the same.
#[tokio::test]
async fn what_is_refused_is_told() {
    let database = seeded().await;
    for sql in [
        "CREATE UNIQUE INDEX titles_key ON documents (workspace_id, id)",
        "GRANT SELECT ON feedback TO PUBLIC",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'titles_key'::regclass",
        // An index of somebody else's, on a table of somebody else's.
        "CREATE TABLE theirs (x int); CREATE INDEX theirs_idx ON theirs (x)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'theirs_idx'::regclass",
    ] {
        as_superuser(&database, sql).await;
    }
    let tried = doctor(&database).fix().await.unwrap();
    let refused: Vec<_> = tried.iter().filter(|one| one.refused.is_some()).collect();
    assert!(
        matches!(refused.as_slice(), [one] if one.sql.ends_with("theirs_idx") && one.refused.as_deref().unwrap().contains("theirs_idx")),
        "{tried:#?}"
    );
    assert!(tried.len() >= 3, "{tried:#?}");
}
