//! Makes edits, loads the result, and keeps only the edits that give the intended declarations.
//! Goes from a text and a list of [`ManifestEdit`]s to the new text and the edits that were
//! dropped. Start with [`edit`].

use super::buffer::EditBuffer;
use super::nodes::NodeTree;
use super::scalar::ScalarText;
use super::splice::{TextSplice, splice};
use super::{EditRefusal, ManifestEdit};
use crate::diagnostic::codes;
use crate::kinds;
use crate::manifest::layout::inline_list;
use crate::manifest::{LoadOptions, LoadedManifests, Tree, load};
use crate::model::{Cell, DeclaredResource, FieldRef, Key, LineColumn, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A file after its edits.
#[derive(Clone, Debug, Default)]
pub struct EditedManifest {
    pub text: String,
    /// The edits that could not be made.
    pub dropped: Vec<DroppedEdit>,
}

/// An edit that could not be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DroppedEdit {
    /// Its index among the edits that were requested.
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
    // The byte-order mark is put back at the end: the file may need it in its editor.
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
                // An inline address written in two accounts would differ after a change in one of
                // them.
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

    /// Keeps the edits that together have the intended meaning, and finds the others by halving.
    fn keep_valid_edits<'e>(
        &self,
        edits: Vec<PreparedEdit<'e>>,
        dropped: &mut Vec<DroppedEdit>,
    ) -> (Vec<PreparedEdit<'e>>, bool) {
        // Usually all edits are fine, and the file is loaded once. A bad one costs a logarithmic
        // number of further loads, where testing each edit would cost one load per edit.
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
        let alone = kept.len();
        kept.extend(more);
        // Both halves are fine on their own but not together. The first half stays, so that the
        // result does not depend on chance.
        if !self.reads_as_intended(&kept) {
            dropped.extend(kept.drain(alone..).map(|ready| dropped_edit(&ready)));
        }
        (kept, false)
    }

    /// Whether the edited text declares what the old one did, with these edits applied.
    fn reads_as_intended(&self, edits: &[PreparedEdit<'_>]) -> bool {
        let all = edits.iter().flat_map(|ready| &ready.splices);
        let Some(text) = splice(self.body, all) else {
            return false;
        };
        let after = loaded(self.path, &text);
        let errors = |loaded: &LoadedManifests| {
            let found = loaded.diagnostics.iter();
            // Whether a required list may be empty is for the settings to say, which may be in
            // another file.
            let own = found.filter(|found| found.code != codes::CLEAR_REQUIRED);
            own.filter(|found| found.is_error()).count()
        };
        // The file may have had errors before; an edit must not add any.
        if errors(&after) > errors(&self.before) {
            return false;
        }
        // Every resource of the file is compared, since a splice could change a neighbour.
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
        // An inline address leaves the file with its link, unless another list still has it.
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

/// The cell in the form in which it reads back. Whether a custom field is a set is not known here,
/// so the order of its members is ignored.
fn normalize_cell(field: &FieldRef, cell: &Cell) -> Cell {
    match (field, cell) {
        (FieldRef::Custom(_), Cell::Value(Value::List(members))) => {
            Cell::Value(Value::set(members.iter().cloned()))
        }
        // The reader of a single file does not know the field's definition, so a number comes back
        // as text.
        (FieldRef::Custom(_), Cell::Value(value)) => {
            let word = ScalarText::of(value).map(|word| Value::text(word.text));
            Cell::Value(word.unwrap_or_else(|| value.clone()))
        }
        _ => cell.clone(),
    }
}

/// The inline resources that an edit takes out of a list. They may leave the file with it.
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
