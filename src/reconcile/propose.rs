//! What another source knows better than the manifests of a directory, as edits of its files.

use super::manifests::{folders, is_deleted, item, laid_beside, plain};
use super::{Pass, PassError, Reading, Request, feeds, read};
use crate::check;
use crate::config::{Config, Place, Source};
use crate::diagnostic::Diagnostic;
use crate::kinds::{self, Item as Members, Kind, Type};
use crate::manifest::edit::{Edit, edit};
use crate::manifest::layout::{Export, inlined, lay_out};
use crate::model::{
    Cell, Declared, Desired, FieldRef, Key, Keyed, Link, Pos, Snapshot, Stated, Text, Value,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What may be proposed beside other values of what the directory says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct More {
    /// Fields that the directory says nothing of.
    pub add: bool,
    /// Resources that it does not declare.
    pub new: bool,
}

/// A file that would be another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Its path below the directory.
    pub path: String,
    /// Its text; `None`: it is new.
    pub before: Option<String>,
    /// Its text with the proposals.
    pub after: String,
}

/// One value that is proposed, or a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposed {
    /// What it is about: `Account/acme name`.
    pub subject: String,
    /// Where the source says so: file, line and column.
    pub from: String,
}

/// What could not be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unwritten {
    /// What it is about.
    pub subject: String,
    /// Where, below the directory.
    pub path: String,
    /// Where in that file.
    pub at: Pos,
    /// Why.
    pub why: String,
}

/// What a source knows better than a directory.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// The directory.
    pub root: PathBuf,
    /// The same as the configuration writes it.
    pub written: String,
    /// The digest of the export, or the revision of the source.
    pub digest: String,
    /// The files to change or to add, by path.
    pub files: Vec<Changed>,
    /// What is in them.
    pub proposed: Vec<Proposed>,
    /// What could not be written.
    pub unwritten: Vec<Unwritten>,
    /// How many fields more there would be with those that the directory says nothing of.
    pub needs_add: usize,
    /// How many resources more there would be with those that it does not declare.
    pub needs_new: usize,
    /// What was found in the source.
    pub diagnostics: Vec<Diagnostic>,
    /// Why nothing of the source is believed.
    pub doubt: Option<String>,
}

/// Compares what a source says with the manifests of a directory, without a database.
///
/// # Errors
/// When one of them cannot be read whole.
pub fn propose(
    config: &Config,
    source: &Source,
    into: &Source,
    more: More,
    request: &Request,
) -> Result<Proposal, PassError> {
    let Place::Directory(root) = &into.place else {
        let why = format!("source {} is no directory on this host", into.name);
        return Err(PassError::Usage(why));
    };
    let (mut from, doubt) = match source.feed() {
        Some(feed) => feeds::alone(config, source, feed, request),
        None => (
            read::of_tree(config, source, read::tree(config, source, request)),
            None,
        ),
    };
    let digest = match &from.facts {
        Some(facts) => facts.digest.to_string(),
        None => from.desired.revision.to_string(),
    };
    let mut proposal = Proposal {
        root: root.clone(),
        written: into.written.clone(),
        digest,
        diagnostics: std::mem::take(&mut from.diagnostics),
        doubt: doubt.or_else(|| from.desired.removals_off.first().cloned()),
        ..Proposal::default()
    };
    if proposal.doubt.is_some() {
        return Ok(proposal);
    }
    let mut there = read::of_tree(config, into, read::tree(config, into, request));
    if let Some(why) = there.desired.removals_off.first() {
        let why = format!(
            "what source {} declares cannot be made out: {why}",
            into.name
        );
        return Err(PassError::Refused(why));
    }
    let beside = beside(config, [source, into], request);
    typed(&mut proposal.diagnostics, &mut from, &mut there, &beside);
    let mut found = Comparing::of(&from, &there, &proposal.diagnostics, more);
    proposal.needs_add = found.needs_add;
    proposal.needs_new = found.needs_new;
    proposal.unwritten.append(&mut found.unwritten);
    found.without_new_errors(config, &there, &beside, &mut proposal.unwritten);
    write(&found, &there, &mut proposal);
    Ok(proposal)
}

