//! The plan: what makes actual equal desired, what was kept back, and why. Pure: no clock, no
//! random number, no log, no I/O.

mod types;

pub use types::{
    Agreed, AgreedClaim, Body, Held, Plan, Reason, SourceRef, Step, StepClaim, Summary, Verb, plain,
};
