//! Turns records into resources, as a mapping says. In go the records of an export, one at a time;
//! out come `CollectedResources`: the resources, and what could not be read. A row that cannot be
//! read must never make its resource look missing, so such rows end up in `shielded`, `hidden` or
//! `faulty`. Start reading at `ResourceCollector::take`.

mod addresses;
mod custom_columns;
mod fields;
mod logins;
mod mangled_text;
mod matches;
mod passwords;
mod recorded_rows;
mod row;

use super::format::{ExportColumns, ExportRecord};
use super::group::{self, RowGroup};
use super::guess::holds_secrets;
use super::mapping::{CellContent, CellMapping as From, Mapping, MappingSection};
use super::value;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::kinds::read::{ValueProblem, check_id};
use crate::kinds::{ADDRESS, Kind};
use crate::model::{
    DeclaredResource, FieldRef, Key, KeyedList, KindId, LineColumn, MatchTerm, RowLogin,
    RowMatches, SecretText, StatedField,
};
use mangled_text::NumericIds;
pub use recorded_rows::RecordedRows;
use row::RecordView;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The resources of an export, and what could not be read of it.
#[derive(Debug, Default)]
pub struct CollectedResources {
    pub resources: KeyedList<Arc<DeclaredResource>>,
    pub diagnostics: Vec<Diagnostic>,
    /// Keys in rows that could not be read otherwise. They are held, not missing.
    pub shielded: BTreeSet<Key>,
    /// Keys in rows that do not declare them because a cell is blank. They are not missing.
    pub blank: BTreeSet<Key>,
    /// The kinds of which a key could not be read, and why. No resource of these kinds counts as
    /// missing.
    pub hidden: BTreeMap<KindId, String>,
    /// The fields with faulty values, which are therefore not among the cells.
    pub faulty: BTreeSet<(Key, FieldRef)>,
    /// Which record names which resources, if that was asked for.
    pub listed: Option<Vec<RecordKeys>>,
    /// The login names in the rows, in their order.
    pub logins: Vec<RowLogin>,
    /// The passwords in the rows.
    pub passwords: BTreeMap<Key, SecretText>,
    /// The values by which rows without an external id are matched.
    pub unmatched: BTreeSet<MatchTerm>,
    /// The cells with passwords, read or not.
    pub secret_cells: SecretCells,
    /// What each row names, if that was asked for.
    pub rows: Option<RecordedRows>,
    /// Whether a column has secrets although nobody maps it.
    pub has_unread_secrets: bool,
}

/// Where an export has passwords, to take them out of what is stored of it.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretCells {
    /// The cells in order, each with its text as written.
    pub cells: Vec<(LineColumn, SecretText)>,
    /// The first row of which nobody can say where its passwords are.
    pub unclear_row: Option<LineColumn>,
}

/// A record and the resources that it names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecordKeys {
    /// Where the record begins.
    pub at: LineColumn,
    /// Where the next row begins. Only in tables in text.
    pub end: LineColumn,
    /// The resources, in the order in which the record names them.
    pub keys: Vec<Key>,
    /// Whether it has no external id, and the values of somebody who was erased.
    pub fits_erased: bool,
}

/// Collects records into resources, one record after the other.
pub(super) struct ResourceCollector<'m> {
    mapping: &'m Mapping,
    path: Arc<str>,
    /// The position of each mapped column in the export.
    places: Vec<Option<usize>>,
    /// The number of export columns for which `places` was computed.
    known_columns: usize,
    /// The number of export columns whose names were examined for secrets.
    named: usize,
    /// For each section, the columns whose names make them custom fields, with the ids of these.
    custom_columns: Vec<Vec<(FieldRef, usize)>>,
    groups: HashMap<Key, RowGroup, foldhash::fast::FixedState>,
    /// The account that named each address first.
    owners: HashMap<Key, Key, foldhash::fast::FixedState>,
    numbers: NumericIds,
    /// The columns with names of secrets in which no value was found yet.
    secrets: Vec<usize>,
    /// The columns with passwords, whether they are mapped or only named like it.
    secret_columns: Vec<usize>,
    /// The lists made of all rows of a resource in which one of the rows lacks its part.
    partial_lists: BTreeSet<(Key, FieldRef)>,
    /// The stored users that rows without an external id mean; `None` if nobody looked.
    matches: Option<&'m RowMatches>,
    collected: CollectedResources,
}

