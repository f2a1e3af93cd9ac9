//! Common table expressions of the rules: relations, logins and their privileges.

/// Common table expressions. `roles` has the oids of the group roles; each other one has a comment.
pub(super) const WITH: &str = "
WITH RECURSIVE roles AS (
    SELECT to_regrole('workspace_app')::oid AS app, to_regrole('workspace_reader')::oid AS reader,
        to_regrole('workspace_platform')::oid AS platform
),
-- Each login, and each group role of the application, reaches itself and every role that it is a member of, over any
-- number of others and by whatever option: what it does not inherit it may SET, and what it administers it may give itself.
reach AS (
    SELECT oid AS login, oid AS role, true AS inherits FROM pg_roles, roles WHERE rolcanlogin OR oid IN (app, reader)
    UNION
    SELECT r.login, m.roleid, r.inherits AND m.inherit_option FROM reach r JOIN pg_auth_members m ON m.member = r.role
),
-- The application's logins inherit its group role, or reach it and are no operator's: an operator owns a database or
-- tables, or makes roles.
subject AS (
    SELECT DISTINCT login, role FROM reach WHERE login IN (
        SELECT r.login FROM reach r JOIN pg_roles l ON l.oid = r.login, roles WHERE r.role IN (app, reader)
        GROUP BY r.login, l.rolsuper, l.rolcreaterole
        HAVING bool_or(r.inherits) OR NOT (l.rolsuper OR l.rolcreaterole
            OR EXISTS (SELECT FROM pg_database d WHERE pg_has_role(r.login, d.datdba, 'MEMBER'))
            OR EXISTS (SELECT FROM pg_class c WHERE c.relforcerowsecurity AND pg_has_role(r.login, c.relowner, 'MEMBER'))))
),
-- A subject's role that is more than a name for others: what it is, or an object that it owns. Temporary objects come and
-- go, and large objects are a rule of their own.
more AS (
    SELECT s.login, s.role, power FROM subject s JOIN pg_roles r ON r.oid = s.role, roles, LATERAL concat_ws(', ',
        CASE WHEN r.rolsuper THEN 'a superuser' END,
        CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
        CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
        CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN r.rolreplication THEN 'REPLICATION' END,
        CASE WHEN r.oid < 16384 THEN 'a predefined role of PostgreSQL' END,
        CASE WHEN r.oid = platform THEN 'all workspaces' END,
        (SELECT 'owner of ' || o.type || ' ' || o.identity FROM pg_shdepend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
         WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
            AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            AND d.classid <> 'pg_largeobject'::regclass AND coalesce(o.schema, '') NOT LIKE 'pg\\_temp%' LIMIT 1)
    ) AS power
    WHERE power <> ''
),
-- Every list of rights that somebody has written, on any kind of object.
acl (class, oid, sub, kind, owner, acl) AS (
    SELECT 'pg_class'::regclass, oid, 0, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner, relacl FROM pg_class
        WHERE oid >= 16384 OR relnamespace <> 'information_schema'::regnamespace
    UNION ALL SELECT 'pg_class', attrelid, attnum, 'c', NULL, attacl FROM pg_attribute WHERE attacl IS NOT NULL
    UNION ALL SELECT 'pg_proc', oid, 0, 'f', proowner, proacl FROM pg_proc WHERE proacl IS NOT NULL
    UNION ALL SELECT 'pg_namespace', oid, 0, 'n', nspowner, nspacl FROM pg_namespace
    UNION ALL SELECT 'pg_database', oid, 0, 'd', datdba, datacl FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT 'pg_tablespace', oid, 0, 't', spcowner, spcacl FROM pg_tablespace
    UNION ALL SELECT 'pg_language', oid, 0, 'l', lanowner, lanacl FROM pg_language
    UNION ALL SELECT 'pg_type', oid, 0, 'T', typowner, typacl FROM pg_type WHERE typacl IS NOT NULL
    UNION ALL SELECT 'pg_foreign_data_wrapper', oid, 0, 'F', fdwowner, fdwacl FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server', oid, 0, 'S', srvowner, srvacl FROM pg_foreign_server
    UNION ALL SELECT 'pg_largeobject', oid, 0, 'L', lomowner, lomacl FROM pg_largeobject_metadata
    UNION ALL SELECT 'pg_parameter_acl', oid, 0, 'p', 10, paracl FROM pg_parameter_acl
),
-- What they give to a subject or to everyone, beyond what PostgreSQL or an extension gave when it made the object.
given AS (
    SELECT g.class, g.oid, g.sub, g.kind, a.grantee, a.privilege_type AS privilege, a.is_grantable
    FROM acl g LEFT JOIN pg_init_privs i ON i.classoid = g.class AND i.objoid = g.oid AND i.objsubid = g.sub, aclexplode(g.acl) a
    WHERE g.acl IS DISTINCT FROM i.initprivs AND (a.grantee = 0 OR a.grantee IN (SELECT role FROM subject EXCEPT SELECT role FROM more))
      AND NOT EXISTS (SELECT FROM aclexplode(coalesce(i.initprivs, acldefault(g.kind, g.owner))) was
        WHERE (was.grantee = a.grantee OR was.grantee = 0 AND g.oid < 16384)
          AND was.privilege_type = a.privilege_type AND was.is_grantable >= a.is_grantable)
),
-- The tables that an adoption in place has moved aside, until it drops them: no application's login may name the schema.
aside AS (
    SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'workspace_db_before' AND to_regclass('workspace_db_adoption.switched') IS NOT NULL
      AND NOT EXISTS (SELECT FROM subject s WHERE has_schema_privilege(s.role, n.oid, 'USAGE'))
),
relations AS (
    SELECT c.oid, c.relname, c.relkind, c.relowner, c.relispartition, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class c WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'f', 'm')
      AND c.relnamespace NOT IN (SELECT oid FROM aside)
      AND NOT (c.relispartition AND c.oid NOT IN (SELECT oid FROM given WHERE class = 'pg_class'::regclass))
),
tenant AS (
    SELECT r.*, a.attnum FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE a.attname = 'workspace_id' AND NOT a.attisdropped
),
guarded AS (
    SELECT oid, relname, relowner, relrowsecurity, relforcerowsecurity, 'workspace_id' AS workspace
    FROM tenant WHERE relkind IN ('r', 'p')
    UNION ALL SELECT oid, relname, relowner, relrowsecurity, relforcerowsecurity, CASE relname WHEN 'workspaces' THEN 'id' END
    FROM relations WHERE oid IN (to_regclass('workspaces'), to_regclass('admin_users'), to_regclass('admin_tokens'),
        to_regclass('login_throttles'), to_regclass('job_queues'))
),
-- The policies that are meant, to the letter, as PostgreSQL prints them.
meant (oid, name, cmd, roles, qual, checked) AS (
    SELECT oid, 'workspace_isolation', '*'::\"char\", ARRAY(SELECT one FROM unnest(ARRAY[app, reader]) one WHERE one IS NOT NULL ORDER BY 1), own, own FROM guarded, roles,
        LATERAL concat('(', workspace, ' = ( SELECT (NULLIF(current_setting(''app.workspace_id''::text, true), ''''::text))::uuid))') own
    WHERE workspace IS NOT NULL
    UNION ALL SELECT oid, 'platform_access', '*', ARRAY[platform], 'true', 'true' FROM guarded, roles
    UNION ALL SELECT oid, 'retention_reads', 'r', ARRAY[relowner], 'true', NULL FROM guarded WHERE relname = 'audit_log'
    UNION ALL SELECT oid, 'retention_deletes', 'd', ARRAY[relowner], '(occurred_at < (now() - ''1 day''::interval))', NULL
    FROM guarded WHERE relname = 'audit_log'
),
found (oid, name, cmd, roles, qual, checked) AS (
    SELECT polrelid, polname, polcmd, CASE WHEN polpermissive THEN ARRAY(SELECT unnest(polroles) ORDER BY 1) END,
        replace(pg_get_expr(polqual, polrelid), ' AS \"nullif\"', ''), replace(pg_get_expr(polwithcheck, polrelid), ' AS \"nullif\"', '')
    FROM pg_policy WHERE polrelid IN (SELECT oid FROM guarded)
),
-- A named exception: a table without a workspace, of which each may read all, and which says so by this policy.
shared AS (
    SELECT r.oid FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
    WHERE p.polname = 'shared_with_every_workspace' AND p.polcmd = 'r' AND r.relkind IN ('r', 'p') AND r.relrowsecurity
      AND r.relforcerowsecurity AND r.oid NOT IN (SELECT oid FROM guarded)
),
-- What is given beyond what the migrations give: on a tenants' table to read, and to write unless administrators alone do;
-- on workspaces and what is shared to read; on a view, which has its reader's rights; on a function, which has its caller's;
-- the name of a schema, a connection, temporary tables.
excess AS (
    SELECT g.*, CASE WHEN g.grantee = 0 THEN 'everyone' ELSE g.grantee::regrole::text END AS whom,
        -- A policy stands between, or nothing is behind it.
        c.relkind = 'S' OR (g.oid IN (SELECT oid FROM guarded) AND g.privilege NOT IN ('TRUNCATE', 'TRIGGER'))
            OR g.class = 'pg_type'::regclass OR (g.class = 'pg_proc'::regclass AND g.oid >= 16384) AS is_bounded
    FROM given g LEFT JOIN LATERAL (SELECT * FROM pg_class WHERE oid = g.oid OFFSET 0) c ON g.class = 'pg_class'::regclass
        LEFT JOIN LATERAL (SELECT * FROM pg_proc WHERE oid = g.oid OFFSET 0) p ON g.class = 'pg_proc'::regclass, roles
    WHERE coalesce(g.is_grantable OR NOT CASE
        WHEN c.oid IN (SELECT oid FROM tenant WHERE relkind IN ('r', 'p')) THEN
            g.privilege = 'SELECT' AND g.grantee IN (app, reader) OR g.privilege IN ('INSERT', 'UPDATE', 'DELETE') AND g.grantee = app
                AND c.relname NOT IN ('audit_log', 'service_tokens', 'workspace_admins', 'workspace_settings')
        WHEN c.oid = to_regclass('workspaces') OR c.oid IN (SELECT oid FROM shared) THEN
            g.privilege = 'SELECT' AND g.grantee IN (app, reader)
        WHEN c.relkind = 'v' AND c.oid >= 16384 THEN g.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        WHEN p.oid >= 16384 THEN p.proname NOT LIKE 'workspace\\_db\\_%' OR p.proname IN ('workspace_db_matching_chunks', 'workspace_db_matching_messages',
            'workspace_db_search_text', 'workspace_db_text_config', 'workspace_db_enqueue_jobs', 'workspace_db_finish_jobs',
            'workspace_db_finish_job_here', 'workspace_db_hold_lease', 'workspace_db_cancel_job', 'workspace_db_retry_job')
        WHEN g.class = 'pg_namespace'::regclass THEN g.privilege = 'USAGE'
        WHEN g.class = 'pg_database'::regclass THEN g.privilege IN ('CONNECT', 'TEMPORARY')
        ELSE false END, true)
),
-- Views that read a tenants' table, over any number of others.
reads AS (
    SELECT oid FROM guarded
    UNION
    SELECT w.ev_class FROM reads r JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid
        AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite w ON w.oid = d.objid
    WHERE w.ev_type = '1'
),
-- Functions that reach further than who calls them, and why. A subject may call them, or something calls them for it
-- without asking whether it may: a trigger, a default, an aggregate.
reaching AS (
    SELECT p.oid, why FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang, LATERAL (SELECT CASE
        WHEN p.prosecdef THEN 'owner'
        WHEN p.oid >= 16384 AND p.proleakproof THEN 'leakproof'
        WHEN EXISTS (SELECT FROM unnest(p.proconfig) entry WHERE lower(entry) ~ '^(app\\.|role=|row_security=)') THEN 'setting'
        -- What an extension brought is as its makers meant it.
        WHEN p.oid >= 16384 AND NOT l.lanpltrusted AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') THEN 'language'
        END) AS reason (why)
    WHERE (p.prosecdef OR p.proconfig IS NOT NULL OR p.oid >= 16384) AND why IS NOT NULL
      AND p.oid NOT IN (SELECT oid FROM (VALUES (to_regprocedure('workspace_db_matching_chunks(tsquery,integer)')),
          (to_regprocedure('workspace_db_matching_messages(tsquery,tsquery,integer,text,uuid,message_state[],timestamptz,timestamptz,integer)'))) AS known (oid) WHERE oid IS NOT NULL)
      AND (EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            WHERE a.grantee = 0 OR a.grantee IN (SELECT role FROM subject EXCEPT SELECT role FROM more))
        OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
            AND (d.classid <> 'pg_proc'::regclass OR d.objid IN (SELECT aggfnoid FROM pg_aggregate))))
)
";
