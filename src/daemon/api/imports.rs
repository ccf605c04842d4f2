//! Pushes: an ERP or a connector sends records and is answered for each of them. `import` stores
//! the body first, so that it survives a restart, and requests a pass, which takes it from there
//! (`push`). The answer is waited for, or fetched later by its id, from any replica.

use super::push_body::read_body;
use super::push_messages::{
    ImportView, PushBody, PushReply, PushResponse, import_view, stored_report,
};
use super::require_visible_source;
use crate::config::{Config, Source};
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::daemon::push::{ImportReplies, PushOriginals};
use crate::daemon::state_document::suspension;
use crate::document::PassOutcome;
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, PathParams, Permission, QueryParams, Route, idempotency};
use crate::kinds;
use crate::store::{ImportReceipt, ImportRequest, Store, StoredImport, new_import_id};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The most records that are answered at once.
const MAX_SYNC_RECORDS: u64 = 1_000;
/// How often the database is checked for an answer that another replica gave.
const ANSWER_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What the records are about.
#[derive(Debug, Deserialize, JsonSchema)]
struct ImportKindParam {
    /// `accounts`, `users` or `organisations`.
    #[schemars(regex(pattern = "^(accounts|users|organisations)$"))]
    kind: String,
}

/// How a push is processed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ImportQuery {
    /// The source. Optional if only one source accepts such records.
    source: Option<String>,
    /// Refuse the whole push if one record is bad, instead of skipping that record.
    atomic: bool,
}

/// Which import.
#[derive(Debug, Deserialize, JsonSchema)]
struct ImportParam {
    /// The id from `Location`.
    id: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::post("/api/v1/import/{kind}", "import", Permission::Operate, import)
            .with_docs(
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
            .with_tree_limit()
            .without_timeout()
            .handles_idempotency()
            .filters_by_source(),
        Route::get("/api/v1/imports/{id}", "importState", Permission::Read, show_import)
            .with_docs(
                "Get the result of a push",
                "Available on every replica and after restarts, until one week after the answer.",
            )
            .filters_by_source(),
    ]
}

async fn import(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(about): PathParams<ImportKindParam>,
    QueryParams(asked): QueryParams<ImportQuery>,
    headers: HeaderMap,
    sent: PushBody,
) -> Result<PushResponse, HttpProblem> {
    let daemon = Arc::clone(handle.daemon()?);
    let setup = daemon.current.get();
    let source = select_source(&setup.config, &caller, &about, &asked)?;
    let name = source.name.to_string();
    let of = name.clone();
    let suspended = handle
        .query_store(move |store| async move { suspension(&store, &of).await })
        .await?;
    // Refused before it is stored: a push that waits for the end of a suspension would look
    // accepted.
    if let Some(suspension) = suspended {
        let why = format!("suspended by {}: {}", suspension.actor, suspension.reason);
        return Err(HttpProblem::new(problem::SUSPENDED, why));
    }
    let key = idempotency::key(&headers)?;
    let prefers = headers.get_all("prefer").iter();
    let later = prefers
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("respond-async"));
    let (by, atomic) = (caller.name.to_string(), asked.atomic);
    let source = source.clone();
    let originals = Arc::clone(&daemon.originals);
    let ((id, again), many) = handle
        .query_store(move |store| async move {
            let pushed = PushedRecords {
                source: &source,
                kind: &about.kind,
                actor: &by,
                key: key.as_deref(),
                atomic,
                sent: &sent,
            };
            pushed.queue(&store, &originals).await
        })
        .await?;
    // Also for a repetition: the first one may have been stored by a replica that died before its
    // pass.
    let trigger = format!("pushed by {}", caller.name);
    daemon.current.request_pass(&name, &trigger);
    if later || many {
        let view = import_view(&find_import(&handle, id).await?);
        return Ok(PushResponse(PushReply::Later(Box::new(view)), again));
    }
    let deadline = Instant::now() + setup.config.serve.limits.timeout;
    let reply = wait_for_reply(&handle, &daemon.replies, id, deadline).await?;
    Ok(PushResponse(reply, again))
}

/// A push that was read and is not stored yet.
struct PushedRecords<'a> {
    source: &'a Source,
    kind: &'a str,
    actor: &'a str,
    key: Option<&'a str>,
    atomic: bool,
    sent: &'a PushBody,
}

impl PushedRecords<'_> {
    /// Stores the push for the next pass. Returns its id, whether it repeats an earlier one, and
    /// whether it is too large to wait for.
    async fn queue(
        &self,
        store: &Store,
        originals: &PushOriginals,
    ) -> Result<((String, bool), bool), HandlerError> {
        // A body that cannot be read is refused now, while its sender listens.
        let read = read_body(self.source, self.sent)?;
        let body = read.without_erased(self.source, self.sent, store).await?;
        // Nothing of a password is stored, also not in the digest.
        let stored = body.masked.as_deref().unwrap_or(&body.sent);
        let import = new_import_id();
        // Before it is stored: a pass may read it at once.
        let keep = |import: &str| {
            if body.masked.is_some() {
                originals.keep(import, body.sent.to_vec().into());
            }
        };
        keep(&import);
        // `atomic` is part of what was asked, so the same key with another value is a different
        // request.
        let path = format!("{}?{}", self.source.name, self.atomic);
        let digest = idempotency::digest("POST", &path, stored);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let wanted = ImportRequest {
            id: &import,
            source: &self.source.name,
            kind: self.kind,
            actor: self.actor,
            key: self.key,
            digest: &digest,
            ending: self.sent.ending,
            atomic: self.atomic,
            body: stored,
            dropped: &body.dropped,
        };
        let receipt = store.queue_import(&wanted).await;
        if !matches!(receipt, Ok(ImportReceipt::New(_))) {
            originals.forget(&import);
        }
        let (first, again) = import_id(receipt?)?;
        // The first one may have lost its passwords in a restart, or have gone to another replica.
        if again
            && let Some(kept) = store.import(&first).await?
            && (!kept.state.is_over() || !kept.held.is_empty())
        {
            keep(&first);
        }
        Ok(((first, again), read.records > MAX_SYNC_RECORDS))
    }
}

