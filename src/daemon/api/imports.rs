//! Pushes: an ERP or a connector sends records, and is answered record by record.

use super::pushed::{ImportView, Reply, Sent, Told, answer, view};
use super::{Door, known};
use crate::config::{Config, Source};
use crate::daemon::serve::Daemon;
use crate::daemon::state::Outcome;
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::feed::{self, format::Format};
use crate::http::problem::{self, Problem};
use crate::http::{Caller, Path, Permission, Query, Route, replay};
use crate::kinds;
use crate::store::{Import, Taken, Wanted};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// More records than this are answered later.
const AT_ONCE: u64 = 1_000;
/// How often it is looked whether another replica has answered.
const LOOK: Duration = Duration::from_millis(500);

/// What is wrong with the form of all of it, so that no record can be told apart.
const FORM: &[(Code, &problem::Kind)] = &[
    (codes::JSON_NOT_LIST, problem::NOT_A_LIST),
    (codes::FEED_NOT_DATA, problem::NOT_DATA),
    (codes::FEED_TRUNCATED, problem::TRUNCATED),
];
/// What is wrong with all of it although it can be read.
const WHOLE: &[(Code, &problem::Kind)] = &[
    (codes::HEADER_BLANK, problem::UNREADABLE),
    (codes::HEADER_DUPLICATE, problem::UNREADABLE),
    (codes::COLUMN_MISSING, problem::UNREADABLE),
    (codes::ENCODING, problem::UNREADABLE),
    (codes::SOURCE_UNREADABLE, problem::UNREADABLE),
];

/// What the records are about.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct About {
    /// `accounts`, `users` or `organisations`.
    #[schemars(regex(pattern = "^(accounts|users|organisations)$"))]
    kind: String,
}

/// How it is taken.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// The source. Optional if only one source accepts such records.
    source: Option<String>,
    /// Refuse the whole push if one record is bad, instead of skipping that record.
    atomic: bool,
}

/// Which import.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Identified {
    /// The id from `Location`.
    id: String,
}

pub(super) fn routes() -> Vec<Route<Door>> {
    vec![
        Route::post("/api/v1/import/{kind}", "import", Permission::Operate, import)
            .says(
                "Push records",
                "For a source with `export: {push: true}`. The body is what its mapping reads: a list of objects, or CSV with its content type. Resources that the push does not name stay as they are. A bad record is skipped, and the others are applied. The answer is 202 with a `Location` if there are more than 1,000 records, if the push takes longer than the request timeout, or with `Prefer: respond-async`.",
            )
            .problems(&[
                problem::SUSPENDED,
                problem::NOT_FOUND,
                problem::NOT_A_LIST,
                problem::NOT_DATA,
                problem::TRUNCATED,
                problem::UNREADABLE,
                problem::REFUSED,
                problem::KEY_REUSED,
            ])
            .example_body(json!([{
                "accountExternalId": "a-1",
                "accountName": "Fjällbyggen",
                "address": [{"addressExternalId": "d-1", "addressCity": "Östersund"}],
            }]))
            .heavy()
            .lasting()
            .keyed()
            .sifted(),
        Route::get("/api/v1/imports/{id}", "importState", Permission::Read, look)
            .says(
                "Get the result of a push",
                "Available on every replica and after restarts, until one week after the answer.",
            )
            .sifted(),
    ]
}

async fn import(
    State(door): State<Door>,
    caller: Caller,
    Path(about): Path<About>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Reply, Problem> {
    let daemon = Arc::clone(door.daemon()?);
    let setup = daemon.setup();
    let source = chosen(&daemon, &setup.config, &caller, &about, &asked)?;
    let name = source.name.to_string();
    let of = name.clone();
    let suspended = door
        .ask(move |daemon| async move { daemon.suspension(&of).await })
        .await?;
    if let Some(suspension) = suspended {
        let why = format!("suspended by {}: {}", suspension.actor, suspension.reason);
        return Err(Problem::new(problem::SUSPENDED, why));
    }
    let key = replay::key(&headers)?;
    let prefers = headers.get_all("prefer").iter();
    let later = prefers
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("respond-async"));
    let (by, atomic) = (caller.name.to_string(), asked.atomic);
    let source = source.clone();
    let ((id, again), many) = door
        .ask(move |daemon| async move {
            let records = readable(&source, &sent)?;
            let path = format!("{}?{atomic}", source.name);
            let digest = replay::digest("POST", &path, &sent.bytes);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let wanted = Wanted {
                source: &source.name,
                kind: &about.kind,
                actor: &by,
                key: key.as_deref(),
                digest: &digest,
                ending: sent.ending,
                atomic,
                body: &sent.bytes,
            };
            let id = taken(daemon.store.take_import(&wanted).await?)?;
            Ok::<_, super::Refused>((id, records > AT_ONCE))
        })
        .await?;
    if let Some(worker) = daemon.worker(&name) {
        worker.knock(&format!("pushed by {}", caller.name));
    }
    if later || many {
        let view = view(&found(&door, id).await?);
        return Ok(Reply(Told::Later(Box::new(view)), again));
    }
    let patience = setup.config.serve.limits.timeout;
    let told = answered(&door, &daemon, id, Instant::now() + patience).await?;
    Ok(Reply(told, again))
}

