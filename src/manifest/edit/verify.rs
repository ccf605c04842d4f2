//! Makes edits, reads the result again, and keeps only the edits after which the file means what
//! was intended. Start at [`edit`].

use super::buffer::EditBuffer;
use super::nodes::NodeTree;
use super::scalar::ScalarText;
use super::splice::{TextSplice, splice};
use super::{EditRefusal, ManifestEdit};
use crate::kinds;
use crate::manifest::layout::inline_list;
use crate::manifest::{LoadOptions, LoadedManifests, Tree, load};
use crate::model::{Cell, DeclaredResource, FieldRef, Key, LineColumn, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A file with its edits.
#[derive(Clone, Debug, Default)]
pub struct EditedManifest {
    /// The new text.
    pub text: String,
    /// The edits that were not made.
    pub dropped: Vec<DroppedEdit>,
}

/// An edit that was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DroppedEdit {
    /// Its index in the requested edits.
    pub index: usize,
    pub at: LineColumn,
    pub why: String,
}

/// An edit with its changes to the text.
struct PreparedEdit<'e> {
    index: usize,
    edit: &'e ManifestEdit,
    at: LineColumn,
    splices: Vec<TextSplice>,
}

/// Edits the text of a manifest. Everything else in it stays byte for byte.
#[must_use]
pub fn edit(path: &str, text: &str, edits: &[ManifestEdit]) -> EditedManifest {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    // The byte order mark is not part of the YAML, but it was in the file and stays.
    let mark = &text[..text.len() - body.len()];
    let Some(nodes) = NodeTree::read(body) else {
        let dropped = (0..edits.len()).map(|index| DroppedEdit {
            index,
            at: LineColumn::default(),
            why: "the file is not valid YAML".to_owned(),
        });
        return EditedManifest {
            text: text.to_owned(),
            dropped: dropped.collect(),
        };
    };
    // The reader accepts YAML in a JSON file; other programs that read it do not.
    let json = path.to_ascii_lowercase().ends_with(".json");
    let work = EditVerifier {
        path,
        body,
        before: loaded(path, body),
        written: EditBuffer::new(body, &nodes, json),
    };
    let mut dropped = Vec::new();
    let ready = work.prepare_edits(edits, &mut dropped);
    let (kept, _) = work.keep_valid_edits(ready, &mut dropped);
    let edited = splice(body, kept.iter().flat_map(|ready| &ready.splices));
    dropped.sort_by_key(|dropped| dropped.index);
    EditedManifest {
        text: format!("{mark}{}", edited.as_deref().unwrap_or(body)),
        dropped,
    }
}

fn loaded(path: &str, text: &str) -> LoadedManifests {
    let tree = Tree::from_files([(path.to_owned(), text.as_bytes().to_vec())]);
    load(&tree, &LoadOptions::default())
}

struct EditVerifier<'t> {
    path: &'t str,
    body: &'t str,
    before: LoadedManifests,
    written: EditBuffer<'t>,
}

