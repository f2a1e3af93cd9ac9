use workspace_db::models::AdminUserChanges;
use workspace_db::sql_types::{AdminRole, PasswordHash};

fn promoted(stolen: PasswordHash) -> AdminUserChanges {
    AdminUserChanges { role: Some(AdminRole::Superadmin), password_hash: Some(stolen), ..Default::default() }
}

fn main() {}
