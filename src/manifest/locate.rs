//! Moves diagnostics about a list member from the list to the member. Positions of members are not
//! kept while loading, because only few are ever needed; the files with such diagnostics are read
//! again.

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

/// The members of lists, by the position of each list.
type MemberPositions = BTreeMap<LineColumn, Members>;

/// Moves diagnostics about a member of a list to that member.
pub fn locate(tree: &Tree, diagnostics: &mut Vec<Diagnostic>) {
    let mut files: BTreeMap<Arc<str>, MemberPositions> = BTreeMap::new();
    for found in diagnostics.iter().filter(|found| found.member.is_some()) {
        if let Some(origin) = found.origin.as_ref().filter(|origin| origin.at.line > 0) {
            let lists = files.entry(Arc::clone(&origin.path)).or_default();
            lists.insert(origin.at, Members::new());
        }
    }
    if files.is_empty() {
        return;
    }
    for (path, lists) in &mut files {
        if let Some(text) = tree.text(path) {
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
    diagnostic::sort(diagnostics);
}

fn read(text: &str, lists: &mut MemberPositions) {
    let mut reader = NodeReader::new(text);
    for part in split::split(text) {
        let found = reader.begin(&part).and_then(|begins| {
            if begins {
                document(&mut reader, lists)
            } else {
                Ok(())
            }
        });
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

/// Collects the texts of a list, and those in its mappings.
fn list(reader: &mut NodeReader<'_>, members: &mut Members) -> Result<(), DocumentError> {
    let mut depth = 1;
    while depth > 0 {
        match reader.next()? {
            (NodeEvent::Eof, _) => return Ok(()),
            (NodeEvent::End, _) => depth -= 1,
            (NodeEvent::List | NodeEvent::Map, _) => depth += 1,
            // Depth 2 is a link with attributes; deeper texts are fields of a resource written
            // inside.
            (NodeEvent::Scalar(scalar), at) if depth <= 2 => {
                members.entry(CompactText::new(&scalar.text)).or_insert(at);
            }
            _ => {}
        }
    }
    Ok(())
}
