//! Checks that a database is fit for use, in one table: each with its status and its remedy.
//!
//! [`Doctor`] runs them all, for an operator or a pipeline. [`fit_to_serve`] runs only the cheap ones that a backend
//! must pass before it serves.

mod checks;
mod examination;
mod finding;
mod fix;
pub mod isolation;
mod logins;
mod maintenance;
mod readiness;
mod schema;
mod server;
mod values;
mod vectors;

pub use self::checks::{CHECKS, Check};
use self::examination::CheckContext;
pub use self::examination::{Doctor, Thresholds};
use self::finding::Diagnostic;
pub use self::finding::{CheckStatus, Finding};
pub use self::fix::Fix;
pub use self::readiness::{Readiness, fit_to_serve};
use crate::config::{Config, Environment};
use crate::db;
use crate::error::Result;
use crate::tenancy::Database;

impl Doctor {
    /// Runs every check and returns the findings, in the order of [`CHECKS`]. It changes nothing.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](crate::Error::is_unreachable) if the server does not answer. A check that can't run is a
    /// finding.
    ///
    /// ```no_run
    /// # async fn example() -> workspace_db::Result<()> {
    /// use workspace_db::config::Config;
    /// use workspace_db::doctor::{Doctor, CheckStatus};
    ///
    /// for finding in Doctor::new(&Config::from_env()?)?.run_checks().await? {
    ///     if finding.status == CheckStatus::Fail {
    ///         println!("{}: {:?}", finding.check, finding.problems);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_checks(&self) -> Result<Vec<Finding>> {
        let lenient = Config { environment: Environment::Development, pool_size: 2, ..self.config.clone() };
        let context = CheckContext {
            doctor: self,
            owner: db::catalog_client(&self.owner).await?,
            database: Database::open(&lenient).await.ok(),
        };
        let mut diagnostics = Vec::new();
        diagnostics.extend(server::diagnostics(&context).await?);
        diagnostics.extend(logins::diagnostics(&context).await);
        diagnostics.extend(context.isolation().await);
        diagnostics.extend(schema::diagnostics(&context).await);
        diagnostics.extend(maintenance::diagnostics(&context).await);
        diagnostics.extend(values::diagnostics(&context).await);
        diagnostics.extend(vectors::diagnostics(&context).await);
        Ok(CHECKS.iter().map(|check| Finding::new(check, &diagnostics)).collect())
    }

    /// Fixes what can be fixed without loss of data, and without blocking other sessions for longer than two seconds.
    /// Returns the statements that were tried.
    ///
    /// It switches row-level security on again, and revokes grants to everyone on tenant tables. It repairs invalid
    /// indexes, and vacuums tables that autovacuum does not keep up with.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](crate::Error::is_unreachable). A statement that the database rejects is part of the result.
    pub async fn fix(&self) -> Result<Vec<Fix>> {
        fix::fix(self).await
    }
}

impl CheckContext<'_> {
    async fn isolation(&self) -> Vec<Diagnostic> {
        match isolation::violations(&self.owner, &self.doctor.registered()).await {
            Ok(violations) => violations
                .into_iter()
                .map(|one| Diagnostic::new(one.check, CheckStatus::Fail, format!("{}: {}", one.object, one.fault)))
                .collect(),
            Err(error) => {
                ["registry", "policies", "grants", "default_privileges", "keys", "views", "functions", "roles"]
                    .map(|check| Diagnostic::skipped(check, &error))
                    .into()
            }
        }
    }
}