impl<'m> ResourceCollector<'m> {
    pub(super) fn new(mapping: &'m Mapping, path: &Arc<str>) -> Self {
        Self {
            mapping,
            path: path.clone(),
            places: Vec::new(),
            // No export has this many columns, so that the first record always looks the columns
            // up.
            known_columns: usize::MAX,
            named: 0,
            custom_columns: Vec::new(),
            groups: HashMap::default(),
            owners: HashMap::default(),
            numbers: NumericIds::default(),
            secrets: Vec::new(),
            secret_columns: Vec::new(),
            partial_lists: BTreeSet::new(),
            matches: None,
            collected: CollectedResources::default(),
        }
    }

    /// Takes rows without an external id for the stored users that they match.
    pub(super) fn with_matches(mut self, matches: Option<&'m RowMatches>) -> Self {
        self.matches = matches;
        self
    }

    /// Also records which resources each record names.
    pub(super) fn with_record_keys(mut self) -> Self {
        self.collected.listed = Some(Vec::new());
        self
    }

    /// Also records what each row names, to read the next export only where it differs.
    pub(super) fn with_rows(mut self, rows: RecordedRows) -> Self {
        self.collected.rows = Some(rows);
        self
    }

    pub(super) fn take(&mut self, record: &ExportRecord, columns: &ExportColumns) {
        // Before anything can fail: the list must have one entry per record, whether it could be
        // read or not.
        if let Some(listed) = &mut self.collected.listed {
            listed.push(RecordKeys {
                at: record.at,
                end: record.end,
                ..RecordKeys::default()
            });
        }
        self.locate_columns(columns);
        self.notice_secrets(record, columns);
        self.note_secret_cells(record);
        let mapping = self.mapping;
        // Taken out for the length of the call, so that the row can borrow it while `self` is
        // changed.
        let places = std::mem::take(&mut self.places);
        let row = RecordView {
            record,
            columns,
            mapping,
            places: &places,
        };
        for (nth, section) in mapping.sections.iter().enumerate() {
            if row.meets_conditions(&section.when) {
                self.section(section, nth, &row);
            } else if row.fails_by_blanks(&section.when)
                && let Ok(CellContent::Text(id, _)) = section.id.read(&row, &mapping.words)
            {
                // A blank cell keeps what is stored, and must not make its customer look missing.
                let key = Key::new(section.kind.id, &id);
                self.record_name(&key);
                self.collected.blank.insert(key);
            }
        }
        self.places = places;
        if let Some(rows) = &mut self.collected.rows {
            rows.end(record.digest, record.at);
        }
    }

    /// Locates the mapped columns again after the export has shown new ones.
    fn locate_columns(&mut self, columns: &ExportColumns) {
        // CSV shows all columns in its header, but a JSON object may add one in any record.
        // Comparing the count keeps this off the path of every record.
        if self.known_columns == columns.len() {
            return;
        }
        // Only the new columns: a secret that was already reported must not be reported again.
        self.known_columns = columns.len();
        let new = columns.names().enumerate().skip(self.named);
        for (at, name) in new {
            let is_named_secret = holds_secrets(name) && !self.mapping.is_mapped_column(name);
            if is_named_secret {
                self.secrets.push(at);
            }
            if is_named_secret || self.mapping.is_password_column(name) {
                self.secret_columns.push(at);
            }
        }
        self.named = columns.len();
        // The first name that the export has wins, in the order of `columns:` in the mapping.
        let found = self.mapping.columns.iter().map(|names| {
            let mut names = names.iter();
            names.find_map(|name| columns.find(name))
        });
        self.places = found.collect();
        let every = self.mapping.sections.iter().map(|section| {
            let named = columns.names().enumerate().filter_map(|(place, name)| {
                let id = name.strip_prefix(section.custom_prefix.as_deref()?)?;
                (!id.is_empty()).then(|| (FieldRef::Custom(id.into()), place))
            });
            // Cells of a resource are sorted by field, and these are appended to them as they are.
            let mut named: Vec<_> = named.collect();
            named.sort();
            named
        });
        self.custom_columns = every.collect();
    }