/// What other directories declare, which references may be to.
fn beside(config: &Config, but: [&Source; 2], request: &Request) -> Vec<Arc<Declared>> {
    let others = config
        .sources
        .iter()
        .filter(|source| source.feed().is_none() && but.iter().all(|but| but.name != source.name));
    let readings = others.map(|source| {
        let tree = read::tree(config, source, request);
        read::of_tree(config, source, tree)
    });
    let declared = readings.map(|reading| {
        let all = reading.desired.resources.iter().cloned();
        all.collect::<Vec<_>>()
    });
    declared.flatten().collect()
}

/// Makes the custom values of both sides comparable.
fn typed(
    found: &mut Vec<Diagnostic>,
    from: &mut Reading,
    there: &mut Reading,
    beside: &[Arc<Declared>],
) {
    let all = there.desired.resources.iter().chain(beside);
    let together = Desired {
        resources: all.cloned().collect::<Keyed<_>>(),
        ..Desired::default()
    };
    let definitions = check::definitions(&together, &Snapshot::default());
    let wrong = check::type_custom(Arc::make_mut(&mut from.desired), &definitions);
    found.extend(wrong.into_iter().map(|finding| finding.diagnostic));
    check::type_custom(Arc::make_mut(&mut there.desired), &definitions);
}

/// What is to become of the directory.
struct Comparing {
    edits: Vec<Making>,
    new: BTreeMap<Key, Arc<Declared>>,
    /// To which account a new address belongs.
    homes: BTreeMap<Key, Text>,
    unwritten: Vec<Unwritten>,
    needs_add: usize,
    needs_new: usize,
}

/// An edit, and where it comes from.
struct Making {
    edit: Edit,
    path: Arc<str>,
    at: Pos,
    from: String,
}

impl Comparing {
    fn of(from: &Reading, there: &Reading, found: &[Diagnostic], more: More) -> Self {
        let mut comparing = Self {
            edits: Vec::new(),
            new: BTreeMap::new(),
            homes: BTreeMap::new(),
            unwritten: Vec::new(),
            needs_add: 0,
            needs_new: 0,
        };
        let errors = found.iter().filter(|found| found.is_error());
        let whole = errors.filter(|found| found.field.is_none());
        let faulty: HashSet<&Key> = whole.filter_map(|found| found.key.as_ref()).collect();
        for said in &from.desired.resources {
            if faulty.contains(&said.key) || from.desired.shielded.contains(&said.key) {
                continue;
            }
            match there.desired.resources.get(&said.key) {
                Some(declared) => comparing.compare(from, there, said, declared, more),
                None if is_deleted(said) => {}
                None if more.new => {
                    comparing
                        .new
                        .insert(said.key.clone(), Arc::new(plain(said)));
                }
                None => comparing.needs_new += 1,
            }
        }
        comparing
    }

    fn compare(
        &mut self,
        from: &Reading,
        there: &Reading,
        said: &Declared,
        declared: &Declared,
        more: More,
    ) {
        let kind = kinds::get(said.key.kind);
        let mut missing = Vec::new();
        let place =
            |stated: &Stated| format!("{}:{}:{}", said.path, stated.at.line, stated.at.column);
        for stated in &said.cells {
            let faulty = (said.key.clone(), stated.field.clone());
            if !is_proposed(kind, &stated.field) || from.desired.faulty.contains(&faulty) {
                continue;
            }
            let before = declared.stated(&stated.field);
            let Some(mut cell) = wanted(kind, stated, before.map(|before| &before.cell)) else {
                continue;
            };
            self.without_unknown(kind, &stated.field, &mut cell, (from, there), more);
            if before.is_some_and(|before| before.cell == cell) {
                continue;
            }
            self.homes_of(kind, said, &stated.field, &cell);
            let says = |before: &Stated| {
                stated.field.own().is_none() || !matches!(before.cell, Cell::Blank)
            };
            if !before.is_some_and(says) {
                let empty = cell.value().is_none_or(Value::is_empty_list);
                let active = Some(kind.status_index()) == stated.field.own()
                    && cell.value().and_then(Value::as_text) == Some("active");
                if empty || active {
                    continue;
                }
                if !more.add {
                    self.needs_add += 1;
                    continue;
                }
                if before.is_none() {
                    missing.push((stated, cell));
                    continue;
                }
            }
            let cells = vec![(stated.field.clone(), cell)];
            let at = before.map_or(declared.at, |before| before.at);
            self.make(declared, cells, at, place(stated));
        }
        if let Some((first, _)) = missing.first() {
            let from = place(first);
            let cells = missing.into_iter();
            let cells = cells.map(|(stated, cell)| (stated.field.clone(), cell));
            self.make(declared, cells.collect(), declared.at, from);
        }
    }

