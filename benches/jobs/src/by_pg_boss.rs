//! pg-boss, in a process of Node.js that does what it is told, a line each.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub struct PgBoss {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What it has measured: seconds, and milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Measurement {
    pub seconds: f64,
    pub p50: f64,
    pub p99: f64,
}

impl PgBoss {
    /// # Panics
    ///
    /// Where npm can't install it, or it does not start.
    pub async fn start(url: &str) -> Self {
        let folder = install().await;
        let mut child = Command::new(folder.join("node_modules/.bin/node"))
            .arg("side.mjs")
            .current_dir(&folder)
            .env("DATABASE_URL", url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let orders = child.stdin.take().expect("its input");
        let answers = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut side = Self { child, orders, answers };
        side.answer().await;
        side
    }

    /// # Panics
    ///
    /// Where it does not answer.
    pub async fn order(&mut self, order: &str) -> Measurement {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.expect("it listens");
        self.answer().await
    }

    async fn answer(&mut self) -> Measurement {
        let line = self.answers.next_line().await.expect("it speaks").expect("it has not ended");
        serde_json::from_str(&line).expect("it speaks JSON")
    }

    /// # Panics
    ///
    /// Where it does not end.
    pub async fn stop(&mut self) {
        self.orders.write_all(b"stop\n").await.expect("it listens");
        self.child.wait().await.expect("it ends");
    }
}

/// Installs it, with a Node.js that it runs on, into the ignored folder of build results.
async fn install() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("pg-boss");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pg-boss");
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["package.json", "side.mjs"] {
        std::fs::copy(source.join(file), folder.join(file)).expect("a copy");
    }
    let installed = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--silent"])
        .current_dir(&folder)
        .status()
        .await
        .expect("npm starts");
    assert!(installed.success(), "npm could not install pg-boss");
    folder
}
