//! Imports point down in rank, effects live in one place, and nothing grows out of hand.

mod circles;

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The rank of every module at the top of the crate: what imports may only look down on.
const RANKS: &[(&str, u8)] = &[
    ("diagnostic", 0),
    ("model", 0),
    ("own_folder", 0),
    ("process", 0),
    ("stop_flag", 0),
    ("tls", 0),
    ("kinds", 1),
    ("manifest", 2),
    ("feed", 2),
    ("check", 3),
    ("plan", 4),
    ("store", 5),
    ("git", 5),
    ("transport", 5),
    ("document", 6),
    ("config", 7),
    ("secrets", 7),
    ("incremental", 8),
    ("reconcile", 9),
    ("cli", 10),
    ("daemon", 10),
    ("http", 10),
];

/// What may look sideways or up all the same: who, at whom, only in this file (none: anywhere), why.
const ALLOWED: &[(&str, &str, Option<&str>, &str)] = &[
    (
        "diagnostic",
        "model",
        None,
        "a finding names a key and a place",
    ),
    (
        "model",
        "kinds",
        Some("src/model/key.rs"),
        "a key shows itself with the name of its kind",
    ),
    (
        "config",
        "secrets",
        None,
        "the configuration says where secrets are",
    ),
    ("daemon", "http", None, "the daemon serves it"),
    ("cli", "daemon", None, "`roster serve` starts it"),
    ("cli", "http", None, "`roster status` talks to it"),
];

/// Crates that only one place may know.
const ONLY_IN: &[(&str, &str)] = &[("sqlx", "store")];

/// What is pure, and what it therefore never touches.
const PURE: &[&str] = &["model", "kinds", "check", "plan"];
const IMPURE: &[&[&str]] = &[
    &["std", "env"],
    &["std", "fs"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time"],
    &["chrono", "Utc"],
    &["chrono", "Local"],
    &["log"],
    &["rand"],
    &["sqlx"],
    &["tokio"],
    &["tracing"],
];

/// The directories whose files still import each other in circles.
const WITH_CIRCLES: &[&str] = &["check", "plan", "reconcile"];

/// Types whose value changes behind a shared reference. `LazyLock` is left out: it holds constants.
const INTERIOR_MUTABILITY: &[&str] = &[
    "LazyCell",
    "Mutex",
    "OnceCell",
    "OnceLock",
    "RefCell",
    "RwLock",
    "UnsafeCell",
    "thread_local",
];
/// Not found by its name: the cell of a document is called `Cell` too.
const CELL_MODULE: &[&str] = &["std", "cell"];

const BAD_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];
const MOST_LINES: usize = 400;
const MOST_FUNCTION: usize = 80;

#[test]
fn imports_point_down_in_rank() {
    report(|file, faults| {
        let Some(from) = file.module() else { return };
        let Some(rank) = rank_of(from) else {
            faults.push(format!("{}: the module `{from}` has no rank", file.name));
            return;
        };
        for (line, path) in file.paths() {
            let [root, to, ..] = path.as_slice() else {
                continue;
            };
            if root != "crate" || to == from {
                continue;
            }
            let down = rank_of(to).is_none_or(|other| other < rank);
            if !down && !is_allowed(from, to, &file.name) {
                faults.push(format!(
                    "{}:{line}: `{from}` must not import `{to}`",
                    file.name
                ));
            }
        }
    });
}

#[test]
fn effects_live_in_one_place() {
    report(|file, faults| {
        let Some(module) = file.module() else { return };
        for (line, path) in file.paths() {
            let only_in = ONLY_IN.iter().find(|(name, _)| path[0] == *name);
            if let Some((name, home)) = only_in.filter(|(_, home)| *home != module) {
                faults.push(format!("{}:{line}: only `{home}` knows {name}", file.name));
            }
            let impure = IMPURE.iter().find(|impure| starts_with(&path, impure));
            if let Some(impure) = impure.filter(|_| PURE.contains(&module)) {
                let what = impure.join("::");
                faults.push(format!(
                    "{}:{line}: `{module}` is pure and must not touch {what}",
                    file.name
                ));
            }
        }
    });
}

