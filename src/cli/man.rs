//! `roster man`: the manual page, derived from the commands.

use super::{CommandFailure, CommandResult, print::print};
use clap::Command;
use clap_mangen::Man;
use std::io;
use std::path::PathBuf;

/// Print the manual as one page, or write one page per command.
#[derive(clap::Args, Debug)]
pub struct ManArgs {
    /// Write one page per command into this directory: `roster.1`, `roster-plan.1`, …
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints or writes the manual of `command`.
pub fn run(args: &ManArgs, command: &Command) -> CommandResult {
    let Some(dir) = &args.dir else {
        return print(page(command)?);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(command.clone(), dir))
        .map_err(|error| {
            CommandFailure::error(format!("cannot write into {}: {error}", dir.display()))
        })?;
    Ok(0)
}

/// One page: the command itself, then a section for each subcommand.
fn page(command: &Command) -> io::Result<String> {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut page = roff(&command)?;
    for subcommand in visible(&command) {
        append(&mut page, subcommand)?;
    }
    Ok(page)
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set())
}

fn append(page: &mut String, command: &Command) -> io::Result<()> {
    section(
        page,
        &roff(command)?,
        command.get_bin_name().unwrap_or(command.get_name()),
    );
    for subcommand in visible(command) {
        append(page, subcommand)?;
    }
    Ok(())
}

fn roff(command: &Command) -> io::Result<String> {
    let mut roff = Vec::new();
    Man::new(command.clone()).render(&mut roff)?;
    String::from_utf8(roff).map_err(io::Error::other)
}

/// Turns a page into a section of another: its name becomes the heading, its sections become
/// subsections.
fn section(page: &mut String, own: &str, name: &str) {
    let mut heading = "";
    for line in own.lines() {
        if let Some(title) = line.strip_prefix(".SH ") {
            heading = title;
            match title {
                "NAME" => push(page, &format!(".SH \"{}\"", name.to_uppercase())),
                "VERSION" => {}
                _ => push(page, &format!(".SS {title}")),
            }
        } else if !matches!(heading, "" | "NAME" | "VERSION") {
            push(page, line);
        }
    }
}

fn push(page: &mut String, line: &str) {
    page.push_str(line);
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let hold = Command::new("hold").about("Lets a held step through");
        Command::new("roster")
            .about("Customers as files")
            .version("1.2.3")
            .subcommand(Command::new("plan").about("Shows what apply would do"))
            .subcommand(Command::new("approve").about("Decides").subcommand(hold))
            .subcommand(Command::new("inner").hide(true))
    }

    #[test]
    fn one_page_holds_every_command() {
        let page = page(&command()).expect("a page");
        for heading in [
            ".SH NAME",
            ".SH \"ROSTER PLAN\"",
            ".SH \"ROSTER APPROVE HOLD\"",
        ] {
            let line = format!("{heading}\n");
            assert_eq!(page.matches(&line).count(), 1, "{heading}: {page}");
        }
        assert!(page.contains("Lets a held step through"));
        assert!(!page.contains("INNER"));
        assert_eq!(page.matches(".TH").count(), 1, "{page}");
    }

    #[test]
    fn a_directory_gets_a_page_a_command() {
        let dir = tempfile::tempdir().expect("a directory");
        let args = ManArgs {
            dir: Some(dir.path().join("man")),
        };
        assert_eq!(run(&args, &command()), Ok(0));
        for name in ["roster.1", "roster-plan.1", "roster-approve-hold.1"] {
            assert!(dir.path().join("man").join(name).exists(), "{name}");
        }
    }
}
