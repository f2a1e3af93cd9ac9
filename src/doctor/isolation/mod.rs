//! Rules that isolate workspaces, as far as the catalog shows them, and the objects that break them.
//!
//! The rules are positive lists: privileges of an application's login, policies, and keys. Any other object breaks a
//! rule, regardless of its name and its schema.

mod rules;
mod terms;

use tokio_postgres::Client;

#[cfg(feature = "testing")]
pub(crate) use self::rules::NOT_THERE;
use self::rules::RULES;
use self::terms::WITH;
use crate::error::{Error, Result};

/// Object that breaks a rule.
pub(crate) struct IsolationViolation {
    /// Check to which the rule belongs.
    pub(crate) check: &'static str,
    pub(crate) object: String,
    pub(crate) fault: &'static str,
    /// True if a backend must not serve while the rule is broken.
    #[cfg(feature = "testing")]
    pub(crate) is_grave: bool,
}

/// Returns every object that breaks a rule. `tables` are the registered tables.
pub(crate) async fn isolation_violations(client: &Client, tables: &[&str]) -> Result<Vec<IsolationViolation>> {
    let asked = RULES.iter().enumerate().map(|(at, (.., query))| {
        format!("SELECT {at} AS rule, object COLLATE \"C\" AS object FROM ({query}) AS offenders (object)")
    });
    let sql = format!("{WITH} {} ORDER BY rule, object", asked.collect::<Vec<_>>().join(" UNION ALL "));
    let rows = client.query(&sql, &[&tables]).await.map_err(|error| {
        let error = Error::from(error);
        Error::new(error.kind(), format!("the rules that keep workspaces apart can't be asked: {error}"))
            .caused_by(error)
    })?;
    let offence = |row: &tokio_postgres::Row| {
        let at = usize::try_from(row.get::<_, i32>(0)).ok()?;
        let (check, is_grave, fault, _) = *RULES.get(at)?;
        #[cfg(not(feature = "testing"))]
        let _ = is_grave;
        Some(IsolationViolation {
            check,
            object: row.get(1),
            fault,
            #[cfg(feature = "testing")]
            is_grave,
        })
    };
    Ok(rows.iter().filter_map(offence).collect())
}

/// Returns a query of the objects that break critical rules, as one text per row in the column `fault`.
pub(super) fn grave() -> String {
    let grave = RULES.iter().filter(|(_, is_grave, ..)| *is_grave);
    let asked = grave.map(|(_, _, fault, query)| {
        format!("SELECT object || ': {}' AS fault FROM ({query}) AS offenders (object)", fault.replace('\'', "''"))
    });
    format!("{WITH} {}", asked.collect::<Vec<_>>().join(" UNION ALL "))
}
