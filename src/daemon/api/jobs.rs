//! Jobs and their files, as the shop records them, and whether a user may submit.

use super::records::{ResourceParam, find_kind};
use super::request::MAX_ID_LENGTH;
use super::{not_stored, require_max_length};
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::daemon::path_segment;
use crate::document::{
    JobDocument, JobSubmission, MAX_NAME_LENGTH, RECORD_ID, SubmitCheckDocument,
};
use crate::http::problem::{self, HttpProblem};
use crate::http::{
    FileBody, JsonBody, OperationBuilder, OperationOutput, PathParams, Permission, QueryParams,
    Route,
};
use crate::kinds::job::JobFileRole;
use crate::kinds::{USER, act};
use crate::model::Key;
use crate::reconcile::{ArrivingFile, JobFiles, ReceiveError};
use crate::store::{JobError, JobQuery, JobRefusal, JobRequest, StoredJob, SubmissionFacts};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::io::ReaderStream;

/// A job by id.
#[derive(Debug, Deserialize, JsonSchema)]
struct JobParam {
    /// The external id. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_ID_LENGTH), regex(pattern = RECORD_ID))]
    job: String,
}

/// A file of a job.
#[derive(Debug, Deserialize, JsonSchema)]
struct JobFileParam {
    /// The external id of the job. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_ID_LENGTH), regex(pattern = RECORD_ID))]
    job: String,
    /// Which file.
    role: RoleParam,
}

/// What a file of a job is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RoleParam {
    /// The PDF that the user sent.
    Input,
    /// The PDL model, as JSON.
    Model,
    /// The support file.
    Support,
}

impl From<RoleParam> for JobFileRole {
    fn from(role: RoleParam) -> Self {
        match role {
            RoleParam::Input => Self::Input,
            RoleParam::Model => Self::Model,
            RoleParam::Support => Self::Support,
        }
    }
}

/// What is said of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FileQuery {
    /// The name that the user gave the file.
    #[schemars(length(min = 1, max = MAX_NAME_LENGTH), regex(pattern = r"^[^/\\\u0000-\u001f\u007f-\u009f]*[^./\\\s\u0000-\u001f\u007f-\u00a0][^/\\\u0000-\u001f\u007f-\u009f]*$"))]
    name: String,
    /// Whether somebody saved changes in it.
    #[serde(default)]
    edited: bool,
}

/// Which jobs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct JobFilter {
    /// Only jobs of this user.
    #[schemars(length(max = MAX_ID_LENGTH))]
    user: Option<String>,
    /// Only jobs of this account.
    #[schemars(length(max = MAX_ID_LENGTH))]
    account: Option<String>,
    /// Only jobs with this status.
    #[schemars(length(max = MAX_NAME_LENGTH))]
    status: Option<String>,
    /// Start after this id, the `next` of the previous page.
    #[schemars(length(max = MAX_ID_LENGTH))]
    after: Option<String>,
    /// The maximum number of items. Default: 50. Limit: 500.
    limit: Option<u32>,
}

/// A page of jobs.
#[derive(Debug, Serialize, JsonSchema)]
struct JobPage {
    /// The jobs of the page, by id.
    items: Vec<JobDocument>,
    /// The `after` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/api/v1/jobs", "jobs", Permission::Read, jobs)
            .with_docs("List jobs", "Sorted by id, one page at a time.")
            .problems(&[problem::INVALID]),
        Route::get("/api/v1/jobs/{job}", "job", Permission::Read, job)
            .with_docs("Get a job", "With its files."),
        Route::new(Method::PUT, "/api/v1/jobs/{job}", "putJob", Permission::Operate, put_job)
            .with_docs(
                "Record a job",
                "Creates the job or changes it. A new job needs a user who may submit.",
            )
            .problems(&[problem::NOT_FOUND, problem::WRONG_STATE]),
        Route::get("/api/v1/jobs/{job}/files/{role}", "jobFile", Permission::Read, file)
            .with_docs("Download a file of a job", "Returns its bytes.")
            .without_timeout(),
        Route::new(
            Method::PUT,
            "/api/v1/jobs/{job}/files/{role}",
            "putJobFile",
            Permission::Operate,
            put_file,
        )
        .with_docs(
            "Upload a file of a job",
            "The body is the file. It replaces an earlier one of the same role once all of it has arrived.",
        )
        .with_file_body()
        .problems(&[problem::INVALID]),
        Route::get(
            "/api/v1/resources/{kind}/{id}/may-submit",
            "maySubmit",
            Permission::Read,
            may_submit,
        )
        .with_docs(
            "Check whether a user may submit jobs",
            "Such a user is active, enabled, not blocked and has a usable account.",
        ),
    ]
}

