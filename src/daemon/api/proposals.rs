//! Proposals: what somebody sends becomes a change of the manifests of a source, with its plan, as a
//! patch or on a new branch. Roster never writes beside git: the change takes the way of every
//! other one, through review and merge. Start at [`propose`].

use super::plans::{PlanDeadline, plan_reader};
use super::{require_max_length, require_visible_source};
use crate::config::{Config, Source};
use crate::daemon::handle::{DaemonHandle, DaemonParts, HandlerError};
use crate::diagnostic::{Diagnostic, plural};
use crate::document::{
    self, ChangedFileReply, DiagnosticState, ExportContent, MAX_REASON_LENGTH, MAX_REVISION_LENGTH,
    OutputFormat, ProposedBranchReply, ProposedItemReply, UnwrittenItemReply, UploadProposalReply,
    UploadProposalRequest, UploadedExport,
};
use crate::feed::mapping::Mapping;
use crate::feed::preset;
use crate::git::{BranchError, CommitText};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, JsonBody, Permission, PersonalResponse, Route};
use crate::plan::Plan;
use crate::plan::render::{PlanDetail, RenderOptions};
use crate::reconcile::{
    self, ManifestProposal, PlanReader, ProposedBranch, UploadProposal, UploadedContent,
};
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;

/// How many resources a commit message lists.
const NAMED: usize = 1000;

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::post("/api/v1/proposals", "propose", Permission::Operate, propose_upload)
            .with_docs(
                "Propose manifests",
                "Turns new resources or an export into a change of the manifests of a source. Returns the change as a patch, with the plan that it leads to. With `branch`, it is committed to a new branch, which is pushed if the source is a repository. No existing branch and no file changes. The audit log records the branch.",
            )
            .problems(&[problem::INVALID, problem::NOT_FOUND, problem::WRONG_STATE])
            .example_body(json!({
                "manifest": "kind: User\nexternalId: u-9\nfirstName: Karin\naccounts: [a-1]\n",
            }))
            .with_tree_limit()
            .without_timeout()
            .answers_are_personal()
            .filters_by_source(),
    ]
}

async fn propose_upload(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    JsonBody(request): JsonBody<UploadProposalRequest>,
) -> Result<PersonalResponse<UploadProposalReply>, HttpProblem> {
    let answer = propose(&handle, &caller, request).await?;
    // Without a branch nothing happened, and the same request can be carried out again.
    let branch = answer.branch.clone();
    let repeated = branch.map(|branch| UploadProposalReply {
        source: answer.source.clone(),
        branch: Some(branch),
        ..UploadProposalReply::default()
    });
    Ok(PersonalResponse { answer, repeated })
}

/// Proposes what was sent, in the name of the caller.
pub(in crate::daemon) async fn propose(
    handle: &DaemonHandle,
    caller: &Caller,
    request: UploadProposalRequest,
) -> Result<UploadProposalReply, HttpProblem> {
    let config = &handle.setup()?.config;
    let index = select_source(config, caller, request.source.as_deref())?;
    let name = config.sources[index].name.to_string();
    let reason = request.reason.as_deref().unwrap_or_default().trim();
    require_max_length(MAX_REASON_LENGTH, "reason", reason)?;
    require_max_length(
        MAX_REVISION_LENGTH,
        "branch",
        request.branch.as_deref().unwrap_or_default(),
    )?;
    let asked = BranchRequest {
        name: request.branch,
        reason: reason.to_owned(),
        author: caller.name.to_string(),
    };
    let content = content(config, caller, request.manifest, request.export)?;
    let reader = plan_reader(caller);
    handle
        .query(move |daemon| async move {
            let setup = daemon.current.get();
            // By name: the configuration may have been read anew since.
            let mut sources = setup.config.sources.iter();
            let index = sources.position(|known| *known.name == *name);
            let index = index.ok_or_else(|| HttpProblem::not_found(""))?;
            let proposal = make_proposal(&daemon, &setup.config, index, (content, reader), asked);
            Box::pin(proposal).await
        })
        .await
}

/// The branch that is wanted.
struct BranchRequest {
    name: Option<String>,
    reason: String,
    author: String,
}

