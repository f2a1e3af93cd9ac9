//! Administrators of the platform: creation, roles, passwords and tokens. At least one superadmin always remains.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::admin_tokens::{create_token, issue, revoke, revoke_all, valid_tokens};
use super::credential::admin_may_enter;
use super::email::lower;
use super::password;
use super::token::{Token, TokenKind, days_from_now};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{AdminTokenId, AdminUserId};
use crate::models::{AdminToken, AdminUser, AdminUserChanges, NewAdminUser, NewAuditEntry};
use crate::schema::{admin_tokens, admin_users};
use crate::sql_types::{AdminRole, AdminStatus, AdminTokenKind, Email, Name, PasswordHash, StatementTime};
use crate::tenancy::{Actor, PlatformExecutor, PlatformScope, load_readable};

/// Number of days for which a password secret is valid.
const SECRET_DAYS: i64 = 1;

/// Input for a new administrator.
#[derive(Clone, Debug)]
pub struct NewAdmin {
    /// Login name.
    pub email: Email,
    /// Role on the platform.
    pub role: AdminRole,
    /// Given name.
    pub first_name: Option<Name>,
    /// Family name.
    pub last_name: Option<Name>,
}

/// Creates an administrator, and a secret with which they set their password once, within one day.
///
/// Only this call returns the secret; send it to the administrator. The account can't be used until then.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict), with the field `email`, if an administrator has this email, in upper or lower
/// case; [`is_forbidden`](Error::is_forbidden) if the scope's administrator uses an API token or is no longer a
/// superadmin.
///
/// ```no_run
/// use workspace_db::auth::{NewAdmin, create_admin};
/// use workspace_db::sql_types::AdminRole;
/// use workspace_db::tenancy::{Database, PlatformScope};
///
/// # async fn example(db: &Database, platform: &PlatformScope) -> workspace_db::Result<()> {
/// let jane = NewAdmin {
///     email: "jane@example.com".parse()?,
///     role: AdminRole::Superadmin,
///     first_name: Some("Jane".parse()?),
///     last_name: None,
/// };
/// let (admin, secret) = create_admin(db, platform, &jane).await?;
/// println!("{}: https://example.com/password#{}", admin.email, secret.expose());
/// # Ok(())
/// # }
/// ```
pub async fn create_admin(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    new: &NewAdmin,
) -> Result<(AdminUser, Token)> {
    let hash = password::unusable().await?;
    let database = db.token()?;
    db.run(async |conn| {
        let actor = platform.actor_in_person(conn, database).await?;
        let row = NewAdminUser { role: Some(new.role), ..pending(new, hash) };
        let admin = insert(conn, &row).await?.ok_or_else(|| email_taken(&new.email))?;
        let secret = issue_secret(conn, admin.id).await?;
        record(conn, actor, "admin.create", &admin).await?;
        Ok((admin, secret))
    })
    .await
}

/// Returns the row of an account that can't be used until its owner has set a password.
pub(super) fn pending(new: &NewAdmin, unusable: PasswordHash) -> NewAdminUser {
    NewAdminUser {
        must_change_password: Some(true),
        first_name: new.first_name.clone(),
        last_name: new.last_name.clone(),
        ..NewAdminUser::new(new.email.clone(), unusable)
    }
}

/// Inserts the row unless an administrator has its email.
pub(super) async fn insert(conn: &mut AsyncPgConnection, row: &NewAdminUser) -> Result<Option<AdminUser>> {
    Ok(diesel::insert_into(admin_users::table)
        .values(row)
        .on_conflict_do_nothing()
        .returning(AdminUser::as_returning())
        .get_result(conn)
        .await
        .optional()?)
}

pub(super) fn email_taken(email: &Email) -> Error {
    Error::new(ErrorKind::Conflict, format!("an administrator with the email {email} already exists")).of_field("email")
}

/// Creates a secret with which an administrator sets their password once, within one day.
///
/// Use it for an administrator who forgot their password or has not set one. Their sessions and tokens stay valid until
/// the secret is used. An earlier secret is revoked.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the administrator does not exist; [`is_forbidden`](Error::is_forbidden).
pub async fn reset_password(db: impl PlatformExecutor, platform: &PlatformScope, admin: AdminUserId) -> Result<Token> {
    let database = db.token()?;
    db.run(async |conn| {
        let row = find(conn, admin).await;
        let actor = platform.actor_in_person(conn, database).await?;
        let admin = row?;
        let earlier = admin_tokens::table
            .filter(admin_tokens::admin_user_id.eq(admin.id).and(admin_tokens::revoked_at.is_null()))
            .filter(admin_tokens::kind.eq(AdminTokenKind::Password));
        diesel::update(earlier).set(admin_tokens::revoked_at.eq(now)).execute(conn).await?;
        let secret = issue_secret(conn, admin.id).await?;
        NewAuditEntry::new(actor, "password.reset", "admin_users", Some(*admin.id.as_uuid())).insert(conn).await?;
        Ok(secret)
    })
    .await
}

