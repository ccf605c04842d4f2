//! Bytes to desired: the files of a source, split into documents, read by the table of kinds into
//! cells. Nothing here looks at another resource than the one it reads, but for repeats of a key.

mod decode;
mod document;
pub mod edit;
mod entries;
mod events;
pub mod export;
mod fields;
mod file;
mod file_names;
pub mod format;
mod ignored;
pub mod layout;
pub mod limits;
mod links;
mod listing;
mod load;
mod locate;
mod merge;
mod names;
mod nodes;
mod resource;
mod secret;
mod sink;
pub mod split;
mod syntax;
mod walk;
pub mod write;

#[cfg(test)]
mod tests;

pub use limits::Extent;
pub use listing::{Blobs, Entry, SentFile};
pub use load::{Document, LoadOptions, Loaded, digests, faulty, load, revision};
pub use locate::locate;
pub use merge::Repeated;
pub use walk::{Tree, TreeFile, is_manifest};
