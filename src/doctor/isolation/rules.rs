//! Rules of isolation.

/// Fault of a registered table that does not exist, or has no `workspace_id`.
pub const NOT_THERE: &str = "is registered, but there is no table of this name with a workspace_id column";

/// Rules of isolation: the check, true if no backend may serve while it fails, the fault, and a query of the objects.
/// `$1` are the names of the registered tables. [`terms`](super::terms) defines the other names.
pub(super) const RULES: &[(&str, bool, &str, &str)] = &[
    (
        "registry", true, NOT_THERE,
        "SELECT t FROM unnest($1::text[]) t WHERE NOT EXISTS (SELECT FROM tenant WHERE relname = t)",
    ),
    (
        "registry", false, "has a workspace_id column but is not registered",
        "SELECT oid::regclass::text FROM tenant WHERE NOT relispartition AND relkind <> 'm' AND relname <> ALL ($1)",
    ),
    (
        "policies", true, "does not have row-level security",
        "SELECT oid::regclass::text FROM guarded WHERE NOT relrowsecurity",
    ),
    (
        "policies", true, "does not force row-level security for its owner",
        "SELECT oid::regclass::text FROM guarded WHERE NOT relforcerowsecurity",
    ),
    (
        "policies", true, "lacks the policy that limits workspace_app and workspace_reader to the workspace of the transaction",
        "SELECT oid::regclass::text FROM (SELECT * FROM meant WHERE name = 'workspace_isolation' EXCEPT SELECT * FROM found) AS missing",
    ),
    (
        "policies", false, "lacks the policy that gives workspace_platform access to every workspace",
        "SELECT oid::regclass::text FROM (SELECT * FROM meant WHERE name = 'platform_access' EXCEPT SELECT * FROM found) AS missing",
    ),
    (
        "policies", true, "has a policy that is neither of the two required ones",
        "SELECT oid::regclass || ' (' || name || ')' FROM (SELECT * FROM found EXCEPT SELECT * FROM meant) AS extra",
    ),
    (
        "grants", false, "must grant SELECT to workspace_reader, and to workspace_app either only SELECT or SELECT, INSERT, UPDATE and DELETE",
        "SELECT oid::regclass::text FROM tenant, roles WHERE relkind IN ('r', 'p') AND NOT (has_table_privilege(app, oid, 'SELECT')
             AND coalesce(has_table_privilege(reader, oid, 'SELECT'), true)
             AND (has_any_column_privilege(app, oid, 'INSERT, UPDATE') OR has_table_privilege(app, oid, 'DELETE'))
               = (has_table_privilege(app, oid, 'INSERT') AND has_table_privilege(app, oid, 'UPDATE') AND has_table_privilege(app, oid, 'DELETE')))",
    ),
    (
        "grants", true, "is granted to an application login, and no policy limits it to one workspace",
        "SELECT pg_describe_object(class, oid, sub) || ' (' || privilege || ' to ' || whom || ')' FROM excess WHERE is_bounded IS NOT TRUE",
    ),
    (
        "grants", false, "is granted to an application login, but not by the migrations",
        "SELECT pg_describe_object(class, oid, sub) || ' (' || privilege || ' to ' || whom || ')' FROM excess WHERE is_bounded",
    ),
    (
        "grants", false, "has entries that workspace_platform can change or delete",
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
        "keys", false, "is a key without workspace_id, so it reveals to one workspace which values another has",
        "SELECT i.indexrelid::regclass::text FROM tenant t JOIN pg_index i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion)
             LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
         WHERE NOT EXISTS (SELECT FROM generate_series(1, i.indnkeyatts) n WHERE i.indkey[n - 1] = t.attnum
             AND (k.conexclop IS NULL OR k.conexclop[n] = 'pg_catalog.=(uuid,uuid)'::regoperator))",
    ),
    (
        "keys", false, "is a foreign key without workspace_id, so a row can refer to another workspace",
        "SELECT k.conrelid::regclass || ' (' || k.conname || ')' FROM pg_constraint k WHERE k.contype = 'f'
             AND (k.confrelid IN (SELECT oid FROM tenant) OR k.confrelid = to_regclass('workspaces') AND k.conrelid IN (SELECT oid FROM tenant))
             AND NOT EXISTS (
                 SELECT FROM generate_subscripts(k.conkey, 1) AS n
                     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[n] AND a.attname = 'workspace_id'
                     JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[n]
                         AND f.attname = CASE WHEN k.confrelid = to_regclass('workspaces') THEN 'id' ELSE 'workspace_id' END)",
    ),
    (
        "keys", false, "is a foreign key that can set workspace_id to NULL or its default",
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
        "views", true, "is a view that runs with its owner's privileges and that an application login can use; define it WITH (security_invoker = true)",
        "SELECT v.oid::regclass::text FROM pg_class v WHERE v.relkind = 'v'
             AND v.oid IN (SELECT oid FROM given WHERE class = 'pg_class'::regclass)
             AND NOT coalesce((SELECT option_value::bool FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'), false)",
    ),
    (
        "views", false, "is a view that runs with its owner's privileges; define it WITH (security_invoker = true)",
        "SELECT v.oid::regclass::text FROM reads JOIN pg_class v ON v.oid = reads.oid AND v.relkind = 'v'
         WHERE v.oid NOT IN (SELECT oid FROM given WHERE class = 'pg_class'::regclass)
             AND NOT coalesce((SELECT option_value::bool FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'), false)",
    ),
    (
        "functions", true, "is a SECURITY DEFINER function, which runs with its owner's privileges, and an application login can call it, directly or indirectly",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'owner'",
    ),
    (
        "functions", true, "bypasses row-level security and differs from the definition in the migrations",
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN (VALUES
             (to_regprocedure('workspace_db_matching_chunks(tsquery,integer)'), '0bdd7c818ea31c852883f249ae2ac6de'),
             (to_regprocedure('workspace_db_matching_messages(tsquery,tsquery,integer,text,uuid,message_state[],timestamptz,timestamptz,integer)'), '08dfc0ccae50a0fe751eeaaa7de572be')) AS known (oid, body)
             ON known.oid = p.oid, roles
         WHERE NOT (p.proowner = platform AND p.proconfig = '{search_path=pg_catalog}'
             AND coalesce(md5(regexp_replace(pg_get_function_sqlbody(p.oid), '\\s', '', 'g')) = known.body, false))",
    ),
    (
        "functions", true, "is a function in an untrusted language, and an application login can call it",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'language'",
    ),
    (
        "functions", true, "is a LEAKPROOF function, which PostgreSQL can run on rows before a policy filters them",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'leakproof'",
    ),
    (
        "functions", true, "is a function with a SET clause for the workspace, the role or row_security",
        "SELECT oid::regprocedure::text FROM reaching WHERE why = 'setting'",
    ),
    (
        "functions", true, "has a rewrite rule, which runs with its owner's privileges",
        "SELECT w.ev_class::regclass || ' (' || w.rulename || ')' FROM pg_rewrite w WHERE w.ev_type <> '1'
             AND (w.ev_class IN (SELECT oid FROM guarded) OR w.ev_class IN (SELECT oid FROM given WHERE class = 'pg_class'::regclass))",
    ),
    (
        "roles", true, "has attributes that a group role must not have",
        "SELECT rolname::text FROM pg_roles, roles WHERE oid IN (app, reader, platform)
             AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin)",
    ),
    (
        "roles", false, "is missing, so read-only scopes run as workspace_app; run the output of `workspace-db roles`, then SELECT workspace_db_let_readers_in()",
        "SELECT 'workspace_reader' FROM roles WHERE reader IS NULL",
    ),
    (
        "roles", true, "has, or can obtain, more privileges than the application",
        "SELECT login::regrole || ' (' || CASE WHEN login <> role THEN 'by ' || role::regrole || ': ' ELSE '' END || power || ')' FROM more",
    ),
    (
        "roles", false, "can grant membership in an application role to others",
        "SELECT m.member::regrole::text FROM pg_auth_members m, roles WHERE m.roleid IN (app, reader) AND m.admin_option
             AND m.member IN (SELECT role FROM subject)",
    ),
    (
        "roles", false, "has a group role as a member",
        "SELECT m.roleid::regrole::text FROM pg_auth_members m, roles WHERE m.member IN (app, reader, platform)
             AND NOT (m.member = app AND coalesce(m.roleid = reader, false))",
    ),
    (
        "roles", false, "is owned by workspace_reader or workspace_platform, and an owner can drop the policies",
        "SELECT c.oid::regclass::text FROM pg_class c, roles WHERE c.relowner IN (reader, platform) AND c.relpersistence <> 't'",
    ),
    (
        "roles", false, "is a large object owned by an application login, so every workspace can read it",
        "SELECT o.oid::text FROM pg_largeobject_metadata o WHERE o.lomowner IN (SELECT role FROM subject)",
    ),
    (
        "default_privileges", false, "has default privileges that give an application login or PUBLIC access to new objects",
        "SELECT DISTINCT d.defaclrole::regrole || ' (' || a.privilege_type || ' on ' || CASE d.defaclobjtype WHEN 'r' THEN 'tables'
                 WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END || ')'
         FROM pg_default_acl d, aclexplode(d.defaclacl) a
         WHERE (a.grantee = 0 OR a.grantee IN (SELECT role FROM subject EXCEPT SELECT role FROM more))
             AND NOT (d.defaclnamespace = 0 AND a.grantee = 0 AND d.defaclobjtype IN ('f', 'T'))",
    ),
    (
        "default_privileges", true, "is a default that sets a workspace or another role for sessions that set none",
        "SELECT coalesce(nullif(s.setrole, 0)::regrole::text, d.datname, 'the server') || ' (' || entry || ')' FROM pg_db_role_setting s
             LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) entry, lower(split_part(entry, '=', 1)) setting
         WHERE (s.setdatabase = 0 OR d.datname = current_database()) AND (setting LIKE 'app.%'
             OR setting IN ('role', 'session_authorization', 'session_replication_role', 'session_preload_libraries', 'local_preload_libraries')
                 AND (s.setrole = 0 OR s.setrole IN (SELECT login FROM subject)))
         UNION ALL SELECT 'the server' WHERE current_setting('app.workspace_id', true) <> ''
             AND NOT EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) entry WHERE lower(entry) LIKE 'app.workspace\\_id=%')",
    ),
    (
        "default_privileges", false, "is a default that weakens a setting on which the application's transactions rely",
        "SELECT coalesce(nullif(s.setrole, 0)::regrole::text, d.datname, 'the server') || ' (' || entry || ')' FROM pg_db_role_setting s
             LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) entry, lower(split_part(entry, '=', 1)) setting
         WHERE (s.setdatabase = 0 OR d.datname = current_database())
             AND (setting = 'row_security' AND s.setrole = 0 OR setting IN ('row_security', 'search_path', 'lo_compat_privileges')
                 AND s.setrole IN (SELECT login FROM subject))",
    ),
];
