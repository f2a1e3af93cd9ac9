//! The command line of workspace-db: the functions of the library, from a shell.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