async fn make_proposal(
    daemon: &DaemonParts,
    config: &Config,
    index: usize,
    (content, reader): (UploadedContent, PlanReader),
    asked: BranchRequest,
) -> Result<UploadProposalReply, HandlerError> {
    let into = &config.sources[index];
    let deadline = PlanDeadline::new(config.serve.limits.plan);
    let UploadProposal { proposal, plan } = {
        let _turn = deadline.acquire_turn(&daemon.turns).await?;
        let made = reconcile::propose_upload(
            config,
            index,
            content,
            &reader,
            &deadline.stop,
            &daemon.store,
        )
        .await;
        made.map_err(|error| deadline.pass_problem(error))?
    };
    let mut reply = reply(into, &proposal, plan.as_ref())?;
    if let Some(name) = &asked.name {
        let branch = commit(config, into, &proposal, name, &asked)?;
        let subject = format!("{} {}", into.name, branch.name);
        daemon
            .store
            .record_act(&asked.author, "propose", &subject, &asked.reason)
            .await?;
        reply.branch = Some(ProposedBranchReply {
            name: branch.name,
            commit: branch.commit,
            remote: branch.said,
        });
    }
    Ok(reply)
}

/// The source that is meant, which need not be named if only one has manifests.
fn select_source(
    config: &Config,
    caller: &Caller,
    named: Option<&str>,
) -> Result<usize, HttpProblem> {
    let mut seen = proposable_sources(config, caller);
    if let Some(name) = named {
        require_visible_source(config, caller, name)?;
        let found = seen.find(|(_, source)| *source.name == *name);
        return found.map(|(index, _)| index).ok_or_else(|| {
            let why = format!("source {name} is an export and has no manifests");
            HttpProblem::new(problem::INVALID, why)
        });
    }
    match (seen.next(), seen.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => Err(HttpProblem::new(
            problem::INVALID,
            "no source with manifests is configured, so there is nothing to propose for",
        )),
        _ => Err(HttpProblem::new(
            problem::INVALID,
            "`source` is missing; name the source",
        )),
    }
}

/// The sources that have manifests, with their indexes.
pub(in crate::daemon) fn proposable_sources<'c>(
    config: &'c Config,
    caller: &'c Caller,
) -> impl Iterator<Item = (usize, &'c Source)> {
    let sources = config.sources.iter().enumerate();
    sources.filter(|(_, source)| source.feed().is_none() && caller.may_access_source(&source.name))
}

fn content(
    config: &Config,
    caller: &Caller,
    manifest: Option<String>,
    export: Option<UploadedExport>,
) -> Result<UploadedContent, HttpProblem> {
    let invalid = |why: String| HttpProblem::new(problem::INVALID, why);
    match (manifest, export) {
        (Some(text), None) => Ok(UploadedContent::Manifest(text)),
        (None, Some(export)) => {
            let mapping = match (&export.preset, &export.mapping_of) {
                (Some(preset), None) => {
                    Arc::new(preset::mapping(preset).map_err(HttpProblem::not_found)?)
                }
                (None, Some(source)) => mapping_of(config, caller, source)?,
                _ => return Err(invalid("send either `preset` or `mappingOf`".to_owned())),
            };
            let bytes = match export.content {
                ExportContent::Text(text) => text.into_bytes(),
                ExportContent::Bytes { base64 } => STANDARD
                    .decode(base64)
                    .map_err(|error| invalid(format!("content: {error}")))?,
            };
            let name = export.name.unwrap_or_else(|| "export".to_owned());
            Ok(UploadedContent::Export {
                mapping,
                name: name.into(),
                bytes: bytes.into(),
            })
        }
        _ => Err(invalid("send either `manifest` or `export`".to_owned())),
    }
}

fn mapping_of(config: &Config, caller: &Caller, source: &str) -> Result<Arc<Mapping>, HttpProblem> {
    require_visible_source(config, caller, source)?;
    let mut exports = mapped_sources(config, caller);
    let found = exports.find(|(name, _)| *name == source);
    found
        .map(|(_, mapping)| Arc::clone(mapping))
        .ok_or_else(|| {
            let why = format!("source {source} is not an export and has no mapping");
            HttpProblem::new(problem::INVALID, why)
        })
}

/// The configured exports, each with its mapping.
pub(in crate::daemon) fn mapped_sources<'c>(
    config: &'c Config,
    caller: &'c Caller,
) -> impl Iterator<Item = (&'c str, &'c Arc<Mapping>)> {
    let seen = config.sources.iter();
    seen.filter(|source| caller.may_access_source(&source.name))
        .filter_map(|source| Some((&*source.name, &source.feed()?.mapping)))
}

