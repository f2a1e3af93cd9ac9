//! The command line of workspace-db: the library's own functions, from a shell.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
