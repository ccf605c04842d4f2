//! Tests of the rules: at least one bad and one good case for each, on small states written by
//! hand.

mod build;
mod custom;
mod fields;
mod references;
mod shape;
mod state;

use build::CheckCase;
