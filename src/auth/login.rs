//! Login and change of password. Every failed attempt costs the same and returns the same error.

use std::time::Duration;

use chrono::Utc;
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::admin_tokens::{issue, revoke_all};
use super::client::ClientInfo;
use super::credential::admin_may_enter;
use super::email::{known_form, lower};
use super::password;
use super::session::AdminSession;
use super::throttle::Buckets;
use super::token::{Token, TokenKind, invalid_token};
use crate::error::{Error, ErrorKind, Result};
use crate::models::{AdminUser, NewAuditEntry};
use crate::schema::{admin_tokens, admin_users};
use crate::sql_types::{AdminStatus, AdminTokenKind, PUBLISHED_PASSWORD, PasswordHash};
use crate::tenancy::{Actor, Database};

/// Default lifetime of a session.
const SESSION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Maximum lifetime of a session.
const MAX_SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Verifies an email and a password, and returns a session and its token.
///
/// Only this call returns the token; the database stores its hash. It is valid for 7 days, or for
/// [`ClientInfo::session_lifetime`]. A login fails if the
/// email is unknown, the password is wrong or the account is disabled. It also fails for an invited account that has
/// not joined, and after too many wrong passwords. All of these cases return the same error and do the same work: one
/// password hash and the same statements. (An account from the old platform with a bcrypt hash takes the time of bcrypt
/// until its first login.) A login replaces a hash that is bcrypt or weaker than a new one.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated), for all of the above; [`is_throttled`](Error::is_throttled) after
/// too many attempts from the client's address, which reveals nothing about an account;
/// [`is_password_change_required`](Error::is_password_change_required) if the password is right and [`change_password`]
/// must come first; [`is_exhausted`](Error::is_exhausted) if too many logins run at once;
/// [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use secrecy::SecretString;
/// use workspace_db::auth::{ClientInfo, log_in};
///
/// # async fn example(db: &workspace_db::tenancy::Database) -> workspace_db::Result<()> {
/// let password = SecretString::from("correct horse battery staple");
/// let (session, token) = log_in(db, "jane@example.com", &password, &ClientInfo::default()).await?;
/// println!("Set-Cookie: session={}; HttpOnly; Secure; SameSite=Lax", token.expose());
/// # drop(session);
/// # Ok(())
/// # }
/// ```
pub async fn log_in(
    db: &Database,
    email: &str,
    password: &SecretString,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    let admin = verify(db, email, password, client).await?;
    // An account of another platform may have the published password without the mark.
    if admin.must_change_password || password.expose_secret() == PUBLISHED_PASSWORD {
        return Err(Error::new(ErrorKind::PasswordChange, "the password must be changed first")
            .remedy("change the password, and log in with the new password"));
    }
    if !admin.password_hash.is_outdated() {
        return enter(db, &admin, None, client).await;
    }
    let renewed = password::hash(password).await?;
    match enter(db, &admin, Some(&renewed), client).await {
        // A concurrent login may have renewed the hash first. The password is right for that hash too.
        Err(error) if error.is_unauthenticated() => {
            let admin = verify(db, email, password, client).await?;
            enter(db, &admin, None, client).await
        }
        entered => entered,
    }
}

