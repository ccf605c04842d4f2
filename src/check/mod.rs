//! Rules across resources: one named list, each a function of the state after the plan.
//!
//! A rule looks at what the plan touches and at whatever refers to it, in the [`World`] as it
//! would be after the plan, and says what is wrong. It never looks at the database, and it never
//! knows what is held: what is held is simply not in its world.

mod world;

pub use world::{Effect, Outcome, View, World};

use crate::diagnostic::Diagnostic;
use crate::model::Key;

/// What a rule found, and whose doing it may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What to tell.
    pub diagnostic: Diagnostic,
    /// The other resources without whose change the fault would not be there: when one of them is
    /// held, what has the fault depends on it.
    pub involves: Vec<Key>,
}

use crate::model::{Desired, Snapshot, Text, Value};
/// STUB for compile
#[derive(Default, Debug)]
pub struct Definitions;
impl Definitions {
    /// x
    pub fn defaults(&self, _a: &str) -> impl Iterator<Item = (&Text, &Value)> {
        std::iter::empty()
    }
}
/// x
pub fn definitions(_: &Desired, _: &Snapshot) -> Definitions {
    Definitions
}
/// x
pub fn subjects(world: &World<'_>) -> Vec<Key> {
    world.effects.iter().map(|e| e.key.clone()).collect()
}
/// x
pub fn run(_w: &World<'_>, _s: &[Key]) -> Vec<Finding> {
    vec![]
}
