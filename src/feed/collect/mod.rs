//! Records made into resources, as a mapping says.

mod addresses;
mod fields;
mod row;
mod spelled;

use super::format::{Columns, Entry, Record, Shape};
use super::group::{self, Group};
use super::guess::holds_secrets;
use super::mapping::{Cell as From, Mapping, Said, Section};
use super::value;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::kinds::read::{Fault, check_id, spreadsheet, spreadsheet_error};
use crate::kinds::{ADDRESS, Kind};
use crate::model::{Declared, FieldRef, Key, Keyed, KindId, Pos, Stated};
use row::Row;
use spelled::Numbers;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What the records of an export say.
#[derive(Debug, Default)]
pub struct Collected {
    /// The resources, sorted by key.
    pub resources: Keyed<Arc<Declared>>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// Keys that stand in rows that could not be read otherwise: they are held, not missing.
    pub shielded: BTreeSet<Key>,
    /// Of which kinds a key could not be made out, and why: none of these is missing.
    pub hidden: BTreeMap<KindId, String>,
    /// The fields whose values are faulty and so are not among the cells.
    pub faulty: BTreeSet<(Key, FieldRef)>,
    /// Which record speaks of which resources, where that is wanted.
    pub listed: Option<Vec<Listed>>,
}

/// A record, and what it speaks of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listed {
    /// Where it begins.
    pub at: Pos,
    /// The resources, in the order in which they are named.
    pub keys: Vec<Key>,
}

/// Makes resources of records, one after the other.
pub(super) struct Collector<'m> {
    mapping: &'m Mapping,
    path: Arc<str>,
    /// Where each column of the mapping is found in the export.
    places: Vec<Option<usize>>,
    /// How many columns of the export that was made for.
    known: usize,
    /// How many of them were looked at by their names.
    named: usize,
    /// Of each section the columns that are custom fields by their names, with the ids of these.
    every: Vec<Vec<(FieldRef, usize)>>,
    groups: HashMap<Key, Group, foldhash::fast::FixedState>,
    /// To which account each address was said first.
    owners: HashMap<Key, Key, foldhash::fast::FixedState>,
    /// The ids that are numbers in the export.
    numbers: Numbers,
    /// The columns of secrets that nothing was found in yet.
    secrets: Vec<usize>,
    /// The lists that all rows of a resource make together, where one of its rows does not say its part.
    unsaid: BTreeSet<(Key, FieldRef)>,
    collected: Collected,
}

impl<'m> Collector<'m> {
    pub(super) fn new(mapping: &'m Mapping, path: &Arc<str>) -> Self {
        Self {
            mapping,
            path: path.clone(),
            places: Vec::new(),
            known: usize::MAX,
            named: 0,
            every: Vec::new(),
            groups: HashMap::default(),
            owners: HashMap::default(),
            numbers: Numbers::default(),
            secrets: Vec::new(),
            unsaid: BTreeSet::new(),
            collected: Collected::default(),
        }
    }

    /// The same, and says of each record which resources it speaks of.
    pub(super) fn listing(mut self) -> Self {
        self.collected.listed = Some(Vec::new());
        self
    }

    /// Takes one record.
    pub(super) fn take(&mut self, record: &Record, columns: &Columns) {
        if let Some(listed) = &mut self.collected.listed {
            listed.push(Listed {
                at: record.at,
                keys: Vec::new(),
            });
        }
        self.find(columns);
        self.notice_secrets(record, columns);
        let mapping = self.mapping;
        let places = std::mem::take(&mut self.places);
        let row = Row {
            record,
            columns,
            mapping,
            places: &places,
        };
        for (nth, section) in mapping.sections.iter().enumerate() {
            if row.fits(&section.when) {
                self.section(section, nth, &row);
            }
        }
        self.places = places;
    }

    /// Finds the columns of the mapping again when the export has shown new ones.
    fn find(&mut self, columns: &Columns) {
        if self.known == columns.len() {
            return;
        }
        self.known = columns.len();
        let new = columns.names().enumerate().skip(self.named);
        let secrets = new.filter(|(_, name)| holds_secrets(name) && !self.mapping.reads(name));
        self.secrets.extend(secrets.map(|(at, _)| at));
        self.named = columns.len();
        let found = self.mapping.columns.iter().map(|names| {
            let mut names = names.iter();
            names.find_map(|name| columns.find(name))
        });
        self.places = found.collect();
        let every = self.mapping.sections.iter().map(|section| {
            let named = columns.names().enumerate().filter_map(|(place, name)| {
                let id = name.strip_prefix(section.every.as_deref()?)?;
                (!id.is_empty()).then(|| (FieldRef::Custom(id.into()), place))
            });
            let mut named: Vec<_> = named.collect();
            named.sort();
            named
        });
        self.every = every.collect();
    }