    fn make(&mut self, declared: &Declared, cells: Vec<(FieldRef, Cell)>, at: Pos, from: String) {
        let kind = kinds::get(declared.key.kind);
        let fixed = |(field, _): &(FieldRef, Cell)| {
            let known = declared.stated(field).is_some();
            known && kind.field(field).is_some_and(|field| field.immutable)
        };
        let making = Making {
            path: Arc::clone(&declared.path),
            edit: Edit {
                key: declared.key.clone(),
                cells,
            },
            at,
            from,
        };
        if making.edit.cells.iter().any(fixed) {
            self.unwritten.push(making.unwritten("it can never change"));
        } else {
            self.edits.push(making);
        }
    }

    /// Leaves members out that only the source has, unless they come as new resources.
    fn without_unknown(
        &mut self,
        kind: &'static Kind,
        field: &FieldRef,
        cell: &mut Cell,
        (from, there): (&Reading, &Reading),
        more: More,
    ) {
        let target = kind.field(field).and_then(|field| match field.ty {
            Type::Links { kind, .. } | Type::Set(Members::Ref(kind)) => Some(kind),
            _ => None,
        });
        let (Some(target), Cell::Value(value), false) = (target, &mut *cell, more.new) else {
            return;
        };
        let known = |id: &Text| {
            let key = Key::new(target, id);
            there.desired.resources.contains(&key) || !from.desired.resources.contains(&key)
        };
        let left = match value {
            Value::Links(links) => {
                let kept = links.iter().filter(|link| known(&link.target));
                Value::links(kept.cloned())
            }
            value => Value::set(value.members().filter(|id| known(id)).cloned()),
        };
        *cell = Cell::Value(left);
    }

    /// Notes which account a resource belongs to that is written within accounts.
    fn homes_of(&mut self, kind: &'static Kind, said: &Declared, field: &FieldRef, cell: &Cell) {
        if let Some((index, target)) = inlined(kind)
            && *field == kinds::own(index)
        {
            for id in cell.value().into_iter().flat_map(Value::members) {
                let key = Key::new(target, id);
                self.homes.entry(key).or_insert_with(|| said.key.id.clone());
            }
        }
    }

    /// Drops what would break a rule that holds now.
    fn without_new_errors(
        &mut self,
        config: &Config,
        there: &Reading,
        beside: &[Arc<Declared>],
        unwritten: &mut Vec<Unwritten>,
    ) {
        let before: BTreeSet<_> = errors(config, there, &Self::none(), beside)
            .into_iter()
            .map(|found| (found.key, found.code.name(), found.field))
            .collect();
        loop {
            let after = errors(config, there, self, beside);
            let new = after.into_iter().filter(|found| {
                let known = (found.key.clone(), found.code.name(), found.field.clone());
                !before.contains(&known)
            });
            let new: Vec<Diagnostic> = new.collect();
            let mut dropped = 0;
            for found in &new {
                dropped += self.drop_for(found, unwritten);
            }
            if dropped == 0 {
                return;
            }
        }
    }

    fn none() -> Self {
        Self {
            edits: Vec::new(),
            new: BTreeMap::new(),
            homes: BTreeMap::new(),
            unwritten: Vec::new(),
            needs_add: 0,
            needs_new: 0,
        }
    }

