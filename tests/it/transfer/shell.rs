//! The same from a shell.

use std::process::Command;

use super::{Fixture, RECEIPT_KEY};
use crate::cli::Shell;

#[tokio::test]
async fn a_workspace_is_exported_read_by_other_tools_erased_and_imported() {
    let fixture = Fixture::that_hurts().await;
    let shell = Shell::for_database(&fixture.database).with("WORKSPACE_DB_RECEIPT_KEY", RECEIPT_KEY);
    let before = fixture.rows(fixture.a.workspace).await;
    let said = shell.succeed(&["workspace", "export", "a"]);
    assert!(said.contains("  documents\n") && said.contains("schema 2026"), "{said}");
    let inspected = shell.json(&["workspace", "inspect", "a.tar"]);
    assert_eq!(inspected["slug"], "a");
    assert!(shell.fails(&["workspace", "export", "a"], 7).contains("a.tar already exists"));
    assert!(shell.fails(&["workspace", "export", "nobody"], 3).contains("nobody"));
    // What every Unix has.
    let folder = shell.path("unpacked");
    std::fs::create_dir(&folder).unwrap();
    let tar = Command::new("tar").args(["-xf", "../a.tar"]).current_dir(&folder).status().unwrap();
    let sums =
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&folder).status().unwrap();
    assert!(tar.success() && sums.success());

    let public = shell.succeed(&["workspace", "receipt-key"]);
    assert!(shell.fails(&["workspace", "erase", "nobody", "--receipt", "r.json"], 3).contains("nobody"));
    assert!(!shell.path("r.json").exists());
    let said = shell.succeed(&["workspace", "erase", "a", "--receipt", "r.json", "--reason", "the contract has ended"]);
    assert!(said.contains("0 left  documents"), "{said}");
    let receipt = shell.json(&["workspace", "verify-receipt", "r.json", "--key", public.trim()]);
    assert_eq!(receipt["tables"]["documents"]["left"], 0);
    let forged = std::fs::read_to_string(shell.path("r.json")).unwrap().replace("\"left\":0", "\"left\":1");
    std::fs::write(shell.path("forged.json"), forged).unwrap();
    shell.fails(&["workspace", "verify-receipt", "forged.json", "--key", public.trim()], 2);
    assert!(shell.fails(&["workspace", "erase", "a", "--receipt", "r.json"], 2).contains("r.json already exists"));
    // The id still gets the receipt.
    let id = fixture.a.workspace.to_string();
    shell.succeed(&["workspace", "erase", &id, "--receipt", "again.json"]);

    let report = shell.json(&["workspace", "import", "a.tar", "--with-jobs"]);
    assert_eq!(report["slug"], "a");
    assert_eq!(fixture.rows(fixture.a.workspace).await, super::imported(before));
    let said = shell.succeed(&["workspace", "import", "a.tar", "--beside-as", "a-copy"]);
    assert!(said.contains("left out   1 service tokens"), "{said}");
    assert!(shell.succeed(&["workspace", "list"]).contains("archived "));
    assert!(shell.fails(&["workspace", "import", "missing.tar"], 3).contains("missing.tar"));
    assert!(shell.fails(&["workspace", "import", "r.json"], 2).contains("r.json"));
}

#[tokio::test]
async fn a_persons_rows_are_exported_and_erased() {
    let fixture = Fixture::that_hurts().await;
    let shell = Shell::for_database(&fixture.database).with("WORKSPACE_DB_RECEIPT_KEY", RECEIPT_KEY);
    let person = "'; DROP TABLE workspaces; --";
    let manifest = shell.json(&["workspace", "export", "a", "--person", person, "--to", "person.tar"]);
    assert_eq!(manifest["tables"][0]["rows"], 1);
    shell.succeed(&["workspace", "erase", "a", "--person", person, "--receipt", "r.json"]);
    let again = shell.json(&["workspace", "export", "a", "--person", person, "--to", "again.tar"]);
    assert_eq!(again["tables"][0]["rows"], 0);
}

#[tokio::test]
async fn a_persons_texts_are_redacted() {
    let fixture = Fixture::that_hurts().await;
    let shell = Shell::for_database(&fixture.database);
    let person = "'; DROP TABLE workspaces; --";
    let redact = ["workspace", "redact", "a", "--person", person, "--mention", "nobody@example.com"];
    let report = shell.json(&redact);
    assert_eq!((&report["rows"]["conversations"], &report["unchanged_tables"]), (&1.into(), &serde_json::json!([])));
    assert!(shell.succeed(&redact).contains("1  conversations\n"));
    let audit = shell.json(&["audit", "--action", "person.redact"]);
    assert!(audit.as_array().unwrap().len() == 2 && !audit.to_string().contains("DROP TABLE"), "{audit}");
}