    /// Says once of each column of secrets that it is not read; never what it holds.
    fn notice_secrets(&mut self, record: &Record, columns: &Columns) {
        let filled = |at: &usize| record.cell(*at).is_some_and(|entry| !entry.is_blank());
        let (found, open): (Vec<usize>, Vec<usize>) = std::mem::take(&mut self.secrets)
            .into_iter()
            .partition(filled);
        self.secrets = open;
        for at in found {
            let message = format!(
                "the column `{}` is not read: no export brings passwords",
                columns.name(at)
            );
            let help = "take the column out of the export; invite the users, or name `passwordFrom` in a manifest";
            let found = Diagnostic::new(codes::COLUMN_UNKNOWN, message).help(help);
            let origin = self.origin(record.cell(at).map_or(record.at, |entry| entry.at));
            self.collected.diagnostics.push(found.at(origin));
        }
    }

    fn section(&mut self, section: &'m Section, nth: usize, row: &Row<'_>) {
        let Some((key, at)) = self.key(section.kind, &section.id, row, None) else {
            return;
        };
        self.list(&key);
        if row.record.faulty {
            self.shield(section, &key, row);
            return;
        }
        let mut said = self.fields(section.kind, &key, &section.fields, row);
        self.named(section, nth, &key, row, &mut said);
        if let Some(addresses) = self.addresses(section, &key, row) {
            let place = said.partition_point(|stated| stated.field < addresses.field);
            said.insert(place, addresses);
        }
        self.put(&key, None, at, said);
    }

    /// What a row says of the custom fields that columns are by their names.
    fn named(
        &mut self,
        section: &Section,
        nth: usize,
        key: &Key,
        row: &Row<'_>,
        said: &mut Vec<Stated>,
    ) {
        let every = std::mem::take(&mut self.every[nth]);
        for (field, place) in &every {
            let Some(entry) = row.record.cell(*place) else {
                continue;
            };
            let error = spreadsheet_error(&entry.text).map(|error| Box::new(spreadsheet(error)));
            match (&entry.shape, error) {
                (Shape::Lost(fault), _) => {
                    self.faulty(section.kind, key, field, fault, entry.at);
                }
                (_, Some(fault)) => self.faulty(section.kind, key, field, &fault, entry.at),
                _ => said.extend(fields::custom(field, entry)),
            }
        }
        self.every[nth] = every;
    }

    /// Notes that the record at hand speaks of a resource.
    fn list(&mut self, key: &Key) {
        let record = self
            .collected
            .listed
            .as_mut()
            .and_then(|all| all.last_mut());
        if let Some(record) = record.filter(|record| !record.keys.contains(key)) {
            record.keys.push(key.clone());
        }
    }

    /// Takes what a row says of a resource.
    fn put(&mut self, key: &Key, owner: Option<&Key>, at: Pos, said: Vec<Stated>) {
        self.list(key);
        let group = self
            .groups
            .entry(key.clone())
            .or_insert_with(|| Group::new(at));
        let against = group.take(said);
        if against.is_empty() {
            return;
        }
        let first = owner.and_then(|owner| self.owners.get(key).filter(|first| *first != owner));
        for pair in &against {
            let found = group::conflict(key, first, &self.path, pair);
            self.collected.diagnostics.push(found);
        }
        // What the account of the row says of the address is in doubt with it.
        if let (Some(owner), None) = (owner, first) {
            let (old, new) = &against[0];
            let message = format!(
                "{owner}: its rows in lines {} and {} disagree about {key}",
                old.at.line, new.at.line
            );
            let found = Diagnostic::new(codes::ROW_CONFLICT, message).of(owner);
            let origin = self.origin(new.at);
            self.collected.diagnostics.push(found.at(origin));
        }
    }

