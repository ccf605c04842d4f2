//! The stylesheet and the script: under a name made of their content, so that browsers keep them.

use crate::daemon::api::Door;
use crate::http::problem::Problem;
use crate::http::{Needs, Path, Route};
use crate::model::Digest;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::LazyLock;

/// A file that pages refer to.
pub(super) struct Asset {
    /// Where it is.
    pub path: String,
    media: &'static str,
    content: &'static str,
}

/// How the pages look.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("page.css")));
/// What keeps them up to date.
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let media = "text/javascript; charset=utf-8";
    Asset::new("js", media, include_str!("page.js"))
});

const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

impl Asset {
    fn new(ending: &str, media: &'static str, content: &'static str) -> Self {
        let digest = Digest::of(content.as_bytes());
        Self {
            path: format!("/assets/{digest}.{ending}"),
            media,
            content,
        }
    }
}

pub(super) fn routes() -> Vec<Route<Door>> {
    vec![Route::page(Method::GET, "/assets/{name}", Needs::Nothing, asset).vital()]
}

async fn asset(Path(Named { name }): Path<Named>) -> Result<Response, Problem> {
    let mut all = [&*STYLE, &*SCRIPT].into_iter();
    let found = all.find(|asset| asset.path.ends_with(&format!("/{name}")));
    let asset = found.ok_or_else(|| Problem::not_found("no such file"))?;
    let headers = [
        (header::CONTENT_TYPE, asset.media),
        (header::CACHE_CONTROL, FOR_EVER),
    ];
    Ok((headers, asset.content).into_response())
}
