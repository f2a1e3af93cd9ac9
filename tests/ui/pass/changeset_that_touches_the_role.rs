use workspace_db::Result;
use workspace_db::models::AdminUserChanges;

fn renamed(first_name: &str) -> Result<AdminUserChanges> {
    Ok(AdminUserChanges { first_name: Some(Some(first_name.parse()?)), ..Default::default() })
}

pub fn main() {
    let _ = renamed;
}
