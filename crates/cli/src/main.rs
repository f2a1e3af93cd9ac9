//! The command line of workspace-db: arguments, dispatch and the exit code. Each subcommand has its own file.
//!
//! It is a program and no library. In a clone of the repository:
//!
//! ```sh
//! cargo install --path crates/cli   # installs the program `workspace-db`
//! workspace-db up                   # starts PostgreSQL and runs the migrations
//! workspace-db --help
//! ```

mod admin;
mod adopt;
mod audit;
mod context;
mod conversations;
mod crate_tables;
mod database;
mod doctor;
mod dotenv;
mod down;
mod embedder;
mod env;
mod error;
mod import;
mod index;
mod ingest;
mod init;
mod jobs;
mod migrate;
mod modules;
mod output;
mod psql;
mod reembed;
#[cfg(test)]
mod reference;
mod retention;
mod roles;
mod search;
mod secret_key;
mod signal;
mod status;
mod studio;
mod up;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use workspace_db::config::Config;

use self::context::Context;
use self::error::{EXIT_CODES, describe, exit_code, is_broken_pipe};

/// The data layer of a multi-tenant AI workspace platform.
#[derive(Debug, Parser)]
#[command(name = "workspace-db", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Arguments of every command.
#[derive(Args, Debug)]
struct Global {
    /// Folder of the server that `up` manages
    #[arg(long, global = true, env = "WORKSPACE_DB_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Print JSON for scripts
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Down(down::Down),
    Status(status::Status),
    Env(env::Env),
    Init(init::Init),
    Migrate(migrate::Migrate),
    Doctor(doctor::Doctor),
    Adopt(adopt::Adopt),
    Ingest(ingest::Ingest),
    Import(import::Import),
    Search(Box<search::Search>),
    Index(index::Index),
    Reembed(reembed::Reembed),
    Jobs(jobs::Jobs),
    Conversations(conversations::Conversations),
    Psql(psql::Psql),
    Studio(studio::Studio),
    Roles(roles::Roles),
    Admin(admin::Admin),
    Workspace(workspace::Workspace),
    Audit(audit::Audit),
    Retention(retention::Retention),
}

fn main() -> ExitCode {
    // The message of a panic may quote content, and the default hook prints it unchanged.
    std::panic::set_hook(Box::new(|panic| output::note(panic)));
    // Must run before anything reads the environment.
    let dotenv = dotenv::load();
    let matches = without_empty_variables(Cli::command()).try_get_matches().unwrap_or_else(|error| refuse(&error));
    let data_dir_is_asked_for = is_on_the_command_line(&matches, "data_dir");
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| refuse(&error));
    let filter = std::env::var("WORKSPACE_DB_LOG").unwrap_or_else(|_| "warn".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(output::errors)
        .with_ansi(false)
        .without_time()
        // A closed log or a full disk must not end the command.
        .log_internal_errors(false)
        .init();
    let dotenv = dotenv.map(|warnings| warnings.iter().for_each(|one| tracing::warn!("{one}")));
    match dotenv.and_then(|()| run_to_end(cli, data_dir_is_asked_for)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("error: {}", describe(&error)));
            exit_code(&error)
        }
    }
}

/// Treats an empty variable as unset, as Docker Compose files set it. No argument takes it as its value.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

/// Exits as clap does, but sanitizes a quoted argument, which could contain control characters for the terminal.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        // `--help` and `--version`.
        error.exit();
    }
    // The quoted argument may be an invalid database URL with a password.
    let quoted =
        [ContextKind::InvalidValue, ContextKind::InvalidArg].into_iter().filter_map(|kind| match error.get(kind) {
            Some(ContextValue::String(text)) if text.contains("://") => Some(text),
            _ => None,
        });
    let said = quoted.fold(error.render().to_string(), |said, url| said.replace(url.as_str(), "..."));
    output::note(said.trim_end());
    std::process::exit(error.exit_code())
}

/// Runs the command, and does not wait for threads that still run. A file that is being read, or an endpoint that does not
/// answer, must not delay the exit.
fn run_to_end(cli: Cli, data_dir_is_asked_for: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(dispatch(cli, data_dir_is_asked_for));
    runtime.shutdown_background();
    done
}

async fn dispatch(cli: Cli, data_dir_is_asked_for: bool) -> anyhow::Result<()> {
    let data_dir = match cli.global.data_dir {
        Some(path) => std::path::absolute(path)?,
        None => workspace_db_embedded::data_dir()?,
    };
    let context = Context { config: Config::from_env()?, data_dir, data_dir_is_asked_for, json: cli.global.json };
    match cli.command {
        Command::Up(command) => command.run(&context).await,
        Command::Down(down::Down {}) => down::run(&context).await,
        Command::Status(status::Status {}) => status::run(&context).await,
        Command::Env(env::Env {}) => env::run(&context),
        Command::Init(command) => command.run(&context),
        Command::Migrate(command) => command.run(&context).await,
        Command::Doctor(command) => command.run(&context).await,
        Command::Adopt(command) => command.run(&context).await,
        Command::Ingest(command) => command.run(&context).await,
        Command::Import(command) => command.run(&context).await,
        Command::Search(command) => command.run(&context).await,
        Command::Index(command) => command.run(&context).await,
        Command::Reembed(command) => command.run(&context).await,
        Command::Jobs(command) => command.run(&context).await,
        Command::Conversations(command) => command.run(&context).await,
        Command::Psql(command) => command.run(&context),
        Command::Studio(command) => command.run(&context).await,
        Command::Roles(command) => command.run(&context).await,
        Command::Admin(command) => command.run(&context).await,
        Command::Workspace(command) => command.run(&context).await,
        Command::Audit(command) => command.run(&context).await,
        Command::Retention(retention::Retention {}) => retention::run(&context).await,
    }
}

/// Returns true if the command line has the global argument, before the subcommand or, in a deeper match, after it.
fn is_on_the_command_line(matches: &clap::ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
        || matches.subcommand().is_some_and(|(_, deeper)| is_on_the_command_line(deeper, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
