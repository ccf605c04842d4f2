//! What pages, messages, examples and help name exists: every `roster …` is held against the tree of
//! commands and options.

use clap::{Arg, Command, CommandFactory};
use roster::cli::Cli;
use std::fs;
use std::path::{Path, PathBuf};

/// A mention and where it is.
struct Mention {
    place: String,
    words: Vec<String>,
}

#[test]
fn every_command_and_option_that_is_named_exists() {
    let mut tree = Cli::command();
    tree.build();
    let mut all = Vec::new();
    for (path, text) in texts() {
        for (at, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.display(), at + 1);
            mentions(line, is_script(&path), &place, &mut all);
        }
    }
    help(&tree, "roster", &mut all);
    assert!(all.len() > 300, "only {} were found", all.len());
    let wrong = all.iter().filter_map(|mention| {
        let why = unknown(&tree, &mention.words)?;
        Some(format!(
            "{}: roster {}: {why}",
            mention.place,
            mention.words.join(" ")
        ))
    });
    let wrong: Vec<String> = wrong.collect();
    assert_eq!(wrong, Vec::<String>::new(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_does_not_exist_is_found() {
    let mut tree = Cli::command();
    tree.build();
    let found = |line: &str| {
        let mut all = Vec::new();
        mentions(line, true, "here", &mut all);
        all.iter()
            .filter_map(|mention| unknown(&tree, &mention.words))
            .count()
    };
    assert_eq!(found("see `roster user welcome u-1`"), 1);
    assert_eq!(found("$ roster approve accounts acme"), 1);
    assert_eq!(found("$ x=$(roster plan --outt f) && roster apply f"), 1);
    assert_eq!(found("$ roster plan --out f --source NAME | tail -n 1"), 0);
    assert_eq!(
        found("`roster approve hold ID [--only KIND/ID] --reason \"…\"`"),
        0
    );
}

/// The texts that people read: of the messages, the sources that hold them.
fn texts() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut waiting = ["README.md", "specs", "examples", "src"]
        .map(|name| root.join(name))
        .to_vec();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder").flatten();
            waiting.extend(entries.map(|entry| entry.path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path, text));
        }
    }
    found
}

fn is_script(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ["md", "sh", "yml", "yaml"]
        .iter()
        .any(|known| ending == *known)
}

/// The commands of a line: between backticks, and in a script wherever a command may begin.
fn mentions(line: &str, script: bool, place: &str, all: &mut Vec<Mention>) {
    let mut add = |rest: &str| {
        all.push(Mention {
            place: place.to_owned(),
            words: rest.split_whitespace().map(str::to_owned).collect(),
        });
    };
    let quoted = line
        .match_indices("`roster ")
        .map(|(at, begin)| &line[at + begin.len()..]);
    quoted.for_each(|rest| add(rest.split('`').next().unwrap_or_default()));
    if !script {
        return;
    }
    for begin in [
        "$ roster ",
        "> roster ",
        "$(roster ",
        "| roster ",
        "&& roster ",
        "run: roster ",
    ] {
        let found = line
            .match_indices(begin)
            .map(|(at, begin)| &line[at + begin.len()..]);
        found.for_each(|rest| add(rest.split('`').next().unwrap_or_default()));
    }
    if let Some(rest) = line
        .trim_start()
        .strip_prefix("roster ")
        .filter(|rest| is_call(rest))
    {
        add(rest);
    }
}

/// Whether what follows `roster` at the start of a line is a command, and not the rest of a sentence.
fn is_call(rest: &str) -> bool {
    rest.contains(" --") || rest.split_whitespace().count() == 1
}

/// The help of a command and of those below it.
fn help(command: &Command, name: &str, all: &mut Vec<Mention>) {
    let text = command.clone().render_long_help().to_string();
    for line in text.lines() {
        mentions(line, false, &format!("{name} --help"), all);
    }
    for below in command.get_subcommands() {
        help(below, &format!("{name} {}", below.get_name()), all);
    }
}

/// What of a command line does not exist.
fn unknown(tree: &Command, words: &[String]) -> Option<String> {
    let mut command = tree;
    let mut words = words
        .iter()
        .map(|word| word.trim_matches(['[', ']', '(', ')', ',', '"', '\\', '.']));
    while let Some(word) = words.next() {
        if ends(word) {
            return None;
        }
        if let Some(name) = word.strip_prefix("--") {
            let (name, given) = name
                .split_once('=')
                .map_or((name, false), |(name, _)| (name, true));
            // What a page shows to be wrong.
            if name == "nonsense" {
                return None;
            }
            let Some(option) = option(command, name) else {
                return Some(format!("no option --{name}"));
            };
            if takes_value(option) && !given {
                words.next();
            }
        } else if let Some(short) = word.strip_prefix('-').and_then(|word| word.chars().next()) {
            let known = command
                .get_arguments()
                .find(|arg| arg.get_short() == Some(short));
            if known.is_some_and(takes_value) {
                words.next();
            }
        } else if command.has_subcommands() {
            if !word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                return None;
            }
            match word
                .split('|')
                .next()
                .and_then(|word| command.find_subcommand(word))
            {
                Some(below) => command = below,
                None => return Some(format!("no command {word}")),
            }
        }
    }
    None
}

/// Whether the command line ends before a word.
fn ends(word: &str) -> bool {
    word.is_empty()
        || word.starts_with(['|', '>', '<', ';', '&', '#', '2', '\''])
        || word.starts_with("$(")
}

fn option<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    let mut arguments = command.get_arguments();
    arguments.find(|arg| {
        let other = arg.get_all_aliases().unwrap_or_default();
        arg.get_long() == Some(name) || other.contains(&name)
    })
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}