    /// Reports once for each column of secrets that it is not read. The values are never shown.
    fn notice_secrets(&mut self, record: &ExportRecord, columns: &ExportColumns) {
        // A column of passwords that is blank throughout is not worth a warning.
        let filled = |at: &usize| record.cell(*at).is_some_and(|entry| !entry.is_blank());
        let (found, open): (Vec<usize>, Vec<usize>) = std::mem::take(&mut self.secrets)
            .into_iter()
            .partition(filled);
        self.secrets = open;
        self.collected.has_unread_secrets |= !found.is_empty();
        for at in found {
            let message = format!(
                "the column `{}` is not read, because it may hold passwords",
                columns.name(at)
            );
            let help = "map it as `password:` of `users:`, or remove it from the export and invite the users";
            let found = Diagnostic::new(codes::COLUMN_UNKNOWN, message).help(help);
            let origin = self.origin(record.cell(at).map_or(record.at, |entry| entry.at));
            self.collected.diagnostics.push(found.at(origin));
        }
    }

    fn section(&mut self, section: &'m MappingSection, nth: usize, row: &RecordView<'_>) {
        if row.record.faulty && self.may_have_shifted_passwords() {
            return self.hide_unclear_row(section.kind, row.record.at);
        }
        let Some(own) = self.row_key(section, row) else {
            return;
        };
        let (key, at) = (own.key.clone(), own.at);
        // The key is noted before the row is given up on: a pushed record is answered by the keys
        // that it names, also when it is held.
        self.note_key(&key);
        if row.record.faulty {
            self.shield_unread_row(section, &key, row);
            return;
        }
        let mut said = self.fields(section.kind, &key, &section.fields, row);
        self.read_custom_columns(section, nth, &key, row, &mut said);
        if !self.keeps_accounts(section.kind, &own, &said) {
            return;
        }
        self.password(section, &key, row, &mut said);
        self.login(section, &key, row, &said);
        if let Some(addresses) = self.addresses(section, &key, row) {
            // `addresses` is found last but cells are sorted by field.
            let place = said.partition_point(|stated| stated.field < addresses.field);
            said.insert(place, addresses);
        }
        self.put(&key, None, at, said);
    }

    /// Notes that the current record names a resource.
    fn note_key(&mut self, key: &Key) {
        self.record_name(key);
        let record = self
            .collected
            .listed
            .as_mut()
            .and_then(|all| all.last_mut());
        if let Some(record) = record.filter(|record| !record.keys.contains(key)) {
            record.keys.push(key.clone());
        }
    }

    fn record_name(&mut self, key: &Key) {
        if let Some(rows) = &mut self.collected.rows {
            rows.name(key);
        }
    }

    /// Adds what a row says of a resource to what other rows said.
    fn put(&mut self, key: &Key, owner: Option<&Key>, at: LineColumn, said: Vec<StatedField>) {
        self.note_key(key);
        if let Some(rows) = &mut self.collected.rows {
            rows.declare(key, &said);
        }
        let group = self
            .groups
            .entry(key.clone())
            .or_insert_with(|| RowGroup::new(at));
        let against = group.take(said);
        if against.is_empty() {
            return;
        }
        // The address is claimed by two accounts: then the conflict is theirs, not one between rows
        // of one account.
        let first = owner.and_then(|owner| self.owners.get(key).filter(|first| *first != owner));
        for pair in &against {
            let found = group::conflict(key, first, &self.path, pair);
            self.collected.diagnostics.push(found);
        }
        // The rows of one account disagree about its address. The account is applied as a whole or
        // not at all, so it is reported too, which holds it.
        if let (Some(owner), None) = (owner, first) {
            let (old, new) = &against[0];
            let message = format!(
                "{owner}: its rows in lines {} and {} disagree about {key}",
                old.position.line, new.position.line
            );
            let found = Diagnostic::new(codes::ROW_CONFLICT, message).for_resource(owner);
            let origin = self.origin(new.position);
            self.collected.diagnostics.push(found.at(origin));
        }
    }

    /// Returns the key that a row names. Without a readable key, no resource of the kind may count
    /// as missing, because the row may be about any of them. A problem with the key of an address
    /// is reported for its account.
    fn key(
        &mut self,
        kind: &'static Kind,
        id: &From,
        row: &RecordView<'_>,
        account: Option<&Key>,
    ) -> Option<(Key, LineColumn)> {
        let (text, at) = match id.read(row, &self.mapping.words) {
            Ok(CellContent::Text(text, at)) => (text, at),
            Ok(CellContent::Absent | CellContent::Blank(_) | CellContent::List(..)) => {
                self.report_missing_key(kind, id, row, account);
                return None;
            }
            Err((fault, at)) => {
                self.hide_kind(kind, at, &fault, account);
                return None;
            }
        };
        let ruined =
            // The raw cell shows damage best (a workbook knows its number cells); the final text
            // still shows `1E+05` in a CSV, where every cell is text.
            mangled_text::check_id(id, row).or_else(|| Some((value::mangled_id(&text)?, at)));
        if let Some((fault, at)) = ruined {
            self.hide_kind(kind, at, &fault, account);
            return None;
        }
        // After the check for damage: an id that was refused is not also warned about.
        self.numbers.note_id(id, row, &text);
        match check_id(kind, &text) {
            Ok(warning) => {
                let key = Key::new(kind.id, &text);
                if let Some(warning) = warning {
                    self.report(&warning, Some(&key), "externalId", at);
                }
                Some((key, at))
            }
            Err(fault) => {
                self.hide_kind(kind, at, &fault, account);
                None
            }
        }
    }

