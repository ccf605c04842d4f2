//! The forms: what a person does, by the same code as through the API.

use super::link;
use crate::daemon::api::{Door, exports, holds, sources};
use crate::http::problem::{self, Problem};
use crate::http::{Caller, Path, Permission, Route};
use crate::store::EVERY;
use axum::Form;
use axum::extract::State;
use axum::http::Method;
use axum::response::Redirect;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct OfHold {
    hold: String,
}

#[derive(Debug, Deserialize)]
struct OfSource {
    source: String,
}

/// The fields of a form; some of them more than once.
#[derive(Deserialize)]
#[serde(transparent)]
struct Filled(Vec<(String, String)>);

impl Filled {
    fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let fields = self.0.iter().filter(move |(known, _)| known == name);
        fields.map(|(_, value)| &**value)
    }

    fn one<'f>(&'f self, name: &'f str) -> &'f str {
        self.all(name).next().unwrap_or_default()
    }

    /// Back to the page with the form, which says what was done.
    fn back(&self, done: &str) -> Redirect {
        let path = link::local(self.one("back"));
        let path = path.split(['?', '#']).next().unwrap_or("/");
        Redirect::to(&format!("{path}?done={done}"))
    }
}

pub(super) fn routes() -> Vec<Route<Door>> {
    let post = Method::POST;
    vec![
        Route::page(
            post.clone(),
            "/holds/{hold}/approve",
            Permission::Approve,
            approve,
        )
        .sifted(),
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

type Answer = Result<Redirect, Problem>;

/// All of a hold, or what is ticked; said twice, so that nobody lets through what they did not mean.
async fn approve(
    State(door): State<Door>,
    caller: Caller,
    Path(of): Path<OfHold>,
    Form(form): Form<Filled>,
) -> Answer {
    let only: Vec<String> = form.all("only").map(str::to_owned).collect();
    let clear = match form.one("scope") {
        "all" => only.is_empty(),
        "ticked" => !only.is_empty(),
        _ => false,
    };
    if !clear {
        let detail =
            "say either that all of it goes through, or that only what is ticked does, and tick it";
        return Err(Problem::new(problem::INVALID, detail));
    }
    holds::decide(&door, caller, of.hold, form.one("reason"), &only).await?;
    Ok(form.back("approved"))
}

async fn reconcile(
    State(door): State<Door>,
    caller: Caller,
    Path(of): Path<OfSource>,
    Form(form): Form<Filled>,
) -> Answer {
    sources::ask_for_pass(&door, &caller, &of.source, form.one("reason"), false).await?;
    Ok(form.back("asked"))
}

async fn begin(
    State(door): State<Door>,
    caller: Caller,
    Path(of): Path<OfSource>,
    Form(form): Form<Filled>,
) -> Answer {
    exports::begin(&door, &caller, &of.source, form.one("reason")).await?;
    Ok(form.back("begun"))
}

async fn overrule(
    State(door): State<Door>,
    caller: Caller,
    Path(of): Path<OfSource>,
    Form(form): Form<Filled>,
) -> Answer {
    sources::ask_for_pass(&door, &caller, &of.source, form.one("reason"), true).await?;
    Ok(form.back("overruled"))
}

async fn suspend(
    State(door): State<Door>,
    caller: Caller,
    Path(of): Path<OfSource>,
    Form(form): Form<Filled>,
) -> Answer {
    sources::suspend_one(&door, &caller, of.source, form.one("reason")).await?;
    Ok(form.back("suspended"))
}

async fn resume(
    State(door): State<Door>,
    caller: Caller,
    Path(of): Path<OfSource>,
    Form(form): Form<Filled>,
) -> Answer {
    sources::resume_one(&door, &caller, of.source, form.one("reason")).await?;
    Ok(form.back("resumed"))
}

async fn suspend_all(State(door): State<Door>, caller: Caller, Form(form): Form<Filled>) -> Answer {
    sources::suspended(&door, &caller, EVERY.to_owned(), form.one("reason")).await?;
    Ok(form.back("suspended"))
}

async fn resume_all(State(door): State<Door>, caller: Caller, Form(form): Form<Filled>) -> Answer {
    sources::resumed(&door, &caller, EVERY.to_owned(), form.one("reason")).await?;
    Ok(form.back("resumed"))
}
