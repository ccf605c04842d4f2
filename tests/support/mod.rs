//! What the integration tests share: `mod support;`.

pub mod apart;
pub mod clock;
pub mod cluster;

pub mod postgres;
pub mod program;
