//! Rules of isolation.

/// Fault of a registered table that does not exist, or has no `workspace_id`.
pub const NOT_THERE: &str = "is registered, and there is no such table with a workspace_id";

/// Rules of isolation: the check, true if no backend may serve while it fails, the fault, and a query of the objects.
/// `$1` are the names of the registered tables. [`terms`](super::terms) defines the other names.
pub(super) const RULES: &[(&str, bool, &str, &str)] = &[
    (
        "registry", true, NOT_THERE,
        "SELECT t FROM unnest($1::text[]) t WHERE NOT EXISTS (SELECT FROM tenant WHERE relname = t)",
    ),
    (
        "registry", false, "has a workspace_id and is not registered",
        "SELECT oid::regclass::text FROM tenant WHERE NOT relispartition AND relkind <> 'm' AND relname <> ALL ($1)",
    ),
    (
        "policies", true, "does not have row-level security",
        "SELECT oid::regclass::text FROM guarded WHERE NOT relrowsecurity",
    ),
    (
        "policies", true, "does not force row-level security upon its owner",
        "SELECT oid::regclass::text FROM guarded WHERE NOT relforcerowsecurity",
    ),
    (
        "policies", true, "lacks the one policy that lets workspace_app and workspace_reader into the workspace that the transaction has set",
        "SELECT oid::regclass::text FROM (SELECT * FROM meant WHERE name = 'workspace_isolation' EXCEPT SELECT * FROM found) AS missing",
    ),
    (
        "policies", false, "lacks the one policy that lets workspace_platform into every workspace",
        "SELECT oid::regclass::text FROM (SELECT * FROM meant WHERE name = 'platform_access' EXCEPT SELECT * FROM found) AS missing",
    ),
    (
        "policies", true, "has a policy beside the two that are meant",
        "SELECT oid::regclass || ' (' || name || ')' FROM (SELECT * FROM found EXCEPT SELECT * FROM meant) AS extra",
    ),
    (
        "grants", false, "does not grant workspace_app select alone, or select, insert, update and delete, and workspace_reader select",
        "SELECT oid::regclass::text FROM tenant, roles WHERE relkind IN ('r', 'p') AND NOT (has_table_privilege(app, oid, 'SELECT')
             AND coalesce(has_table_privilege(reader, oid, 'SELECT'), true)
             AND (has_any_column_privilege(app, oid, 'INSERT, UPDATE') OR has_table_privilege(app, oid, 'DELETE'))
               = (has_table_privilege(app, oid, 'INSERT') AND has_table_privilege(app, oid, 'UPDATE') AND has_table_privilege(app, oid, 'DELETE')))",
    ),
    (
        "grants", true, "is given to an application's login, and no policy keeps it to one workspace",
        "SELECT pg_describe_object(class, oid, sub) || ' (' || privilege || ' to ' || whom || ')' FROM excess WHERE is_bounded IS NOT TRUE",
    ),
    (
        "grants", false, "is given to an application's login beyond what the migrations give",
        "SELECT pg_describe_object(class, oid, sub) || ' (' || privilege || ' to ' || whom || ')' FROM excess WHERE is_bounded",
    ),
    (
        "grants", false, "has entries that workspace_platform may change or remove",
        "SELECT relname::text FROM guarded, roles WHERE relname = 'audit_log'
             AND (has_any_column_privilege(platform, oid, 'UPDATE') OR has_table_privilege(platform, oid, 'DELETE, TRUNCATE'))",
    ),
    (
        "keys", false, "allows a row without a workspace",
        "SELECT t.oid::regclass::text FROM tenant t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = t.attnum
         WHERE t.relkind IN ('r', 'p') AND NOT a.attnotnull",
    ),
    (
        "keys", false, "has no primary key that begins with workspace_id",
        "SELECT t.oid::regclass::text FROM tenant t WHERE t.relkind IN ('r', 'p')
             AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary AND i.indkey[0] = t.attnum)",
    ),
    (
        "keys", false, "is a key without workspace_id, which tells one workspace what another has",
        "SELECT i.indexrelid::regclass::text FROM tenant t JOIN pg_index i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion)
             LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
         WHERE NOT EXISTS (SELECT FROM generate_series(1, i.indnkeyatts) n WHERE i.indkey[n - 1] = t.attnum
             AND (k.conexclop IS NULL OR k.conexclop[n] = 'pg_catalog.=(uuid,uuid)'::regoperator))",
    ),
    (
        "keys", false, "is a foreign key between workspaces, since it does not carry workspace_id",
        "SELECT k.conrelid::regclass || ' (' || k.conname || ')' FROM pg_constraint k WHERE k.contype = 'f'
             AND (k.confrelid IN (SELECT oid FROM tenant) OR k.confrelid = to_regclass('workspaces') AND k.conrelid IN (SELECT oid FROM tenant))
             AND NOT EXISTS (
                 SELECT FROM generate_subscripts(k.conkey, 1) AS n
                     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[n] AND a.attname = 'workspace_id'
                     JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[n]
                         AND f.attname = CASE WHEN k.confrelid = to_regclass('workspaces') THEN 'id' ELSE 'workspace_id' END)",
    ),
    (
        "keys", false, "is a foreign key that would null workspace_id",
        "SELECT k.conname::text FROM pg_constraint k JOIN tenant t ON t.oid = k.conrelid WHERE k.contype = 'f'
             AND (k.confdeltype IN ('n', 'd') AND t.attnum = ANY (coalesce(k.confdelsetcols, k.conkey))
                 OR k.confupdtype IN ('n', 'd') AND t.attnum = ANY (k.conkey))",
    ),
    (
        "keys", false, "does not enforce its foreign keys",
        "SELECT t.oid::regclass::text FROM tenant t WHERE EXISTS (
             SELECT FROM pg_constraint k JOIN pg_trigger g ON g.tgconstraint = k.oid
             WHERE k.contype = 'f' AND k.conrelid = t.oid AND g.tgenabled IN ('D', 'R'))
             OR EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = t.oid AND to_jsonb(k) ->> 'conenforced' = 'false')",
    ),
    (
        "views", true, "is a view with its owner's rights that an application's login may use; make it WITH (security_invoker = true)",
        "SELECT v.oid::regclass::text FROM pg_class v WHERE v.relkind = 'v'
             AND v.oid IN (SELECT oid FROM given WHERE class = 'pg_class'::regclass)
             AND NOT coalesce((SELECT option_value::bool FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'), false)",
    ),
    (
        "views", false, "is a view with its owner's rights; make it WITH (security_invoker = true)",
        "SELECT v.oid::regclass::text FROM reads JOIN pg_class v ON v.oid = reads.oid AND v.relkind = 'v'
         WHERE v.oid NOT IN (SELECT oid FROM given WHERE class = 'pg_class'::regclass)
             AND NOT coalesce((SELECT option_value::bool FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'), false)",
    ),
    (
        "functions", true, "is a function with its owner's rights (SECURITY DEFINER) that an application's login may call, or that something calls for it",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'owner'",
    ),
    (
        "functions", true, "reads past row-level security, and is not as the migrations make it",
        "SELECT p.oid::regprocedure::text FROM pg_proc p, roles WHERE p.oid = (SELECT to_regprocedure('workspace_db_matching_chunks(tsquery,integer)'))
             AND NOT (p.proowner = platform AND p.proconfig = '{search_path=pg_catalog}'
                 AND coalesce(md5(regexp_replace(pg_get_function_sqlbody(p.oid), '\\s', '', 'g')) = '0bdd7c818ea31c852883f249ae2ac6de', false))",
    ),
    (
        "functions", true, "is a function in a language that is not trusted, and an application's login may call it",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'language'",
    ),
    (
        "functions", true, "is a LEAKPROOF function, which PostgreSQL shows rows before a policy has hidden them",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'leakproof'",
    ),
    (
        "functions", true, "is a function that sets a workspace, a role or row_security by itself",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'setting'",
    ),
    (
        "functions", true, "has a rewrite rule, which runs with its owner's rights",
        "SELECT w.ev_class::regclass || ' (' || w.rulename || ')' FROM pg_rewrite w WHERE w.ev_type <> '1'
             AND (w.ev_class IN (SELECT oid FROM guarded) OR w.ev_class IN (SELECT oid FROM given WHERE class = 'pg_class'::regclass))",
    ),
    (
        "roles", true, "has powers that a group role must not have",
        "SELECT rolname::text FROM pg_roles, roles WHERE oid IN (app, reader, platform)
             AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin)",
    ),
    (
        "roles", false, "is missing, so that scopes that read run as workspace_app; run what `workspace-db roles` prints, and then SELECT workspace_db_let_readers_in()",
        "SELECT 'workspace_reader' FROM roles WHERE reader IS NULL",
    ),
    (
        "roles", true, "is, or may become, more than the application",
        "SELECT login::regrole || ' (' || CASE WHEN login <> role THEN 'by ' || role::regrole || ': ' ELSE '' END || power || ')' FROM more",
    ),
    (
        "roles", false, "may make others members of the application",
        "SELECT m.member::regrole::text FROM pg_auth_members m, roles WHERE m.roleid IN (app, reader) AND m.admin_option
             AND m.member IN (SELECT role FROM subject)",
    ),
    (
        "roles", false, "is a role that a group role is a member of",
        "SELECT m.roleid::regrole::text FROM pg_auth_members m, roles WHERE m.member IN (app, reader, platform)
             AND NOT (m.member = app AND coalesce(m.roleid = reader, false))",
    ),
    (
        "roles", false, "belongs to workspace_reader or workspace_platform, and an owner can take the policies away",
        "SELECT c.oid::regclass::text FROM pg_class c, roles WHERE c.relowner IN (reader, platform) AND c.relpersistence <> 't'",
    ),
    (
        "roles", false, "is a large object of an application's login, which every workspace reads",
        "SELECT o.oid::text FROM pg_largeobject_metadata o WHERE o.lomowner IN (SELECT role FROM subject)",
    ),
    (
        "default_privileges", false, "has default privileges that give what will be made to an application's login or to everyone",
        "SELECT DISTINCT d.defaclrole::regrole || ' (' || a.privilege_type || ' on ' || CASE d.defaclobjtype WHEN 'r' THEN 'tables'
                 WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END || ')'
         FROM pg_default_acl d, aclexplode(d.defaclacl) a
         WHERE (a.grantee = 0 OR a.grantee IN (SELECT role FROM subject EXCEPT SELECT role FROM more))
             AND NOT (d.defaclnamespace = 0 AND a.grantee = 0 AND d.defaclobjtype IN ('f', 'T'))",
    ),
    (
        "default_privileges", true, "is a default that puts whoever sets nothing into a workspace, or into another role",
        "SELECT coalesce(nullif(s.setrole, 0)::regrole::text, d.datname, 'the server') || ' (' || entry || ')' FROM pg_db_role_setting s
             LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) entry, lower(split_part(entry, '=', 1)) setting
         WHERE (s.setdatabase = 0 OR d.datname = current_database()) AND (setting LIKE 'app.%'
             OR setting IN ('role', 'session_authorization', 'session_replication_role', 'session_preload_libraries', 'local_preload_libraries')
                 AND (s.setrole = 0 OR s.setrole IN (SELECT login FROM subject)))
         UNION ALL SELECT 'the server' WHERE current_setting('app.workspace_id', true) <> ''
             AND NOT EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) entry WHERE lower(entry) LIKE 'app.workspace\\_id=%')",
    ),
    (
        "default_privileges", false, "is a default that weakens what a transaction of the application relies on",
        "SELECT coalesce(nullif(s.setrole, 0)::regrole::text, d.datname, 'the server') || ' (' || entry || ')' FROM pg_db_role_setting s
             LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) entry, lower(split_part(entry, '=', 1)) setting
         WHERE (s.setdatabase = 0 OR d.datname = current_database())
             AND (setting = 'row_security' AND s.setrole = 0 OR setting IN ('row_security', 'search_path', 'lo_compat_privileges')
                 AND s.setrole IN (SELECT login FROM subject))",
    ),
];
