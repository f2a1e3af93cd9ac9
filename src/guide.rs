//! Guide, one module a page. It exists only in the documentation.
//!
//! The tests compile the examples.
//!
//! | page | content |
//! |---|---|
//! | [`quick_start`] | a first program: a workspace, a document and a search |
//! | [`tenancy`] | scopes, scoped queries, transactions, raw SQL and limits |
//! | [`your_own_tables`] | a table of your own, from the migration to the test |
//! | [`search`] | search by vector and by words, embeddings and indexes |
//! | [`conversations`] | messages, branches, answers in parts, feedback and the hand-over to people |
//! | [`jobs`] | background jobs, workers and schedules |
//! | [`administrators`] | logins, tokens, roles and the audit log |
//! | [`tenant_data`] | export, import, erasure and move of a workspace |
//! | [`testing`] | databases for tests, and the check that workspaces are kept apart |
//! | [`deploying`] | migrations, logins, health checks and backups |

#[doc = include_str!("../docs/guide/quick-start.md")]
pub mod quick_start {}

#[doc = include_str!("../docs/guide/queries.md")]
pub mod tenancy {}

#[doc = include_str!("../docs/guide/your-own-tables.md")]
pub mod your_own_tables {}

#[doc = include_str!("../docs/guide/search.md")]
pub mod search {}

#[doc = include_str!("../docs/guide/conversations.md")]
pub mod conversations {}

#[doc = include_str!("../docs/guide/jobs.md")]
pub mod jobs {}

#[doc = include_str!("../docs/guide/administrators.md")]
pub mod administrators {}

#[cfg(feature = "transfer")]
#[doc = include_str!("../docs/guide/tenant-data.md")]
pub mod tenant_data {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/operations.md")]
pub mod deploying {}
