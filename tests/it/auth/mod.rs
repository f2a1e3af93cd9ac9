//! Who gets in, who does not, and what is left behind of either.

mod admins;
mod audit;
mod input;
mod login;
mod members;
mod other_systems;
mod passwords;
mod public_api;
mod services;
mod sessions;
mod shell;
mod throttle;
mod transactions;
mod workspaces;

use std::net::IpAddr;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::SecretString;
use workspace_db::auth::{self, AdminSession, ClientInfo, NewAdmin, Token};
use workspace_db::id::AdminUserId;
use workspace_db::models::{AdminUser, NewAdminUser};
use workspace_db::schema::{admin_users, audit_log};
use workspace_db::sql_types::{AdminRole, PasswordHash};
use workspace_db::tenancy::{Administer, Database, PlatformScope, WorkspaceScope};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

const PASSWORD: &str = "correct horse battery staple";

/// For [`until`](crate::until): a statement waits for a lock.
const SOMEBODY_WAITS: &str = "SELECT count(*) > 0 AS met FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND a.datname = current_database()";

fn password() -> SecretString {
    SecretString::from(PASSWORD)
}

/// Two workspaces, and a superadmin who can log in.
struct Fixture {
    db: Database,
    conn: AsyncPgConnection,
    a: SeededWorkspace,
    b: SeededWorkspace,
    root: AdminUserId,
    database: TestDatabase,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let a = seed(&mut conn, "a").await.unwrap();
        let b = seed(&mut conn, "b").await.unwrap();
        let root = admin(&mut conn, "root@example.com", AdminRole::Superadmin).await;
        let db = database.open(8).await.unwrap();
        Self { db, conn, a, b, root, database }
    }

    async fn log_in(&self, email: &str) -> AdminSession {
        self.enter(email).await.0
    }

    async fn enter(&self, email: &str) -> (AdminSession, Token) {
        auth::log_in(&self.db, email, &password(), &ClientInfo::default()).await.unwrap()
    }

    /// The scope of a superadmin's session.
    async fn platform(&self) -> PlatformScope {
        self.log_in("root@example.com").await.platform(&self.db).await.unwrap()
    }

    /// The scope of a superadmin's session in workspace a.
    async fn administer(&self) -> WorkspaceScope<Administer> {
        self.log_in("root@example.com").await.administer(self.a.workspace, &self.db).await.unwrap()
    }

    /// A member of workspace a, or of b, with that role there, who can log in.
    async fn member(&mut self, email: &str, of: &SeededWorkspace, role: AdminRole) -> AdminUserId {
        use workspace_db::schema::workspace_admins as members;
        let admin = admin(&mut self.conn, email, AdminRole::Admin).await;
        let row = (
            members::workspace_id.eq(of.workspace),
            members::admin_user_id.eq(admin),
            members::role.eq(role),
            members::joined_at.eq(diesel::dsl::now),
        );
        diesel::insert_into(members::table).values(row).execute(&mut self.conn).await.unwrap();
        admin
    }

    /// The actions in the audit log, in order.
    async fn audit_actions(&mut self) -> Vec<String> {
        audit_log::table
            .filter(audit_log::reason.is_distinct_from("seeded"))
            .order((audit_log::occurred_at, audit_log::id))
            .select(audit_log::action)
            .load(&mut self.conn)
            .await
            .unwrap()
    }

    async fn row(&mut self, admin: AdminUserId) -> AdminUser {
        AdminUser::query().find(admin).first(&mut self.conn).await.unwrap()
    }
}

/// An administrator who can log in with [`PASSWORD`].
async fn admin(conn: &mut AsyncPgConnection, email: &str, role: AdminRole) -> AdminUserId {
    static HASH: std::sync::OnceLock<PasswordHash> = std::sync::OnceLock::new();
    let hash = HASH.get_or_init(|| PasswordHash::from_password(&password()).unwrap()).clone();
    let row = NewAdminUser { role: Some(role), ..NewAdminUser::new(email.parse().unwrap(), hash) };
    diesel::insert_into(admin_users::table).values(&row).execute(conn).await.unwrap();
    row.id
}

fn from(address: &str) -> ClientInfo {
    ClientInfo { address: Some(address.parse::<IpAddr>().unwrap()), ..ClientInfo::default() }
}

fn new_admin(email: &str, role: AdminRole) -> NewAdmin {
    NewAdmin { email: email.parse().unwrap(), role, first_name: None, last_name: None }
}