    /// Reports a row without an id.
    fn report_missing_key(
        &mut self,
        kind: &'static Kind,
        id: &From,
        row: &RecordView<'_>,
        account: Option<&Key>,
    ) {
        // Blank rows at the end are usual in sheets and say nothing.
        if row.is_blank() {
            return;
        }
        // In merged cells the id stands in the row above; to guess that it is meant for this one
        // too could move a field to another customer.
        if let Some((fault, at)) = mangled_text::covered_id(id, row) {
            return self.hide_kind(kind, at, &fault, account);
        }
        let fault = ValueProblem::new(
            codes::REQUIRED,
            format!("the row has no externalId of its {}", kind.name),
        )
        .help("add the externalId; until then, no resource of this kind is treated as missing");
        self.hide_kind(kind, row.record.at, &fault, account);
    }

    fn hide_kind(
        &mut self,
        kind: &'static Kind,
        at: LineColumn,
        fault: &ValueProblem,
        account: Option<&Key>,
    ) {
        let origin = self.origin(at);
        let why = format!("{origin}: {}", fault.code);
        // One reason per kind is enough to keep its removals back; the diagnostics name every row.
        self.collected.hidden.entry(kind.id).or_insert(why);
        let field = account.map_or("externalId", |_| "addresses");
        self.report(fault, account, field, at);
    }

    /// Protects the resource that an unreadable row names, and its addresses.
    fn shield_unread_row(&mut self, section: &MappingSection, key: &Key, row: &RecordView<'_>) {
        self.collected.shielded.insert(key.clone());
        let message = format!("{key} stays unchanged: its row could not be read");
        let found = Diagnostic::new(codes::ROW_WIDTH, message).for_resource(key);
        let origin = self.origin(row.record.at);
        self.collected.diagnostics.push(found.at(origin));
        // The columns of a row of the wrong width may have shifted, but its ids are readable often
        // enough to be worth protecting.
        for block in section.blocks.iter().filter(|block| block.rows.is_none()) {
            if let Ok(CellContent::Text(id, _)) = block.id.read(row, &self.mapping.words) {
                let key = Key::new(ADDRESS, &id);
                self.record_name(&key);
                self.collected.shielded.insert(key);
            }
        }
    }

    fn faulty(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        field: &FieldRef,
        fault: &ValueProblem,
        at: LineColumn,
    ) {
        self.collected.faulty.insert((key.clone(), field.clone()));
        self.report(fault, Some(key), &kind.field_name(field), at);
    }

    fn report(&mut self, fault: &ValueProblem, key: Option<&Key>, field: &str, at: LineColumn) {
        let mut found = Diagnostic::new(fault.code, fault.message.clone()).field(field);
        found.help.clone_from(&fault.help);
        found.key = key.cloned();
        let origin = self.origin(at);
        self.collected.diagnostics.push(found.at(origin));
    }

    fn origin(&self, at: LineColumn) -> Origin {
        Origin {
            path: self.path.clone(),
            at,
        }
    }

    pub(super) fn finish(self) -> (CollectedResources, NumericIds) {
        let mut collected = self.collected;
        // Hash order must not reach the result: the same bytes have to give the same plan.
        let mut groups: Vec<(Key, RowGroup)> = self.groups.into_iter().collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        let (path, lists) = (&self.path, self.mapping.lists_of_rows());
        let declared = groups.into_iter().map(|(key, mut group)| {
            // Only now are all rows known, so only now can a list be said to be whole.
            for (_, field) in lists.iter().filter(|(kind, _)| *kind == key.kind) {
                let is_whole = !self.partial_lists.contains(&(key.clone(), field.clone()));
                group.conclude_list(field, is_whole);
            }
            Arc::new(group.finish(key, path))
        });
        collected.resources = declared.collect();
        (collected, self.numbers)
    }
}
