//! The bodies of pushes and their answers in HTTP: media types, status codes, headers, and the
//! OpenAPI description.

use crate::daemon::push::report::PushReport;
use crate::feed::format::ExportFormat;
use crate::http::problem::{self, HttpProblem};
use crate::http::{OperationBuilder, OperationInput, OperationOutput, idempotency};
use crate::store::{ImportStanding, StoredImport};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// The accepted media types, each with its format and file extension.
const MEDIA: [(&str, ExportFormat, &str); 3] = [
    ("application/json", ExportFormat::Json, "json"),
    ("text/csv", ExportFormat::Csv, "csv"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ExportFormat::Xlsx,
        "xlsx",
    ),
];

/// A pushed body: a list of objects in JSON, rows of CSV with a header, or a workbook.
#[derive(Debug)]
pub struct PushBody {
    pub(super) format: ExportFormat,
    pub(super) ending: &'static str,
    pub(super) bytes: Bytes,
}

/// The state of a push.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportView {
    /// The id of the push.
    id: String,
    /// The source of the push.
    source: String,
    /// The kind of the records.
    kind: String,
    /// Who sent the push.
    by: String,
    /// When the push arrived.
    at: DateTime<Utc>,
    /// `queued`, `running`, `done`, or `lost` if Roster gave up and applied nothing.
    state: &'static str,
    /// When the push was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<DateTime<Utc>>,
    /// Why Roster gave up.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<PushReport>,
    /// The records that are still held. They are applied automatically.
    held: Vec<String>,
}

/// The response to a push, and whether the push was a repetition.
#[derive(Debug)]
pub struct PushResponse(pub(super) PushReply, pub(super) bool);

/// The answer, or where it will be.
#[derive(Debug)]
pub(super) enum PushReply {
    /// The push was processed.
    Now(Box<PushReport>),
    /// The push will be processed.
    Later(Box<ImportView>),
}

/// The stored answer of a finished import.
pub(super) fn stored_report(import: &StoredImport) -> Option<PushReport> {
    if import.state != ImportStanding::Done {
        return None;
    }
    let answer: PushReport = serde_json::from_str(&import.answer).ok()?;
    Some(PushReport {
        id: import.id.clone(),
        source: import.source.clone(),
        run: import.run,
        ..answer
    })
}

pub(super) fn import_view(import: &StoredImport) -> ImportView {
    let moment = |at: i64| DateTime::from_timestamp_millis(at).unwrap_or_default();
    let lost = import.state == ImportStanding::Lost;
    ImportView {
        id: import.id.clone(),
        source: import.source.clone(),
        kind: import.kind.clone(),
        by: import.actor.clone(),
        at: moment(import.at),
        state: import.state.word(),
        ended: (import.ended_at > 0).then(|| moment(import.ended_at)),
        why: lost.then(|| import.answer.clone()),
        answer: stored_report(import),
        held: import.held.clone(),
    }
}

impl<S: Send + Sync> FromRequest<S> for PushBody {
    type Rejection = HttpProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpProblem> {
        let media = request.headers().get(header::CONTENT_TYPE);
        let media = media.and_then(|value| value.to_str().ok()).unwrap_or("");
        let media = media.split(';').next().unwrap_or("").trim();
        let known = MEDIA
            .iter()
            .find(|(known, ..)| media.eq_ignore_ascii_case(known));
        // Checked before the body is read, so that a large file of the wrong kind is refused at
        // once.
        let Some((_, format, ending)) = known else {
            let all: Vec<&str> = MEDIA.iter().map(|(media, ..)| *media).collect();
            let why = format!("expected one of {}", all.join(", "));
            return Err(HttpProblem::new(problem::MEDIA, why));
        };
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| HttpProblem::bad_request(error.body_text()))?;
        Ok(Self {
            format: *format,
            ending,
            bytes,
        })
    }
}

impl OperationInput for PushBody {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let list = json!({"type": "array", "items": {"type": "object"}});
        let [(of_json, ..), (of_csv, ..), (of_book, ..)] = MEDIA;
        operation.body = Some(json!({
            "required": true,
            "content": {
                of_json: {"schema": list},
                of_csv: {"schema": {"type": "string"}},
                of_book: {"schema": {"type": "string", "format": "binary"}},
            },
        }));
        operation
            .problems
            .extend([problem::TOO_LARGE, problem::MEDIA]);
        operation.parameters.push(json!({
            "name": "Prefer",
            "in": "header",
            "required": false,
            "description": "`respond-async`: get the answer later.",
            "schema": {"type": "string"},
        }));
    }
}

impl IntoResponse for PushResponse {
    fn into_response(self) -> Response {
        let mut response = match self.0 {
            PushReply::Now(answer) => Json(answer).into_response(),
            PushReply::Later(view) => {
                let place = format!("/api/v1/imports/{}", view.id);
                let headers = [(header::LOCATION, place)];
                (StatusCode::ACCEPTED, headers, Json(view)).into_response()
            }
        };
        if self.1 {
            let yes = HeaderValue::from_static("true");
            response.headers_mut().insert(idempotency::REPLAYED, yes);
        }
        response
    }
}

impl OperationOutput for PushResponse {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let media = "application/json";
        let now = operation.outputs.subschema_for::<PushReport>().to_value();
        operation.add_response(
            StatusCode::OK,
            "The result of each record.",
            media,
            Some(now),
        );
        let later = operation.outputs.subschema_for::<ImportView>().to_value();
        let what = "The push is stored, and `Location` says where to get the answer.";
        operation.add_response(StatusCode::ACCEPTED, what, media, Some(later));
    }
}
