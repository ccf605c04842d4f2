//! What the integration tests share: `mod support;`.

pub mod postgres;
pub mod program;
