//! The handlers of forms.
//!
//! Each one calls the function behind the same act of the API, so permissions, checks and the audit
//! log are the same. Afterwards it redirects, so that reloading the page does not send the form
//! again.

use super::link;
use crate::daemon::api::holds;
use crate::daemon::api::{exports, sources};
use crate::daemon::handle::DaemonHandle;
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, PathParams, Permission, Route};
use crate::store::ALL_SOURCES;
use axum::Form;
use axum::extract::State;
use axum::http::Method;
use axum::response::Redirect;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct HoldFormParam {
    hold: String,
}

#[derive(Debug, Deserialize)]
struct SourceFormParam {
    source: String,
}

/// The fields of a form. Ticked boxes send the same name several times, so this is not a map.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// A form that is filled in beforehand.
    pub(super) fn of<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let fields = fields.into_iter();
        Self(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    pub(super) fn all_values<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let fields = self.0.iter().filter(move |(known, _)| known == name);
        fields.map(|(_, value)| &**value)
    }

    pub(super) fn first_value<'f>(&'f self, name: &'f str) -> &'f str {
        self.all_values(name).next().unwrap_or_default()
    }

    /// Redirects to the page with the form, which then shows what was done.
    pub(super) fn redirect_back(&self, done: &str) -> Redirect {
        // `back` comes from the browser. Whoever made it up must not send people to another site.
        let path = link::local_path(self.first_value("back"));
        let path = path.split('#').next().unwrap_or("/");
        let (path, search) = path.split_once('?').unwrap_or((path, ""));
        let search = search.split('&');
        let kept = search.filter(|pair| !pair.is_empty() && !pair.starts_with("done="));
        let kept: String = kept.map(|pair| format!("&{pair}")).collect();
        Redirect::to(&format!("{path}?done={done}{kept}"))
    }
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    let post = Method::POST;
    vec![
        Route::page(
            post.clone(),
            "/holds/{hold}/approve",
            Permission::Approve,
            approve,
        )
        // The path names a hold and no source, so the handler checks access to the source.
        .filters_by_source(),
        Route::page(
            post.clone(),
            "/holds/{hold}/reject",
            Permission::Approve,
            reject,
        )
        .filters_by_source(),
        Route::page(
            post.clone(),
            "/sources/{source}/reconcile",
            Permission::Operate,
            reconcile,
        ),
        Route::page(
            post.clone(),
            "/sources/{source}/approve",
            Permission::Approve,
            begin,
        ),
        Route::page(
            post.clone(),
            "/sources/{source}/overrule",
            Permission::Operate,
            overrule,
        ),
        Route::page(
            post.clone(),
            "/sources/{source}/suspend",
            Permission::Operate,
            suspend,
        ),
        Route::page(
            post.clone(),
            "/sources/{source}/resume",
            Permission::Operate,
            resume,
        ),
        Route::page(post.clone(), "/suspend", Permission::Operate, suspend_all),
        Route::page(post, "/resume", Permission::Operate, resume_all),
    ]
}

pub(super) type FormResult = Result<Redirect, HttpProblem>;

/// Approves a whole hold, or only the ticked resources.
async fn approve(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<HoldFormParam>,
    Form(form): Form<FormFields>,
) -> FormResult {
    let only: Vec<String> = form.all_values("only").map(str::to_owned).collect();
    // The choice and the ticks have to agree. Somebody who ticks two users but leaves "all"
    // selected would otherwise approve hundreds of deactivations.
    let clear = match form.first_value("scope") {
        "all" => only.is_empty(),
        "ticked" => !only.is_empty(),
        _ => false,
    };
    if !clear {
        let detail = "choose either everything or only the ticked resources, and tick them";
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    let why = form.first_value("reason");
    let approved = holds::approve_hold(&handle, caller, of.hold, why, &only).await?;
    Ok(form.redirect_back(match approved.hold.reverts {
        None => "approved",
        Some(_) => "approved-revert",
    }))
}

async fn reject(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<HoldFormParam>,
    Form(form): Form<FormFields>,
) -> FormResult {
    let why = form.first_value("reason");
    let rejected = holds::reject_hold(&handle, &caller, of.hold, why).await?;
    Ok(form.redirect_back(match rejected.hold.reverts {
        None => "rejected",
        Some(_) => "rejected-revert",
    }))
}

async fn reconcile(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<SourceFormParam>,
    Form(form): Form<FormFields>,
) -> FormResult {
    sources::ask_for_pass(
        &handle,
        &caller,
        &of.source,
        form.first_value("reason"),
        false,
    )
    .await?;
    Ok(form.redirect_back("asked"))
}

async fn begin(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<SourceFormParam>,
    Form(form): Form<FormFields>,
) -> FormResult {
    exports::approve_export(&handle, &caller, &of.source, form.first_value("reason")).await?;
    Ok(form.redirect_back("begun"))
}

async fn overrule(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<SourceFormParam>,
    Form(form): Form<FormFields>,
) -> FormResult {
    sources::ask_for_pass(
        &handle,
        &caller,
        &of.source,
        form.first_value("reason"),
        true,
    )
    .await?;
    Ok(form.redirect_back("overruled"))
}

async fn suspend(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<SourceFormParam>,
    Form(form): Form<FormFields>,
) -> FormResult {
    sources::suspend_one(&handle, &caller, of.source, form.first_value("reason")).await?;
    Ok(form.redirect_back("suspended"))
}

async fn resume(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<SourceFormParam>,
    Form(form): Form<FormFields>,
) -> FormResult {
    sources::resume_one(&handle, &caller, of.source, form.first_value("reason")).await?;
    Ok(form.redirect_back("resumed"))
}

async fn suspend_all(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    Form(form): Form<FormFields>,
) -> FormResult {
    sources::record_suspension(
        &handle,
        &caller,
        ALL_SOURCES.to_owned(),
        form.first_value("reason"),
    )
    .await?;
    Ok(form.redirect_back("suspended"))
}

async fn resume_all(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    Form(form): Form<FormFields>,
) -> FormResult {
    sources::record_resumption(
        &handle,
        &caller,
        ALL_SOURCES.to_owned(),
        form.first_value("reason"),
    )
    .await?;
    Ok(form.redirect_back("resumed"))
}