    /// The key that a row speaks of; without one, none of its kind may be taken for missing. What is
    /// wrong with that of an address is wrong with its account.
    fn key(
        &mut self,
        kind: &'static Kind,
        id: &From,
        row: &Row<'_>,
        account: Option<&Key>,
    ) -> Option<(Key, Pos)> {
        let (text, at) = match id.said(row, &self.mapping.words) {
            Ok(Said::Text(text, at)) => (text, at),
            Ok(Said::Absent | Said::Blank(_) | Said::List(..)) => {
                self.keyless(kind, id, row, account);
                return None;
            }
            Err((fault, at)) => {
                self.hide(kind, at, &fault, account);
                return None;
            }
        };
        let ruined = spelled::id(id, row).or_else(|| Some((value::made_number(&text)?, at)));
        if let Some((fault, at)) = ruined {
            self.hide(kind, at, &fault, account);
            return None;
        }
        self.numbers.look(id, row, &text);
        match check_id(kind, &text) {
            Ok(warning) => {
                let key = Key::new(kind.id, &text);
                if let Some(warning) = warning {
                    self.report(&warning, Some(&key), "externalId", at);
                }
                Some((key, at))
            }
            Err(fault) => {
                self.hide(kind, at, &fault, account);
                None
            }
        }
    }

    /// A row without the id of what it speaks of.
    fn keyless(&mut self, kind: &'static Kind, id: &From, row: &Row<'_>, account: Option<&Key>) {
        let blank = row.record.cells.iter().flatten().all(Entry::is_blank);
        if blank && row.record.lists.is_empty() {
            return;
        }
        if let Some((fault, at)) = spelled::covered(id, row) {
            return self.hide(kind, at, &fault, account);
        }
        let fault = Fault::new(
            codes::REQUIRED,
            format!("the row has no externalId of its {}", kind.name),
        )
        .help("give it one; until then nothing of this kind is taken for missing");
        self.hide(kind, row.record.at, &fault, account);
    }

    fn hide(&mut self, kind: &'static Kind, at: Pos, fault: &Fault, account: Option<&Key>) {
        let origin = self.origin(at);
        let why = format!("{origin}: {}", fault.code);
        self.collected.hidden.entry(kind.id).or_insert(why);
        let field = account.map_or("externalId", |_| "addresses");
        self.report(fault, account, field, at);
    }

    /// Shields what a row that could not be read names.
    fn shield(&mut self, section: &Section, key: &Key, row: &Row<'_>) {
        self.collected.shielded.insert(key.clone());
        let message = format!("{key} is left as it is: its row could not be read");
        let found = Diagnostic::new(codes::ROW_WIDTH, message).of(key);
        let origin = self.origin(row.record.at);
        self.collected.diagnostics.push(found.at(origin));
        for block in section.blocks.iter().filter(|block| block.rows.is_none()) {
            if let Ok(Said::Text(id, _)) = block.id.said(row, &self.mapping.words) {
                self.collected.shielded.insert(Key::new(ADDRESS, &id));
            }
        }
    }

    fn faulty(&mut self, kind: &'static Kind, key: &Key, field: &FieldRef, fault: &Fault, at: Pos) {
        self.collected.faulty.insert((key.clone(), field.clone()));
        self.report(fault, Some(key), &kind.field_name(field), at);
    }

    fn report(&mut self, fault: &Fault, key: Option<&Key>, field: &str, at: Pos) {
        let mut found = Diagnostic::new(fault.code, fault.message.clone()).field(field);
        found.help.clone_from(&fault.help);
        found.key = key.cloned();
        let origin = self.origin(at);
        self.collected.diagnostics.push(found.at(origin));
    }

    fn origin(&self, at: Pos) -> Origin {
        Origin {
            path: self.path.clone(),
            at,
        }
    }

    /// All that the records said.
    pub(super) fn finish(self) -> (Collected, Numbers) {
        let mut collected = self.collected;
        let mut groups: Vec<(Key, Group)> = self.groups.into_iter().collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        let (path, lists) = (&self.path, self.mapping.lists_of_rows());
        let declared = groups.into_iter().map(|(key, mut group)| {
            for (_, field) in lists.iter().filter(|(kind, _)| *kind == key.kind) {
                let is_whole = !self.unsaid.contains(&(key.clone(), field.clone()));
                group.conclude(field, is_whole);
            }
            Arc::new(group.finish(key, path))
        });
        collected.resources = declared.collect();
        (collected, self.numbers)
    }
}
