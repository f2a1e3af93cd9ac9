//! The one integration binary. Modules mirror `src/`.

mod bootstrap;
mod catalog;
mod cli;
mod db;
mod embedded;
mod embeddings;
mod folder;
mod ingest;
mod layers;
mod migrations;
mod models;
mod search;
mod sql_types;
