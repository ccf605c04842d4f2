//! Pure data: keys, values, cells, declared resources and stored rows. No I/O, no rules.

mod cell;
mod change;
pub mod digest;
mod held;
mod key;
mod keyed;
pub mod moment;
mod resource;
mod rows;
mod small;
mod state;
mod stop;
mod value;

pub use cell::{Amend, Cell, Pos, Stated};
pub use change::Change;
pub use digest::{Digest, FieldDigests};
pub use held::HeldStep;
pub use key::{FieldRef, Key, KindId};
pub use keyed::{HasKey, Keyed};
pub use resource::{Claim, ClaimState, Declared, Row};
pub use rows::{Ask, GuardBase, Rows};
pub use small::SmallMap;
pub use state::{Desired, Nameless, Salvaged, SecretState, Snapshot};
pub use stop::Stop;
pub use value::{Link, Value};

/// Short text, kept inline up to 24 bytes: most ids, names and cities need no allocation.
pub type Text = compact_str::CompactString;
