//! Exports: who lets one begin, and the report of its faulty rows.

use super::{Door, REASON, SAID, known, reason};
use crate::http::problem::{self, Problem};
use crate::http::{Caller, Done, Gives, Input, Operation, Path, Permission, Route};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// A source by name.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Named {
    /// The name of the source in the configuration.
    source: String,
}

/// An approval of a source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// The reason, for the audit log.
    #[schemars(length(min = 1, max = REASON), regex(pattern = SAID))]
    reason: String,
}

/// What is wrong with the rows of an export, each as it stood there.
#[derive(Debug)]
pub struct Report {
    source: String,
    csv: Vec<u8>,
}

pub(super) fn routes() -> Vec<Route<Door>> {
    vec![
        Route::post("/api/v1/sources/{source}/approve", "approveSource", Permission::Approve, approve)
            .says(
                "Approve an export source",
                "Until then its passes only plan. The audit log records the approval, and a pass is requested.",
            )
            .problems(&[
                problem::ALREADY_DECIDED,
                problem::NO_PERMISSION,
                problem::WRONG_STATE,
            ]),
        Route::get("/api/v1/sources/{source}/report", "report", Permission::Read, report).says(
            "Get the faulty rows of the last export",
            "CSV with line, rule, DJUST code, resource, field, message and the original row. Cells that a spreadsheet would take for formulas are escaped.",
        ),
    ]
}

async fn approve(
    State(door): State<Door>,
    caller: Caller,
    Path(Named { source }): Path<Named>,
    Input(beginning): Input<Beginning>,
) -> Result<Done, Problem> {
    begin(&door, &caller, &source, &beginning.reason).await?;
    Ok(Done)
}

/// Lets an export begin, in the name of the caller.
pub(in crate::daemon) async fn begin(
    door: &Door,
    caller: &Caller,
    source: &str,
    why: &str,
) -> Result<(), Problem> {
    let daemon = door.daemon()?;
    known(daemon, caller, source)?;
    let why = reason(why)?.to_owned();
    let setup = daemon.setup();
    if let Err(refused) = setup.config.may_approve(&caller.name) {
        return Err(Problem::new(problem::NO_PERMISSION, refused));
    }
    let configured = setup.config.source(source);
    if configured.is_none_or(|source| source.feed().is_none()) {
        let why = "only an export waits to be let begin, and this is none";
        return Err(Problem::new(problem::WRONG_STATE, why));
    }
    let (name, of) = (caller.name.to_string(), source.to_owned());
    let begun = door
        .ask(move |daemon| async move {
            let store = &daemon.store;
            let begun =
                store.source_approved(&of).await? || !store.accepted(&of, 1).await?.is_empty();
            if !begun {
                store.approve_source(&of, &name, &why).await?;
            }
            Ok::<_, crate::store::StoreError>(begun)
        })
        .await?;
    if begun {
        let why = "it was let begin before, or has begun";
        return Err(Problem::new(problem::ALREADY_DECIDED, why));
    }
    if let Some(worker) = daemon.worker(source) {
        worker.knock("approved");
    }
    Ok(())
}

async fn report(
    State(door): State<Door>,
    caller: Caller,
    Path(Named { source }): Path<Named>,
) -> Result<Report, Problem> {
    known(door.daemon()?, &caller, &source)?;
    let of = source.clone();
    let kept = door
        .ask(move |daemon| async move { daemon.store.report(&of).await })
        .await?;
    let csv = kept.ok_or_else(|| Problem::not_found("no row of its last export was faulty"))?;
    Ok(Report { source, csv })
}

impl IntoResponse for Report {
    fn into_response(self) -> Response {
        let name: String = self
            .source
            .chars()
            .map(|it| if it.is_ascii_alphanumeric() { it } else { '-' })
            .collect();
        let headers = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}-report.csv\""),
            ),
        ];
        (headers, self.csv).into_response()
    }
}

impl Gives for Report {
    fn describe(operation: &mut Operation<'_>) {
        let schema = json!({"type": "string"});
        operation.answers(StatusCode::OK, "The rows.", "text/csv", Some(schema));
    }
}