impl EditVerifier<'_> {
    fn prepare_edits<'e>(
        &self,
        edits: &'e [ManifestEdit],
        dropped: &mut Vec<DroppedEdit>,
    ) -> Vec<PreparedEdit<'e>> {
        let mut ready = Vec::new();
        for (index, edit) in edits.iter().enumerate() {
            let declared = self.before.desired.resources.get(&edit.key);
            let made = match declared {
                None => Err(EditRefusal::new("the file does not declare the resource")),
                // Only one of the places would be changed, and the two would then disagree.
                Some(_) if self.before.repeated.contains_key(&edit.key) => Err(EditRefusal::new(
                    "the resource is written in several places",
                )),
                Some(declared) => self.written.splices_for(edit, declared),
            };
            let first = edit.cells.first().map(|(field, _)| field);
            let at = declared.map(|declared| {
                let stated = first.and_then(|field| declared.stated(field));
                stated.map_or(declared.position, |stated| stated.position)
            });
            let at = at.unwrap_or_default();
            match made {
                Ok(splices) => ready.push(PreparedEdit {
                    index,
                    edit,
                    at,
                    splices,
                }),
                Err(refusal) => dropped.push(DroppedEdit {
                    index,
                    at: refusal.at.unwrap_or(at),
                    why: refusal.why,
                }),
            }
        }
        ready
    }

    /// Keeps the edits that are valid together. If some are not, each half is tried on its own,
    /// which finds a bad one in few readings.
    fn keep_valid_edits<'e>(
        &self,
        edits: Vec<PreparedEdit<'e>>,
        dropped: &mut Vec<DroppedEdit>,
    ) -> (Vec<PreparedEdit<'e>>, bool) {
        if edits.is_empty() || self.reads_as_intended(&edits) {
            return (edits, true);
        }
        if let [only] = edits.as_slice() {
            dropped.push(dropped_edit(only));
            return (Vec::new(), false);
        }
        let mut first = edits;
        let second = first.split_off(first.len() / 2);
        let (mut kept, _) = self.keep_valid_edits(first, dropped);
        let (more, _) = self.keep_valid_edits(second, dropped);
        // Two halves may be valid alone and not together.
        let alone = kept.len();
        kept.extend(more);
        if !self.reads_as_intended(&kept) {
            dropped.extend(kept.drain(alone..).map(|ready| dropped_edit(&ready)));
        }
        (kept, false)
    }

    /// Whether the text with these edits means the old one with these changes.
    fn reads_as_intended(&self, edits: &[PreparedEdit<'_>]) -> bool {
        let all = edits.iter().flat_map(|ready| &ready.splices);
        let Some(text) = splice(self.body, all) else {
            return false;
        };
        let after = loaded(self.path, &text);
        let errors = |loaded: &LoadedManifests| {
            let found = loaded.diagnostics.iter();
            found.filter(|found| found.is_error()).count()
        };
        // A file with errors may be edited, as long as the edit adds none.
        if errors(&after) > errors(&self.before) {
            return false;
        }
        let mut meant: BTreeMap<&Key, Vec<(FieldRef, Cell)>> = BTreeMap::new();
        for declared in &self.before.desired.resources {
            meant.insert(&declared.key, stated_cells(declared));
        }
        let mut gone = BTreeSet::new();
        for ready in edits {
            let Some(cells) = meant.get_mut(&ready.edit.key) else {
                return false;
            };
            for (field, cell) in &ready.edit.cells {
                gone.extend(unlinked(&ready.edit.key, field, cells, cell));
                match cells.binary_search_by(|(said, _)| said.cmp(field)) {
                    Ok(at) => cells[at].1 = normalize_cell(field, cell),
                    Err(at) => cells.insert(at, (field.clone(), normalize_cell(field, cell))),
                }
            }
        }
        // An address written out only in this list may go with its link; anything else that
        // disappears is a mistake.
        let kept = |key: &Key| after.desired.resources.contains(key) || !gone.contains(key);
        meant.retain(|key, _| kept(key));
        let now = after.desired.resources.iter();
        let now: BTreeMap<&Key, _> = now
            .map(|declared| (&declared.key, stated_cells(declared)))
            .collect();
        now == meant
    }
}

fn dropped_edit(ready: &PreparedEdit<'_>) -> DroppedEdit {
    DroppedEdit {
        index: ready.index,
        at: ready.at,
        why: "the edited file would not have the intended meaning".to_owned(),
    }
}

fn stated_cells(declared: &DeclaredResource) -> Vec<(FieldRef, Cell)> {
    let cells = declared.cells.iter();
    cells
        .map(|stated| {
            (
                stated.field.clone(),
                normalize_cell(&stated.field, &stated.cell),
            )
        })
        .collect()
}

/// The cell as it reads back. Whether a custom field is a set is not known here, so its order does
/// not count.
fn normalize_cell(field: &FieldRef, cell: &Cell) -> Cell {
    match (field, cell) {
        (FieldRef::Custom(_), Cell::Value(Value::List(members))) => {
            Cell::Value(Value::set(members.iter().cloned()))
        }
        // The reader does not know the definitions either: a number is read as text.
        (FieldRef::Custom(_), Cell::Value(value)) => {
            let word = ScalarText::of(value).map(|word| Value::text(word.text));
            Cell::Value(word.unwrap_or_else(|| value.clone()))
        }
        _ => cell.clone(),
    }
}

/// The resources written inside a list that leave it; they may leave the file with it.
fn unlinked(key: &Key, field: &FieldRef, cells: &[(FieldRef, Cell)], after: &Cell) -> Vec<Key> {
    let Some((index, kind)) = inline_list(kinds::get(key.kind)) else {
        return Vec::new();
    };
    if *field != kinds::own_field(index) {
        return Vec::new();
    }
    let before = cells.iter().find(|(said, _)| said == field);
    let before = before.and_then(|(_, cell)| cell.value());
    let stays = |id| {
        after
            .value()
            .is_some_and(|after| after.members().any(|member| member == id))
    };
    let gone = before.into_iter().flat_map(Value::members);
    gone.filter(|id| !stays(*id))
        .map(|id| Key::new(kind, id))
        .collect()
}