fn reply(
    into: &Source,
    proposal: &ManifestProposal,
    plan: Option<&Plan>,
) -> Result<UploadProposalReply, HttpProblem> {
    let diagnostics = proposal.diagnostics.iter().map(|found| DiagnosticState {
        proposed: proposal.is_proposed(found),
        ..DiagnosticState::of(found)
    });
    let files = proposal.files.iter().map(|file| ChangedFileReply {
        path: file.path.clone(),
        new: file.before.is_none(),
    });
    let proposed = proposal.proposed.iter().map(|item| ProposedItemReply {
        subject: item.subject.clone(),
        from: item.from.clone(),
    });
    let unwritten = proposal.unwritten.iter().map(|item| UnwrittenItemReply {
        subject: item.subject.clone(),
        place: format!(
            "{}:{}:{}",
            item.path, item.position.line, item.position.column
        ),
        message: item.why.clone(),
    });
    Ok(UploadProposalReply {
        source: into.name.to_string(),
        files: files.collect(),
        proposed: proposed.collect(),
        unwritten: unwritten.collect(),
        diagnostics: diagnostics.collect(),
        doubt: proposal.doubt.clone(),
        patch: proposal.patch(into),
        plan: plan.map(|plan| plan_text(into, plan)).transpose()?,
        branch: None,
    })
}

fn plan_text(into: &Source, plan: &Plan) -> Result<String, HttpProblem> {
    let options = RenderOptions {
        detail: PlanDetail::Changes,
        root: into
            .git()
            .map(|place| place.path.clone())
            .unwrap_or_default(),
        ..RenderOptions::default()
    };
    let mut written = Vec::new();
    document::render(plan, OutputFormat::Text, &options, &mut written)
        .map_err(HttpProblem::internal)?;
    Ok(String::from_utf8_lossy(&written).into_owned())
}

fn commit(
    config: &Config,
    into: &Source,
    proposal: &ManifestProposal,
    branch: &str,
    asked: &BranchRequest,
) -> Result<ProposedBranch, HttpProblem> {
    if proposal.files.is_empty() {
        return Err(nothing_proposed(proposal));
    }
    let message = commit_message(proposal, asked);
    let text = CommitText {
        message: &message,
        author: Some(&asked.author),
    };
    proposal
        .commit(config, into, branch, text)
        .map_err(|error| branch_problem(&error))
}

fn nothing_proposed(proposal: &ManifestProposal) -> HttpProblem {
    let mut errors = proposal.diagnostics.iter().filter(|found| found.is_error());
    let why = match (errors.next(), &proposal.doubt) {
        (Some(found), _) => format!("nothing is proposed: {}", told(found)),
        (None, Some(doubt)) => format!("nothing is proposed: {doubt}"),
        (None, None) if !proposal.unwritten.is_empty() => {
            let first = &proposal.unwritten[0];
            format!("nothing is proposed: {}: {}", first.subject, first.why)
        }
        (None, None) => "nothing is proposed: the manifests say all of this already".to_owned(),
    };
    HttpProblem::new(problem::WRONG_STATE, why)
}

/// A diagnostic in one line.
fn told(found: &Diagnostic) -> String {
    let about = found.key.as_ref().map(|key| format!("{key}: "));
    let help = found.help.as_ref().map(|help| format!(". {help}"));
    format!(
        "{}{}{}",
        about.unwrap_or_default(),
        found.message,
        help.unwrap_or_default()
    )
}

fn commit_message(proposal: &ManifestProposal, asked: &BranchRequest) -> String {
    let count = plural(proposal.proposed.len(), "change");
    let first = asked.reason.lines().next().filter(|line| !line.is_empty());
    let mut text = match first {
        Some(reason) => format!("{reason}\n\n{count}, proposed by {}\n\n", asked.author),
        None => format!("{count} by {}\n\n", asked.author),
    };
    for proposed in proposal.proposed.iter().take(NAMED) {
        let _ = writeln!(text, "{}", proposed.subject);
    }
    if proposal.proposed.len() > NAMED {
        let _ = writeln!(text, "and {} more", proposal.proposed.len() - NAMED);
    }
    text
}

fn branch_problem(error: &BranchError) -> HttpProblem {
    let kind = match error {
        BranchError::Exists(_) | BranchError::Modified(_) => problem::WRONG_STATE,
        BranchError::NoRepository
        | BranchError::Repository { .. }
        | BranchError::Name(_)
        | BranchError::Refused { .. } => problem::INVALID,
        BranchError::Remote(remote) => {
            let detail = format!("{remote}. {}", remote.help());
            return HttpProblem::new(problem::UNAVAILABLE, detail);
        }
        BranchError::Program(_) | BranchError::Io(_) | BranchError::Failed { .. } => {
            problem::UNAVAILABLE
        }
    };
    HttpProblem::new(kind, error.to_string())
}
