//! Privileges of logins, and the SQL that creates roles and logins.

use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use secrecy::{ExposeSecret as _, SecretString};

use super::connection::connect;
use super::pool::{Pool, PoolSettings, pool};
use crate::config::DatabaseUrl;
use crate::error::{Error, ErrorKind, Result};

/// Group role that sees the workspace that a transaction has set.
pub const APP_ROLE: &str = "workspace_app";
/// Group role that reads the workspace that a transaction has set, and can't change anything.
pub const READER_ROLE: &str = "workspace_reader";
/// Group role that sees every workspace, by a policy.
pub const PLATFORM_ROLE: &str = "workspace_platform";

/// Returns the SQL that creates the three group roles and lets `owner` switch to them. A superuser runs it, or in most
/// managed services the first login, which has CREATEROLE. It can be run again.
///
/// The migrations do the same if the owner has the right; this is for an owner without it.
///
/// ```
/// let sql = workspace_db::db::roles::group_roles_sql("platform_owner");
/// assert!(sql.contains("GRANT workspace_app, workspace_platform TO \"platform_owner\""));
/// ```
#[must_use]
pub fn group_roles_sql(owner: &str) -> String {
    let make = |role| {
        format!(
            "DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
"
        )
    };
    format!(
        "{}{}{}-- SET without INHERIT: the owner passes no policy without asking, and a reader adds nothing to the application.
GRANT {APP_ROLE}, {PLATFORM_ROLE} TO {} WITH INHERIT FALSE, SET TRUE;
GRANT {READER_ROLE} TO {APP_ROLE} WITH INHERIT FALSE, SET TRUE;
",
        make(APP_ROLE),
        make(READER_ROLE),
        make(PLATFORM_ROLE),
        escape_identifier(owner),
    )
}

/// Returns the SQL that revokes privileges which PostgreSQL grants to all logins. A superuser runs it in each database.
///
/// It revokes the functions that end or watch other sessions, and those of large objects, which have no policies. It
/// also revokes CONNECT on the databases in which these functions are still granted. It can be run again, and needs the
/// [group roles](group_roles_sql).
///
/// `owner`, the platform's role, `pg_monitor` and `pg_signal_backend` keep them. All logins keep advisory locks, which
/// the queue, [`reembed`](crate::reembed) and migrators use.
///
/// ```
/// let sql = workspace_db::db::roles::restricted_functions_sql("platform_owner");
/// assert!(sql.contains("pg_terminate_backend"));
/// ```
#[must_use]
pub fn restricted_functions_sql(owner: &str) -> String {
    let owner = escape_literal(owner);
    format!(
        "DO $$ DECLARE
    restricted regprocedure;
    elsewhere name;
BEGIN
    FOR restricted IN
        SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (
            proname IN ('pg_terminate_backend', 'pg_cancel_backend', 'pg_stat_get_activity', 'pg_stat_get_progress_info',
                'pg_blocking_pids', 'pg_safe_snapshot_blocking_pids', 'pg_logical_emit_message')
            OR proname ~ '^(pg_stat_get_backend|lo_|loread|lowrite)')
    LOOP
        IF has_function_privilege('public', restricted, 'EXECUTE') THEN
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', restricted);
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {PLATFORM_ROLE}, pg_monitor, pg_signal_backend', restricted);
        END IF;
        IF NOT has_function_privilege({owner}, restricted, 'EXECUTE') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', restricted, {owner});
        END IF;
    END LOOP;
    FOR elsewhere IN SELECT datname FROM pg_database WHERE datname IN ('postgres', 'template1') LOOP
        IF has_database_privilege('public', elsewhere, 'CONNECT') THEN
            EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', elsewhere);
        END IF;
        IF NOT has_database_privilege({owner}, elsewhere, 'CONNECT') THEN
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', elsewhere, {owner});
        END IF;
    END LOOP;
END $$;
"
    )
}

/// Returns the SQL that creates a login of a group role, or gives an existing login that role and this password.
///
/// Such a login owns nothing, inherits only that role, and can't bypass row-level security.
///
/// ```
/// use secrecy::SecretString;
/// use workspace_db::db::roles::{APP_ROLE, login_sql};
///
/// let sql = login_sql("platform_app", &SecretString::from("s3cret"), APP_ROLE);
/// assert!(sql.contains("GRANT workspace_app TO \"platform_app\" WITH INHERIT TRUE"));
/// ```
#[must_use]
pub fn login_sql(login: &str, password: &SecretString, role: &str) -> String {
    let (name, password) = (escape_identifier(login), escape_literal(password.expose_secret()));
    format!(
        "DO $$ BEGIN
    CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
ALTER ROLE {name} LOGIN PASSWORD {password};
GRANT {role} TO {name} WITH INHERIT TRUE, SET TRUE;
"
    )
}