/// Changes a password, and returns a session and its token. The bootstrap's password works only here.
///
/// All other sessions and tokens of the administrator are revoked.
///
/// # Errors
///
/// Same as [`log_in`]; [`is_invalid_input`](Error::is_invalid_input), with the field `password`, if the new password is
/// shorter than 12 characters or longer than 1,024 bytes. Also if it is a common one, the old one, the email or the
/// name.
///
/// ```no_run
/// use secrecy::SecretString;
/// use workspace_db::auth::{ClientInfo, change_password};
///
/// # async fn example(db: &workspace_db::tenancy::Database) -> workspace_db::Result<()> {
/// let (old, new) = (SecretString::from("ChangeMe123!"), SecretString::from("a better one than that"));
/// let (session, token) = change_password(db, "admin@example.com", &old, &new, &ClientInfo::default()).await?;
/// # drop((session, token));
/// # Ok(())
/// # }
/// ```
pub async fn change_password(
    db: &Database,
    email: &str,
    old: &SecretString,
    new: &SecretString,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    let admin = verify(db, email, old, client).await?;
    check_for(&admin, new)?;
    if password::verify(&admin.password_hash, new).await? {
        return Err(Error::invalid("must be different from the current password").of_field("password"));
    }
    let hash = password::hash(new).await?;
    db.platform(async |conn| {
        take_hash(conn, &admin, &hash).await?.then_some(()).ok_or_else(wrong_credentials)?;
        replace_sessions(conn, &admin, "password.change", client).await
    })
    .await
}

/// Sets a password with a password secret, and returns a session and its token.
///
/// The secret works once. All other sessions and tokens of the administrator are revoked.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated) if the secret was used or has expired, or the administrator is
/// disabled; [`is_invalid_input`](Error::is_invalid_input) as in [`change_password`], and the secret stays valid.
///
/// ```no_run
/// use secrecy::SecretString;
/// use workspace_db::auth::{ClientInfo, Token, set_password};
///
/// # async fn example(db: &workspace_db::tenancy::Database, from_the_link: Token) -> workspace_db::Result<()> {
/// let new = SecretString::from("a better one than that");
/// let (session, token) = set_password(db, &from_the_link, &new, &ClientInfo::default()).await?;
/// # drop((session, token));
/// # Ok(())
/// # }
/// ```
pub async fn set_password(
    db: &Database,
    secret: &Token,
    new: &SecretString,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    secret.require_kind(&[TokenKind::Password])?;
    let hash = secret.hash();
    let holder = admin_tokens::table
        .inner_join(admin_users::table)
        .filter(admin_tokens::token_hash.eq(&hash).and(admin_tokens::kind.eq(AdminTokenKind::Password)))
        .filter(admin_tokens::revoked_at.is_null().and(admin_tokens::expires_at.gt(now)))
        .filter(admin_users::status.eq(AdminStatus::Active))
        .select(AdminUser::as_select());
    let found: Option<AdminUser> =
        db.platform(async |conn| Ok::<_, Error>(holder.first(conn).await.optional()?)).await?;
    let admin = found.ok_or_else(invalid_token)?;
    check_for(&admin, new)?;
    let new_hash = password::hash(new).await?;
    db.platform(async |conn| {
        // If two requests use the same secret, the second finds another hash.
        take_hash(conn, &admin, &new_hash).await?.then_some(()).ok_or_else(invalid_token)?;
        let used = diesel::update(admin_tokens::table)
            .filter(admin_tokens::token_hash.eq(&hash).and(admin_tokens::revoked_at.is_null()))
            .set(admin_tokens::revoked_at.eq(now))
            .execute(conn)
            .await?;
        if used == 0 {
            return Err(invalid_token());
        }
        replace_sessions(conn, &admin, "password.set", client).await
    })
    .await
}

/// Verifies a password and returns its administrator, whose attempt is then refunded.
///
/// Every attempt within the rate of its address takes the same steps: count, look up the account, compute a hash.
async fn verify(db: &Database, email: &str, password: &SecretString, client: &ClientInfo) -> Result<AdminUser> {
    let email = known_form(email);
    let (buckets, found) = db
        .platform(async |conn| {
            let buckets = Buckets::count(conn, &email, client).await?;
            let query = AdminUser::query().filter(lower(admin_users::email).eq(&email));
            Ok::<_, Error>((buckets, query.first(conn).await.optional()?))
        })
        .await?;
    let found: Option<AdminUser> = found;
    let hash = match &found {
        Some(admin) if admin.password_hash.is_affordable() => admin.password_hash.clone(),
        _ => password::dummy_hash().await?,
    };
    let is_right = password::verify(&hash, password).await?;
    match found {
        Some(admin) if is_right && !buckets.is_full && admin.status == AdminStatus::Active => {
            db.platform(async |conn| buckets.refund(conn).await).await?;
            Ok(admin)
        }
        _ => {
            tracing::info!(buckets.is_full, "a login was refused");
            Err(wrong_credentials())
        }
    }
}

