//! Connections, pools and migrations.

mod cancellation;
pub mod catalog;
mod connection;
pub mod migrations;
mod notifications;
mod pool;
pub mod roles;
mod stream;
mod tls;

pub(crate) use self::cancellation::CancelOnDrop;
pub(crate) use self::connection::{CATALOG_SETTINGS, client_with};
pub use self::connection::{catalog_client, client, connect, is_verified};
pub(crate) use self::pool::{Pool, PoolSettings, PooledConnection, pool};
