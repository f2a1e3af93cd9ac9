//! Settings of the pools.

use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use workspace_db::Error;
use workspace_db::config::Config;
use workspace_db::models::Document;
use workspace_db::schema::documents;
use workspace_db::tenancy::{Database, InWorkspace as _};

use super::Fixture;

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[tokio::test]
async fn a_caller_waits_for_a_connection_as_long_as_is_set() {
    let Fixture { database, scope, .. } = Fixture::new().await;
    for (pool_size, workspace_connections) in [(1, Some(5)), (4, Some(1))] {
        let wait = Duration::from_secs(1);
        let config = Config { pool_size, workspace_connections, pool_wait: wait, ..database.config().unwrap() };
        let db = Database::open(&config).await.unwrap();
        let held = db.workspace(&scope).await.unwrap();
        let error = db.workspace(&scope).await.unwrap_err();
        assert!(
            error.is_exhausted() && error.is_retryable() && error.to_string().contains("in use for 1 s"),
            "{error}"
        );
        drop(held);
        db.workspace(&scope).await.unwrap();
    }
}

#[tokio::test]
async fn statements_are_kept_unless_a_pooler_can_not_keep_them() {
    let Fixture { database, scope, .. } = Fixture::new().await;
    for keeps_prepared_statements in [true, false] {
        let config = Config { keeps_prepared_statements, ..database.config().unwrap() };
        let mut ws = Database::open(&config).await.unwrap().workspace(&scope).await.unwrap();
        let kept = ws
            .transaction(async |tx| {
                documents::table.in_workspace(&tx).load::<Document>(tx).await?;
                tx.under_row_security("a test", async |conn| {
                    let count = "SELECT count(*) AS count FROM pg_prepared_statements WHERE statement LIKE '%FROM \"documents\"%' AND statement NOT LIKE '%prepared%'";
                    Ok::<_, Error>(diesel::sql_query(count).get_result::<Count>(conn).await?.count)
                })
                .await
            })
            .await
            .unwrap();
        assert_eq!(kept, i64::from(keeps_prepared_statements));
    }
}

#[tokio::test]
async fn each_pool_has_a_name_in_the_server() {
    let Fixture { database, .. } = Fixture::new().await;
    let config = Config { application_name: "a shop's service".to_owned(), ..database.config().unwrap() };
    let db = Database::open(&config).await.unwrap();
    let mut superuser = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let names = "SELECT DISTINCT application_name AS name FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'a shop%' ORDER BY 1";
    let names: Vec<Name> = diesel::sql_query(names).load(&mut superuser).await.unwrap();
    assert_eq!(
        names.iter().map(|one| &*one.name).collect::<Vec<_>>(),
        ["a shop's service app", "a shop's service platform"]
    );
    drop(db);
    // A name in the URL takes precedence.
    let url = format!("{}?application_name=billing", database.app_url().unwrap().expose());
    let config = Config { database_app_url: Some(url.parse().unwrap()), ..config };
    let db = Database::open(&config).await.unwrap();
    let billing = "SELECT count(*) AS count FROM pg_stat_activity WHERE application_name = 'billing'";
    let count: Count = diesel::sql_query(billing).get_result(&mut superuser).await.unwrap();
    assert_eq!(count.count, 1);
    drop(db);
}

#[tokio::test]
async fn an_error_of_a_connection_is_in_this_crates_words() {
    let Fixture { database, .. } = Fixture::new().await;
    let nowhere = "postgres://app:secret@127.0.0.1:1/platform".parse().unwrap();
    let config = Config { database_app_url: Some(nowhere), ..database.config().unwrap() };
    let error = Database::open(&config).await.unwrap_err();
    let said = error.to_string();
    assert!(error.is_unreachable() && said.starts_with("can't connect to postgres://"), "{said}");
    assert!(!said.contains("secret") && !said.contains("object") && !said.contains("configuration"), "{said}");
}
