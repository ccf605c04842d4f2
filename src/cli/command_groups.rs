//! The groups of commands in `roster --help`: what somebody wants to do, and the commands for it.

use clap::Command;
use clap::builder::StyledStr;
use clap::builder::styling::Styles;
use std::fmt::Write;

/// Every command, by what it is used for. A test fails if one is in no group.
pub const GROUPS: [(&str, &[&str]); 7] = [
    (
        "Write manifests",
        &["init", "validate", "fmt", "codeowners", "schema", "explain"],
    ),
    (
        "Plan and apply",
        &[
            "plan", "apply", "show", "compare", "comment", "holds", "approve", "reject", "revert",
        ],
    ),
    (
        "Look at the directory",
        &[
            "get", "why", "history", "changes", "state", "visible", "policy", "export",
        ],
    ),
    ("Read exports", &["import", "feed", "propose"]),
    (
        "Act on customers and people",
        &["user", "block", "unblock", "dossier", "erase"],
    ),
    (
        "Run the daemon",
        &[
            "serve",
            "status",
            "reconcile",
            "suspend",
            "resume",
            "token",
            "notice",
            "openapi",
        ],
    ),
    (
        "Maintain",
        &["migrate", "source", "adopt", "lock", "completions", "man"],
    ),
];

/// How wide a line of the list may be, as the rest of the help.
pub const WIDTH: usize = 100;

/// Returns the template of the help, with the list of these commands written out.
pub fn help_template(commands: &Command) -> StyledStr {
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n\n");
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let longest = names.map(|name| name.len()).max().unwrap_or_default();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "{header}{title}:{header:#}");
        for command in names
            .iter()
            .filter_map(|name| commands.find_subcommand(name))
        {
            let name = command.get_name();
            let indent = longest - name.len() + 2;
            let _ = write!(text, "  {literal}{name}{literal:#}{:indent$}", "");
            let _ = writeln!(text, "{}", wrapped(&about(command), longest + 4));
        }
        text.push('\n');
    }
    let _ = write!(
        text,
        "{header}Global options:{header:#}\n{{options}}{{after-help}}"
    );
    text.into()
}

/// What a command does, with its other names.
fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    let other: Vec<&str> = command.get_visible_aliases().collect();
    if other.is_empty() {
        about
    } else {
        format!("{about} [alias: {}]", other.join(", "))
    }
}

/// Breaks a text into lines that begin at a column.
fn wrapped(text: &str, column: usize) -> String {
    let mut lines = String::new();
    let mut width = column;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > column && width + 1 + length > WIDTH {
            let _ = write!(lines, "\n{:column$}", "");
            width = column;
        } else if width > column {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines
}
