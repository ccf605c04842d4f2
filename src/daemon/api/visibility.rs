//! Who sees what: the list for one user, and the filter `asUser` of the resources. A resource that
//! is not seen looks like one that does not exist.

use super::request::{MAX_ID_LENGTH, unknown_resource};
use super::require_max_length;
use crate::daemon::handle::DaemonHandle;
use crate::daemon::path_segment;
use crate::document::VisibleDocument;
use crate::http::problem::{self, HttpProblem};
use crate::http::{PathParams, Permission, Route};
use crate::kinds::{self, USER};
use crate::model::{Key, KindId};
use crate::store::Store;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

/// A user by id.
#[derive(Debug, Deserialize, JsonSchema)]
struct UserParam {
    /// The external id of the user. Write `~.` and `~..` for the ids `.` and `..`, which have a
    /// special meaning in paths.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1))]
    user: String,
}

/// As which user the resources are read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct ViewerQuery {
    /// Answer only what this user sees, by external id. For users, organisations and accounts.
    #[schemars(length(max = MAX_ID_LENGTH), regex(pattern = r"^[^\u0000]*$"))]
    pub(super) as_user: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get(
            "/api/v1/visible/{user}",
            "visible",
            Permission::Read,
            visible,
        )
        .with_docs(
            "List what a user sees",
            "The external ids of the users, organisations and accounts. A shop can join the view `visible_users` instead.",
        )
        .problems(&[problem::NOT_FOUND]),
    ]
}

async fn visible(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<UserParam>,
) -> Result<Json<VisibleDocument>, HttpProblem> {
    let unknown = unknown_viewer(&of.user);
    let seen = handle
        .query_store(move |store| async move { store.visible(&of.user).await })
        .await?;
    Ok(Json(seen.ok_or(unknown)?.into()))
}

/// The problem of a user who is not stored.
pub fn unknown_viewer(user: &str) -> HttpProblem {
    unknown_resource(&Key::new(USER, user))
}

/// Fails unless the user is stored and a rule says what users see of a kind.
pub(super) async fn require_viewer(
    handle: &DaemonHandle,
    viewer: Option<&str>,
    kind: KindId,
) -> Result<(), HttpProblem> {
    let Some(viewer) = viewer else {
        return Ok(());
    };
    if !Store::has_visibility(kind) {
        let name = kinds::get(kind).name;
        return Err(HttpProblem::not_found(format!(
            "`asUser` is for users, organisations and accounts; leave it out for the kind {name}"
        )));
    }
    // Every stored user sees at least that user.
    let known = Key::new(USER, viewer);
    require_visible(handle, Some(viewer), &known, unknown_viewer(viewer)).await
}

/// Fails with `missing` unless the user sees the resource.
pub(super) async fn require_visible(
    handle: &DaemonHandle,
    viewer: Option<&str>,
    key: &Key,
    missing: HttpProblem,
) -> Result<(), HttpProblem> {
    let Some(viewer) = viewer else {
        return Ok(());
    };
    require_max_length(MAX_ID_LENGTH, "asUser", viewer)?;
    let (viewer, key) = (viewer.to_owned(), key.clone());
    let seen = handle
        .query_store(move |store| async move { store.is_visible(&viewer, &key).await })
        .await?;
    if seen { Ok(()) } else { Err(missing) }
}
