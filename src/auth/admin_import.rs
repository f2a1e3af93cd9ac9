//! Administrators of another system, with the hashes of their passwords.

use secrecy::SecretString;

use super::admins::{NewAdmin, email_taken, insert, pending, record};
use super::password;
use crate::error::Result;
use crate::models::{AdminUser, NewAdminUser};
use crate::sql_types::{PUBLISHED_PASSWORD, PasswordHash};
use crate::tenancy::{PlatformExecutor, PlatformScope};

/// Creates an administrator whose password another system has hashed already, as bcrypt or argon2id.
///
/// The administrator logs in with that password. The first login replaces a hash that is weaker than a new one. An account
/// with the published password of the bootstrap must change it first.
///
/// # Errors
///
/// As [`create_admin`](super::create_admin).
///
/// ```no_run
/// use workspace_db::auth::{NewAdmin, create_admin_with_hash};
/// # use workspace_db::tenancy::{Database, PlatformScope};
///
/// # async fn example(db: &Database, platform: &PlatformScope, jane: &NewAdmin) -> workspace_db::Result<()> {
/// let hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy".parse()?;
/// let admin = create_admin_with_hash(db, platform, jane, hash).await?;
/// # drop(admin);
/// # Ok(())
/// # }
/// ```
pub async fn create_admin_with_hash(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    new: &NewAdmin,
    hash: PasswordHash,
) -> Result<AdminUser> {
    let published = SecretString::from(PUBLISHED_PASSWORD);
    let must_change_password = password::verify(&hash, &published).await?;
    let database = db.token()?;
    db.run(async |conn| {
        let actor = platform.actor_in_person(conn, database).await?;
        let row = NewAdminUser {
            role: Some(new.role),
            must_change_password: Some(must_change_password),
            ..pending(new, hash.clone())
        };
        let admin = insert(conn, &row).await?.ok_or_else(|| email_taken(&new.email))?;
        record(conn, actor, "admin.create", &admin).await?;
        Ok(admin)
    })
    .await
}
