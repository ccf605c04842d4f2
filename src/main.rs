//! The `roster` program: parses the command line and hands over to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    roster::cli::main(std::env::args_os())
}