    /// Drops what a finding is about: that edit of a field, or all edits of the resource.
    fn drop_for(&mut self, found: &Diagnostic, unwritten: &mut Vec<Unwritten>) -> usize {
        let Some(key) = &found.key else { return 0 };
        let why = format!("{}: {}", found.code.name(), found.message);
        if let Some(declared) = self.new.remove(key) {
            unwritten.push(Unwritten {
                subject: key.to_string(),
                path: declared.path.to_string(),
                at: declared.at,
                why,
            });
            return 1;
        }
        let kind = kinds::get(key.kind);
        let field = found.field.as_deref();
        let about = |making: &Making| {
            let mut names = making.edit.cells.iter();
            names.any(|(said, _)| field.is_some_and(|name| name == kind.field_name(said)))
        };
        let mine = |making: &Making| making.edit.key == *key;
        let exact = self
            .edits
            .iter()
            .any(|making| mine(making) && about(making));
        let (gone, kept) = std::mem::take(&mut self.edits)
            .into_iter()
            .partition(|making| mine(making) && (!exact || about(making)));
        self.edits = kept;
        let gone: Vec<Making> = gone;
        unwritten.extend(gone.iter().map(|making| making.unwritten(&why)));
        gone.len()
    }
}

impl Making {
    fn unwritten(&self, why: &str) -> Unwritten {
        Unwritten {
            subject: self.edit.subject(),
            path: self.path.to_string(),
            at: self.at,
            why: why.to_owned(),
        }
    }
}

/// Whether a field is anybody's to propose: no password is, and no file of another place.
fn is_proposed(kind: &'static Kind, field: &FieldRef) -> bool {
    let ty = kind.field(field).map(|field| &field.ty);
    !matches!(ty, Some(Type::Secret | Type::File))
}

/// What the directory would say of a field if it went by the source; `None`: what it says.
fn wanted(kind: &'static Kind, stated: &Stated, before: Option<&Cell>) -> Option<Cell> {
    let old = before.and_then(Cell::value);
    let ty = kind.field(&stated.field).map(|field| &field.ty);
    let cell = match &stated.cell {
        Cell::Value(Value::Links(links)) => Cell::Value(filled(ty, links, old)),
        Cell::Value(value) => Cell::Value(value.clone()),
        Cell::Amend(amend) => Cell::Value(amended(ty, &amend.add, &amend.remove, old)),
        // A blank custom cell clears what the directory says.
        Cell::Blank if stated.field.own().is_none() && old.is_some() => Cell::Blank,
        Cell::Blank | Cell::Clear => return None,
    };
    (before != Some(&cell)).then_some(cell)
}

fn amended(ty: Option<&Type>, add: &Value, remove: &[Text], old: Option<&Value>) -> Value {
    let stays = |id: &Text| !remove.contains(id) && !add.members().any(|new| new == id);
    match add {
        Value::Links(links) => {
            let kept = old.map_or(&[][..], Value::as_links).iter();
            let kept = kept.filter(|link| stays(&link.target)).cloned();
            let Value::Links(new) = filled(ty, links, old) else {
                return add.clone();
            };
            Value::links(kept.chain(new))
        }
        add => {
            let kept = old.into_iter().flat_map(Value::members);
            let kept = kept.filter(|id| stays(id)).chain(add.members());
            Value::set(kept.cloned())
        }
    }
}

/// Links with what the source says nothing of as it is, or as absence means.
fn filled(ty: Option<&Type>, links: &[Link], old: Option<&Value>) -> Value {
    let old = old.map_or(&[][..], Value::as_links);
    Value::links(links.iter().map(|link| {
        let known = old
            .iter()
            .find(|known| known.target == link.target)
            .cloned();
        let plain = known.or_else(|| ty.map(|ty| ty.plain_link(&link.target)));
        let mut link = link.clone();
        for (said, plain) in link
            .attributes
            .iter_mut()
            .zip(plain.iter().flat_map(|l| l.attributes))
        {
            *said = said.or(plain);
        }
        link
    }))
}

