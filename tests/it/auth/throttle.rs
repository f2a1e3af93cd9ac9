//! How often a login may be tried, across processes; and that strangers can't lock an owner out.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::future::join_all;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::schema::{admin_tokens, login_throttles};
use workspace_db::sql_types::AdminRole;

use super::{Fixture, from, password};

#[tokio::test]
async fn an_address_has_twenty_attempts_and_then_one_in_three_seconds_whatever_the_process() {
    let fixture = Fixture::new().await;
    let elsewhere = fixture.database.open(8).await.unwrap();
    let began = Instant::now();
    let attempts =
        (0..64).map(|n| {
            let db = if n % 2 == 0 { fixture.db.clone() } else { elsewhere.clone() };
            async move {
                auth::log_in(&db, &format!("x{n}@example.com"), &"x".into(), &from("203.0.113.7")).await.unwrap_err()
            }
        });
    let answers = join_all(attempts).await;
    let allowed = answers.iter().filter(|error| error.is_unauthenticated()).count();
    let refilled = usize::try_from(began.elapsed().as_secs() / 3).unwrap();
    assert!((20..=20 + refilled).contains(&allowed), "{allowed} of 64 were allowed");
    let throttled = answers.iter().find(|error| error.is_throttled()).unwrap().to_string();
    assert!(throttled.contains("try again in "), "{throttled}");
    // Another address is another bucket.
    let other = auth::log_in(&fixture.db, "root@example.com", &password(), &from("203.0.113.8")).await;
    assert!(other.is_ok());
}

#[tokio::test]
async fn strangers_have_ten_attempts_at_an_account_whatever_their_addresses_and_processes() {
    let mut fixture = Fixture::new().await;
    let elsewhere = fixture.database.open(8).await.unwrap();
    let attempts = (0..64).map(|n| {
        let db = if n % 2 == 0 { fixture.db.clone() } else { elsewhere.clone() };
        async move {
            auth::log_in(&db, "root@example.com", &"x".into(), &from(&format!("198.51.100.{n}"))).await.unwrap_err()
        }
    });
    let began = chrono::Utc::now();
    let answers = join_all(attempts).await;
    assert!(answers.iter().all(workspace_db::Error::is_unauthenticated), "a full bucket is no other answer");
    let (free_at, refused_at): (chrono::DateTime<chrono::Utc>, Option<chrono::DateTime<chrono::Utc>>) =
        login_throttles::table
            .select((login_throttles::free_at, login_throttles::refused_at))
            .order(login_throttles::free_at.desc())
            .first(&mut fixture.conn)
            .await
            .unwrap();
    // Ten were counted: each is worth a minute, and an eleventh would have stood beyond ten minutes from its time.
    let counted = (free_at - began).as_seconds_f64();
    assert!((600.0..660.0).contains(&counted) && refused_at.is_some(), "{counted} s");
    let right = auth::log_in(&fixture.db, "root@example.com", &password(), &from("198.51.100.200")).await.unwrap_err();
    assert!(right.is_unauthenticated(), "from where the account was never entered, the right password is refused too");
}

#[tokio::test]
async fn the_owner_gets_in_while_strangers_try() {
    let mut fixture = Fixture::new().await;
    super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Admin).await;
    let at_home = from("203.0.113.7");
    let (session, device) = auth::log_in(&fixture.db, "jane@example.com", &password(), &at_home).await.unwrap();
    session.log_out(&fixture.db).await.unwrap();
    // The session has ended, and long ago: the device is known all the same.
    let past = admin_tokens::expires_at.eq(chrono::Utc::now() - chrono::TimeDelta::days(60));
    diesel::update(admin_tokens::table).set(past).execute(&mut fixture.conn).await.unwrap();
    let wrong = async |client: &ClientInfo| {
        for _ in 0..15 {
            let error = auth::log_in(&fixture.db, "jane@example.com", &"x".into(), client).await.unwrap_err();
            assert!(error.is_unauthenticated(), "{error}");
        }
    };
    wrong(&ClientInfo::default()).await;
    let anywhere = auth::log_in(&fixture.db, "jane@example.com", &password(), &from("192.0.2.1")).await;
    assert!(anywhere.unwrap_err().is_unauthenticated(), "the strangers' bucket is full");
    assert!(auth::log_in(&fixture.db, "jane@example.com", &password(), &at_home).await.is_ok());
    // Somebody behind the same address fills that bucket too; the device has one of its own.
    wrong(&at_home).await;
    assert!(auth::log_in(&fixture.db, "jane@example.com", &password(), &at_home).await.is_err());
    let travelling = ClientInfo { device: Some(device.clone()), ..from("192.0.2.2") };
    let (_, fresh) = auth::log_in(&fixture.db, "jane@example.com", &password(), &travelling).await.unwrap();
    // And it is a device of this account alone.
    let other = ClientInfo { device: Some(fresh), ..from("192.0.2.3") };
    for _ in 0..10 {
        auth::log_in(&fixture.db, "root@example.com", &"x".into(), &other).await.unwrap_err();
    }
    assert!(auth::log_in(&fixture.db, "root@example.com", &password(), &other).await.is_err());
}

