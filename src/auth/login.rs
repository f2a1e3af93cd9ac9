//! Logging in, and changing a password. Every attempt that fails costs the same and says the same.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::SecretString;
use serde_json::json;

use super::session::{AdminSession, issue};
use super::throttle::Buckets;
use super::token::{Token, TokenKind, invalid_token};
use super::{ClientInfo, password};
use crate::error::{Error, Kind, Result};
use crate::id::AdminUserId;
use crate::models::{AdminUser, NewAuditEntry};
use crate::schema::{admin_tokens, admin_users};
use crate::sql_types::{AdminStatus, AdminTokenKind, PasswordHash};
use crate::tenancy::{Actor, Database, admin_may_enter};

/// For how long a session is valid.
const SESSION_DAYS: i64 = 7;

/// Longer than any email; a request may bring more.
const MOST_EMAIL_BYTES: usize = 254;

/// A session and its token, for the administrator of that email and password.
///
/// The token is shown this once; the database has its hash. It is valid for 7 days. Whether the email is unknown, the
/// password wrong, the account disabled, invited and not yet joined, or has seen too many wrong passwords: the answer is
/// the same and takes the same work, one hash of a password and the same statements. (An account that came from the old
/// platform with a hash of bcrypt takes what that takes, until its first login.) A hash of other settings, or one of
/// bcrypt from the old platform, is made anew.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated), for all of the above; [`is_throttled`](Error::is_throttled) after
/// too many attempts from the client's address, which says nothing of an account;
/// [`is_password_change_required`](Error::is_password_change_required) where the password is right and
/// [`change_password`] must come first; [`is_exhausted`](Error::is_exhausted) where too many log in at once;
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
    if admin.must_change_password {
        return Err(Error::new(Kind::PasswordChange, "the password must be changed before anything else")
            .remedy("change it, and log in with the new one"));
    }
    if !admin.password_hash.is_outdated() {
        return enter(db, &admin, None, client).await;
    }
    let renewed = password::hash(password).await?;
    match enter(db, &admin, Some(&renewed), client).await {
        // Another login of the same moment may have renewed it first: the password is right for that hash, too.
        Err(error) if error.is_unauthenticated() => {
            let admin = verify(db, email, password, client).await?;
            enter(db, &admin, None, client).await
        }
        entered => entered,
    }
}

/// A session and its token under a new password: the one thing that the bootstrap's password is good for.
///
/// Every other session and token of the administrator ends.
///
/// # Errors
///
/// As [`log_in`]; [`is_invalid_input`](Error::is_invalid_input), with the field `password`, where the new one is shorter
/// than 12 characters, longer than 1,024 bytes, among the most common ones, the old one, the email or the name.
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
        return Err(Error::invalid("it is the one that is to be changed").of_field("password"));
    }
    let hash = password::hash(new).await?;
    db.platform(async |conn| {
        take_hash(conn, &admin, &hash).await?.then_some(()).ok_or_else(refused)?;
        replace_sessions(conn, &admin, "password.change", client).await
    })
    .await
}

/// A session and its token, for whoever holds a password secret, under the password that they set with it.
///
/// The secret is good once. Every other session and token of the administrator ends.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated) where the secret was used, has expired, or the administrator is
/// disabled; [`is_invalid_input`](Error::is_invalid_input) as in [`change_password`], and the secret stays good.
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
        // Of two who hold the same secret the second finds another hash.
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

/// The administrator who has shown the password, whose attempt is then not counted.
///
/// Every attempt goes through the same steps, whatever becomes of it: two buckets, one look for the account, one hash.
async fn verify(db: &Database, email: &str, password: &SecretString, client: &ClientInfo) -> Result<AdminUser> {
    let email = known_form(email);
    let (buckets, found) = db
        .platform(async |conn| {
            let buckets = Buckets::count(conn, &email, client).await?;
            let query = AdminUser::query().filter(super::lower(admin_users::email).eq(&email));
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
            Err(refused())
        }
    }
}

/// Ends a login that is right: under the row's lock, since the account may have been disabled or its password changed
/// while the hash was computed.
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
            return Err(refused());
        }
        begin(conn, admin, "session.begin", client).await
    })
    .await
}

/// Puts a new hash in the place of the one that was seen, and says whether that was still there.
///
/// It comes first in its transaction: whoever touches an administrator's tokens holds their row, so that none is made
/// beside a change of password, and nobody waits for one who waits.
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

/// Ends every token of the administrator and begins one session, as after a change of password.
pub(super) async fn replace_sessions(
    conn: &mut AsyncPgConnection,
    admin: &AdminUser,
    action: &'static str,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    revoke_all(conn, admin.id).await?;
    begin(conn, admin, action, client).await
}

/// Ends every session, API token and password secret of an administrator.
pub(super) async fn revoke_all(conn: &mut AsyncPgConnection, admin: AdminUserId) -> Result<usize> {
    let valid =
        admin_tokens::table.filter(admin_tokens::admin_user_id.eq(admin).and(admin_tokens::revoked_at.is_null()));
    Ok(diesel::update(valid).set(admin_tokens::revoked_at.eq(now)).execute(conn).await?)
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
    let row = issue(conn, admin.id, &token, &name, client.address(), days_from_now(SESSION_DAYS)).await?;
    let actor = Actor::Administrator { id: admin.id, address: client.address() };
    NewAuditEntry::new(actor.clone(), action, "admin_tokens", Some(*row.as_uuid()))
        .made(&json!({ "name": name }))
        .insert(conn)
        .await?;
    Ok((AdminSession::new(admin, row, &token, actor), token))
}

pub(super) fn days_from_now(days: i64) -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(days)
}

pub(super) fn check_for(admin: &AdminUser, new: &SecretString) -> Result<()> {
    let (first, last) = (admin.first_name.as_deref().unwrap_or(""), admin.last_name.as_deref().unwrap_or(""));
    let local = admin.email.split('@').next().unwrap_or("");
    password::check(new, &[&admin.email, local, first, last, &format!("{first} {last}"), &format!("{first}{last}")])
}

/// The form in which emails are compared. What can't be one is not told apart from one that nobody has.
fn known_form(email: &str) -> String {
    let email = email.trim().to_lowercase();
    if email.len() > MOST_EMAIL_BYTES || email.contains('\0') { String::new() } else { email }
}

fn refused() -> Error {
    Error::new(Kind::Unauthenticated, "the email or the password is wrong")
        .remedy("after several wrong passwords an account waits; an operator can send a password secret")
}
