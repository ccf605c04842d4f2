//! The dossier of a user: everything that is stored about a person. It needs the permission to
//! administer. Pushes, waiting notices and the answers of acts are in it, which no other route shows,
//! and whoever answers a person's request for the own data also erases them.

use super::records::{ResourceParam, find_kind};
use super::request::unknown_resource;
use crate::daemon::handle::DaemonHandle;
use crate::document::DossierDocument;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, Route};
use crate::kinds::USER;
use crate::model::Key;
use crate::reconcile;
use crate::store::StoreError;
use axum::Json;
use axum::extract::State;

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get(
            "/api/v1/resources/{kind}/{id}/dossier",
            "userDossier",
            Permission::Administer,
            dossier,
        )
        .with_docs(
            "Get everything that is stored about a user",
            "Also about one who was deleted. The audit log records the request.",
        )
        .without_timeout(),
    ]
}

async fn dossier(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<ResourceParam>,
) -> Result<Json<DossierDocument>, HttpProblem> {
    let kind = find_kind(&of.kind)?;
    if kind.id != USER {
        let detail = format!("only users have a dossier, not {}", kind.table);
        return Err(HttpProblem::not_found(detail));
    }
    let key = Key::new(USER, &of.id);
    let missing = unknown_resource(&key);
    let actor = caller.name.to_string();
    let found = handle
        .query_store(move |store| async move {
            let found = reconcile::dossier(&store, &key.id).await?;
            if found.is_some() {
                store
                    .record_act(&actor, "dossier", &key.to_string(), "")
                    .await?;
            }
            Ok::<_, StoreError>(found)
        })
        .await?;
    Ok(Json(found.ok_or(missing)?))
}