/// The errors of a directory with some edits and resources more.
fn errors(
    config: &Config,
    there: &Reading,
    with: &Comparing,
    beside: &[Arc<Declared>],
) -> Vec<Diagnostic> {
    let mut edits: BTreeMap<&Key, Vec<&(FieldRef, Cell)>> = BTreeMap::new();
    for making in &with.edits {
        edits
            .entry(&making.edit.key)
            .or_default()
            .extend(&making.edit.cells);
    }
    let edited = there
        .desired
        .resources
        .iter()
        .map(|declared| match edits.get(&declared.key) {
            None => Arc::clone(declared),
            Some(cells) => Arc::new(with_cells(declared, cells)),
        });
    let new = with.new.values().cloned();
    let all = edited.chain(new).chain(beside.iter().cloned());
    let mut all: Vec<Arc<Declared>> = all.collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let desired = Desired {
        resources: all.into_iter().collect::<Keyed<_>>(),
        partial: true,
        ..(*there.desired).clone()
    };
    let together = Reading {
        desired: Arc::new(desired),
        ..feeds::reading(&there.source, Desired::default(), Vec::new(), None)
    };
    let mut pass = Pass {
        config,
        readings: vec![together],
        request: Request::default(),
        by_hand: true,
    };
    let mut found = pass.validate(0);
    found.retain(Diagnostic::is_error);
    found
}

fn with_cells(declared: &Declared, cells: &[&(FieldRef, Cell)]) -> Declared {
    let mut edited = declared.clone();
    for (field, cell) in cells.iter().copied() {
        let place = edited
            .cells
            .binary_search_by(|stated| stated.field.cmp(field));
        match place {
            Ok(at) => edited.cells[at].cell = cell.clone(),
            Err(at) => edited.cells.insert(
                at,
                Stated {
                    field: field.clone(),
                    cell: cell.clone(),
                    at: declared.at,
                },
            ),
        }
    }
    edited
}

/// Makes the edits in the files, and lays the new resources beside them.
fn write(found: &Comparing, there: &Reading, proposal: &mut Proposal) {
    let mut by_file: BTreeMap<&str, Vec<&Making>> = BTreeMap::new();
    for making in &found.edits {
        by_file.entry(&making.path).or_default().push(making);
    }
    for (path, makings) in by_file {
        let Some(before) = there.tree.text(path) else {
            let lost = makings
                .iter()
                .map(|making| making.unwritten("the file cannot be read"));
            proposal.unwritten.extend(lost);
            continue;
        };
        let edits: Vec<Edit> = makings.iter().map(|making| making.edit.clone()).collect();
        let edited = edit(path, &before, &edits);
        let mut dropped = BTreeSet::new();
        for lost in edited.dropped {
            dropped.insert(lost.index);
            proposal.unwritten.push(Unwritten {
                at: lost.at,
                ..makings[lost.index].unwritten(&lost.why)
            });
        }
        let made = makings.iter().enumerate();
        let made = made.filter(|(index, _)| !dropped.contains(index));
        proposal.proposed.extend(made.map(|(_, making)| Proposed {
            subject: making.edit.subject(),
            from: making.from.clone(),
        }));
        if edited.text != before {
            proposal.files.push(Changed {
                path: path.to_owned(),
                before: Some(before),
                after: edited.text,
            });
        }
    }
    let Export { manifests, .. } = laid_out(found, there, &proposal.root);
    proposal
        .proposed
        .extend(found.new.values().map(|declared| Proposed {
            subject: declared.key.to_string(),
            from: format!(
                "{}:{}:{}",
                declared.path, declared.at.line, declared.at.column
            ),
        }));
    proposal
        .files
        .extend(manifests.into_iter().map(|(path, after)| Changed {
            path,
            before: None,
            after,
        }));
    proposal.files.sort_by(|a, b| a.path.cmp(&b.path));
}

fn laid_out(found: &Comparing, there: &Reading, root: &std::path::Path) -> Export {
    if found.new.is_empty() {
        return Export::default();
    }
    let mut beside = laid_beside(root, folders(there.desired.resources.iter()));
    beside.homes.clone_from(&found.homes);
    lay_out(
        found.new.values().map(|declared| item(declared)).collect(),
        &beside,
    )
}