#[tokio::test]
async fn a_network_of_version_six_is_one_address() {
    let fixture = Fixture::new().await;
    let mut throttled = 0;
    for n in 0..25 {
        let client = from(&format!("2001:db8::{n:x}:1"));
        let error = auth::log_in(&fixture.db, &format!("x{n}@example.com"), &"x".into(), &client).await.unwrap_err();
        throttled += usize::from(error.is_throttled());
    }
    assert!(throttled > 0, "each address of one network had a bucket of its own");
    let elsewhere = auth::log_in(&fixture.db, "root@example.com", &password(), &from("2001:db8:0:1::1")).await;
    assert!(elsewhere.is_ok());
}

#[tokio::test]
async fn a_neighbour_who_fills_the_address_does_not_keep_a_known_device_out() {
    let fixture = Fixture::new().await;
    let office = from("203.0.113.7");
    let (_, device) = auth::log_in(&fixture.db, "root@example.com", &password(), &office).await.unwrap();
    for n in 0..25 {
        let _ = auth::log_in(&fixture.db, &format!("x{n}@example.com"), &"x".into(), &office).await;
    }
    let anybody = auth::log_in(&fixture.db, "root@example.com", &password(), &from("::ffff:203.0.113.7")).await;
    assert!(anybody.unwrap_err().is_throttled(), "the same address in another form is another bucket");
    let owner = ClientInfo { device: Some(device), ..office };
    assert!(auth::log_in(&fixture.db, "root@example.com", &password(), &owner).await.is_ok());
}

#[tokio::test]
async fn a_right_password_that_must_be_changed_is_not_counted() {
    let mut fixture = Fixture::new().await;
    let must = "UPDATE admin_users SET must_change_password = true WHERE email = 'root@example.com'";
    diesel::sql_query(must).execute(&mut fixture.conn).await.unwrap();
    for _ in 0..15 {
        let error =
            auth::log_in(&fixture.db, "root@example.com", &password(), &ClientInfo::default()).await.unwrap_err();
        assert!(error.is_password_change_required(), "{error}");
    }
}

#[tokio::test]
async fn good_logins_are_not_counted() {
    let fixture = Fixture::new().await;
    for _ in 0..25 {
        let login = auth::log_in(&fixture.db, "root@example.com", &password(), &from("203.0.113.7")).await;
        assert!(login.is_ok(), "{:?}", login.err());
    }
}

#[tokio::test]
async fn a_bucket_empties_with_time() {
    let mut fixture = Fixture::new().await;
    for n in 0..12 {
        auth::log_in(&fixture.db, "root@example.com", &"x".into(), &from(&format!("198.51.100.{n}")))
            .await
            .unwrap_err();
    }
    let stranger = from("198.51.100.200");
    assert!(auth::log_in(&fixture.db, "root@example.com", &password(), &stranger).await.is_err());
    let minute = "UPDATE login_throttles SET free_at = free_at - interval '61 seconds'";
    diesel::sql_query(minute).execute(&mut fixture.conn).await.unwrap();
    let began = Instant::now();
    assert!(auth::log_in(&fixture.db, "root@example.com", &password(), &stranger).await.is_ok());
    assert!(began.elapsed() < Duration::from_secs(30));
}

/// Whoever owns a network owns those within it: each wider one has twice what the narrower one has.
#[rstest::rstest]
#[case::of_a_household(|n: u32| format!("2001:db8:0:{n:x}::1"), 40)]
#[case::of_a_company(|n: u32| format!("2001:db8:0:{:x}00::1", n % 256), 80)]
#[tokio::test]
async fn networks_of_one_owner_share_what_they_may(#[case] address: fn(u32) -> String, #[case] burst: usize) {
    let fixture = Fixture::new().await;
    let began = Instant::now();
    let mut allowed = 0;
    for n in 0..120 {
        let login = auth::log_in(&fixture.db, &format!("x{n}@example.com"), &"x".into(), &from(&address(n))).await;
        allowed += usize::from(login.unwrap_err().is_unauthenticated());
    }
    let refilled = usize::try_from(began.elapsed().as_secs() + 1).unwrap() * burst / 60 + 1;
    assert!((burst..=burst + refilled).contains(&allowed), "{allowed}");
    assert!(auth::log_in(&fixture.db, "root@example.com", &password(), &from("2001:db8:1::1")).await.is_ok());
}

#[tokio::test]
async fn clients_without_an_address_share_one_allowance_and_a_known_device_passes() {
    let fixture = Fixture::new().await;
    let (_, device) = auth::log_in(&fixture.db, "root@example.com", &password(), &ClientInfo::default()).await.unwrap();
    let mut throttled = 0;
    for n in 0..80 {
        let login = auth::log_in(&fixture.db, &format!("x{n}@example.com"), &"x".into(), &ClientInfo::default()).await;
        throttled += usize::from(login.unwrap_err().is_throttled());
    }
    assert!(throttled > 0, "nobody without an address was held back");
    let owner = ClientInfo { device: Some(device), ..ClientInfo::default() };
    assert!(auth::log_in(&fixture.db, "root@example.com", &password(), &owner).await.is_ok());
}
