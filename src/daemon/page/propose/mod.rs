//! The forms that propose manifests: a new account with its first address and user, a new user, or
//! an export of the ERP. What is filled in becomes a patch or a branch, with the plan that it leads
//! to; nothing is written beside git. Start at `submit`.

mod fields;
mod manifest;
mod result;

use super::forms::FormFields;
use super::{layout, link};
use crate::daemon::api::proposals;
use crate::daemon::handle::DaemonHandle;
use crate::document::{ExportContent, UploadProposalReply, UploadProposalRequest, UploadedExport};
use crate::feed::preset;
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, Permission, QueryParams, Route};
use crate::kinds::{self, ACCOUNT, ADDRESS, CUSTOM_FIELD, USER, branch_name};
use axum::Form;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use fields::{CustomInput, FormSection};
use maud::{Markup, html};
use serde::Deserialize;

/// The path of the forms.
const PATH: &str = "/propose";

/// What a form proposes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProposalForm {
    Account,
    User,
    Export,
}

impl ProposalForm {
    const ALL: [Self; 3] = [Self::Account, Self::User, Self::Export];

    fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::User => "user",
            Self::Export => "export",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Account => "Create an account",
            Self::User => "Add a user",
            Self::Export => "Upload an export",
        }
    }

    fn parse(word: &str) -> Result<Self, HttpProblem> {
        let found = Self::ALL.into_iter().find(|form| form.word() == word);
        found.ok_or_else(|| HttpProblem::not_found(""))
    }

    /// The parts of the form, each with the fields of one kind.
    fn sections(self, custom: &[CustomInput]) -> Vec<FormSection> {
        let section = |title, id, left_out| {
            let kind = kinds::get(id);
            let own = custom.iter().filter(|it| it.is_for(kind));
            FormSection {
                title,
                kind,
                left_out,
                custom: own.cloned().collect(),
            }
        };
        match self {
            Self::Account => vec![
                section("Account", ACCOUNT, Some("addresses")),
                section("First address", ADDRESS, None),
                section("First user", USER, Some("accounts")),
            ],
            Self::User => vec![section("User", USER, None)],
            Self::Export => Vec::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProposalQuery {
    form: String,
    /// The account that a new user gets.
    account: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::page(Method::GET, PATH, Permission::Operate, show).filters_by_source(),
        Route::page(Method::POST, PATH, Permission::Operate, submit)
            .with_tree_limit()
            .without_timeout()
            .answers_are_personal()
            .filters_by_source(),
    ]
}

/// Links to the forms, for callers who may propose.
pub(super) fn links(handle: &DaemonHandle, caller: &Caller, account: Option<&str>) -> Markup {
    let shown = caller.may(Permission::Operate)
        && handle.setup().is_ok_and(|setup| {
            proposals::proposable_sources(&setup.config, caller)
                .next()
                .is_some()
        });
    let forms: &[ProposalForm] = match account {
        Some(_) => &[ProposalForm::User],
        None => &ProposalForm::ALL,
    };
    let about = account.map(|id| format!("&account={}", link::percent_encode(id)));
    html! {
        @if shown {
            p.pages {
                @for form in forms {
                    a href={ (PATH) "?form=" (form.word()) (about.as_deref().unwrap_or_default()) } { (form.title()) }
                }
            }
        }
    }
}

async fn show(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(query): QueryParams<ProposalQuery>,
) -> Result<Markup, HttpProblem> {
    let form = match &*query.form {
        "" => ProposalForm::Account,
        word => ProposalForm::parse(word)?,
    };
    let filled = FormFields::of([("User.accounts", &*query.account)]);
    let sections = form.sections(&custom_inputs(&handle).await?);
    page(&handle, &caller, (form, &sections), &filled, None)
}

/// Shows what the form leads to, and commits it to a branch or sends the patch where that was asked.
async fn submit(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    Form(filled): Form<FormFields>,
) -> Result<Response, HttpProblem> {
    let form = ProposalForm::parse(filled.first_value("form"))?;
    let wants = filled.first_value("do");
    let branch = Some(filled.first_value("branch").trim());
    let branch = branch.filter(|_| wants == "branch").map(str::to_owned);
    let sections = form.sections(&custom_inputs(&handle).await?);
    let of = (form, &*sections);
    let request = match request(of, &filled) {
        Ok(request) => UploadProposalRequest { branch, ..request },
        Err(refused) => return shown(&handle, &caller, of, &filled, &Err(refused)),
    };
    match proposals::propose(&handle, &caller, request).await {
        Ok(made) if wants == "patch" && !made.files.is_empty() => Ok(patch(made)),
        Ok(made) if made.branch.is_some() => {
            let main = result::committed(&made, &caller);
            let page = layout::page(&handle, &caller, "/resources", "Proposed", &main)?;
            Ok(page.into_response())
        }
        // Shows the filled-in form again, so that a mistake can be corrected without retyping.
        other => shown(&handle, &caller, of, &filled, &other),
    }
}

/// The custom fields that are stored. One that only a proposal defines has no input yet.
async fn custom_inputs(handle: &DaemonHandle) -> Result<Vec<CustomInput>, HttpProblem> {
    let records = handle
        .query_store(async |store| store.records(CUSTOM_FIELD).await)
        .await?;
    Ok(records.iter().filter_map(CustomInput::of).collect())
}

fn shown(
    handle: &DaemonHandle,
    caller: &Caller,
    of: (ProposalForm, &[FormSection]),
    filled: &FormFields,
    made: &Result<UploadProposalReply, HttpProblem>,
) -> Result<Response, HttpProblem> {
    let status = match made {
        Err(refused) if refused.kind.status.is_server_error() => return Err(refused.clone()),
        Err(refused) => refused.kind.status,
        Ok(_) => axum::http::StatusCode::OK,
    };
    let page = page(handle, caller, of, filled, Some(made))?;
    Ok((status, page).into_response())
}

/// The request that the form stands for.
fn request(
    (form, sections): (ProposalForm, &[FormSection]),
    filled: &FormFields,
) -> Result<UploadProposalRequest, HttpProblem> {
    let text = |name: &str| Some(filled.first_value(name).to_owned()).filter(|it| !it.is_empty());
    let request = UploadProposalRequest {
        source: text("source"),
        reason: text("reason"),
        ..UploadProposalRequest::default()
    };
    if form != ProposalForm::Export {
        return Ok(UploadProposalRequest {
            manifest: Some(manifest::of_form(sections, filled)),
            ..request
        });
    }
    // The script puts a chosen file here, as a `data:` URL.
    let file = filled.first_value("content");
    let content = match file.split_once(";base64,") {
        Some((_, base64)) => ExportContent::Bytes {
            base64: base64.to_owned(),
        },
        None => ExportContent::Text(filled.first_value("rows").to_owned()),
    };
    if matches!(&content, ExportContent::Text(rows) if rows.trim().is_empty()) {
        let detail = "choose a file or paste its rows";
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    let (preset, mapping_of) = match filled.first_value("mapping").split_once(':') {
        Some(("source", name)) => (None, Some(name.to_owned())),
        Some((_, name)) => (Some(name.to_owned()), None),
        None => (None, None),
    };
    Ok(UploadProposalRequest {
        export: Some(UploadedExport {
            preset,
            mapping_of,
            name: text("name"),
            content,
        }),
        ..request
    })
}

fn patch(made: UploadProposalReply) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/x-diff; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"proposal.patch\"",
        ),
    ];
    (headers, made.patch).into_response()
}

