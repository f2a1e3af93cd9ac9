//! A back end can bring password hashes of another system, and set its own session lifetime and rate limits.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use workspace_db::auth::{self, ClientInfo, RateLimit, RateLimitDecision};
use workspace_db::sql_types::{AdminRole, PasswordHash};
use workspace_db::tenancy::WorkspaceScope;
use workspace_db_testing::workspace;

use super::{Fixture, PASSWORD, new_admin, password};

#[tokio::test]
async fn an_administrator_logs_in_with_the_password_that_another_system_hashed() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let hash: PasswordHash = bcrypt::hash(PASSWORD, 4).unwrap().parse().unwrap();
    let new = new_admin("moved@example.com", AdminRole::Admin);
    let admin = auth::create_admin_with_hash(&fixture.db, &platform, &new, hash.clone()).await.unwrap();
    auth::log_in(&fixture.db, "moved@example.com", &password(), &ClientInfo::default()).await.unwrap();
    assert_ne!(fixture.row(admin.id).await.password_hash, hash, "the first login renews the hash");
    let published: PasswordHash = bcrypt::hash("ChangeMe123!", 4).unwrap().parse().unwrap();
    let new = new_admin("published@example.com", AdminRole::Admin);
    let admin = auth::create_admin_with_hash(&fixture.db, &platform, &new, published).await.unwrap();
    assert!(admin.must_change_password);
    for (bad, says) in [
        ("a password in the clear", "not a complete"),
        ("$2b$10$N9qo8uLOickgx2ZMRZoMye", "not a complete"),
        ("$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "costs more"),
        (
            "$argon2id$v=19$m=1048576,t=2,p=1$4Czq4RduvEcmM6eW0NTdSg$EKQPknRrAvPMUY9dK1Qop43hEpLxfpPAhIr9hOuVfbU",
            "costs more",
        ),
        (
            "$argon2i$v=19$m=19456,t=2,p=1$4Czq4RduvEcmM6eW0NTdSg$EKQPknRrAvPMUY9dK1Qop43hEpLxfpPAhIr9hOuVfbU",
            "not a complete",
        ),
        ("", "not a complete"),
    ] {
        let error = bad.parse::<PasswordHash>().unwrap_err();
        assert!(error.is_invalid_input() && error.to_string().contains(says), "{bad}: {error}");
    }
}

#[tokio::test]
async fn a_session_lives_as_long_as_the_client_asks_but_not_for_ever() {
    let fixture = Fixture::new().await;
    let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
    for (asked, expected) in [(None, 7 * 24), (hours(8), 8), (hours(10_000), 30 * 24)] {
        let client = ClientInfo { session_lifetime: asked, ..ClientInfo::default() };
        let (session, _) = auth::log_in(&fixture.db, "root@example.com", &password(), &client).await.unwrap();
        let listed = session.tokens(&fixture.db).await.unwrap();
        let ends = listed.iter().find(|one| one.id == session.token()).unwrap().expires_at;
        let lives = ends - Utc::now();
        let expected = TimeDelta::hours(expected);
        assert!(lives <= expected && lives > expected - TimeDelta::minutes(5), "{asked:?}: {lives}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_of_one_workspace_one_key_and_one_window() {
    let mut fixture = Fixture::new().await;
    let a = WorkspaceScope::unchecked(workspace(&mut fixture.conn, "one").await.unwrap().id, "a test");
    let b = WorkspaceScope::unchecked(workspace(&mut fixture.conn, "two").await.unwrap().id, "a test");
    let hour = RateLimit { burst: 3, window: Duration::from_secs(3_600) };
    let db = &fixture.db;
    let allowed = async |scope: &WorkspaceScope, key: &str, limit| {
        auth::throttle(db, scope, key, limit).await.unwrap() == RateLimitDecision::Allowed
    };
    for _ in 0..3 {
        assert!(allowed(&a, "chat", hour).await);
    }
    let RateLimitDecision::Refused { retry_after } = auth::throttle(db, &a, "chat", hour).await.unwrap() else {
        panic!("a fourth event within the hour");
    };
    assert!(retry_after > Duration::from_secs(1_000) && retry_after <= Duration::from_secs(1_200), "{retry_after:?}");
    let other = RateLimit { window: Duration::from_secs(60), ..hour };
    assert!(allowed(&b, "chat", hour).await && allowed(&a, "search", hour).await && allowed(&a, "chat", other).await);
    // The window fills the allowance up again.
    let quick = RateLimit { burst: 1, window: Duration::from_millis(50) };
    assert!(allowed(&a, "quick", quick).await);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !allowed(&a, "quick", quick).await {
        assert!(std::time::Instant::now() < deadline, "refused for 10 s");
    }
    let none = RateLimit { burst: 0, ..hour };
    assert!(auth::throttle(db, &a, "chat", none).await.unwrap_err().is_invalid_input());
    // Concurrent events are counted exactly.
    let many = futures_util::future::join_all((0..20).map(|_| allowed(&b, "at once", hour))).await;
    assert_eq!(many.into_iter().filter(|one| *one).count(), 3);
}
