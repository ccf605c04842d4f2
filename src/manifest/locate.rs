//! Moves a diagnostic about one member of a list from the start of the list to that member. Cells
//! record only where their list begins, to save memory; the position of a member is looked up here
//! by reading the file again.

use super::events::NodeReader;
use super::nodes::{DocumentError, NodeEvent};
use super::split;
use super::walk::Tree;
use crate::diagnostic::{self, Diagnostic};
use crate::model::{CompactText, LineColumn};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The position of each member of a list.
type Members = HashMap<CompactText, LineColumn>;

/// The members of lists, by the position of the list.
type MemberPositions = BTreeMap<LineColumn, Members>;

/// Moves diagnostics about a member of a list from the list to the member.
pub fn locate(tree: &Tree, diagnostics: &mut Vec<Diagnostic>) {
    let mut files: BTreeMap<Arc<str>, MemberPositions> = BTreeMap::new();
    for found in diagnostics.iter().filter(|found| found.member.is_some()) {
        // Line 0 stands for the file as a whole; there is no list to look up.
        if let Some(origin) = found.origin.as_ref().filter(|origin| origin.at.line > 0) {
            let lists = files.entry(Arc::clone(&origin.path)).or_default();
            lists.insert(origin.at, Members::new());
        }
    }
    // Without such diagnostics no file is read a second time.
    if files.is_empty() {
        return;
    }
    for (path, lists) in &mut files {
        if let Some(text) = tree.text(path) {
            // The loader does not count the byte-order mark either; otherwise columns would differ.
            read(text.trim_start_matches('\u{feff}'), lists);
        }
    }
    for found in diagnostics.iter_mut() {
        let (Some(member), Some(origin)) = (&found.member, &mut found.origin) else {
            continue;
        };
        let members = files
            .get(&origin.path)
            .and_then(|lists| lists.get(&origin.at));
        if let Some(at) = members.and_then(|all| all.get(member)) {
            origin.at = *at;
        }
    }
    // Diagnostics are ordered by position, and positions have changed.
    diagnostic::sort(diagnostics);
}

fn read(text: &str, lists: &mut MemberPositions) {
    let mut reader = NodeReader::new(text);
    for part in split::split(text) {
        let found = reader.begin(&part).and_then(|has_document| {
            if has_document {
                document(&mut reader, lists)
            } else {
                Ok(())
            }
        });
        // The documents before and behind a broken one still have positions to offer.
        if found.is_err() {
            reader.give_up();
        }
    }
}

fn document(reader: &mut NodeReader<'_>, lists: &mut MemberPositions) -> Result<(), DocumentError> {
    loop {
        match reader.next()? {
            (NodeEvent::Eof, _) => return Ok(()),
            (NodeEvent::List, at) => {
                if let Some(members) = lists.get_mut(&at) {
                    list(reader, members)?;
                }
            }
            _ => {}
        }
    }
}

/// Collects the texts of a list, and the scalars of mappings in it.
fn list(reader: &mut NodeReader<'_>, members: &mut Members) -> Result<(), DocumentError> {
    let mut depth = 1;
    while depth > 0 {
        match reader.next()? {
            (NodeEvent::Eof, _) => return Ok(()),
            (NodeEvent::End, _) => depth -= 1,
            (NodeEvent::List | NodeEvent::Map, _) => depth += 1,
            // Depth 2 is `- {account: acme}`, where the target is a value of the mapping.
            (NodeEvent::Scalar(scalar), at) if depth <= 2 => {
                members.entry(CompactText::new(&scalar.text)).or_insert(at);
            }
            _ => {}
        }
    }
    Ok(())
}
