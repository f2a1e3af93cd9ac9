//! Roles and logins on a server of somebody else: made by the migrations, by the command, or by a superuser for an owner
//! who may not.

use diesel_async::SimpleAsyncConnection as _;
use secrecy::SecretString;
use workspace_db::config::{Config, DatabaseUrl, Environment};
use workspace_db::db;
use workspace_db::db::migrations::{Migrator, RevertCount};
use workspace_db::tenancy::{Database, TENANT_TABLES};
use workspace_db_embedded::{Cluster, Durability, install};
use workspace_db_testing::{conformance, seed};

use crate::cli::Shell;
use crate::folder::Folder;

/// A server on which nobody has made a role but the owner of one database.
struct Server {
    cluster: Cluster,
    port: u16,
    password: SecretString,
    _folder: Folder,
}

impl Server {
    async fn with_owner(may: &str) -> Self {
        let folder = Folder::new();
        let (cluster, port, password) = tokio::task::spawn_blocking({
            let path = folder.path().join("server");
            move || {
                let cluster = Cluster::new(install(None, || ()).unwrap(), path, Durability::None).unwrap();
                let password = SecretString::from("of everyone here");
                cluster.initialise(&password).unwrap();
                let port = cluster.start_on_free_port().unwrap();
                (cluster, port, password)
            }
        })
        .await
        .unwrap();
        let server = Self { cluster, port, password, _folder: folder };
        let mut superuser = db::connect(&server.url("postgres", "template1")).await.unwrap();
        superuser.batch_execute("CREATE EXTENSION vector").await.unwrap();
        drop(superuser);
        let mut superuser = db::connect(&server.url("postgres", "postgres")).await.unwrap();
        let owner = format!("CREATE ROLE platform LOGIN {may} PASSWORD 'of everyone here'");
        superuser.batch_execute(&owner).await.unwrap();
        superuser.batch_execute("CREATE DATABASE platform OWNER platform").await.unwrap();
        server
    }

    fn url(&self, user: &str, database: &str) -> DatabaseUrl {
        Cluster::url(self.port, user, &self.password, database).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.cluster.stop();
    }
}

/// Through the command line, off the test's own runtime.
async fn run(shell: Shell, args: &'static [&'static str]) -> String {
    tokio::task::spawn_blocking(move || shell.succeed(args)).await.unwrap()
}

#[tokio::test]
async fn an_owner_who_may_make_roles_needs_nobody_else() {
    let server = Server::with_owner("CREATEROLE").await;
    let owner = server.url("platform", "platform");
    Migrator::new(&owner, Environment::Production).run(|_| ()).await.unwrap();
    // On day one there is this URL alone.
    Database::open(&Config { database_url: Some(owner.clone()), ..Config::default() }).await.unwrap();
    let shell = || Shell::new().with("DATABASE_URL", owner.expose());
    let output = run(shell(), &["roles", "--apply"]).await;
    let url = |name: &str| output.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap();
    let config = Config {
        database_app_url: Some(url("DATABASE_APP_URL=")),
        database_platform_url: Some(url("DATABASE_PLATFORM_URL=")),
        environment: Environment::Production,
        ..Config::default()
    };
    Database::open(&config).await.unwrap();
    let mut platform = db::connect(config.database_platform_url.as_ref().unwrap()).await.unwrap();
    for slug in ["a", "b"] {
        seed(&mut platform, slug).await.unwrap();
    }
    assert_eq!(conformance::violations(&config, TENANT_TABLES).await.unwrap(), []);
    drop(platform);
    Migrator::new(&owner, Environment::Development).revert(RevertCount::All).await.unwrap();
}

#[tokio::test]
async fn an_owner_who_may_not_is_told_what_a_superuser_must_run() {
    let server = Server::with_owner("").await;
    let owner = server.url("platform", "platform");
    let error = Migrator::new(&owner, Environment::Production).run(|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("`workspace-db roles`"), "{error}");
    let shell = || Shell::new().with("DATABASE_URL", owner.expose());
    let refused = tokio::task::spawn_blocking({
        let shell = shell();
        move || shell.fails(&["roles", "--apply"], 5)
    });
    assert!(refused.await.unwrap().contains("superuser"));
    let sql = run(shell(), &["roles"]).await;
    let mut superuser = db::connect(&server.url("postgres", "platform")).await.unwrap();
    superuser.batch_execute(&sql).await.unwrap();
    Migrator::new(&owner, Environment::Production).run(|_| ()).await.unwrap();
    // What is printed can be run again.
    superuser.batch_execute(&run(shell(), &["roles"]).await).await.unwrap();
    Database::open(&Config { database_url: Some(owner), ..Config::default() }).await.unwrap();
}
