//! List of all checks, with their remedies.

use serde::Serialize;

/// Check, with its name, its condition and its remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the check.
    pub name: &'static str,
    /// Condition that must hold.
    pub asks: &'static str,
    /// Remedy if the condition does not hold.
    pub remedy: &'static str,
}

/// All checks, in the order of a report.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    Check { name: "version", asks: "the server version is supported", remedy: "upgrade the server to PostgreSQL 16 or newer" },
    Check { name: "vulnerabilities", asks: "the minor release of the server has no known vulnerabilities", remedy: "upgrade the server to the newest minor release: install the package and restart; no dump is needed" },
    Check { name: "extensions", asks: "pgvector is installed, new enough and up to date", remedy: "upgrade the package, then run ALTER EXTENSION vector UPDATE in this database" },
    Check { name: "texts", asks: "the database can store every character, and its locale knows all capital letters", remedy: "dump the database and restore it into one that was created with ENCODING 'UTF8' LOCALE_PROVIDER builtin LOCALE 'C.UTF-8' TEMPLATE template0 (from PostgreSQL 17), or with a LOCALE whose name ends in UTF-8" },
    Check { name: "logins", asks: "each login is subject to row-level security and is a member of the role that it needs", remedy: "create the logins with `workspace-db roles --apply`, and set DATABASE_APP_URL and DATABASE_PLATFORM_URL" },
    Check { name: "credentials", asks: "no administrator has the documented password", remedy: "change the password with `workspace-db admin reset-password` and `admin set-password`, or disable the account with `admin disable`" },
    Check { name: "pooler", asks: "no connection relies on settings that a pooler drops or rejects", remedy: "point DATABASE_URL directly to the server, and remove `options` from the other URLs" },
    Check { name: "registry", asks: "every table with a workspace_id column is registered, and every registered table has one", remedy: "register the table with tenant_tables!, or name it with --table; or run the migrations" },
    Check { name: "policies", asks: "every table forces row-level security and has exactly the required policies", remedy: "run SELECT workspace_db_isolate('the_table') in a migration; --fix enables row-level security again" },
    Check { name: "grants", asks: "the group roles have the privileges that they need, and nobody has more", remedy: "use REVOKE or GRANT in a migration; --fix revokes table privileges from PUBLIC" },
    Check { name: "default_privileges", asks: "no default gives everyone privileges on new objects, a role or a workspace", remedy: "use ALTER DEFAULT PRIVILEGES, REVOKE CREATE ON SCHEMA, ALTER DATABASE or ROLE ... RESET app.workspace_id" },
    Check { name: "keys", asks: "every primary, unique and foreign key includes workspace_id", remedy: "recreate the key in a migration, with workspace_id as its first column" },
    Check { name: "views", asks: "every view runs with the privileges of its user", remedy: "run ALTER VIEW ... SET (security_invoker = true)" },
    Check { name: "functions", asks: "no function or rule bypasses row-level security", remedy: "make the function SECURITY INVOKER, or REVOKE EXECUTE FROM PUBLIC" },
    Check { name: "roles", asks: "the roles have no additional attributes, memberships or objects", remedy: "as a superuser, run ALTER ROLE and REVOKE for the listed roles; `workspace-db roles` prints how the roles are created" },
    Check { name: "migrations", asks: "every migration of this program is applied and unchanged", remedy: "run `workspace-db migrate run`; `migrate status` lists every migration" },
    Check { name: "drift", asks: "the schema is the one that the migrations create", remedy: "restore the object, or put the manual change into a migration" },
    Check { name: "comments", asks: "every table and column has a comment", remedy: "add COMMENT ON in a migration" },
    Check { name: "invalid_indexes", asks: "every index is valid", remedy: "run REINDEX INDEX CONCURRENTLY, or drop the index that a failed REINDEX left behind; --fix does this" },
    Check { name: "missing_indexes", asks: "for each foreign key, an index begins with its columns", remedy: "run CREATE INDEX CONCURRENTLY in a migration without a transaction" },
    Check { name: "unused_indexes", asks: "every large index is used", remedy: "check all replicas, then drop the index in a migration: it slows down each write" },
    Check { name: "vector_columns", asks: "every vector column that is searched has a column with its signs, and an index over that", remedy: "add both as in document_chunks; `workspace-db migrate generate` writes them" },
    Check { name: "vector_indexes", asks: "no maintenance of the vector indexes is due", remedy: "run `workspace-db index retrain`" },
    Check { name: "recall", asks: "searches find the nearest passages in each of the largest workspaces", remedy: "run `workspace-db index verify` to measure more of it; `index retrain` fixes a loss that an index causes" },
    Check { name: "dead_rows", asks: "vacuum keeps up, and every table is analyzed", remedy: "run VACUUM (ANALYZE) on the table, as --fix does, and let autovacuum run more often" },
    Check { name: "wraparound", asks: "old transaction IDs are frozen in time", remedy: "run VACUUM (FREEZE) on the oldest tables, and find what holds it back: old transactions, prepared transactions or replication slots" },
    Check { name: "long_transactions", asks: "no statement or prepared transaction lasts too long", remedy: "find out what the process does; SELECT pg_terminate_backend(pid) ends it" },
    Check { name: "idle_transactions", asks: "no session is idle in a transaction for too long", remedy: "end the transaction in the program that left it open; set idle_in_transaction_session_timeout" },
    Check { name: "unreadable_values", asks: "programs can read every value", remedy: "run SELECT workspace_db_refuse_unreadable('the_table') in a migration, and SELECT workspace_db_set_unreadable_aside('the_table') in the next one" },
    Check { name: "stuck_jobs", asks: "workers run the jobs that are due", remedy: "start a worker with `workspace-db jobs work`; `jobs stats` and `jobs list` show details" },
];
