//! The files of an uploaded tree, limited to the number that a source may have.

use super::UploadContent;
use crate::manifest::TreeSize;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserializer, de};
use std::collections::BTreeMap;
use std::fmt;

/// Files by path below the root.
pub(super) type UploadFiles = BTreeMap<String, UploadContent>;

/// Reads files until a limit is passed, so that no more of them are kept than that.
pub(super) fn read_limited<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<UploadFiles>, D::Error> {
    from.deserialize_option(UploadFilesVisitor)
}

struct UploadFilesVisitor;

impl<'de> Visitor<'de> for UploadFilesVisitor {
    type Value = Option<UploadFiles>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("files by path")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut files, mut extent) = (UploadFiles::new(), TreeSize::default());
        while let Some((path, content)) = map.next_entry::<String, UploadContent>()? {
            // Checked while reading: a daemon must not hold a tree in memory only to find it too
            // large.
            extent.add(path.as_bytes()).map_err(A::Error::custom)?;
            files.insert(path, content);
        }
        Ok(Some(files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<UploadFiles>, String> {
        let mut from = serde_json::Deserializer::from_str(json);
        read_limited(&mut from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_tree_that_passes_a_limit_is_refused() {
        assert_eq!(read("null").expect("none").map(|files| files.len()), None);
        let files = read(r#"{"a.yaml": "x", "b/c.yaml": {"base64": ""}}"#).expect("files");
        assert_eq!(files.map(|files| files.len()), Some(2));
        let deep = format!(r#"{{"{}a.yaml": ""}}"#, "d/".repeat(65));
        let error = read(&deep).err().unwrap_or_default();
        assert!(error.contains("64 deep"), "{error}");
    }
}