/// Disables an administrator. All their sessions and tokens are revoked and end everywhere within one second.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if they are the last superadmin who can log in;
/// [`is_not_found`](Error::is_not_found); [`is_forbidden`](Error::is_forbidden).
pub async fn disable(db: impl PlatformExecutor, platform: &PlatformScope, admin: AdminUserId) -> Result<AdminUser> {
    let database = db.token()?;
    db.run(async |conn| {
        let superadmins = locked_superadmins(conn).await?;
        let row = find(conn, admin).await;
        let actor = platform.actor(conn, database).await?;
        let before = row?;
        must_remain(&superadmins, admin)?;
        revoke_all(conn, admin).await?;
        change_access(
            conn,
            actor,
            "admin.disable",
            &before,
            &AdminAccessChanges { status: Some(AdminStatus::Disabled), ..AdminAccessChanges::default() },
        )
        .await
    })
    .await
}

/// Enables a disabled administrator, with their earlier password. Their sessions and tokens stay revoked.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found), [`is_forbidden`](Error::is_forbidden).
pub async fn enable(db: impl PlatformExecutor, platform: &PlatformScope, admin: AdminUserId) -> Result<AdminUser> {
    let database = db.token()?;
    db.run(async |conn| {
        let row = find(conn, admin).await;
        let actor = platform.actor_in_person(conn, database).await?;
        let before = row?;
        change_access(
            conn,
            actor,
            "admin.enable",
            &before,
            &AdminAccessChanges { status: Some(AdminStatus::Active), ..AdminAccessChanges::default() },
        )
        .await
    })
    .await
}

/// Promotes an administrator to superadmin, or demotes a superadmin to admin.
///
/// # Errors
///
/// Same as [`disable`].
pub async fn change_role(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    admin: AdminUserId,
    role: AdminRole,
) -> Result<AdminUser> {
    let database = db.token()?;
    db.run(async |conn| {
        let superadmins = locked_superadmins(conn).await?;
        let row = find(conn, admin).await;
        let actor = platform.actor_in_person(conn, database).await?;
        let before = row?;
        if role != AdminRole::Superadmin {
            must_remain(&superadmins, admin)?;
        }
        change_access(
            conn,
            actor,
            "admin.change_role",
            &before,
            &AdminAccessChanges { role: Some(role), ..AdminAccessChanges::default() },
        )
        .await
    })
    .await
}

/// Changes the email and the names of an administrator.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if another administrator has the email; [`is_not_found`](Error::is_not_found);
/// [`is_forbidden`](Error::is_forbidden).
pub async fn change_details(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    admin: AdminUserId,
    changes: &AdminUserChanges,
) -> Result<AdminUser> {
    let database = db.token()?;
    db.run(async |conn| {
        let row = find(conn, admin).await;
        let actor = platform.actor(conn, database).await?;
        let before = row?;
        let updated = diesel::update(admin_users::table.find(admin))
            .set(changes)
            .returning(AdminUser::as_returning())
            .get_result(conn)
            .await;
        let after = updated.map_err(Error::from).map_err(|error| match &changes.email {
            Some(email) if error.is_conflict() => email_taken(email).caused_by(error),
            _ => error,
        })?;
        record_change(conn, actor, "admin.change_details", &before, &after).await?;
        Ok(after)
    })
    .await
}

/// Lists all administrators by email. A row that can't be read is skipped and logged.
///
/// # Errors
///
/// [`is_forbidden`](Error::is_forbidden), [`is_unreachable`](Error::is_unreachable).
pub async fn admins(db: impl PlatformExecutor, platform: &PlatformScope) -> Result<Vec<AdminUser>> {
    let database = db.token()?;
    db.run(async |conn| {
        platform.actor(conn, database).await?;
        load_readable(AdminUser::query().order(lower(admin_users::email)), conn).await
    })
    .await
}