/// The source that is meant: one that is pushed to, and whose mapping has such records.
fn chosen<'c>(
    daemon: &Daemon,
    config: &'c Config,
    caller: &Caller,
    about: &About,
    asked: &Asked,
) -> Result<&'c Source, Problem> {
    let kind = kinds::ALL.iter().find(|kind| kind.table == about.kind);
    let takes = |source: &&Source| {
        let feed = source.feed().filter(|feed| feed.is_pushed());
        feed.is_some_and(|feed| {
            let mut sections = feed.mapping.sections.iter();
            kind.is_some_and(|kind| sections.any(|section| section.kind.id == kind.id))
        })
    };
    let seen = config.sources.iter().filter(|it| caller.sees(&it.name));
    if let Some(name) = &asked.source {
        known(daemon, caller, name)?;
        let mut named = seen.filter(|source| *source.name == **name);
        return named.find(takes).ok_or_else(|| {
            let why = format!("source {name} takes no {} that are pushed", about.kind);
            Problem::not_found(why)
        });
    }
    let all: Vec<&Source> = seen.filter(takes).collect();
    match all.as_slice() {
        [one] => Ok(one),
        [] => Err(Problem::not_found(format!(
            "no source takes {} that are pushed; configure one with `export: {{push: true, preset: …}}`",
            about.kind
        ))),
        several => {
            let names: Vec<&str> = several.iter().map(|source| &*source.name).collect();
            let why = format!("say to which: `?source=` and one of {}", names.join(", "));
            Err(Problem::new(problem::INVALID, why))
        }
    }
}

/// How many records there are, unless what was sent is none at all.
fn readable(source: &Source, sent: &Sent) -> Result<u64, Problem> {
    let Some(feed) = source.feed() else {
        return Err(Problem::not_found(""));
    };
    let name = format!("body.{}", sent.ending).into();
    let input = Cursor::new(&*sent.bytes);
    let read = feed::read(input, &name, &source.name, &feed.mapping);
    let first = sent.bytes.trim_ascii_start().first();
    if sent.format == Format::Json && !matches!(first, Some(b'[' | b'{')) {
        let why = Diagnostic::new(codes::JSON_NOT_LIST, "the body is no JSON")
            .help("send a list of objects: `[{…}]`");
        return Err(told(problem::NOT_A_LIST, &why));
    }
    for (code, kind) in FORM.iter().chain(WHOLE) {
        let mut found = read.diagnostics.iter();
        if let Some(found) = found.find(|found| found.key.is_none() && found.code == *code) {
            return Err(told(kind, found));
        }
    }
    if !read.complete {
        let why = format!("it breaks off after {} records", read.records);
        return Err(Problem::new(problem::TRUNCATED, why));
    }
    Ok(read.records)
}

/// That nothing of it could be read, where and why.
fn told(kind: &'static problem::Kind, found: &Diagnostic) -> Problem {
    let at = found.origin.as_ref().map(|origin| origin.at);
    let at = at.filter(|at| at.line > 0);
    let place = at.map_or_else(String::new, |at| {
        format!("line {}, column {}: ", at.line, at.column)
    });
    let help = found.help.as_deref();
    let help = help.map_or_else(String::new, |help| format!("; {help}"));
    let mut problem = Problem::new(kind, format!("{place}{}{help}", found.message))
        .with("rule", found.code.name())
        .with("djustCode", found.code.rule().djust);
    if let Some(at) = at {
        problem = problem.with("line", at.line).with("column", at.column);
    }
    problem
}

/// Its id, and whether it was sent before.
fn taken(taken: Taken) -> Result<(String, bool), Problem> {
    match taken {
        Taken::New(id) => Ok((id, false)),
        Taken::Known { id, same: true } => Ok((id, true)),
        Taken::Known { .. } => Err(Problem::new(
            problem::KEY_REUSED,
            "each act needs a key of its own",
        )),
        Taken::Full(waiting) => {
            let why = format!(
                "{waiting} imports of this source wait already, or hold something that does: somebody has to look at it first"
            );
            let later = Duration::from_mins(1);
            Err(Problem::new(problem::UNAVAILABLE, why).retry_after(later))
        }
    }
}

/// The answer, if it is there in time.
async fn answered(
    door: &Door,
    daemon: &Daemon,
    id: String,
    until: Instant,
) -> Result<Told, Problem> {
    let mut answers = daemon.answers.subscribe();
    loop {
        answers.mark_unchanged();
        let import = found(door, id.clone()).await?;
        if import.standing.is_over() {
            return reply(&import);
        }
        if Instant::now() >= until {
            return Ok(Told::Later(Box::new(view(&import))));
        }
        let look = until.min(Instant::now() + LOOK);
        // Whether this replica answered it or another one: it is looked up.
        let _ = timeout_at(look, answers.changed()).await;
    }
}

async fn found(door: &Door, id: String) -> Result<Import, Problem> {
    let import = door
        .ask(move |daemon| async move { daemon.store.import(&id).await })
        .await?;
    import.ok_or_else(|| Problem::not_found("nothing of this id was pushed, or it was forgotten"))
}

fn reply(import: &Import) -> Result<Told, Problem> {
    let Some(answer) = answer(import) else {
        let why = format!("import {}: {}", import.id, import.answer);
        return Err(Problem::new(problem::UNAVAILABLE, why));
    };
    if answer.outcome == Outcome::Refused {
        let why = answer.why.clone().unwrap_or_default();
        let members = [
            ("import", json!(answer.id)),
            ("summary", json!(answer.summary)),
            ("records", json!(answer.records)),
        ];
        let problem = Problem::new(problem::REFUSED, why);
        return Err(members
            .into_iter()
            .fold(problem, |problem, (name, value)| problem.with(name, value)));
    }
    Ok(Told::Now(Box::new(answer)))
}

async fn look(
    State(door): State<Door>,
    caller: Caller,
    Path(Identified { id }): Path<Identified>,
) -> Result<Json<ImportView>, Problem> {
    let import = found(&door, id).await?;
    if !caller.sees(&import.source) {
        return Err(Problem::not_found(""));
    }
    Ok(Json(view(&import)))
}
