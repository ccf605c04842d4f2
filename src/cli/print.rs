//! Prints the result of a command to stdout.

use super::CommandResult;
use std::io::{self, ErrorKind, Write};

/// Prints a result; a closed pipe (`| head`) is no failure.
pub fn print(text: impl AsRef<[u8]>) -> CommandResult {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(0),
    }
}
