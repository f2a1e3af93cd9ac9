//! `workspace-db studio`

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use workspace_db_testing::TestDatabase;

use super::ask;
use crate::cli::Shell;

#[tokio::test]
async fn it_prints_a_link_and_another_for_each_line_and_ends_on_request() {
    let database = TestDatabase::new().await.unwrap();
    let shell = Shell::for_database(&database);
    let mut child =
        shell.command(&["studio", "--port", "0"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut stdin = child.stdin.take().unwrap();
    let first = lines.next().unwrap().unwrap();
    stdin.write_all(b"\n").unwrap();
    let second = lines.next().unwrap().unwrap();
    assert_ne!(first, second);
    for link in [&first, &second] {
        // To a browser, a site of its own: its cookie goes to no other server of this machine.
        let host = url::Url::parse(link).unwrap().host_str().unwrap().parse::<std::net::Ipv4Addr>().unwrap();
        assert!(host.is_loopback() && (host != std::net::Ipv4Addr::LOCALHOST || !cfg!(target_os = "linux")), "{link}");
        assert_eq!(ask("GET", link, &[], None).await.status, 303);
    }
    // Its standard input is still open, and so is a connection.
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), ended).await.expect("it does not end");
    assert!(ended.unwrap().success());
    drop(stdin);
}

#[tokio::test]
async fn it_does_not_listen_to_others() {
    let database = TestDatabase::new().await.unwrap();
    let said = Shell::for_database(&database).fails(&["studio", "--listen", "0.0.0.0"], 2);
    assert!(said.contains("does not listen on 0.0.0.0"), "{said}");
}