/// Creates the group roles as the owner, and gives each login its password and its role. Existing roles stay. If the
/// owner is a superuser, it also runs [`restricted_functions_sql`].
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if the owner may not create roles;
/// [`is_unreachable`](Error::is_unreachable).
pub async fn apply(owner: &DatabaseUrl, logins: &[(&str, &SecretString, &str)]) -> Result<()> {
    let mut conn = connect(owner).await?;
    let LoginPrivileges { login: name, is_superuser, .. } = of_connection(&mut conn).await?;
    let statements = logins.iter().map(|(login, password, role)| login_sql(login, password, role));
    // Only a superuser may revoke what PostgreSQL grants to all.
    let restricted = is_superuser.then(|| restricted_functions_sql(&name));
    for statement in std::iter::once(group_roles_sql(&name)).chain(statements).chain(restricted) {
        conn.batch_execute(&statement).await.map_err(|error| {
            let error = Error::from(error);
            Error::new(
                ErrorKind::MissingPrerequisite,
                format!("the login \"{name}\" can't create these roles: {error}"),
            )
            .remedy("run the output of `workspace-db roles` as a superuser of the server")
            .caused_by(error)
        })?;
    }
    // A migration that ran before the role existed has left this step open.
    let let_in = "DO $$ BEGIN
        IF to_regprocedure('workspace_db_let_readers_in()') IS NOT NULL THEN PERFORM workspace_db_let_readers_in(); END IF;
    END $$";
    Ok(conn.batch_execute(let_in).await?)
}

/// Pool of one login, and the beginning of its transactions.
#[derive(Clone)]
pub(crate) struct Login {
    pool: Pool,
    drops: bool,
    /// True if it may become [`READER_ROLE`], which a migrated database has.
    reads: bool,
    /// Schemas of this crate's tables and of its extensions' types, each quoted.
    schemas: String,
}

impl Login {
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Returns true if each transaction switches to a role that row-level security binds.
    pub(crate) fn drops(&self) -> bool {
        self.drops
    }

    /// Returns SQL that a transaction adds to its `BEGIN` to run as `role`. In its search path, no temporary table
    /// precedes a table of the same name.
    pub(crate) fn drop_to(&self, role: &str) -> String {
        let drops = self.drops || (role == READER_ROLE && self.reads);
        let role = if drops { format!("; SET LOCAL ROLE {role}") } else { String::new() };
        format!("; SET LOCAL search_path = {}, pg_temp{role}", self.schemas)
    }

    /// Returns the role of a transaction that only reads.
    pub(crate) fn reader(&self) -> &'static str {
        if self.reads { READER_ROLE } else { APP_ROLE }
    }

    /// Returns the same login with another pool.
    pub(crate) fn with_pool(&self, pool: Pool) -> Self {
        Self { pool, ..self.clone() }
    }
}

/// Privileges of a login, as PostgreSQL reports them.
#[derive(Debug, diesel::QueryableByName)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of one query")]
pub(crate) struct LoginPrivileges {
    #[diesel(sql_type = Text)]
    pub(crate) login: String,
    #[diesel(sql_type = Bool)]
    is_migrated: bool,
    #[diesel(sql_type = Bool)]
    pub(crate) is_superuser: bool,
    #[diesel(sql_type = Bool)]
    bypasses: bool,
    #[diesel(sql_type = Bool)]
    owns_tables: bool,
    #[diesel(sql_type = Bool)]
    pub(crate) inherits_app: bool,
    #[diesel(sql_type = Bool)]
    may_set_app: bool,
    #[diesel(sql_type = Bool)]
    may_set_reader: bool,
    #[diesel(sql_type = Bool)]
    pub(crate) inherits_platform: bool,
    #[diesel(sql_type = Bool)]
    pub(crate) may_set_platform: bool,
    #[diesel(sql_type = Nullable<Text>)]
    reaches: Option<String>,
    #[diesel(sql_type = Text)]
    schemas: String,
}

