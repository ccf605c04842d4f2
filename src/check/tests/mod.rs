//! One bad and one good case a rule, on small worlds written by hand.

mod build;
mod custom;
mod fields;
mod references;
mod shape;
mod state;

use build::CheckCase;
