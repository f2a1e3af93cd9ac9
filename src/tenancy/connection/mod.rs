//! Connections: the database with its logins, and what it lends for one workspace or for all of them.
//!
//! From the bottom up: `transactional` is a lent connection whose transactions begin and end in one way. `load` sends a
//! query on it. `raw` and `raw_transaction` lend it to raw SQL, and `workspace` restricts it to one workspace.
//! `database` lends the connections of all workspaces, and `open` opens it.
//! `platform_executor` runs an action of the platform on the database or on a lent connection.

mod async_func;
mod bulk;
mod database;
mod errors;
mod load;
mod notifier;
mod open;
mod platform_executor;
mod quota;
mod raw;
mod raw_transaction;
mod reason;
mod statement_settings;
mod transaction_options;
mod transactional;
mod workspace;

pub use self::async_func::AsyncFunc;
#[cfg(feature = "transfer")]
pub(crate) use self::bulk::BulkConnection;
pub use self::database::Database;
pub use self::load::LoadsAs;
pub(super) use self::load::{all, each, readable_or_failed};
pub(crate) use self::load::{load_each, load_readable};
pub use self::platform_executor::PlatformExecutor;
pub use self::raw::RawConnection;
pub(crate) use self::statement_settings::StatementSettings;
pub use self::transaction_options::{Isolation, TransactionOptions};
pub(super) use self::transactional::Transactional;
pub use self::workspace::WorkspaceConnection;
