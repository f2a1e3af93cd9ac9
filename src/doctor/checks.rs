//! List of all checks, with their remedies.

use serde::Serialize;

/// Check, with its name, its question and its remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the check.
    pub name: &'static str,
    /// Question that it answers.
    pub asks: &'static str,
    /// Remedy if the answer is no.
    pub remedy: &'static str,
}

/// All checks, in the order of a report.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    Check { name: "version", asks: "is the server one that this program works with?", remedy: "upgrade it to PostgreSQL 16 or newer" },
    Check { name: "vulnerabilities", asks: "is its minor release free of known vulnerabilities?", remedy: "upgrade it to the newest minor release: install the package and restart, without a dump" },
    Check { name: "extensions", asks: "is pgvector there, new enough and up to date?", remedy: "upgrade the package, then run ALTER EXTENSION vector UPDATE in this database" },
    Check { name: "texts", asks: "does the database store every character, and know its capital letter?", remedy: "dump it, and restore it into one that was created with ENCODING 'UTF8' LOCALE_PROVIDER builtin LOCALE 'C.UTF-8' TEMPLATE template0 (from PostgreSQL 17), or with a LOCALE whose name ends in UTF-8" },
    Check { name: "logins", asks: "is each login bound by row-level security, and a member of what it needs?", remedy: "make the logins with `workspace-db roles --apply` and set DATABASE_APP_URL and DATABASE_PLATFORM_URL" },
    Check { name: "credentials", asks: "was the documented password of the bootstrap changed?", remedy: "`workspace-db admin reset-password admin@example.com` and `admin set-password`, or `admin disable` it" },
    Check { name: "pooler", asks: "does nothing depend on what a pooler breaks?", remedy: "let DATABASE_URL lead to the server itself, and leave `options` out of the other URLs" },
    Check { name: "registry", asks: "is every table with a workspace_id registered, and the other way round?", remedy: "register it with tenant_tables!, or name it with --table; or migrate" },
    Check { name: "policies", asks: "is every table under forced row-level security with the policies that are meant?", remedy: "SELECT workspace_db_isolate('the_table'), in a migration; --fix switches row-level security on again" },
    Check { name: "grants", asks: "may the group roles do what they need, and nobody more?", remedy: "REVOKE or GRANT in a migration; --fix takes away what everyone may" },
    Check { name: "default_privileges", asks: "does nothing give a new object, or a workspace, to whoever comes?", remedy: "ALTER DEFAULT PRIVILEGES, REVOKE CREATE ON SCHEMA, ALTER DATABASE or ROLE ... RESET app.workspace_id" },
    Check { name: "keys", asks: "does every primary, unique and foreign key carry the workspace?", remedy: "make it anew in a migration, beginning with workspace_id" },
    Check { name: "views", asks: "do views have the rights of who asks?", remedy: "ALTER VIEW ... SET (security_invoker = true)" },
    Check { name: "functions", asks: "does no function or rule reach past the policies?", remedy: "make it SECURITY INVOKER, or REVOKE EXECUTE FROM PUBLIC" },
    Check { name: "roles", asks: "do the group roles have no powers of their own?", remedy: "ALTER ROLE and REVOKE what is named, as a superuser; `workspace-db roles` prints how they are made" },
    Check { name: "migrations", asks: "is every migration applied, as it is here?", remedy: "`workspace-db migrate run`; `migrate status` tells of each" },
    Check { name: "drift", asks: "is the schema the one that the migrations make?", remedy: "bring it back, or write what was done by hand into a migration" },
    Check { name: "comments", asks: "do all tables and columns say what they are?", remedy: "COMMENT ON, in a migration" },
    Check { name: "invalid_indexes", asks: "is every index whole?", remedy: "REINDEX INDEX CONCURRENTLY, or drop what a REINDEX has left behind; --fix does" },
    Check { name: "missing_indexes", asks: "does an index begin with the columns of each foreign key?", remedy: "CREATE INDEX CONCURRENTLY, in a migration outside of a transaction" },
    Check { name: "unused_indexes", asks: "is every large index used?", remedy: "look at all replicas, then drop it in a migration: each write pays for it" },
    Check { name: "vector_columns", asks: "does each vector that is searched have its bits, and an index over them?", remedy: "add them as document_chunks has them; `workspace-db migrate generate` writes them" },
    Check { name: "vector_indexes", asks: "is nothing due at the vector indexes?", remedy: "`workspace-db index retrain`" },
    Check { name: "recall", asks: "do searches find what there is, in each of the largest workspaces?", remedy: "`workspace-db index verify` measures more of it, `index retrain` mends what an index does" },
    Check { name: "dead_rows", asks: "does vacuum keep up, and is every table analyzed?", remedy: "VACUUM (ANALYZE) the table, which --fix does, and let autovacuum come by more often" },
    Check { name: "wraparound", asks: "are old transactions frozen in time?", remedy: "VACUUM (FREEZE) the oldest tables, and look for what holds it back: old transactions, prepared ones, replication slots" },
    Check { name: "long_transactions", asks: "does no statement run for very long?", remedy: "find out what it does; SELECT pg_terminate_backend(pid) ends it" },
    Check { name: "idle_transactions", asks: "does nobody sit in a transaction and do nothing?", remedy: "end the transaction in the program that forgot it; set idle_in_transaction_session_timeout" },
    Check { name: "unreadable_values", asks: "can programs read every value?", remedy: "in a migration, SELECT workspace_db_refuse_unreadable('the_table'), and in the next one workspace_db_set_unreadable_aside('the_table')" },
    Check { name: "stuck_jobs", asks: "does somebody run the jobs?", remedy: "start a worker: `workspace-db jobs work`; `jobs stats` and `jobs list` tell more" },
];
