//! The studio in a real browser: `browser.mjs` drives Chromium by playwright-core, and axe-core looks for what keeps people out.

use std::path::PathBuf;

use super::Fixture;

/// The folder with `node_modules`, and Chromium; where they can't be had, the test says so.
fn tools() -> Result<(PathBuf, PathBuf), String> {
    let modules = std::env::var_os("WORKSPACE_DB_TEST_BROWSER").map(PathBuf::from);
    let modules =
        modules.ok_or("WORKSPACE_DB_TEST_BROWSER does not name a folder with playwright-core and axe-core")?;
    let chromium = which::which("chromium").map_err(|_| "chromium is not installed")?;
    which::which("node").map_err(|_| "node is not installed")?;
    Ok((modules, chromium))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_is_used_by_hand() {
    let (modules, chromium) = match tools() {
        Ok(tools) => tools,
        Err(why) => return crate::skipped(&format!("the studio in a browser: {why}")),
    };
    let mut fixture = Fixture::new(true).await;
    let a = fixture.a.workspace;
    fixture
        .run(&format!(
            "INSERT INTO documents (workspace_id, title, metadata) SELECT '{a}', 'Page ' || n, '{{\"n\": 1, \"list\": [1, 2]}}' FROM generate_series(1, 120) n;
             UPDATE messages SET confidence = 0.8;
             UPDATE document_chunks SET embedding_model = 'feature-hashing-v2';
             INSERT INTO jobs (workspace_id, job_type, status, completed_at, started_at)
                SELECT '{a}', 'reindex', 'completed', now() - n * interval '1 minute', now() - n * interval '2 minutes' FROM generate_series(1, 30) n"
        ))
        .await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/it/studio/browser.mjs");
    let output = tokio::process::Command::new("node")
        .arg(script)
        .env("LINK", fixture.links.next())
        .env("MODULES", modules)
        .env("CHROMIUM", chromium)
        .env("OTHER_ROW", super::row(a, "documents", fixture.b.workspace, fixture.b.document))
        .env("SCREENSHOTS", std::env::var_os("WORKSPACE_DB_TEST_SCREENSHOTS").unwrap_or_default())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("all steps done"), "{said}\n{complained}");
}
