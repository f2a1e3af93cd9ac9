//! Rules that isolate workspaces, as far as the catalog shows them, and the objects that break them.
//!
//! The rules are positive lists: privileges of an application's login, policies, and keys. Any other object breaks a
//! rule, regardless of its name and its schema.

mod rules;
mod terms;

use tokio_postgres::Client;

pub use self::rules::NOT_THERE;
use self::rules::RULES;
use self::terms::WITH;
use crate::error::{Error, Result};

/// Object that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolationViolation {
    /// Check to which the rule belongs.
    pub check: &'static str,
    /// The table, role, key or function.
    pub object: String,
    /// Description of the defect.
    pub fault: &'static str,
    /// True if a backend must not serve while the rule is broken.
    pub is_grave: bool,
}

/// Returns every object that breaks a rule, ordered by rule and object.
///
/// `tables` are the registered tables, such as [`TENANT_TABLES`](crate::tenancy::TENANT_TABLES) and your own. It reads
/// the catalog of all schemas and changes nothing. [`Doctor`](super::Doctor) and [`fit_to_serve`](super::fit_to_serve)
/// apply the same rules. `workspace-db-testing` also tries to break them.
///
/// # Errors
///
/// [`is_database_failure`](Error::is_database_failure) if the login may not read the catalog;
/// [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use workspace_db::config::DatabaseUrl;
/// use workspace_db::db;
/// use workspace_db::doctor::isolation::violations;
/// use workspace_db::tenancy::TENANT_TABLES;
///
/// # async fn example(owner: &DatabaseUrl) -> workspace_db::Result<()> {
/// let client = db::catalog_client(owner).await?;
/// assert_eq!(violations(&client, TENANT_TABLES).await?, []);
/// # Ok(())
/// # }
/// ```
pub async fn violations(client: &Client, tables: &[&str]) -> Result<Vec<IsolationViolation>> {
    let queries = RULES.iter().enumerate().map(|(at, (.., query))| {
        format!("SELECT {at} AS rule, object COLLATE \"C\" AS object FROM ({query}) AS offenders (object)")
    });
    let sql = format!("{WITH} {} ORDER BY rule, object", queries.collect::<Vec<_>>().join(" UNION ALL "));
    let rows = client.query(&sql, &[&tables]).await.map_err(|error| {
        let error = Error::from(error);
        Error::new(error.kind(), format!("the isolation rules can't be checked: {error}")).caused_by(error)
    })?;
    let offence = |row: &tokio_postgres::Row| {
        let at = usize::try_from(row.get::<_, i32>(0)).ok()?;
        let (check, is_grave, fault, _) = *RULES.get(at)?;
        Some(IsolationViolation { check, object: row.get(1), fault, is_grave })
    };
    Ok(rows.iter().filter_map(offence).collect())
}

/// Returns a query of the objects that break critical rules, as one text per row in the column `fault`.
pub(super) fn grave_violations_sql() -> String {
    let grave = RULES.iter().filter(|(_, is_grave, ..)| *is_grave);
    let queries = grave.map(|(_, _, fault, query)| {
        format!("SELECT object || ': {}' AS fault FROM ({query}) AS offenders (object)", fault.replace('\'', "''"))
    });
    format!("{WITH} {}", queries.collect::<Vec<_>>().join(" UNION ALL "))
}