fn page(
    handle: &DaemonHandle,
    caller: &Caller,
    (form, sections): (ProposalForm, &[FormSection]),
    filled: &FormFields,
    made: Option<&Result<UploadProposalReply, HttpProblem>>,
) -> Result<Markup, HttpProblem> {
    let setup = handle.setup()?;
    let sources = proposals::proposable_sources(&setup.config, caller);
    let sources: Vec<&str> = sources.map(|(_, source)| &*source.name).collect();
    let configured = proposals::mapped_sources(&setup.config, caller);
    let configured = configured.map(|(name, _)| {
        (
            format!("source:{name}"),
            format!("mapping of source {name}"),
        )
    });
    let presets = preset::names().map(|name| (format!("preset:{name}"), name.to_owned()));
    let mappings: Vec<(String, String)> = configured.chain(presets).collect();
    let may_deliver = matches!(made, Some(Ok(made)) if !made.files.is_empty());
    let main = html! {
        h1 { (form.title()) }
        p { "The directory changes when the proposal is merged and the source is reconciled, not before." }
        @match made {
            Some(Err(refused)) => p.wrong role="alert" { (refused.kind.title) ": " (refused.detail) "." },
            Some(Ok(made)) => (result::preview(made, caller)),
            None => {}
        }
        @if sources.is_empty() {
            p.wrong { "No source with manifests is configured, so there is nothing to propose for." }
        } @else {
            form.propose method="post" action=(PATH) {
                (layout::csrf(caller))
                input type="hidden" name="form" value=(form.word());
                (source_choice(&sources, filled))
                @for section in sections { (section.fields(filled)) }
                @if form == ProposalForm::Export { (export_fields(&mappings, filled)) }
                @if may_deliver { (delivery(sections, filled)) }
                p { button name="do" value="preview" { "Preview" } }
            }
        }
    };
    layout::page(handle, caller, "/resources", form.title(), &main)
}

