//! Does the database keep workspaces apart? The same suite that this crate runs over its own tables, for yours.
//!
//! It looks at the catalog (row-level security enabled and forced, policies, keys, views, functions, roles, grants), then
//! tries, as the application's login, to select, insert, update, delete, upsert and COPY in every tenant's table: in its
//! own workspace, in another's, and with the setting unset, empty and malformed. All of it is rolled back.

mod attempt;

use std::fmt;

use crate::config::Config;
use crate::db;
use crate::doctor::isolation;
use crate::error::{Error, Result};

/// A way in which the database would not keep workspaces apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The table, role, key or function.
    pub object: String,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.fault)
    }
}

/// Everything that is wrong in the database that `config` names, or nothing.
///
/// `tables` are the registered ones, such as [`TENANT_TABLES`](crate::tenancy::TENANT_TABLES) and the list that
/// [`tenant_tables!`](crate::tenant_tables) made of your own. A table with a `workspace_id` that is not among them is a
/// violation, and so is one without a row in at least two workspaces, since nothing could be tried there:
/// [`seed`](super::seed) two, and add rows to your own tables. The database should be a test's own.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) where `config` lacks the application's or the platform's URL;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::tenancy::TENANT_TABLES;
/// use workspace_db::testing::{TestDatabase, conformance, seed};
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
        return Err(Error::invalid("the suite needs the logins of application and platform")
            .remedy("set DATABASE_APP_URL and DATABASE_PLATFORM_URL; `workspace-db roles` makes them"));
    };
    let platform = db::client(platform).await?;
    let offences = isolation::offences(&platform, tables).await?;
    let mut found: Vec<_> =
        offences.into_iter().map(|one| Violation { object: one.object, fault: one.fault.to_owned() }).collect();
    for table in tables {
        // What is not there has been said.
        if !found.iter().any(|violation| violation.fault == isolation::NOT_THERE && violation.object == *table) {
            found.extend(attempt::violations(app, &platform, table).await?);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn failed(what: &str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |error| {
        let said = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        Error::new(crate::error::Kind::Database, format!("{what}: {said}")).caused_by(error)
    }
}