/// Creates a token with which a program acts as an administrator for `days` days. Only this call returns the token.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found), [`is_forbidden`](Error::is_forbidden);
/// [`is_invalid_input`](Error::is_invalid_input) if `days` is 0 or more than 366.
pub async fn create_admin_token(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    admin: AdminUserId,
    name: &Name,
    days: u32,
) -> Result<(AdminToken, Token)> {
    let database = db.token()?;
    db.run(async |conn| {
        let row = find(conn, admin).await;
        let actor = platform.actor_in_person(conn, database).await?;
        let admin = row?;
        create_token(conn, actor, admin.id, name, days).await
    })
    .await
}

/// Lists the valid sessions and API tokens of an administrator, newest first.
///
/// # Errors
///
/// [`is_forbidden`](Error::is_forbidden), [`is_unreachable`](Error::is_unreachable).
pub async fn list_admin_tokens(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    admin: AdminUserId,
) -> Result<Vec<AdminToken>> {
    let database = db.token()?;
    db.run(async |conn| {
        platform.actor(conn, database).await?;
        valid_tokens(conn, admin).await
    })
    .await
}

/// Revokes a session or token of an administrator.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found), [`is_forbidden`](Error::is_forbidden).
pub async fn revoke_admin_token(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    admin: AdminUserId,
    token: AdminTokenId,
) -> Result<()> {
    let database = db.token()?;
    db.run(async |conn| {
        let row = find(conn, admin).await;
        let actor = platform.actor(conn, database).await?;
        revoke(conn, actor, row?.id, token).await
    })
    .await
}

/// Changes of columns that [`AdminUserChanges`] does not have.
#[derive(Default, AsChangeset)]
#[diesel(table_name = admin_users)]
struct AdminAccessChanges {
    role: Option<AdminRole>,
    status: Option<AdminStatus>,
    updated_at: StatementTime,
}

async fn change_access(
    conn: &mut AsyncPgConnection,
    actor: Actor,
    action: &'static str,
    before: &AdminUser,
    change: &AdminAccessChanges,
) -> Result<AdminUser> {
    let after = diesel::update(admin_users::table.find(before.id))
        .set(change)
        .returning(AdminUser::as_returning())
        .get_result(conn)
        .await?;
    record_change(conn, actor, action, before, &after).await?;
    Ok(after)
}

async fn issue_secret(conn: &mut AsyncPgConnection, admin: AdminUserId) -> Result<Token> {
    let secret = Token::generate(TokenKind::Password, None)?;
    issue(conn, admin, &secret, "a password secret", None, days_from_now(SECRET_DAYS)).await?;
    // An account with a password secret no longer gets its password from an invitation.
    let invited = admin_users::table.find(admin).filter(admin_users::is_invited);
    diesel::update(invited).set(admin_users::is_invited.eq(false)).execute(conn).await?;
    Ok(secret)
}

/// Finds the administrator that an action changes, and locks the row.
///
/// Callers check the authorization after they have the lock. An actor may have waited here for the transaction that
/// disabled them, and must not act on their earlier rights.
async fn find(conn: &mut AsyncPgConnection, admin: AdminUserId) -> Result<AdminUser> {
    let found = AdminUser::query().find(admin).for_no_key_update().first(conn).await.optional()?;
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no administrator {admin}")))
}

/// Returns the superadmins who can log in, with their rows locked in one order. If two superadmins remove each other,
/// the second one waits and then gets an error. The order prevents a deadlock.
async fn locked_superadmins(conn: &mut AsyncPgConnection) -> Result<Vec<AdminUserId>> {
    Ok(admin_users::table
        .filter(admin_users::role.eq(AdminRole::Superadmin).and(admin_may_enter()))
        .order(admin_users::id)
        .select(admin_users::id)
        .for_no_key_update()
        .load(conn)
        .await?)
}

fn must_remain(superadmins: &[AdminUserId], without: AdminUserId) -> Result<()> {
    if superadmins == [without] {
        return Err(Error::new(ErrorKind::Conflict, "this is the last superadmin who can log in")
            .remedy("create another superadmin first, and have them log in"));
    }
    Ok(())
}

pub(super) async fn record(
    conn: &mut AsyncPgConnection,
    actor: Actor,
    action: &'static str,
    admin: &AdminUser,
) -> Result<()> {
    NewAuditEntry::new(actor, action, "admin_users", Some(*admin.id.as_uuid())).made(admin).insert(conn).await
}

async fn record_change(
    conn: &mut AsyncPgConnection,
    actor: Actor,
    action: &'static str,
    before: &AdminUser,
    after: &AdminUser,
) -> Result<()> {
    NewAuditEntry::new(actor, action, "admin_users", Some(*after.id.as_uuid())).change(before, after).insert(conn).await
}