fn source_choice(sources: &[&str], filled: &FormFields) -> Markup {
    let chosen = filled.first_value("source");
    html! {
        @if let [only] = sources {
            input type="hidden" name="source" value=(only);
        } @else {
            label for="source" { "Source whose manifests change" }
            select #source name="source" {
                @for name in sources { option value=(name) selected[*name == chosen] { (name) } }
            }
        }
    }
}

/// `mappings` are the values and texts of the choice.
fn export_fields(mappings: &[(String, String)], filled: &FormFields) -> Markup {
    let chosen = filled.first_value("mapping");
    let name = filled.first_value("name");
    html! {
        label for="mapping" { "Mapping or preset that reads it" }
        select #mapping name="mapping" {
            @for (value, text) in mappings { option value=(value) selected[value == chosen] { (text) } }
        }
        // Without scripts a form of this kind sends no files, so the rows can be pasted.
        div #upload hidden {
            label for="file" { "File: CSV, JSON or XLSX" }
            input #file type="file" accept=".csv,.txt,.tsv,.json,.jsonl,.xlsx";
            @if !name.is_empty() { p.small { "Chosen: " code { (name) } } }
        }
        input type="hidden" name="name" value=(name);
        input type="hidden" name="content" value=(filled.first_value("content"));
        label for="rows" { "Or its rows, with the header" }
        textarea #rows name="rows" rows="8" spellcheck="false" { (filled.first_value("rows")) }
    }
}

/// The end of the form once there is something to deliver.
fn delivery(sections: &[FormSection], filled: &FormFields) -> Markup {
    let given = filled.first_value("branch");
    let default = match sections.first() {
        Some(section) => branch_name(section.kind, section.value(filled, "externalId")),
        None => "roster/upload".to_owned(),
    };
    let branch = if given.is_empty() { &default } else { given };
    html! {
        fieldset {
            legend { "Propose it" }
            label for="branch" { "New branch" }
            input #branch type="text" name="branch" value=(branch) maxlength="255" autocomplete="off" spellcheck="false";
            label for="reason" { "Reason (first line of the commit message)" }
            input #reason type="text" name="reason" value=(filled.first_value("reason")) maxlength="2000" autocomplete="off";
            p.line {
                button name="do" value="branch" { "Commit to the branch" }
                button.second name="do" value="patch" { "Download the patch" }
            }
        }
    }
}
