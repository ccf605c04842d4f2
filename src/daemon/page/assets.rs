//! Serves the stylesheet and the script.
//!
//! Their names contain a digest of their content, so browsers may cache them without a limit, and
//! a new release is never shown with an old style.

use crate::daemon::handle::DaemonHandle;
use crate::http::problem::HttpProblem;
use crate::http::{AccessRequirement, PathParams, Route, RouteAddress};
use crate::model::Digest;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::LazyLock;

/// A file that pages link to.
pub(super) struct StaticAsset {
    /// The path on the server.
    pub path: String,
    media: &'static str,
    content: &'static str,
}

pub(super) static STYLE: LazyLock<StaticAsset> =
    LazyLock::new(|| StaticAsset::new("css", "text/css; charset=utf-8", include_str!("page.css")));
pub(super) static SCRIPT: LazyLock<StaticAsset> = LazyLock::new(|| {
    let media = "text/javascript; charset=utf-8";
    StaticAsset::new("js", media, include_str!("page.js"))
});

const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(Debug, Deserialize)]
struct AssetParam {
    name: String,
}

impl StaticAsset {
    fn new(ending: &str, media: &'static str, content: &'static str) -> Self {
        let digest = Digest::of(content.as_bytes());
        Self {
            path: format!("/assets/{digest}.{ending}"),
            media,
            content,
        }
    }
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::page(
            Method::GET,
            "/assets/{name}",
            // The login page needs them, and shows nothing secret.
            AccessRequirement::Public,
            asset,
        )
        .exempt_from_limits()
        // The pages of invitations need them as well.
        .at(RouteAddress::Both),
    ]
}

async fn asset(
    PathParams(AssetParam { name }): PathParams<AssetParam>,
) -> Result<Response, HttpProblem> {
    let mut all = [&*STYLE, &*SCRIPT].into_iter();
    let found = all.find(|asset| asset.path.ends_with(&format!("/{name}")));
    let asset = found.ok_or_else(|| HttpProblem::not_found("no such file"))?;
    let headers = [
        (header::CONTENT_TYPE, asset.media),
        (header::CACHE_CONTROL, FOR_EVER),
    ];
    Ok((headers, asset.content).into_response())
}