/// The source that is meant: a pushed one whose mapping has such records.
fn select_source<'c>(
    config: &'c Config,
    caller: &Caller,
    about: &ImportKindParam,
    asked: &ImportQuery,
) -> Result<&'c Source, HttpProblem> {
    let kind = kinds::ALL.iter().find(|kind| kind.table == about.kind);
    let takes = |source: &&Source| {
        let feed = source.feed().filter(|feed| feed.is_pushed());
        feed.is_some_and(|feed| {
            let mut sections = feed.mapping.sections.iter();
            kind.is_some_and(|kind| sections.any(|section| section.kind.id == kind.id))
        })
    };
    // Sources that the caller may not see do not make a push ambiguous, and no message names them.
    let seen = config
        .sources
        .iter()
        .filter(|it| caller.may_access_source(&it.name));
    if let Some(name) = &asked.source {
        require_visible_source(config, caller, name)?;
        let mut named = seen.filter(|source| *source.name == **name);
        return named.find(takes).ok_or_else(|| {
            let why = format!("source {name} does not accept pushed {}", about.kind);
            HttpProblem::not_found(why)
        });
    }
    let all: Vec<&Source> = seen.filter(takes).collect();
    match all.as_slice() {
        [one] => Ok(one),
        [] => Err(HttpProblem::not_found(format!(
            "no source accepts pushed {}; configure one with `export: {{push: true, preset: …}}`",
            about.kind
        ))),
        several => {
            let names: Vec<&str> = several.iter().map(|source| &*source.name).collect();
            let why = format!(
                "several sources accept this push; add `?source=` with one of {}",
                names.join(", ")
            );
            Err(HttpProblem::new(problem::INVALID, why))
        }
    }
}

/// The id, and whether the same push came before.
fn import_id(taken: ImportReceipt) -> Result<(String, bool), HttpProblem> {
    match taken {
        ImportReceipt::New(id) => Ok((id, false)),
        ImportReceipt::Duplicate { id, same: true } => Ok((id, true)),
        ImportReceipt::Duplicate { .. } => Err(HttpProblem::new(
            problem::KEY_REUSED,
            "use a new key for each request",
        )),
        ImportReceipt::QueueFull(waiting) => {
            let why = format!(
                "{waiting} imports of this source are queued or held; decide on them first"
            );
            let later = Duration::from_mins(1);
            Err(HttpProblem::new(problem::UNAVAILABLE, why).retry_after(later))
        }
    }
}

/// The answer, or where it will be if it takes too long.
async fn wait_for_reply(
    handle: &DaemonHandle,
    replies: &ImportReplies,
    id: String,
    until: Instant,
) -> Result<PushReply, HttpProblem> {
    let mut answers = replies.subscribe();
    loop {
        // Before the look into the database: an answer that comes between the look and the wait
        // then ends the wait.
        answers.mark_unchanged();
        let import = find_import(handle, id.clone()).await?;
        if import.state.is_over() {
            return finished_reply(&import);
        }
        if Instant::now() >= until {
            return Ok(PushReply::Later(Box::new(import_view(&import))));
        }
        let look = until.min(Instant::now() + ANSWER_POLL_INTERVAL);
        // Woken or not, the database is asked, because another replica may have answered.
        let _ = timeout_at(look, answers.changed()).await;
    }
}

async fn find_import(handle: &DaemonHandle, id: String) -> Result<StoredImport, HttpProblem> {
    let import = handle
        .query_store(move |store| async move { store.import(&id).await })
        .await?;
    import.ok_or_else(|| HttpProblem::not_found("no import with this id; it may have expired"))
}

fn finished_reply(import: &StoredImport) -> Result<PushReply, HttpProblem> {
    let Some(answer) = stored_report(import) else {
        let why = format!("import {}: {}", import.id, import.answer);
        return Err(HttpProblem::new(problem::UNAVAILABLE, why));
    };
    // A refused push is an error to its sender, with the reasons for each record.
    if answer.outcome == PassOutcome::Refused {
        let why = answer.why.clone().unwrap_or_default();
        let members = [
            ("import", json!(answer.id)),
            ("summary", json!(answer.summary)),
            ("records", json!(answer.records)),
        ];
        let problem = HttpProblem::new(problem::REFUSED, why);
        return Err(members
            .into_iter()
            .fold(problem, |problem, (name, value)| problem.with(name, value)));
    }
    Ok(PushReply::Now(Box::new(answer)))
}

async fn show_import(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(ImportParam { id }): PathParams<ImportParam>,
) -> Result<Json<ImportView>, HttpProblem> {
    let import = find_import(&handle, id).await?;
    if !caller.may_access_source(&import.source) {
        return Err(HttpProblem::not_found(""));
    }
    Ok(Json(import_view(&import)))
}
