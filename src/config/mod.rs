//! Typed settings from the environment, with redacted secrets.

mod database_url;
mod env;
mod settings;

pub use self::database_url::DatabaseUrl;
pub use self::env::{Config, Environment, Retention, SearchLimits, Timeouts};
pub use self::settings::{Setting, settings};
