//! `roster plan --remote`: a daemon plans the tree that is here, so that a CI job needs no password
//! of the database.

use super::output::{DetailArg, Shown};
use super::remote::Remote;
use super::{Failure, Global, Outcome, Output, Scope, failure, output};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ignore::WalkBuilder;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;

/// How large the files of a tree may be together.
const MOST: usize = 48 << 20;

/// Has a tree or a revision planned, and prints what the daemon says of it.
pub async fn run(
    global: &Global,
    remote: &Remote,
    scope: &Scope,
    shown: &Shown,
    revision: Option<&str>,
    detailed: bool,
) -> Outcome {
    let mut body = json!({
        "format": format(global.output)?,
        "detail": detail(shown.detail),
    });
    if let Some(most) = shown.max_bytes {
        body["maxBytes"] = most.into();
    }
    if let Some(source) = &scope.source {
        body["source"] = source.as_str().into();
    }
    if !scope.target.is_empty() || !scope.accept.is_empty() || scope.allow_delete {
        return Err(Failure::usage(
            "a daemon plans all of a source as it is configured there: no `--target`, `--accept` or `--allow-delete`",
        ));
    }
    match (revision, &scope.paths[..]) {
        (Some(revision), []) => body["revision"] = revision.into(),
        (None, [path]) => body["files"] = files(path)?.into(),
        _ => {
            return Err(Failure::usage(
                "give the directory to be planned, or `--revision REV` of the source's repository",
            ));
        }
    }
    let answer = remote.daemon()?.post("api/v1/plan", &body).await?;
    let mut out = output::stdout();
    match answer["text"].as_str() {
        Some(text) => out.write_all(text.as_bytes())?,
        None => writeln!(out, "{:#}", answer["plan"])?,
    }
    out.flush()?;
    let code = answer["exitCode"]
        .as_u64()
        .and_then(|code| u8::try_from(code).ok());
    let code = code.unwrap_or(failure::ERROR);
    let steps = answer["steps"].as_bool().unwrap_or_default();
    Ok(if code == 0 && detailed && steps {
        failure::CHANGES
    } else {
        code
    })
}

fn format(output: Output) -> Result<&'static str, Failure> {
    match output {
        Output::Text => Ok("text"),
        Output::Json => Ok("json"),
        Output::Markdown => Ok("markdown"),
        Output::Github => Ok("github"),
        Output::Ndjson => Err(Failure::usage("a remote plan has no form `ndjson`")),
    }
}

fn detail(detail: DetailArg) -> &'static str {
    match detail {
        DetailArg::Summary => "summary",
        DetailArg::Changes => "changes",
        DetailArg::Full => "full",
    }
}

/// Every file below a folder that does not hide, by path.
fn files(root: &Path) -> Result<Map<String, Value>, Failure> {
    let unread = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::error(format!("cannot read {}: {error}", path.display()))
    };
    if !root.is_dir() {
        return Err(unread(root, &"it is no directory"));
    }
    let (mut files, mut size) = (Map::new(), 0);
    // Ignore files of Roster's are for the daemon to judge; git's have no say.
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(false);
    walk.filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !name.starts_with('.') || name == ".rosterignore"
    });
    for entry in walk.build() {
        let entry = entry.map_err(|error| unread(root, &error))?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        let bytes = std::fs::read(path).map_err(|error| unread(path, &error))?;
        size += bytes.len();
        if size > MOST {
            return Err(Failure::error(format!(
                "{} holds more than {} MB: push a branch, and have it planned with `--revision`",
                root.display(),
                MOST >> 20
            )));
        }
        let below = path.strip_prefix(root).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let content = match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => json!({"base64": STANDARD.encode(error.as_bytes())}),
        };
        files.insert(parts.join("/"), content);
    }
    Ok(files)
}
