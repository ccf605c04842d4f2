//! Reads and writes manifests. In: the files of a source, as a folder, a commit or files sent over
//! the API (`walk`, `listing`). Out: `Desired`, the declared cells of every resource with their
//! origins, and diagnostics. Files are split into documents (`split`), read as YAML nodes
//! (`events`) and turned into cells by the table of kinds (`document`, `resource`, `fields`). No
//! resource looks at another one here, apart from repeated keys. Start at `load`; `edit`, `export`
//! and `format` go the other way.

mod clear;
mod dated;
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
mod nested;
mod nodes;
mod resource;
mod secret;
mod sink;
pub mod split;
mod syntax;
mod tree_contents;
mod tree_listing;
mod walk;
pub mod write;
mod write_list;
mod write_text;

#[cfg(test)]
mod tests;

pub use limits::TreeSize;
pub use listing::SentFile;
pub use load::{
    LoadOptions, LoadedManifests, ManifestDocument, digests, faulty_fields, load, revision,
};
pub use locate::locate;
pub use merge::RepeatedKeys;
pub use tree_listing::{BlobSource, ListingEntry};
pub use walk::{Tree, TreeFile, is_manifest};
