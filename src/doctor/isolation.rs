//! What keeps workspaces apart, as far as the catalog tells: rules, and the objects that break them.

use tokio_postgres::Client;

use crate::error::{Error, Result};

pub(crate) const NOT_THERE: &str = "is registered, and there is no such table with a workspace_id";

/// The check, what is wrong, and a query for the objects with which it is; `$1` are the names of the registered tables.
///
/// `tenant` are relations with a `workspace_id`, of which a partition is one only where the application may touch it by
/// itself; `app` and `platform` are the oids of the group roles.
const RULES: &[(&str, &str, &str)] = &[
    ("registry", NOT_THERE, "SELECT t FROM unnest($1::text[]) t WHERE NOT EXISTS (SELECT FROM tenant WHERE relname = t)"),
    (
        "registry", "has a workspace_id and is not registered",
        "SELECT oid::regclass::text FROM tenant WHERE NOT relispartition AND relkind <> 'm' AND relname <> ALL ($1)",
    ),
    ("policies", "does not have row-level security", "SELECT oid::regclass::text FROM guarded WHERE NOT relrowsecurity"),
    (
        "policies", "does not force row-level security upon its owner",
        "SELECT oid::regclass::text FROM guarded WHERE NOT relforcerowsecurity",
    ),
    (
        "policies", "lacks the one policy that lets workspace_app into the workspace that the transaction has set",
        "SELECT g.oid::regclass::text FROM guarded g WHERE g.relname NOT IN ('admin_users', 'admin_tokens', 'login_throttles') AND NOT EXISTS (
            SELECT FROM pg_policy p, roles r WHERE p.polrelid = g.oid AND p.polroles = ARRAY[r.app] AND p.polcmd = '*'
              AND p.polpermissive AND pg_get_expr(p.polqual, g.oid) = pg_get_expr(p.polwithcheck, g.oid)
              AND pg_get_expr(p.polqual, g.oid) ~ E'^\\\\((workspace_)?id = \\\\( ?SELECT \\\\(NULLIF\\\\(current_setting\\\\(''app\\\\.workspace_id''::text, true\\\\), ''''::text\\\\)\\\\)::uuid( AS \"nullif\")?\\\\)\\\\)$')",
    ),
    (
        "policies", "has a policy beside the two that are meant",
        "SELECT g.oid::regclass || ' (' || p.polname || ')' FROM guarded g JOIN pg_policy p ON p.polrelid = g.oid, roles r
         WHERE NOT (p.polname = 'workspace_isolation' AND p.polroles = ARRAY[r.app])
           AND NOT (p.polname = 'platform_access' AND p.polroles = ARRAY[r.platform])
           AND NOT (g.relname = 'audit_log' AND p.polname IN ('retention_reads', 'retention_deletes')
             AND p.polroles = ARRAY[(SELECT relowner FROM pg_class WHERE oid = g.oid)] AND p.polcmd IN ('r', 'd'))",
    ),
    (
        "grants", "may be touched by everyone (PUBLIC)",
        "SELECT DISTINCT c.oid::regclass::text FROM pg_class c, aclexplode(c.relacl) a
         WHERE a.grantee = 0 AND (c.oid IN (SELECT oid FROM tenant) OR c.oid IN (SELECT oid FROM guarded))",
    ),
    (
        "grants", "does not grant workspace_app select alone, or select, insert, update and delete",
        "SELECT oid::regclass::text FROM tenant, roles WHERE relkind IN ('r', 'p') AND NOT (has_table_privilege(app, oid, 'SELECT')
           AND (has_any_column_privilege(app, oid, 'INSERT, UPDATE') OR has_table_privilege(app, oid, 'DELETE'))
             = (has_table_privilege(app, oid, 'INSERT') AND has_table_privilege(app, oid, 'UPDATE') AND has_table_privilege(app, oid, 'DELETE')))",
    ),
    (
        "grants", "grants workspace_app more than select, insert, update and delete",
        "SELECT oid::regclass::text FROM guarded, roles WHERE has_table_privilege(app, oid, 'TRUNCATE')
            OR has_any_column_privilege(app, oid, 'REFERENCES') OR has_table_privilege(app, oid, 'TRIGGER')",
    ),
    (
        "grants", "is a global table that workspace_app may read or change",
        "SELECT relname::text FROM guarded, roles WHERE relname IN ('admin_users', 'admin_tokens', 'login_throttles')
            AND (has_any_column_privilege(app, oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(app, oid, 'DELETE'))
         UNION ALL SELECT 'workspaces' FROM roles WHERE to_regclass('workspaces') IS NOT NULL AND (
            has_any_column_privilege(app, 'workspaces', 'INSERT, UPDATE') OR has_table_privilege(app, 'workspaces', 'DELETE'))",
    ),
    (
        "grants", "is changed by administrators alone, and workspace_app may change it",
        "SELECT relname::text FROM guarded, roles WHERE relname IN ('audit_log', 'service_tokens', 'workspace_admins', 'workspace_settings')
            AND (has_any_column_privilege(app, oid, 'INSERT, UPDATE') OR has_table_privilege(app, oid, 'DELETE'))",
    ),
    (
        "grants", "has entries that workspace_platform may change or remove",
        "SELECT relname::text FROM guarded, roles WHERE relname = 'audit_log'
            AND (has_any_column_privilege(platform, oid, 'UPDATE') OR has_table_privilege(platform, oid, 'DELETE, TRUNCATE'))",
    ),
    (
        "keys", "allows a row without a workspace",
        "SELECT t.oid::regclass::text FROM tenant t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'workspace_id'
         WHERE t.relkind IN ('r', 'p') AND NOT a.attnotnull",
    ),
    (
        "keys", "has no primary key that begins with workspace_id",
        "SELECT t.oid::regclass::text FROM tenant t WHERE t.relkind IN ('r', 'p') AND NOT EXISTS (
            SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            WHERE k.conrelid = t.oid AND k.contype = 'p' AND a.attname = 'workspace_id')",
    ),
    (
        "keys", "is a unique key without workspace_id, which tells one workspace what another has",
        "SELECT i.indexrelid::regclass::text FROM tenant t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique
         WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'workspace_id'
            AND a.attnum = ANY (i.indkey::int2[]))",
    ),
    (
        "keys", "is a foreign key between tenants' tables without workspace_id",
        "SELECT k.conname::text FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid IN (SELECT oid FROM tenant)
           AND k.confrelid IN (SELECT oid FROM tenant) AND NOT EXISTS (
            SELECT FROM generate_subscripts(k.conkey, 1) AS n
              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[n] AND a.attname = 'workspace_id'
              JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[n] AND f.attname = 'workspace_id')",
    ),
    (
        "keys", "is a foreign key that would null workspace_id",
        "SELECT k.conname::text FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attname = 'workspace_id'
         WHERE k.contype = 'f' AND k.conrelid IN (SELECT oid FROM tenant) AND k.confdeltype IN ('n', 'd')
           AND a.attnum = ANY (coalesce(k.confdelsetcols, k.conkey))",
    ),
    (
        "views", "is a view with its owner's rights; make it WITH (security_invoker = true)",
        "SELECT v.oid::regclass::text FROM reads JOIN pg_class v ON v.oid = reads.view AND v.relkind = 'v'
         WHERE NOT coalesce((SELECT option_value::bool FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'), false)",
    ),
    (
        "views", "is a materialized view of a tenant's table that workspace_app may read",
        "SELECT v.oid::regclass::text FROM reads JOIN pg_class v ON v.oid = reads.view AND v.relkind = 'm', roles
         WHERE has_any_column_privilege(roles.app, v.oid, 'SELECT')",
    ),
    // The one that is meant keeps to the workspace by itself, which `attempt` tries.
    (
        "functions", "is a function with its owner's rights (SECURITY DEFINER) that workspace_app may call",
        "SELECT p.oid::regprocedure::text FROM pg_proc p, roles WHERE p.prosecdef AND has_function_privilege(app, p.oid, 'EXECUTE')
           AND p.oid IS DISTINCT FROM to_regprocedure('workspace_db_matching_chunks(tsquery,integer)')
           AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)",
    ),
    (
        "functions", "has a rewrite rule, which runs with its owner's rights",
        "SELECT g.oid::regclass || ' (' || w.rulename || ')' FROM guarded g JOIN pg_rewrite w ON w.ev_class = g.oid",
    ),
    (
        "roles", "has powers that a group role must not have",
        "SELECT rolname::text FROM pg_roles, roles WHERE oid IN (app, platform)
           AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin)",
    ),
    (
        "roles", "is a role that workspace_app is a member of",
        "SELECT m.roleid::regrole::text FROM pg_auth_members m, roles WHERE m.member = app",
    ),
    (
        "roles", "is a login of workspace_app that row-level security does not bind",
        "SELECT l.rolname::text FROM pg_auth_members m JOIN pg_roles l ON l.oid = m.member, roles
         WHERE m.roleid = app AND m.inherit_option
           AND (l.rolsuper OR l.rolbypassrls OR pg_has_role(l.oid, platform, 'MEMBER')
             OR EXISTS (SELECT FROM guarded g JOIN pg_class c USING (oid) WHERE pg_has_role(l.oid, c.relowner, 'MEMBER')))",
    ),
    (
        "roles", "belongs to workspace_app or workspace_platform, and an owner can take the policies away",
        "SELECT c.oid::regclass::text FROM pg_class c, roles WHERE c.relowner IN (app, platform)",
    ),
    (
        "default_privileges", "is a schema in which workspace_app may create objects",
        "SELECT nspname::text FROM pg_namespace, roles WHERE nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(app, oid, 'CREATE')",
    ),
    (
        "default_privileges", "has default privileges that give new tables to workspace_app or to everyone",
        "SELECT DISTINCT d.defaclrole::regrole::text FROM pg_default_acl d, aclexplode(d.defaclacl) a, roles
         WHERE d.defaclobjtype = 'r' AND a.grantee IN (app, 0)",
    ),
    (
        "default_privileges", "is a default of app.workspace_id, so that a transaction without one is in it",
        "SELECT coalesce(s.setrole::regrole::text, d.datname, 'the server') FROM pg_db_role_setting s
           LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) entry
         WHERE entry LIKE 'app.workspace\\_id=%' AND (s.setdatabase = 0 OR d.datname = current_database())",
    ),
];

const WITH: &str = "
WITH roles AS (SELECT to_regrole('workspace_app')::oid AS app, to_regrole('workspace_platform')::oid AS platform),
relations AS (
    SELECT c.oid, c.relname, c.relkind, c.relispartition, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, roles
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'f', 'm')
      AND NOT (c.relispartition AND NOT has_any_column_privilege(roles.app, c.oid, 'SELECT, INSERT, UPDATE')
        AND NOT has_table_privilege(roles.app, c.oid, 'DELETE, TRUNCATE'))
),
tenant AS (
    SELECT r.* FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE a.attname = 'workspace_id' AND NOT a.attisdropped
),
guarded AS (
    SELECT * FROM tenant WHERE relkind IN ('r', 'p')
    UNION ALL SELECT * FROM relations WHERE oid IN (
        to_regclass('workspaces'), to_regclass('admin_users'), to_regclass('admin_tokens'), to_regclass('login_throttles'))
),
reads AS (
    SELECT DISTINCT w.ev_class AS view FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
      AND d.refobjid IN (SELECT oid FROM guarded)
)
";

/// A rule that an object breaks.
pub(crate) struct Offence {
    /// The check that asks.
    pub(crate) check: &'static str,
    pub(crate) object: String,
    pub(crate) fault: &'static str,
}

/// Every object that breaks one of the rules; `tables` are the registered ones.
pub(crate) async fn offences(client: &Client, tables: &[&str]) -> Result<Vec<Offence>> {
    let mut found = Vec::new();
    for &(check, fault, query) in RULES {
        let sql =
            format!("{WITH} SELECT object FROM ({query}) AS offenders (object), (SELECT $1::text[]) AS registered");
        let rows = client.query(&sql, &[&tables]).await.map_err(|error| {
            let error = Error::from(error);
            Error::new(error.kind(), format!("{check}, {fault}: {error}")).caused_by(error)
        })?;
        found.extend(rows.iter().map(|row| Offence { check, object: row.get(0), fault }));
    }
    Ok(found)
}

/// A query for what breaks the rules without which nothing may be served, as one text a row, in a column `fault`.
pub(super) fn grave() -> String {
    let grave = RULES.iter().filter(|(check, fault, _)| *check == "policies" || *fault == NOT_THERE);
    let asked = grave
        .map(|(_, fault, query)| format!("SELECT object || ': {fault}' AS fault FROM ({query}) AS offenders (object)"));
    format!("{WITH} {}", asked.collect::<Vec<_>>().join(" UNION ALL "))
}
