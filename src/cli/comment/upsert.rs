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
#[derive(Clone)]
struct FoundComment {
    id: u64,
    author: Option<String>,
    body: String,
    url: Option<String>,
}

/// Creates or replaces the comment that begins with a marker. Afterwards, it is the only one of this
/// author.
///
/// The oldest comment stays. Two jobs at once agree on it, whoever looks first.
pub(super) async fn upsert(
    client: &PlatformClient,
    marker: &str,
    body: &str,
) -> Result<WrittenComment, CommandFailure> {
    let told = author(client).await?;
    let mut author = told.clone();
    let mut created: Option<FoundComment> = None;
    loop {
        let mut own = match &author {
            Some(author) => find(client, marker, author).await?,
            // Anybody can write the marker, so without a name no comment is known to be ours.
            None => Vec::new(),
        };
        // A list may be older than what was just created.
        let created_id = created.as_ref().map(|comment| comment.id);
        if !own.iter().any(|comment| Some(comment.id) == created_id) {
            own.extend(created.clone());
        }
        own.sort_by_key(|comment| comment.id);
        let Some(current) = own.first() else {
            let comment = create(client, body).await?;
            // A new comment names its author, also where the token may not ask for it. What a server
            // says here counts, because this is the name in its list.
            author = comment.as_ref().and_then(|it| it.author.clone()).or(author);
            created = comment;
            // Look again: another job may have created one in the meantime.
            continue;
        };
        let Some(outcome) = update(client, current, body).await? else {
            created = created.filter(|comment| comment.id != current.id);
            continue;
        };
        for further in &own[1..] {
            retire(client, marker, further, current).await?;
        }
        let is_created = created_id == Some(current.id);
        if told != author && created_id.is_some() && !is_created {
            client.warn_of_unknown_identity();
        }
        return Ok(WrittenComment {
            outcome: if is_created {
                CommentOutcome::Created
            } else {
                outcome
            },
            id: current.id,
            url: current.url.clone(),
        });
    }
}

/// Creates a comment. Returns `None` if it is not known whether it exists, after a pause.
async fn create(
    client: &PlatformClient,
    body: &str,
) -> Result<Option<FoundComment>, CommandFailure> {
    let sent = json!({ "body": body });
    let path = client.comments_path();
    match client.send(&Method::POST, &path, Some(&sent)).await {
        Ok(answer) => match found_comment(client, &answer) {
            Some(comment) => Ok(Some(comment)),
            None => Err(client.unreadable()),
        },
        // It is looked for again before another one is created.
        Err(RequestFailure::Unclear(why)) => {
            client.pause_after(why).await?;
            Ok(None)
        }
        Err(failure) => Err(client.failure(failure)),
    }
}

/// Gives a comment this text. Returns `None` if it has to be looked for again.
async fn update(
    client: &PlatformClient,
    current: &FoundComment,
    body: &str,
) -> Result<Option<CommentOutcome>, CommandFailure> {
    if same_text(&current.body, body) {
        return Ok(Some(CommentOutcome::Unchanged));
    }
    let why = match replace(client, current, body).await {
        Ok(_) => return Ok(Some(CommentOutcome::Updated)),
        Err(RequestFailure::Unclear(why)) => why,
        Err(failure) if is_gone(&failure) => "the comment was deleted".to_owned(),
        Err(failure) => return Err(client.failure(failure)),
    };
    client.pause_after(why).await?;
    Ok(None)
}

/// Deletes a further comment, or says in it where the current one is.
async fn retire(
    client: &PlatformClient,
    marker: &str,
    further: &FoundComment,
    current: &FoundComment,
) -> Result<(), CommandFailure> {
    let place = match &current.url {
        Some(url) => url.clone(),
        // In the same merge request.
        None => format!("#note_{}", current.id),
    };
    // With the marker: should the current one be deleted by hand, this one is written again.
    let text = format!("{marker}\nThe current plan is in [another comment]({place}).");
    if same_text(&further.body, &text) {
        return Ok(());
    }
    let failure = match client.delete(&client.comment_path(further.id)).await {
        Ok(()) => return Ok(()),
        Err(RequestFailure::Refused { .. }) => match replace(client, further, &text).await {
            Ok(_) => return Ok(()),
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    match failure {
        // Another job deleted it.
        gone if is_gone(&gone) => Ok(()),
        // The plan can be read in the current one.
        RequestFailure::Refused { status, .. } => {
            tracing::warn!(
                "comment {} is out of date, and {} refuses to delete and to change it ({}); delete it by hand",
                further.id,
                client.platform().name,
                status.as_u16()
            );
            Ok(())
        }
        failure => Err(client.failure(failure)),
    }
}

async fn replace(
    client: &PlatformClient,
    comment: &FoundComment,
    body: &str,
) -> Result<Value, RequestFailure> {
    let (method, path) = (&client.platform().update, client.comment_path(comment.id));
    client
        .send(method, &path, Some(&json!({ "body": body })))
        .await
}

fn is_gone(failure: &RequestFailure) -> bool {
    let gone = [StatusCode::NOT_FOUND, StatusCode::GONE];
    matches!(failure, RequestFailure::Refused { status, .. } if gone.contains(status))
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
        // Not every token may ask.
        Ok(_) | Err(RequestFailure::Refused { .. }) => Ok(platform
            .ci_author
            .filter(|_| platform.is_running())
            .map(str::to_owned)),
        Err(failure) => Err(client.failure(failure)),
    }
}

/// Returns the comments of this author that begin with the marker.
async fn find(
    client: &PlatformClient,
    marker: &str,
    author: &str,
) -> Result<Vec<FoundComment>, CommandFailure> {
    // Anybody can write the marker, and could change their comment after the review.
    let is_ours = |comment: &FoundComment| {
        let first = comment.body.lines().next().unwrap_or_default();
        comment.author.as_deref() == Some(author) && first.trim_end() == marker
    };
    let mut seen = BTreeSet::new();
    let mut own = Vec::new();
    for page in 1.. {
        let paging = client.platform().paging;
        let path = format!("{}?{paging}&page={page}", client.comments_path());
        let answer = client.get_page(&path).await;
        let (comments, more) = answer.map_err(|failure| client.failure(failure))?;
        let count = comments.len();
        let found = comments.iter().filter_map(|it| found_comment(client, it));
        // A server without pages gives the same comments again.
        let new: Vec<FoundComment> = found.filter(|it| seen.insert(it.id)).collect();
        let is_last = new.is_empty() || !more && count < PER_PAGE;
        own.extend(new.into_iter().filter(is_ours));
        if is_last {
            break;
        }
    }
    Ok(own)
}

fn found_comment(client: &PlatformClient, answer: &Value) -> Option<FoundComment> {
    let [whose, name] = client.platform().author;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(FoundComment {
        id: answer["id"].as_u64()?,
        author: text(&answer[whose][name]),
        body: text(&answer["body"]).unwrap_or_default(),
        url: text(&answer["html_url"]),
    })
}

/// Platforms change line ends and remove white space at the end.
fn same_text(stored: &str, sent: &str) -> bool {
    stored.replace("\r\n", "\n").trim_end() == sent.trim_end()
}
