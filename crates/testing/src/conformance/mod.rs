//! A suite that verifies that the database isolates workspaces. The tests of `workspace-db` run it over its tables; run it
//! over yours too.
//!
//! It checks the catalog: row-level security enabled and forced, policies, keys, views, functions, roles and grants. Then it
//! tries, as the application login, to select, insert, update, delete, upsert and COPY in every tenant's table. It does so
//! in its own workspace, in another, and with the setting unset, empty and malformed. Everything is rolled back.

mod attempt;
mod error;
mod violation;

use workspace_db::config::{Config, DatabaseUrl};
use workspace_db::db;
use workspace_db::doctor::isolation;
use workspace_db::{Error, Result};

use self::error::failed;
pub use self::violation::Violation;

/// Returns all violations in the database that `config` names.
///
/// `tables` are the registered ones, such as [`TENANT_TABLES`](workspace_db::tenancy::TENANT_TABLES) and the list that
/// [`tenant_tables!`](workspace_db::tenant_tables) generated from your own. A table with a `workspace_id` that is not among them is
/// a violation. So is a table without rows in at least two workspaces, because the suite can't try anything there.
/// [`seed`](super::seed) two workspaces, and add rows to your own tables. Use a database of a test.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if `config` lacks the application's or the platform's URL;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::tenancy::TENANT_TABLES;
/// use workspace_db_testing::{TestDatabase, conformance, seed};
///
/// #[tokio::test]
/// async fn workspaces_are_kept_apart() -> workspace_db::Result<()> {
///     let database = TestDatabase::new().await?;
///     let mut conn = database.connect().await?;
///     seed(&mut conn, "a").await?;
///     seed(&mut conn, "b").await?;
///     assert_eq!(conformance::violations(&database.config()?, TENANT_TABLES).await?, []);
///     Ok(())
/// }
/// ```
pub async fn violations(config: &Config, tables: &[&str]) -> Result<Vec<Violation>> {
    let (Some(app), Some(platform)) = (&config.database_app_url, &config.database_platform_url) else {
        return Err(Error::invalid("the suite needs the logins of the application and the platform")
            .remedy("set DATABASE_APP_URL and DATABASE_PLATFORM_URL; `workspace-db roles` creates them"));
    };
    let platform = db::catalog_client(platform).await?;
    let mut found = of_catalog(&platform, tables).await?;
    for table in tables {
        // A missing table is already reported.
        if !found.iter().any(|violation| violation.fault == isolation::NOT_THERE && violation.object == *table) {
            found.extend(attempt::violations(app, &platform, table).await?);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Returns the violations that the catalog shows after a superuser has run `statements`, which are rolled back. Use it to
/// test that a change of grants, roles, policies or keys is detected.
///
/// # Errors
///
/// [`is_database_failure`](Error::is_database_failure) if a statement fails; [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use workspace_db::tenancy::TENANT_TABLES;
/// use workspace_db_testing::{TestDatabase, conformance};
///
/// #[tokio::test]
/// async fn a_grant_to_everyone_is_noticed() -> workspace_db::Result<()> {
///     let database = TestDatabase::new().await?;
///     let grant = "GRANT SELECT ON documents TO PUBLIC";
///     let found = conformance::violations_after(&database.superuser_url()?, grant, TENANT_TABLES).await?;
///     assert_eq!(found.len(), 1);
///     Ok(())
/// }
/// ```
pub async fn violations_after(superuser: &DatabaseUrl, statements: &str, tables: &[&str]) -> Result<Vec<Violation>> {
    let client = db::catalog_client(superuser).await?;
    client.batch_execute(&format!("BEGIN; {statements}")).await.map_err(failed("the statements"))?;
    // The connection ends with the function, and the server rolls back.
    of_catalog(&client, tables).await
}

async fn of_catalog(client: &tokio_postgres::Client, tables: &[&str]) -> Result<Vec<Violation>> {
    let violations = isolation::violations(client, tables).await?;
    let violation = |one: isolation::IsolationViolation| Violation {
        object: one.object,
        fault: one.fault.to_owned(),
        is_grave: one.is_grave,
    };
    Ok(violations.into_iter().map(violation).collect())
}
