//! Which passwords are taken, how they are stored, and what hashing them costs the others.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use rstest::rstest;
use secrecy::SecretString;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::schema::admin_users;
use workspace_db::sql_types::{AdminRole, PasswordHash};

use super::{Fixture, PASSWORD, new_admin, password};

fn argon2id(kib: u32, passes: u32) -> String {
    let params = Params::new(kib, passes, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(PASSWORD.as_bytes()).unwrap().to_string()
}

/// A hash of the same password in another way, and whether a login makes a new one of it.
#[rstest]
#[case::as_ours(argon2id(19 * 1024, 2), false)]
#[case::less_memory(argon2id(8 * 1024, 2), true)]
#[case::fewer_passes(argon2id(19 * 1024, 1), true)]
#[case::more_memory(argon2id(32 * 1024, 2), false)]
#[case::more_of_one_and_less_of_another(argon2id(32 * 1024, 1), false)]
#[case::bcrypt(bcrypt::hash(PASSWORD, 10).unwrap(), true)]
#[case::bcrypt_as_javascript_writes_it(bcrypt::hash(PASSWORD, 10).unwrap().replacen("$2b$", "$2a$", 1), true)]
#[tokio::test]
async fn a_login_renews_a_weaker_hash_and_no_stronger_one(#[case] stored: String, #[case] renews: bool) {
    let mut fixture = Fixture::new().await;
    diesel::sql_query("UPDATE admin_users SET password_hash = $1 WHERE email = 'root@example.com'")
        .bind::<diesel::sql_types::Text, _>(&stored)
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    let wrong =
        auth::log_in(&fixture.db, "root@example.com", &"wrong".into(), &ClientInfo::default()).await.unwrap_err();
    assert!(wrong.is_unauthenticated());
    let before = fixture.row(fixture.root).await.password_hash;
    fixture.log_in("root@example.com").await;
    let after = fixture.row(fixture.root).await.password_hash;
    assert_eq!(before != after, renews);
    assert!(after.verifies(&password()) && !(renews && after.is_outdated()));
    fixture.log_in("root@example.com").await;
    assert_eq!(fixture.row(fixture.root).await.password_hash, after);
}

#[tokio::test]
async fn a_hash_that_was_changed_meanwhile_is_not_overwritten() {
    let mut fixture = Fixture::new().await;
    let set = |hash: PasswordHash| {
        diesel::update(admin_users::table.find(fixture.root)).set(admin_users::password_hash.eq(hash))
    };
    diesel::sql_query("UPDATE admin_users SET password_hash = $1 WHERE email = 'root@example.com'")
        .bind::<diesel::sql_types::Text, _>(bcrypt::hash(PASSWORD, 10).unwrap())
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    // The row is held while the login verifies the old hash, and has another one when it would renew it.
    let mut holder = fixture.database.connect().await.unwrap();
    let another = PasswordHash::from_password(&"changed on another device".into()).unwrap();
    diesel::sql_query("BEGIN").execute(&mut holder).await.unwrap();
    set(another.clone()).execute(&mut holder).await.unwrap();
    let db = fixture.db.clone();
    let login =
        tokio::spawn(async move { auth::log_in(&db, "root@example.com", &password(), &ClientInfo::default()).await });
    crate::until(&mut fixture.conn, super::SOMEBODY_WAITS).await;
    diesel::sql_query("COMMIT").execute(&mut holder).await.unwrap();
    assert!(login.await.unwrap().unwrap_err().is_unauthenticated());
    assert_eq!(fixture.row(fixture.root).await.password_hash, another);
}

#[tokio::test]
async fn a_planted_hash_that_asks_for_gigabytes_costs_nothing() {
    let mut fixture = Fixture::new().await;
    let planted = [
        argon2id(19 * 1024, 2).replace("m=19456", "m=4194304"),
        argon2id(19 * 1024, 2).replace("t=2", "t=4294967295"),
        bcrypt::hash(PASSWORD, 4).unwrap().replace("$04$", "$31$"),
        "$argon2id$".to_owned(),
        "$2b$".to_owned(),
    ];
    for planted in planted {
        diesel::sql_query("UPDATE admin_users SET password_hash = $1 WHERE email = 'root@example.com'")
            .bind::<diesel::sql_types::Text, _>(&planted)
            .execute(&mut fixture.conn)
            .await
            .unwrap();
        let (right, client) = (password(), ClientInfo::default());
        let tried = auth::log_in(&fixture.db, "root@example.com", &right, &client);
        let answer = tokio::time::timeout(Duration::from_secs(10), tried).await.expect("it was computed");
        assert!(answer.unwrap_err().is_unauthenticated(), "{planted}");
    }
}

#[rstest]
#[case::eleven_characters("12 chars no", false)]
#[case::twelve_characters("12 chars yes", true)]
#[case::twelve_characters_of_several_bytes("ÄÖÜäöüßéèêëñ", true)]
#[case::eleven_characters_of_several_bytes("ÄÖÜäöüßéèêë", false)]
#[case::a_kilobyte(&"xy".repeat(512), true)]
#[case::more(&"xyz".repeat(342), false)]
#[case::common("1qaz2wsx3edc", false)]
#[case::common_in_capitals("1QAZ2WSX3EDC", false)]
#[case::the_email("Jane.Doe@Example.com", false)]
#[case::what_stands_before_the_at("with a long name", true)]
#[case::the_name("Maximiliane Doe", false)]
#[case::the_given_name("maximiliane x", true)]
#[tokio::test]
async fn a_password_is_taken_or_refused_with_its_field(#[case] tried: &str, #[case] taken: bool) {
    let fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let new = auth::NewAdmin {
        first_name: Some("Maximiliane".parse().unwrap()),
        last_name: Some("Doe".parse().unwrap()),
        ..new_admin("jane.doe@example.com", AdminRole::Admin)
    };
    let (_, secret) = auth::create_admin(&fixture.db, &platform, &new).await.unwrap();
    let done = auth::set_password(&fixture.db, &secret, &SecretString::from(tried), &ClientInfo::default()).await;
    match done {
        Ok(_) => assert!(taken, "{tried} was taken"),
        Err(error) => assert!(!taken && error.is_invalid_input() && error.field() == Some("password"), "{error}"),
    }
}

#[tokio::test]
async fn two_first_logins_at_once_both_get_in() {
    let mut fixture = Fixture::new().await;
    for round in 0..5 {
        diesel::sql_query("UPDATE admin_users SET password_hash = $1 WHERE email = 'root@example.com'")
            .bind::<diesel::sql_types::Text, _>(bcrypt::hash(PASSWORD, 6).unwrap())
            .execute(&mut fixture.conn)
            .await
            .unwrap();
        let (right, client) = (password(), ClientInfo::default());
        let log_in = || auth::log_in(&fixture.db, "root@example.com", &right, &client);
        let (one, other) = tokio::join!(log_in(), log_in());
        assert!(one.is_ok() && other.is_ok(), "round {round}: {:?} {:?}", one.err(), other.err());
    }
}
