//! The first approval of an export, and the report of its faulty rows.

use super::{SourceParam, require_reason, require_visible_source};
use crate::daemon::handle::DaemonHandle;
use crate::document::ExportApproval;
use crate::http::problem::{self, HttpProblem};
use crate::http::{
    Caller, JsonBody, NoContentResponse, OperationBuilder, OperationOutput, PathParams, Permission,
    Route,
};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The report of the faulty rows, as CSV.
#[derive(Debug)]
struct ExportReport {
    source: String,
    csv: Vec<u8>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::post("/api/v1/sources/{source}/approve", "approveSource", Permission::Approve, approve)
            .with_docs(
                "Approve an export source",
                "Until then its passes only plan. The audit log records the approval, and a pass is requested.",
            )
            .problems(&[
                problem::ALREADY_DECIDED,
                problem::NO_PERMISSION,
                problem::WRONG_STATE,
            ]),
        Route::get("/api/v1/sources/{source}/report", "report", Permission::Read, report).with_docs(
            "Get the faulty rows of the last export",
            "CSV with line, rule, DJUST code, resource, field, message and the original row. Cells that a spreadsheet would take for formulas are escaped.",
        ),
    ]
}

async fn approve(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourceParam { source }): PathParams<SourceParam>,
    JsonBody(approval): JsonBody<ExportApproval>,
) -> Result<NoContentResponse, HttpProblem> {
    approve_export(&handle, &caller, &source, &approval.reason).await?;
    Ok(NoContentResponse)
}

/// Approves an export in the name of the caller.
pub(in crate::daemon) async fn approve_export(
    handle: &DaemonHandle,
    caller: &Caller,
    source: &str,
    why: &str,
) -> Result<(), HttpProblem> {
    let daemon = handle.daemon()?;
    let setup = handle.setup()?;
    require_visible_source(&setup.config, caller, source)?;
    let why = require_reason(why)?.to_owned();
    // `approvers` of the configuration narrows the role: a token with the right to approve is not
    // enough.
    if let Err(refused) = setup.config.may_approve(&caller.name) {
        return Err(HttpProblem::new(problem::NO_PERMISSION, refused));
    }
    let configured = setup.config.source(source);
    if configured.is_none_or(|source| source.feed().is_none()) {
        let why = "this source is not an export; only exports need a first approval";
        return Err(HttpProblem::new(problem::WRONG_STATE, why));
    }
    let (name, of) = (caller.name.to_string(), source.to_owned());
    let begun = handle
        .query_store(move |store| async move {
            // An export that was accepted before needs no approval, and asking for one would
            // suggest that it waited.
            let begun = store.source_approved(&of).await?
                || !store.accepted_exports(&of, 1).await?.is_empty();
            if !begun {
                store.approve_source(&of, &name, &why).await?;
            }
            Ok::<_, crate::store::StoreError>(begun)
        })
        .await?;
    if begun {
        let why = "the source is already approved";
        return Err(HttpProblem::new(problem::ALREADY_DECIDED, why));
    }
    // After the record is committed: the pass must find it.
    daemon.current.request_pass(source, "approved");
    Ok(())
}

async fn report(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourceParam { source }): PathParams<SourceParam>,
) -> Result<ExportReport, HttpProblem> {
    require_visible_source(&handle.setup()?.config, &caller, &source)?;
    let of = source.clone();
    let kept = handle
        .query_store(move |store| async move { store.report(&of).await })
        .await?;
    let csv = kept.ok_or_else(|| HttpProblem::not_found("the last export had no faulty rows"))?;
    Ok(ExportReport { source, csv })
}

impl IntoResponse for ExportReport {
    fn into_response(self) -> Response {
        // The name goes into a header, where quotes and line breaks would do harm.
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

impl OperationOutput for ExportReport {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = json!({"type": "string"});
        operation.add_response(StatusCode::OK, "The rows.", "text/csv", Some(schema));
    }
}