async fn jobs(
    State(handle): State<DaemonHandle>,
    QueryParams(filter): QueryParams<JobFilter>,
) -> Result<Json<JobPage>, HttpProblem> {
    for (name, text) in [
        ("user", &filter.user),
        ("account", &filter.account),
        ("status", &filter.status),
        ("after", &filter.after),
    ] {
        require_max_length(MAX_ID_LENGTH, name, text.as_deref().unwrap_or_default())?;
    }
    let limit = filter.limit.unwrap_or(50).clamp(1, 500);
    let found = handle
        .query_store(move |store| async move {
            let query = JobQuery {
                user: filter.user.as_deref(),
                account: filter.account.as_deref(),
                status: filter.status.as_deref(),
                after: filter.after.as_deref(),
                limit: Some(limit),
            };
            store.jobs(&query).await
        })
        .await?;
    let last = found.last().filter(|_| found.len() == limit as usize);
    Ok(Json(JobPage {
        next: last.map(|job| job.external_id.clone()),
        items: found.into_iter().map(Into::into).collect(),
    }))
}

async fn stored_job(handle: &DaemonHandle, id: String) -> Result<StoredJob, HttpProblem> {
    let missing = no_job(&id);
    let job = handle
        .query_store(move |store| async move { store.job(&id).await })
        .await?;
    job.ok_or(missing)
}

fn no_job(id: &str) -> HttpProblem {
    HttpProblem::not_found(format!("no job `{id}`"))
}

async fn job(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<JobParam>,
) -> Result<Json<JobDocument>, HttpProblem> {
    Ok(Json(stored_job(&handle, of.job).await?.into()))
}

async fn put_job(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<JobParam>,
    JsonBody(job): JsonBody<JobSubmission>,
) -> Result<Json<JobDocument>, HttpProblem> {
    require_id("job", &of.job)?;
    require_id("user", &job.user)?;
    if let Some(account) = &job.account {
        require_id("account", account)?;
    }
    require_text("name", &job.name)?;
    require_text("status", &job.status)?;
    let written = handle
        .query_store(move |store| async move {
            let request = JobRequest {
                external_id: &of.job,
                user: &job.user,
                account: job.account.as_deref(),
                name: &job.name,
                status: &job.status,
            };
            let written = store.put_job(&request).await;
            written.map_err(|error| match error {
                JobError::Refused(refused) => HandlerError::from(refusal(&refused, &request)),
                JobError::Store(error) => error.into(),
            })
        })
        .await?;
    Ok(Json(written.into()))
}

/// Fails unless an id has some characters, not too many, and no control characters.
pub(super) fn require_id(name: &str, id: &str) -> Result<(), HttpProblem> {
    require_max_length(MAX_ID_LENGTH, name, id)?;
    let invalid = |detail: String| Err(HttpProblem::new(problem::INVALID, detail));
    if id.is_empty() {
        return invalid(format!("`{name}` is empty"));
    }
    if id.contains(char::is_control) {
        return invalid(format!("`{name}` contains a control character"));
    }
    Ok(())
}

