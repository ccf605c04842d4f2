//! What the answers of platforms mean, and what to do about them.

use super::setup::CommentPlace;
use crate::cli::http_client;
use reqwest::StatusCode;
use std::time::Duration;

/// Returns what a refusal means, in one sentence, and what to do.
pub(super) fn refusal(place: &CommentPlace, status: StatusCode, said: &str) -> String {
    let platform = place.platform;
    let (name, request, needed) = (platform.name, platform.request, platform.permission);
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    };
    let head = format!("{name} answered {}{said}", status.as_u16());
    let help = match status.as_u16() {
        401 => format!(
            "the token is wrong or has expired; check {}",
            platform.token_names().join(" or ")
        ),
        403 => format!("the token needs {needed}"),
        404 => format!(
            "there is no {request} {} in {}, or the token may not see it; it needs {needed}",
            place.number, place.repository
        ),
        410 | 423 => format!("the {request} takes no comments"),
        413 | 422 => {
            "the comment was not accepted; if it is too long, pass a smaller `--max-bytes` (for a Markdown file, to the command that writes it)"
                .to_owned()
        }
        300..=399 => format!(
            "the API or the repository has moved; correct `--api-url` or {}",
            platform.repository_names().join(" or ")
        ),
        _ => "check `--api-url`".to_owned(),
    };
    format!("{head}; {help}")
}

/// Says that a rate limit ends too late.
pub(super) fn limited(place: &CommentPlace, wait: Duration) -> String {
    let minutes = wait.as_secs().div_ceil(60);
    format!(
        "{} limits the requests of this token for another {} min; run this again then, or pass `--timeout {}m`",
        place.platform.name,
        minutes,
        minutes + 1
    )
}

/// Says that a server did not work for as long as the command waits.
pub(super) fn unreached(place: &CommentPlace, why: &str) -> String {
    let url = http_client::shown_url(&place.api);
    format!("{} at {url} is not working: {why}", place.platform.name)
}
