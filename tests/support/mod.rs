//! What the integration tests share: `mod support;`.

pub mod clock;
pub mod cluster;
pub mod isolation;

pub mod postgres;
pub mod program;