#[test]
fn files_of_a_directory_import_each_other_in_no_circle() {
    let found = circles::find(&sources());
    let faults: Vec<String> = found
        .iter()
        .filter(|(directory, _)| !WITH_CIRCLES.contains(&directory.as_str()))
        .flat_map(|(_, circles)| circles.iter().map(|circle| circle.join(", ")))
        .collect();
    assert!(faults.is_empty(), "circles of imports: {faults:#?}");
    for known in WITH_CIRCLES {
        let left = found.contains_key(*known);
        assert!(
            left,
            "`{known}` has no circle any more; take it off the list"
        );
    }
}

#[test]
fn the_planner_and_the_rules_keep_nothing_behind_a_shared_reference() {
    report(|file, faults| {
        let pure = file.module().is_some_and(|module| PURE.contains(&module));
        for (line, name) in file.interior_mutability().into_iter().filter(|_| pure) {
            faults.push(format!(
                "{}:{line}: a pure module must not use {name}",
                file.name
            ));
        }
    });
}

#[test]
fn files_and_functions_stay_small() {
    report(|file, faults| {
        let functions = file.functions();
        let lines = file.code_lines();
        // A table may be as long as its data.
        if lines > MOST_LINES && !functions.is_empty() {
            faults.push(format!(
                "{}: {lines} lines of code, at most {MOST_LINES}",
                file.name
            ));
        }
        for (line, name, length) in functions {
            if length > MOST_FUNCTION {
                faults.push(format!(
                    "{}:{line}: `{name}` has {length} lines, at most {MOST_FUNCTION}",
                    file.name
                ));
            }
        }
    });
}

#[test]
fn files_are_named_for_what_they_hold() {
    report(|file, faults| {
        let stems = file
            .name
            .split('/')
            .map(|part| part.trim_end_matches(".rs"));
        for bad in stems.filter(|stem| BAD_NAMES.contains(stem)) {
            faults.push(format!("{}: `{bad}` says nothing", file.name));
        }
    });
}

#[test]
fn every_exception_is_still_needed_by_its_ranks() {
    for (from, to, _, _) in ALLOWED {
        let ranks = rank_of(from).zip(rank_of(to));
        let (from_rank, to_rank) = ranks.expect("exceptions name modules with a rank");
        assert!(to_rank >= from_rank, "`{from}` may import `{to}` anyway");
    }
}

#[test]
fn the_scan_sees_what_it_should() {
    let file = File::parse(
        "src/plan/x.rs",
        "// use crate::cli::no;\nuse crate::{store::Store, model::{Key, Value}};\nuse std::{fmt, time::Instant};\n\
         fn a<'a>() { let c = '{'; let s = \"}crate::http::no\"; let r = r#\"\"crate::http::no\"#; }\n\
         const fn b() -> u8 {\n  crate::cli::x::<u8>()\n}\n\
         #[cfg(test)]\nmod tests {\n  use crate::http::no;\n  fn long() {}\n}\n",
    );
    let paths: Vec<String> = file
        .paths()
        .into_iter()
        .map(|(line, path)| format!("{line} {}", path.join("::")))
        .collect();
    assert_eq!(
        paths,
        [
            "2 crate::store::Store",
            "2 crate::model::Key",
            "2 crate::model::Value",
            "3 std::fmt",
            "3 std::time::Instant",
            "6 crate::cli::x",
        ]
    );
    assert_eq!(
        file.functions(),
        [(4, "a".to_owned(), 1), (5, "b".to_owned(), 3)]
    );
    assert_eq!(file.code_lines(), 6);
    let file = File::parse(
        "src/plan/y.rs",
        "use crate::model::Cell;\nstatic S: LazyLock<u8> = 1;\nstruct A { a: std::cell::Cell<u8>, b: Mutex<u8> }\n\
         fn a(b: &AtomicBool) { Cell::Value(1); }\n",
    );
    let found: Vec<String> = file
        .interior_mutability()
        .into_iter()
        .map(|(line, name)| format!("{line} {name}"))
        .collect();
    assert_eq!(found, ["3 std::cell", "3 Mutex", "4 AtomicBool"]);
    assert_eq!(file.module(), Some("plan"));
    assert!(!is_allowed("plan", "store", "src/plan/x.rs"));
}

