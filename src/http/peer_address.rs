//! The address that a request came from.

use super::problem::HttpProblem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::net::{IpAddr, Ipv4Addr};

/// The address that a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerAddress(pub IpAddr);

impl PeerAddress {
    pub(super) fn of(parts: &Parts) -> Self {
        let known = parts.extensions.get::<Self>().copied();
        known.unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PeerAddress {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpProblem> {
        Ok(Self::of(parts))
    }
}