/// The same for a name or a status, which must not be blank either.
fn require_text(name: &str, text: &str) -> Result<(), HttpProblem> {
    require_id(name, text)?;
    if text.trim().is_empty() {
        let detail = format!("`{name}` is empty");
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    Ok(())
}

fn refusal(refused: &JobRefusal, request: &JobRequest<'_>) -> HttpProblem {
    match refused {
        JobRefusal::NotFound(keys) => not_stored(keys),
        JobRefusal::MayNotSubmit(facts) => may_not_submit(request.user, facts),
        JobRefusal::ForeignAccount => {
            let account = request.account.unwrap_or_default();
            let detail = format!(
                "Account/{account} is no usable account of User/{}; nothing was recorded",
                request.user
            );
            HttpProblem::new(problem::WRONG_STATE, detail).with("possible", json!([]))
        }
    }
}

fn may_not_submit(user: &str, facts: &SubmissionFacts) -> HttpProblem {
    let why = SubmitCheckDocument::from(facts).why;
    let possible = act::possible(act::ACTIVATE.fact, &[&facts.access]);
    let detail = format!("User/{user} may not submit jobs: {why}; nothing was recorded");
    HttpProblem::new(problem::WRONG_STATE, detail).with("possible", possible)
}

async fn put_file(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<JobFileParam>,
    QueryParams(query): QueryParams<FileQuery>,
    body: FileBody,
) -> Result<Json<JobDocument>, HttpProblem> {
    require_id("job", &of.job)?;
    require_file_name(&query.name)?;
    let daemon = handle.daemon()?;
    let files = JobFiles::new(&handle.setup()?.config.files);
    let file = ArrivingFile {
        job: &of.job,
        role: of.role.into(),
        name: &query.name,
        edited: query.edited,
    };
    let received = files
        .receive(&daemon.store, &file, body.into_stream())
        .await;
    let job = received.map_err(|error| match error {
        ReceiveError::Body(problem) => problem,
        ReceiveError::Store(error) => HandlerError::from(error).into(),
        error @ ReceiveError::Write { .. } => {
            // The path is nobody's business outside, but the log needs it.
            tracing::error!("{}", crate::diagnostic::chain(&error));
            HttpProblem::new(problem::UNAVAILABLE, "the file cannot be stored now")
        }
    })?;
    let job = job.ok_or_else(|| no_job(&of.job))?;
    // The file is stored; an old one that cannot be removed now is removed next time.
    files.remove_due_later(&daemon.store).await;
    Ok(Json(job.into()))
}

fn require_file_name(name: &str) -> Result<(), HttpProblem> {
    require_text("name", name)?;
    if name.contains(['/', '\\']) || name.chars().all(|c| c == '.') {
        let detail = format!("`{name}` is not a file name; leave out its folder");
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    Ok(())
}

/// A file of a job as a download.
#[derive(Debug)]
struct FileDownload {
    file: std::fs::File,
    length: u64,
}

async fn file(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<JobFileParam>,
) -> Result<FileDownload, HttpProblem> {
    let role = JobFileRole::from(of.role).word();
    let job = stored_job(&handle, of.job).await?;
    let missing =
        || HttpProblem::not_found(format!("no file `{role}` of job `{}`", job.external_id));
    let mut files = job.files.iter();
    let found = files.find(|file| file.role == role).ok_or_else(missing)?;
    let files = JobFiles::new(&handle.setup()?.config.files);
    let file = files.open(&found.path).map_err(|error| {
        tracing::warn!(
            "job {}: cannot open {}: {error}",
            job.external_id,
            found.path
        );
        missing()
    })?;
    let length = file.metadata().map_err(HttpProblem::internal)?.len();
    Ok(FileDownload { file, length })
}

impl IntoResponse for FileDownload {
    fn into_response(self) -> Response {
        let headers = [
            // Never shown by a browser as a page of this server, whatever is in it.
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
            (header::CONTENT_DISPOSITION, "attachment".to_owned()),
            (header::CONTENT_LENGTH, self.length.to_string()),
        ];
        let bytes = ReaderStream::new(tokio::fs::File::from_std(self.file));
        (headers, Body::from_stream(bytes)).into_response()
    }
}

impl OperationOutput for FileDownload {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = json!({"type": "string", "format": "binary"});
        let media = "application/octet-stream";
        operation.add_response(StatusCode::OK, "The file.", media, Some(schema));
    }
}

async fn may_submit(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<ResourceParam>,
) -> Result<Json<SubmitCheckDocument>, HttpProblem> {
    let kind = find_kind(&of.kind)?;
    if kind.id != USER {
        let detail = format!("only users submit jobs, not {}", kind.table);
        return Err(HttpProblem::not_found(detail));
    }
    let missing = not_stored(&[Key::new(USER, &of.id)]);
    let facts = handle
        .query_store(move |store| async move { store.submission_facts(&of.id).await })
        .await?;
    Ok(Json(SubmitCheckDocument::from(&facts.ok_or(missing)?)))
}
