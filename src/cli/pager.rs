//! Shows text that may be longer than the screen in the pager of the user, as git does.

use clap::Args;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::process::{Child, Command, Stdio};
use tokio::signal::unix::{SignalKind, signal};

/// `--no-pager`, of commands that show plans.
#[derive(Clone, Debug, Args)]
pub struct PagerOptions {
    /// Never use a pager. Without it, text on a terminal goes through ROSTER_PAGER, PAGER or `less`.
    #[arg(long)]
    pub no_pager: bool,
}

/// What a shell returns if it does not find a command.
const NOT_FOUND: i32 = 127;

/// Writes to stdout, through a pager if that is a terminal.
pub fn page(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let direct = || {
        let mut out = BufWriter::new(io::stdout());
        write(&mut out)?;
        out.flush()
    };
    let Some(command) = pager().filter(|_| io::stdout().is_terminal()) else {
        return direct();
    };
    // An interrupt is for the pager, which shares the terminal and stays there. From here on it does
    // not end this process.
    let _interrupts = signal(SignalKind::interrupt())?;
    let Ok(mut child) = start(&command) else {
        return direct();
    };
    let written = match child.stdin.take() {
        Some(stdin) => {
            let mut out = BufWriter::new(stdin);
            write(&mut out).and_then(|()| out.flush())
        }
        None => Ok(()),
    };
    if child.wait()?.code() == Some(NOT_FOUND) {
        return direct();
    }
    match written {
        // Whoever leaves the pager has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The pager of the user: the first of these variables that is set, or `less`.
fn pager() -> Option<String> {
    let mut names = ["ROSTER_PAGER", "PAGER"].into_iter();
    let pager = names.find_map(|name| std::env::var(name).ok());
    let pager = pager.unwrap_or_else(|| "less".to_owned());
    let is_none = matches!(pager.trim(), "" | "cat");
    (!is_none).then_some(pager)
}

fn start(pager: &str) -> io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    // As git sets it: less leaves at once if everything fits the screen, shows colours, and keeps
    // the text on the screen.
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    command.spawn()
}