/// Query of a login's privileges. `to_regrole` returns NULL for an unknown role, and a privilege of NULL is NULL. A
/// superuser has all.
const POWERS: &str = "
SELECT current_user::text AS login,
    to_regrole('workspace_app') IS NOT NULL AND EXISTS (
        SELECT FROM pg_policies WHERE policyname = 'workspace_isolation' AND tablename = 'documents'
    ) AS is_migrated,
    r.rolsuper AS is_superuser,
    r.rolbypassrls AS bypasses,
    EXISTS (SELECT FROM pg_class c WHERE c.relrowsecurity AND pg_has_role(c.relowner, 'MEMBER')) AS owns_tables,
    coalesce(pg_has_role(to_regrole('workspace_app'), 'USAGE'), false) AS inherits_app,
    coalesce(pg_has_role(to_regrole('workspace_app'), 'SET'), false) AS may_set_app,
    coalesce(pg_has_role(to_regrole('workspace_reader'), 'SET'), false) AS may_set_reader,
    coalesce(pg_has_role(to_regrole('workspace_platform'), 'USAGE'), false) AS inherits_platform,
    coalesce(pg_has_role(to_regrole('workspace_platform'), 'SET'), false) AS may_set_platform,
    -- The first role that the login is, or may become by SET, INHERIT or ADMIN, and that is more than the application.
    (WITH RECURSIVE reach AS (
        SELECT r.oid AS role UNION SELECT m.roleid FROM reach JOIN pg_auth_members m ON m.member = reach.role
    )
    SELECT CASE WHEN g.oid = r.oid THEN '' ELSE 'can become ' || g.oid::regrole || ', which ' END || power
    FROM reach JOIN pg_roles g ON g.oid = reach.role, LATERAL concat_ws(', ',
        CASE WHEN g.rolsuper THEN 'is a superuser' END, CASE WHEN g.rolbypassrls THEN 'has BYPASSRLS' END,
        CASE WHEN g.rolcreaterole THEN 'has CREATEROLE' END, CASE WHEN g.rolcreatedb THEN 'has CREATEDB' END,
        CASE WHEN g.rolreplication THEN 'has REPLICATION' END, CASE WHEN g.oid < 16384 AND NOT g.rolsuper THEN 'is a predefined role of PostgreSQL' END,
        CASE WHEN g.rolname = 'workspace_platform' THEN 'sees every workspace' END,
        (SELECT 'owns ' || o.type || ' ' || o.identity FROM pg_shdepend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
         WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = g.oid AND d.deptype = 'o'
            AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            AND d.classid <> 'pg_largeobject'::regclass AND coalesce(o.schema, '') NOT LIKE 'pg\\_temp%' LIMIT 1)
    ) AS power WHERE power <> '' ORDER BY g.oid <> r.oid, g.rolname LIMIT 1) AS reaches,
    concat_ws(', ', 'public', (SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ')
        FROM pg_namespace n WHERE n.nspname <> 'public' AND n.oid IN (
            SELECT extnamespace FROM pg_extension WHERE extname = 'vector'
            UNION ALL SELECT relnamespace FROM pg_class WHERE oid = to_regclass('documents')))) AS schemas
FROM pg_roles r WHERE r.rolname = current_user";

impl LoginPrivileges {
    /// Returns the reason if row-level security does not bind this login or the login could escape it.
    pub(crate) fn beyond(&self) -> Option<&str> {
        self.reaches.as_deref()
    }
}

/// Returns the privileges of a URL's login.
pub(crate) async fn login_privileges(url: &DatabaseUrl) -> Result<LoginPrivileges> {
    of_connection(&mut connect(url).await?).await
}

/// Returns the privileges of an open connection's login.
pub(crate) async fn of_connection(conn: &mut AsyncPgConnection) -> Result<LoginPrivileges> {
    Ok(diesel::sql_query(POWERS).get_result(conn).await?)
}

async fn ask(url: &DatabaseUrl, settings: PoolSettings<'_>) -> Result<(Pool, LoginPrivileges)> {
    let pool = pool(url, settings)?;
    let mut conn = pool.get().await?;
    let powers = of_connection(&mut conn).await?;
    drop(conn);
    if !powers.is_migrated {
        return Err(Error::new(ErrorKind::MissingPrerequisite, format!("the database {url} has not been migrated"))
            .remedy("run `workspace-db migrate run`, or `diesel migration run`"));
    }
    Ok((pool, powers))
}

/// Opens the application's login, which row-level security must bind. Outside production, it may also be a login that
/// switches to such a role in each transaction.
pub(crate) async fn app_login(url: &DatabaseUrl, settings: PoolSettings<'_>, in_production: bool) -> Result<Login> {
    let (pool, powers) = ask(url, settings).await?;
    let login = &powers.login;
    if let Some(why) = powers.beyond() {
        if in_production {
            return Err(Error::new(
                ErrorKind::MissingPrerequisite,
                format!("the application login \"{login}\" {why}, so it can bypass row-level security"),
            )
            .remedy("create one with `workspace-db roles --apply`, and set DATABASE_APP_URL to its URL"));
        }
        if powers.may_set_app {
            return Ok(Login { pool, drops: true, reads: powers.may_set_reader, schemas: powers.schemas });
        }
    } else if powers.inherits_app {
        return Ok(Login { pool, drops: false, reads: powers.may_set_reader, schemas: powers.schemas });
    }
    Err(not_a_member(login, APP_ROLE))
}

/// Opens the platform's login: a member of the platform's role, or a login that may switch to it.
pub(crate) async fn platform_login(url: &DatabaseUrl, settings: PoolSettings<'_>) -> Result<Login> {
    let (pool, powers) = ask(url, settings).await?;
    let above = powers.is_superuser || powers.bypasses || powers.owns_tables;
    if powers.inherits_platform && !above {
        return Ok(Login { pool, drops: false, reads: false, schemas: powers.schemas });
    }
    if powers.may_set_platform {
        return Ok(Login { pool, drops: true, reads: false, schemas: powers.schemas });
    }
    Err(not_a_member(&powers.login, PLATFORM_ROLE))
}

fn not_a_member(login: &str, role: &str) -> Error {
    Error::new(ErrorKind::MissingPrerequisite, format!("the login \"{login}\" is not a member of {role}"))
        .remedy(format!("run GRANT {role} TO \"{login}\" as the owner; `workspace-db roles` prints what a login needs"))
}
