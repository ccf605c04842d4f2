//! The offers that use a tag, as a shop records them. A tag in use cannot be deleted.

use super::jobs::require_id;
use super::request::{MAX_ID_LENGTH, unknown_resource};
use crate::daemon::handle::DaemonHandle;
use crate::daemon::path_segment;
use crate::document::{RECORD_ID, TagOffers};
use crate::http::problem::HttpProblem;
use crate::http::{PathParams, Permission, Route};
use crate::kinds::TAG;
use crate::model::Key;
use crate::store::OfferUse;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

/// A tag by id.
#[derive(Debug, Deserialize, JsonSchema)]
struct TagParam {
    /// The external id. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_ID_LENGTH), regex(pattern = RECORD_ID))]
    tag: String,
}

/// An offer of a tag.
#[derive(Debug, Deserialize, JsonSchema)]
struct TagOfferParam {
    /// The external id of the tag. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_ID_LENGTH), regex(pattern = RECORD_ID))]
    tag: String,
    /// The id of the offer in the shop. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_ID_LENGTH), regex(pattern = RECORD_ID))]
    offer: String,
}

const OFFER_PATH: &str = "/api/v1/tags/{tag}/offers/{offer}";

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/api/v1/tags/{tag}/offers", "tagOffers", Permission::Read, list)
            .with_docs("List the offers of a tag", "Sorted by id."),
        Route::new(Method::PUT, OFFER_PATH, "putTagOffer", Permission::Operate, put)
            .with_docs(
                "Record that an offer uses a tag",
                "The answer lists all offers of the tag. While there is one, a plan that deletes the tag has the error `in-use`.",
            ),
        Route::new(Method::DELETE, OFFER_PATH, "deleteTagOffer", Permission::Operate, remove)
            .with_docs(
                "Record that an offer does not use a tag any more",
                "The answer lists the offers that are left. Repeating it changes nothing.",
            ),
    ]
}

async fn list(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<TagParam>,
) -> Result<Json<TagOffers>, HttpProblem> {
    let tag = of.tag.clone();
    let found = handle
        .query_store(move |store| async move { store.tag_offers(&of.tag).await })
        .await?;
    reply(tag, found)
}

async fn put(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<TagOfferParam>,
) -> Result<Json<TagOffers>, HttpProblem> {
    record(&handle, of, OfferUse::Used).await
}

async fn remove(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<TagOfferParam>,
) -> Result<Json<TagOffers>, HttpProblem> {
    record(&handle, of, OfferUse::Unused).await
}

/// Records whether an offer uses a tag.
async fn record(
    handle: &DaemonHandle,
    of: TagOfferParam,
    used: OfferUse,
) -> Result<Json<TagOffers>, HttpProblem> {
    require_id("tag", &of.tag)?;
    require_id("offer", &of.offer)?;
    let tag = of.tag.clone();
    let found = handle
        .query_store(
            move |store| async move { store.record_tag_offer(&of.tag, &of.offer, used).await },
        )
        .await?;
    reply(tag, found)
}

fn reply(tag: String, offers: Option<Vec<String>>) -> Result<Json<TagOffers>, HttpProblem> {
    match offers {
        Some(offers) => Ok(Json(TagOffers { tag, offers })),
        None => Err(unknown_resource(&Key::new(TAG, tag))),
    }
}
