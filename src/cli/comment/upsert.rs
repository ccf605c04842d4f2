//! Finds the comment of a plan and writes it.

use super::api::{PlatformClient, RequestFailure};
use super::platform::IdentityRequest;
use crate::cli::CommandFailure;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many comments a full page has.
const PER_PAGE: usize = 100;

/// What became of a comment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CommentOutcome {
    Created,
    Updated,
    Unchanged,
}

impl CommentOutcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Updated => "Updated",
            Self::Unchanged => "Unchanged:",
        }
    }
}

/// A comment as it is now.
pub(super) struct WrittenComment {
    pub outcome: CommentOutcome,
    pub id: u64,
    pub url: Option<String>,
}

/// A comment that was found.
struct FoundComment {
    id: u64,
    body: String,
    url: Option<String>,
}

/// Creates or replaces the comment that begins with a marker.
pub(super) async fn upsert(
    client: &PlatformClient,
    marker: &str,
    body: &str,
) -> Result<WrittenComment, CommandFailure> {
    let author = author(client).await?;
    loop {
        let found = find(client, marker, author.as_deref()).await?;
        let sent = json!({ "body": body });
        let outcome = match &found {
            Some(found) if same_text(&found.body, body) => {
                return Ok(WrittenComment {
                    outcome: CommentOutcome::Unchanged,
                    id: found.id,
                    url: found.url.clone(),
                });
            }
            Some(_) => CommentOutcome::Updated,
            None => CommentOutcome::Created,
        };
        let (method, path) = match &found {
            Some(found) => (&client.platform().update, client.comment_path(found.id)),
            None => (&Method::POST, client.comments_path()),
        };
        let answer = client.send(method, &path, Some(&sent)).await;
        match answer {
            Ok(answer) => {
                let written = found_comment(&answer).or(found);
                return written
                    .map(|comment| WrittenComment {
                        outcome,
                        id: comment.id,
                        url: comment.url,
                    })
                    .ok_or_else(|| client.unreadable());
            }
            // Nobody knows whether it was created, so it is looked for again before another one is.
            Err(RequestFailure::Unclear(why)) => client.pause_after(why).await?,
            // Somebody deleted it in the meantime.
            Err(RequestFailure::Refused { status, .. })
                if status == StatusCode::NOT_FOUND && found.is_some() =>
            {
                client
                    .pause_after("the comment was deleted".to_owned())
                    .await?;
            }
            Err(failure) => return Err(client.failure(failure)),
        }
    }
}

/// Returns the name under which the token writes, if the platform tells it.
async fn author(client: &PlatformClient) -> Result<Option<String>, CommandFailure> {
    let platform = client.platform();
    let answer = match platform.identity {
        IdentityRequest::User(_) => client.send(&Method::GET, "user", None).await,
        IdentityRequest::GraphQl => client.graphql("query { viewer { login } }").await,
    };
    let name = match (&answer, platform.identity) {
        (Ok(answer), IdentityRequest::User(member)) => answer[member].as_str(),
        (Ok(answer), IdentityRequest::GraphQl) => answer["data"]["viewer"]["login"].as_str(),
        _ => None,
    };
    if let Some(name) = name {
        return Ok(Some(name.to_owned()));
    }
    match answer {
        // Not every token may ask. A server that does not work is another matter: without the name,
        // a comment that somebody else began with the marker could be taken for ours.
        Ok(_) | Err(RequestFailure::Refused { .. }) => Ok(platform
            .ci_author
            .filter(|_| platform.is_running())
            .map(str::to_owned)),
        Err(failure) => Err(client.failure(failure)),
    }
}

/// Returns the oldest comment of this author that begins with the marker.
async fn find(
    client: &PlatformClient,
    marker: &str,
    author: Option<&str>,
) -> Result<Option<FoundComment>, CommandFailure> {
    let [whose, name] = client.platform().author;
    let is_ours = |comment: &Value| {
        let written_by = comment[whose][name].as_str();
        let body = comment["body"].as_str().unwrap_or_default();
        // Anybody can write the marker, and could change their comment after the review.
        author.is_none_or(|author| written_by == Some(author))
            && body
                .lines()
                .next()
                .is_some_and(|line| line.trim_end() == marker)
    };
    let mut seen = BTreeSet::new();
    for page in 1.. {
        let paging = client.platform().paging;
        let path = format!("{}?{paging}&page={page}", client.comments_path());
        let answer = client.get_page(&path).await;
        let (comments, more) = answer.map_err(|failure| client.failure(failure))?;
        if let Some(ours) = comments.iter().find(|comment| is_ours(comment)) {
            return found_comment(ours)
                .map(Some)
                .ok_or_else(|| client.unreadable());
        }
        // A server without pages gives the same comments again.
        let ids = comments.iter().filter_map(|comment| comment["id"].as_u64());
        let is_new = ids.filter(|id| seen.insert(*id)).count() > 0;
        if !is_new || !more && comments.len() < PER_PAGE {
            break;
        }
    }
    Ok(None)
}

fn found_comment(answer: &Value) -> Option<FoundComment> {
    Some(FoundComment {
        id: answer["id"].as_u64()?,
        body: answer["body"].as_str().unwrap_or_default().to_owned(),
        url: answer["html_url"].as_str().map(str::to_owned),
    })
}

/// Platforms change line ends and remove white space at the end.
fn same_text(stored: &str, sent: &str) -> bool {
    stored.replace("\r\n", "\n").trim_end() == sent.trim_end()
}
