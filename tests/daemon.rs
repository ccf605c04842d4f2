//! `roster serve`, the real one: what it does by itself, and what it says of it.

mod daemon {
    pub mod directory;
    pub mod served;
}
mod support;
mod workspace;
