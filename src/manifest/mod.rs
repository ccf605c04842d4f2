//! Bytes to desired: the files of a source, split into documents, read by the table of kinds into
//! cells. Nothing here looks at another resource than the one it reads, but for repeats of a key.

mod comment_cut;
mod decode;
mod document;
pub mod edit;
mod entries;
mod events;
pub mod export;
mod fields;
mod file_field;
mod file_names;
pub mod format;
mod ignore_rules;
mod keys;
pub mod layout;
pub mod limits;
mod links;
mod listing;
mod load;
mod locate;
mod merge;
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

pub use limits::TreeSize;
pub use listing::{BlobSource, ListingEntry, SentFile};
pub use load::{
    LoadOptions, LoadedManifests, ManifestDocument, digests, faulty_fields, load, revision,
};
pub use locate::locate;
pub use merge::RepeatedKeys;
pub use walk::{Tree, TreeFile, is_manifest};
