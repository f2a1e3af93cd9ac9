//! Writes docs/reference/commands.md and settings.md, and fails if they differ from the program's help.
//!
//! To write them, run `WORKSPACE_DB_WRITE_REFERENCE=1 cargo test --bin workspace-db reference`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use workspace_db::config::settings;

use super::Cli;

const WRITE: &str = "WORKSPACE_DB_WRITE_REFERENCE";
const TITLE: &str = "Generated from the program: do not edit. CONTRIBUTING.md, \"References\", has the command.";

/// Fails if a file of docs/reference differs from the text. If `WRITE` is set, it writes the file first.
fn compare(file: &str, text: &str) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference")).join(file);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, text).unwrap();
    }
    let current = fs::read_to_string(&path).unwrap_or_default();
    assert!(current == text, "docs/reference/{file} is out of date: {WRITE}=1 cargo test --bin workspace-db reference");
}

/// Returns the command with a fixed width, and without values from the environment of this machine.
fn for_reference(command: clap::Command) -> clap::Command {
    let command = command.term_width(110).mut_args(|arg| arg.hide_env_values(true));
    command.mut_subcommands(for_reference)
}

fn describe(command: &mut clap::Command, name: &str, text: &mut String) {
    writeln!(text, "\n## {name}\n\n```text\n{}\n```", command.render_long_help().to_string().trim_end()).unwrap();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        // The first command lists the options that every command has.
        let is_global = |arg: &clap::Arg| ["data_dir", "json", "help", "version"].contains(&arg.get_id().as_str());
        let mut sub = sub.clone().mut_args(|arg| if is_global(&arg) { arg.hide(true) } else { arg });
        let name = format!("{name} {}", sub.get_name());
        describe(&mut sub, &name, text);
    }
}

#[test]
fn the_commands_are_those_of_the_reference() {
    let mut command = for_reference(Cli::command());
    command.build();
    let mut text = format!("# Commands\n\n{TITLE} Every command takes `--data-dir`, `--json` and `--help`.\n");
    describe(&mut command, "workspace-db", &mut text);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    compare("commands.md", &(lines.join("\n") + "\n"));
}

#[test]
fn the_settings_are_those_of_the_reference() {
    let mut text = format!(
        "# Settings\n\n{TITLE}\n\nAll settings are environment variables. An empty variable counts as unset.\n\n| Variable | Default | Meaning |\n|---|---|---|\n"
    );
    for setting in settings() {
        let default = setting.default.unwrap_or_default();
        writeln!(text, "| `{}` | {default} | {} |", setting.name, setting.meaning).unwrap();
    }
    text.push_str(
        "\nThe test suite of this repository reads more variables, which [CONTRIBUTING.md](../../CONTRIBUTING.md) lists.\n",
    );
    compare("settings.md", &text);
}
