//! The body of a file, which the handler reads as it arrives: it may be larger than the memory. It
//! is limited in size, and its sender may not pause for long. Start at [`FileBody`].

use super::body_limiter::too_large;
use super::operation::{OperationBuilder, OperationInput};
use super::problem::{self, HttpProblem};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use futures_util::{Stream, stream};
use http_body_util::BodyExt as _;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;

/// How large a file may be, and how long its sender may pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileLimits {
    pub most: usize,
    pub pause: Duration,
}

/// A body that is a file. Only a route `with_file_body` has one.
#[derive(Debug)]
pub struct FileBody {
    body: Body,
    limits: Option<FileLimits>,
}

impl FileBody {
    /// The bytes as they arrive.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, HttpProblem>> + Send {
        let limits = self.limits;
        let start = Some((self.body, 0));
        stream::unfold(start, move |state| async move {
            let (mut body, seen) = state?;
            match next(&mut body, seen, limits).await {
                Ok(None) => None,
                Ok(Some(bytes)) => {
                    let seen = seen + bytes.len();
                    Some((Ok(bytes), Some((body, seen))))
                }
                // After a failure there is nothing more to read.
                Err(problem) => Some((Err(problem), None)),
            }
        })
    }
}

/// The next bytes of a body of which `seen` bytes have arrived.
async fn next(
    body: &mut Body,
    seen: usize,
    limits: Option<FileLimits>,
) -> Result<Option<Bytes>, HttpProblem> {
    loop {
        let frame = match limits {
            None => body.frame().await,
            Some(limits) => tokio::time::timeout(limits.pause, body.frame())
                .await
                .map_err(|_| HttpProblem::new(problem::TIMEOUT, "the body stopped arriving"))?,
        };
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|_| HttpProblem::bad_request("the body is incomplete"))?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        if let Some(limits) = limits.filter(|limits| seen + bytes.len() > limits.most) {
            return Err(too_large(limits.most));
        }
        return Ok(Some(bytes));
    }
}

impl<S: Send + Sync> FromRequest<S> for FileBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        let limits = parts.extensions.get::<FileLimits>().copied();
        Ok(Self { body, limits })
    }
}

impl OperationInput for FileBody {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.body = Some(json!({
            "required": true,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }));
        operation.problems.push(problem::TOO_LARGE);
    }
}