/// Runs a check on every file and fails with all that it found.
fn report(check: impl Fn(&File, &mut Vec<String>)) {
    let files = sources();
    assert!(files.len() > 30, "only {} files were found", files.len());
    let mut faults = Vec::new();
    for file in &files {
        check(file, &mut faults);
    }
    let mut text = String::new();
    for fault in &faults {
        let _ = writeln!(text, "  {fault}");
    }
    assert!(faults.is_empty(), "{} faults:\n{text}", faults.len());
}

fn rank_of(module: &str) -> Option<u8> {
    let (_, rank) = RANKS.iter().find(|(name, _)| *name == module)?;
    Some(*rank)
}

fn is_allowed(from: &str, to: &str, file: &str) -> bool {
    ALLOWED.iter().any(|(who, whom, only, _)| {
        *who == from && *whom == to && only.is_none_or(|only| only == file)
    })
}

fn starts_with(path: &[String], prefix: &[&str]) -> bool {
    path.len() >= prefix.len() && path.iter().zip(prefix).all(|(a, b)| a == b)
}

fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join("src"), &mut files);
    files.sort();
    let name = |path: &PathBuf| {
        let below = path.strip_prefix(root).expect("below the root");
        below.to_string_lossy().replace('\\', "/")
    };
    let is_test = |name: &str| {
        let mut stems = name.split('/').map(|part| part.trim_end_matches(".rs"));
        stems.any(|stem| stem == "tests" || stem.ends_with("_tests"))
    };
    files
        .iter()
        .map(|path| (name(path), path))
        .filter(|(name, _)| !is_test(name))
        .map(|(name, path)| File::parse(&name, &std::fs::read_to_string(path).expect("a source")))
        .collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// A source file as tokens, without comments, literals and tests.
struct File {
    name: String,
    tokens: Vec<(usize, String)>,
}

impl File {
    fn parse(name: &str, source: &str) -> Self {
        Self {
            name: name.to_owned(),
            tokens: without_tests(&tokens(&plain(source))),
        }
    }

    /// The module at the top of the crate; `lib.rs` and `main.rs` are in none.
    fn module(&self) -> Option<&str> {
        let rest = self.name.strip_prefix("src/")?;
        let module = rest.split('/').next()?.trim_end_matches(".rs");
        (!matches!(module, "lib" | "main")).then_some(module)
    }

    fn code_lines(&self) -> usize {
        let mut lines: Vec<usize> = self.tokens.iter().map(|(line, _)| *line).collect();
        lines.dedup();
        lines.len()
    }

