//! The token of a customer, as it was sent. Whose it is, is in the database, so the handler asks.

use super::operation::{OperationBuilder, OperationInput};
use super::problem::{self, HttpProblem};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use secrecy::SecretString;

/// The token in the `Authorization` header.
#[derive(Clone, Debug)]
pub struct CustomerToken(pub SecretString);

impl CustomerToken {
    /// The token of a request.
    pub(super) fn of(parts: &Parts) -> Result<Self, HttpProblem> {
        let value = parts.headers.get(header::AUTHORIZATION);
        let token = value.and_then(|value| super::gate::bearer(value.to_str().ok()?));
        let token = token.ok_or_else(|| {
            let detail = "send `Authorization: Bearer …` with the token of `POST /api/v1/login`";
            HttpProblem::new(problem::UNAUTHORIZED, detail)
        })?;
        Ok(Self(token.to_owned().into()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CustomerToken {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpProblem> {
        Self::of(parts)
    }
}

impl OperationInput for CustomerToken {
    fn describe(_: &mut OperationBuilder<'_>) {}
}
