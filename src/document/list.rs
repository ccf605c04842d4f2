//! Lists that are written one entry at a time, because they may be too long to hold as documents.

use rayon::prelude::*;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The number of elements that are serialized at once, and the fewest that one task takes.
// A batch bounds the memory. With fewer elements per task, distributing them would take longer than
// serializing them.
const BATCH_ELEMENTS: usize = 4096;
const MIN_TASK_ELEMENTS: usize = 64;

/// A list of documents, as it was read, or built element by element while it is written. Each
/// element is written on one line.
pub struct DocumentList<'a, D>(ListElements<'a, D>);

enum ListElements<'a, D> {
    Read(Vec<D>),
    Lazy {
        count: usize,
        element: Box<dyn Fn(usize) -> D + Send + Sync + 'a>,
    },
}

impl<'a, D> DocumentList<'a, D> {
    /// A list that builds the document of each value when it is written.
    pub fn of<T: Sync>(values: &'a [T], document: impl Fn(&'a T) -> D + Send + Sync + 'a) -> Self {
        Self(ListElements::Lazy {
            count: values.len(),
            element: Box::new(move |at| document(&values[at])),
        })
    }

    /// A list of documents that are built already.
    #[must_use]
    pub fn from_vec(documents: Vec<D>) -> Self {
        Self(ListElements::Read(documents))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            ListElements::Read(all) => all.len(),
            ListElements::Lazy { count, .. } => *count,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The documents.
    #[must_use]
    pub fn into_vec(self) -> Vec<D> {
        match self.0 {
            ListElements::Read(all) => all,
            ListElements::Lazy { count, element } => (0..count).map(element).collect(),
        }
    }
}

impl<D: Serialize + Send + Sync> DocumentList<'_, D> {
    fn lines(&self, batch: Range<usize>) -> serde_json::Result<Vec<Box<RawValue>>> {
        let batch = batch.into_par_iter().with_min_len(MIN_TASK_ELEMENTS);
        let lines = batch.map(|at| match &self.0 {
            ListElements::Read(all) => to_raw_value(&all[at]),
            ListElements::Lazy { element, .. } => to_raw_value(&element(at)),
        });
        lines.collect()
    }
}

impl<D> Default for DocumentList<'_, D> {
    fn default() -> Self {
        Self(ListElements::Read(Vec::new()))
    }
}

impl<D> fmt::Debug for DocumentList<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentList({})", self.len())
    }
}

impl<D: Serialize + Send + Sync> Serialize for DocumentList<'_, D> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let count = self.len();
        let mut list = to.serialize_seq(Some(count))?;
        // In batches: the lines of each are made in parallel and written in order.
        for start in (0..count).step_by(BATCH_ELEMENTS) {
            let batch = start..count.min(start + BATCH_ELEMENTS);
            for line in self.lines(batch).map_err(S::Error::custom)? {
                list.serialize_element(&line)?;
            }
        }
        list.end()
    }
}

impl<'de, D: Deserialize<'de>> Deserialize<'de> for DocumentList<'_, D> {
    fn deserialize<F: Deserializer<'de>>(from: F) -> Result<Self, F::Error> {
        Vec::deserialize(from).map(|all| Self(ListElements::Read(all)))
    }
}

impl<D: JsonSchema> JsonSchema for DocumentList<'_, D> {
    fn inline_schema() -> bool {
        Vec::<D>::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<D>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<D>::json_schema(generator)
    }
}

/// Writes a member of a document on one line, whatever the layout of the rest.
pub(super) fn one_line<T: Serialize, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    let line = to_raw_value(value).map_err(S::Error::custom)?;
    line.serialize(to)
}