    /// Every path of two or more names, groups taken apart.
    fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            at = self.path(at, &[], &mut found);
        }
        found.retain(|(_, path)| path.len() > 1);
        found
    }

    /// Takes the path that starts at a token, or the token; returns what comes after.
    fn path(
        &self,
        mut at: usize,
        prefix: &[String],
        found: &mut Vec<(usize, Vec<String>)>,
    ) -> usize {
        let mut path = prefix.to_vec();
        let start = at;
        while is_name(self.token(at)) {
            path.push(self.token(at).to_owned());
            at += 1;
            if self.token(at) != "::" {
                break;
            }
            at += 1;
            if self.token(at) == "{" {
                return self.group(at + 1, &path, found);
            }
        }
        if at > start {
            found.push((self.tokens[start].0, path));
        }
        at.max(start + 1)
    }

    fn group(
        &self,
        mut at: usize,
        prefix: &[String],
        found: &mut Vec<(usize, Vec<String>)>,
    ) -> usize {
        while at < self.tokens.len() && self.token(at) != "}" {
            at = self.path(at, prefix, found);
        }
        at + 1
    }

    /// Line and name of every type whose value changes behind a shared reference.
    fn interior_mutability(&self) -> Vec<(usize, String)> {
        let of_cell = self.paths().into_iter();
        let of_cell = of_cell.filter(|(_, path)| starts_with(path, CELL_MODULE));
        let of_cell = of_cell.map(|(line, _)| (line, CELL_MODULE.join("::")));
        let names = self.tokens.iter().filter(|(_, token)| {
            let atomic = token.strip_prefix("Atomic");
            INTERIOR_MUTABILITY.contains(&token.as_str())
                || atomic.is_some_and(|rest| rest.starts_with(char::is_uppercase))
        });
        of_cell.chain(names.cloned()).collect()
    }

    /// Line, name and number of lines of code of every function with a body: comments that give
    /// reasons cost nothing.
    fn functions(&self) -> Vec<(usize, String, usize)> {
        let starts = (0..self.tokens.len()).filter(|at| self.token(*at) == "fn");
        let named = starts.filter(|at| is_name(self.token(at + 1)));
        named
            .filter_map(|at| {
                let end = end_of_item(&self.tokens, at);
                let mut lines: Vec<usize> = self
                    .tokens
                    .get(at..=end)?
                    .iter()
                    .map(|(line, _)| *line)
                    .collect();
                lines.dedup();
                let body = self.token(end) == "}";
                body.then(|| (lines[0], self.token(at + 1).to_owned(), lines.len()))
            })
            .collect()
    }

    fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |(_, token)| token)
    }
}

/// The last token of the item that starts here: its `;`, or the `}` of its first braces.
fn end_of_item(tokens: &[(usize, String)], start: usize) -> usize {
    let mut depth = 0;
    let mut nested = 0;
    for (at, (_, token)) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "(" | "[" => nested += 1,
            ")" | "]" => nested -= 1,
            ";" if depth == 0 && nested == 0 => return at,
            "{" => depth += 1,
            "}" if depth == 1 && nested == 0 => return at,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Takes out whatever `#[cfg(test)]` stands before.
fn without_tests(tokens: &[(usize, String)]) -> Vec<(usize, String)> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let here = tokens[at..].iter().map(|(_, token)| token.as_str());
        if here.take(MARK.len()).eq(MARK) {
            at = end_of_item(tokens, at + MARK.len()) + 1;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(code.lines()) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let in_name = |c: char| c.is_alphanumeric() || c == '_';
            let length = if in_name(first) {
                rest.find(|c| !in_name(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((line, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// The source with comments and literals made blank, line for line.
fn plain(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = literal(rest);
        if length == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            // `r` at the end of a name starts no raw string.
            if is_name(&c.to_string()) {
                let more = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                let more = more.unwrap_or(rest.len());
                out.push_str(&rest[..more]);
                rest = &rest[more..];
            }
        } else {
            out.push(' ');
            out.extend(rest[..length].chars().filter(|c| *c == '\n'));
            rest = &rest[length..];
        }
    }
    out
}

/// The length of the comment or literal that stands at the start, 0 when there is none.
fn literal(text: &str) -> usize {
    let until = |end: &str, from: usize| {
        let found = text[from..].find(end);
        found.map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return until("*/", 2);
    }
    let unprefixed = text.strip_prefix('b').unwrap_or(text);
    let prefix = text.len() - unprefixed.len();
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return until(&end, prefix + hashes + 2);
        }
    }
    if unprefixed.starts_with('"') {
        return prefix + quoted(unprefixed, '"');
    }
    let mut next = unprefixed.chars().skip(1);
    let (second, third) = (next.next(), next.next());
    if unprefixed.starts_with('\'') && (second == Some('\\') || third == Some('\'')) {
        return prefix + quoted(unprefixed, '\'');
    }
    0
}

/// The length of a quoted literal with escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[test]
fn the_architecture_page_names_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("specs/architecture.md")).expect("the page");
    let named = page.split('`').filter(|word| {
        ["src/", "tests/", "specs/"]
            .iter()
            .any(|top| word.starts_with(top))
            && !word.contains(' ')
    });
    let missing: Vec<&str> = named.filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "specs/architecture.md: {missing:?}");
}