/// Completes a login with the right password. The update checks the row under its lock, since the account may have been
/// disabled or its password changed while the hash was computed.
async fn enter(
    db: &Database,
    admin: &AdminUser,
    renewed: Option<&PasswordHash>,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    db.platform(async |conn| {
        let still = admin_users::table
            .filter(admin_users::id.eq(admin.id).and(admin_may_enter()))
            .filter(admin_users::password_hash.eq(&admin.password_hash));
        let hash = renewed.unwrap_or(&admin.password_hash);
        let set = (admin_users::password_hash.eq(hash), admin_users::last_login_at.eq(now));
        if diesel::update(still).set(set).execute(conn).await? == 0 {
            return Err(wrong_credentials());
        }
        begin(conn, admin, "session.begin", client).await
    })
    .await
}

/// Replaces the hash that was read, and returns false if it has changed since.
///
/// It comes first in its transaction. Every transaction that changes an administrator's tokens locks their row first.
/// So no token is created during a change of password, and no deadlock occurs.
pub(super) async fn take_hash(conn: &mut AsyncPgConnection, seen: &AdminUser, hash: &PasswordHash) -> Result<bool> {
    let still = admin_users::table
        .filter(admin_users::id.eq(seen.id).and(admin_users::status.eq(AdminStatus::Active)))
        .filter(admin_users::password_hash.eq(&seen.password_hash));
    let set = (
        admin_users::password_hash.eq(hash),
        admin_users::must_change_password.eq(false),
        admin_users::is_invited.eq(false),
        admin_users::last_login_at.eq(now),
        admin_users::updated_at.eq(now),
    );
    Ok(diesel::update(still).set(set).execute(conn).await? > 0)
}

/// Revokes all tokens of the administrator and starts one session, as after a change of password.
pub(super) async fn replace_sessions(
    conn: &mut AsyncPgConnection,
    admin: &AdminUser,
    action: &'static str,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    revoke_all(conn, admin.id).await?;
    begin(conn, admin, action, client).await
}

async fn begin(
    conn: &mut AsyncPgConnection,
    admin: &AdminUser,
    action: &'static str,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    let token = Token::generate(TokenKind::Session, None)?;
    let name: String =
        client.name.as_deref().unwrap_or("a session").chars().take(200).filter(|c| !c.is_control()).collect();
    let lifetime = client.session_lifetime.unwrap_or(SESSION_LIFETIME).min(MAX_SESSION_LIFETIME);
    let row = issue(conn, admin.id, &token, &name, client.address(), Utc::now() + lifetime).await?;
    let actor = Actor::Administrator { id: admin.id, address: client.address() };
    NewAuditEntry::new(actor.clone(), action, "admin_tokens", Some(*row.as_uuid()))
        .made(&json!({ "name": name }))
        .insert(conn)
        .await?;
    Ok((AdminSession::new(admin, row, &token, actor), token))
}

pub(super) fn check_for(admin: &AdminUser, new: &SecretString) -> Result<()> {
    let (first, last) = (admin.first_name.as_deref().unwrap_or(""), admin.last_name.as_deref().unwrap_or(""));
    let local = admin.email.split('@').next().unwrap_or("");
    password::check(new, &[&admin.email, local, first, last, &format!("{first} {last}"), &format!("{first}{last}")])
}

fn wrong_credentials() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the email or the password is wrong")
        .remedy("after several wrong passwords, wait before the next attempt, or ask an operator for a password secret")
}
