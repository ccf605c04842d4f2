//! Records made into resources, as a mapping says.

use super::format::{Columns, Record, Shape};
use super::group::{self, Group};
use super::mapping::{
    Block, Cell as From, Column, Field, List, Mapping, Said, Section, Source, When,
};
use super::value;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::kinds::read::{Fault, check_id, looks_scientific};
use crate::kinds::{self, ACCOUNT, ADDRESS, Kind, Type};
use crate::model::{
    Amend, Cell, Declared, FieldRef, Key, Keyed, KindId, Link, Pos, Stated, Text, Value,
};
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
}

/// Makes resources of records, one after the other.
pub(super) struct Collector<'m> {
    mapping: &'m Mapping,
    path: Arc<str>,
    /// Where each column of the mapping is found in the export.
    places: Vec<Option<usize>>,
    /// How many columns of the export that was made for.
    known: usize,
    /// Of each section the columns that are custom fields by their names, with the ids of these.
    every: Vec<Vec<(FieldRef, usize)>>,
    groups: HashMap<Key, Group, foldhash::fast::FixedState>,
    /// To which account each address was said first.
    owners: HashMap<Key, Key, foldhash::fast::FixedState>,
    collected: Collected,
}

/// A record as cells see it.
struct Row<'a> {
    record: &'a Record,
    columns: &'a Columns,
    mapping: &'a Mapping,
    places: &'a [Option<usize>],
}

impl Source for Row<'_> {
    fn said(&self, column: Column) -> Said {
        let Some(entry) = self.places[column.0].and_then(|place| self.record.cell(place)) else {
            return Said::Absent;
        };
        match &entry.shape {
            Shape::List(members) => Said::List(members.to_vec(), entry.at),
            Shape::Null | Shape::Object => Said::Blank(entry.at),
            _ => Said::Text(entry.text.clone(), entry.at),
        }
    }

    fn name(&self, column: Column) -> &str {
        match self.places[column.0] {
            Some(place) => self.columns.name(place),
            None => &self.mapping.columns[column.0][0],
        }
    }

    fn all(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (place, entry) in self.record.cells.iter().enumerate() {
            let text = entry.as_ref().map_or("", |entry| entry.text.as_str());
            all.insert(self.columns.name(place).to_owned(), text.trim().to_owned());
        }
        for (column, names) in self.mapping.columns.iter().enumerate() {
            if let Some(entry) = self.places[column].and_then(|place| self.record.cell(place)) {
                all.insert(names[0].clone(), entry.text.trim().to_owned());
            }
        }
        all
    }

    fn at(&self) -> Pos {
        self.record.at
    }
}

impl Row<'_> {
    fn fits(&self, when: Option<&When>) -> bool {
        let Some(when) = when else { return true };
        let text = match self.said(when.column) {
            Said::Text(text, _) => super::mapping::trimmed(&text).to_lowercase(),
            _ => String::new(),
        };
        when.blank.map_or_else(
            || when.among.contains(&text),
            |blank| text.is_empty() == blank,
        )
    }
}

/// A custom field that a column is by its name.
fn custom(field: &FieldRef, entry: &super::format::Entry) -> Option<Stated> {
    let text = super::mapping::trimmed(&entry.text);
    let cell = match &entry.shape {
        Shape::Object => return None,
        Shape::List(members) => Cell::Value(Value::List(members.clone())),
        _ if text.is_empty() => Cell::Blank,
        _ => Cell::Value(Value::text(text)),
    };
    Some(Stated {
        field: field.clone(),
        cell,
        at: entry.at,
    })
}

impl<'m> Collector<'m> {
    pub(super) fn new(mapping: &'m Mapping, path: &Arc<str>) -> Self {
        Self {
            mapping,
            path: path.clone(),
            places: Vec::new(),
            known: usize::MAX,
            every: Vec::new(),
            groups: HashMap::default(),
            owners: HashMap::default(),
            collected: Collected::default(),
        }
    }

    /// Takes one record.
    pub(super) fn take(&mut self, record: &Record, columns: &Columns) {
        self.find(columns);
        let mapping = self.mapping;
        let places = std::mem::take(&mut self.places);
        let row = Row {
            record,
            columns,
            mapping,
            places: &places,
        };
        for (nth, section) in mapping.sections.iter().enumerate() {
            if row.fits(section.when.as_ref()) {
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

    fn section(&mut self, section: &'m Section, nth: usize, row: &Row<'_>) {
        let Some((key, at)) = self.key(section.kind, &section.id, row) else {
            return;
        };
        if row.record.faulty {
            self.shield(section, &key, row);
            return;
        }
        let mut said = self.fields(section.kind, &key, &section.fields, row);
        let every = self.every[nth].iter();
        said.extend(every.filter_map(|(field, place)| custom(field, row.record.cell(*place)?)));
        if let Some(addresses) = self.addresses(section, &key, row) {
            let place = said.partition_point(|stated| stated.field < addresses.field);
            said.insert(place, addresses);
        }
        self.put(key, None, at, said);
    }

    /// Takes what a row says of a resource.
    fn put(&mut self, key: Key, owner: Option<&Key>, at: Pos, said: Vec<Stated>) {
        let group = self
            .groups
            .entry(key.clone())
            .or_insert_with(|| Group::new(at));
        let against = group.take(said);
        if against.is_empty() {
            return;
        }
        let first = owner.and_then(|owner| self.owners.get(&key).filter(|first| *first != owner));
        for pair in &against {
            let found = group::conflict(&key, first, &self.path, pair);
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

    /// The key that a row speaks of; without one, none of its kind may be taken for missing.
    fn key(&mut self, kind: &'static Kind, id: &From, row: &Row<'_>) -> Option<(Key, Pos)> {
        let (text, at) = match id.said(row, &self.mapping.words) {
            Ok(Said::Text(text, at)) => (text, at),
            Ok(Said::Absent | Said::Blank(_) | Said::List(..)) => {
                self.keyless(kind, row);
                return None;
            }
            Err((fault, at)) => {
                self.hide(kind, at, &fault);
                return None;
            }
        };
        if looks_scientific(&text) {
            let message = format!("the id `{text}` is a number that a spreadsheet has shortened");
            let fault = Fault::new(codes::SCIENTIFIC_NOTATION, message)
                .help("export again with the column as text");
            self.hide(kind, at, &fault);
            return None;
        }
        match check_id(kind, &text) {
            Ok(warning) => {
                let key = Key::new(kind.id, &text);
                if let Some(warning) = warning {
                    self.report(&warning, Some(&key), "externalId", at);
                }
                Some((key, at))
            }
            Err(fault) => {
                self.hide(kind, at, &fault);
                None
            }
        }
    }

    /// A row without the id of what it speaks of.
    fn keyless(&mut self, kind: &'static Kind, row: &Row<'_>) {
        let blank = row
            .record
            .cells
            .iter()
            .flatten()
            .all(super::format::Entry::is_blank);
        if blank && row.record.lists.is_empty() {
            return;
        }
        let fault = Fault::new(
            codes::REQUIRED,
            format!("the row has no externalId of its {}", kind.name),
        )
        .help("give it one; until then nothing of this kind is taken for missing");
        self.hide(kind, row.record.at, &fault);
    }

    fn hide(&mut self, kind: &'static Kind, at: Pos, fault: &Fault) {
        let origin = self.origin(at);
        let why = format!("{origin}: {}", fault.code);
        self.collected.hidden.entry(kind.id).or_insert(why);
        self.report(fault, None, "externalId", at);
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

    /// What a row says of the fields of a resource, sorted by field.
    fn fields(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        fields: &'m [Field],
        row: &Row<'_>,
    ) -> Vec<Stated> {
        let mut stated: Vec<Stated> = Vec::with_capacity(fields.len());
        for field in fields {
            let said = match field.cell.said(row, &self.mapping.words) {
                Ok(said) => said,
                Err((fault, at)) => {
                    self.faulty(kind, key, &field.field, &fault, at);
                    continue;
                }
            };
            if let Some(attribute) = field.attribute {
                self.attribute(kind, key, field, attribute, said, &mut stated);
                continue;
            }
            let (cell, at) = match said {
                Said::Absent => continue,
                Said::Blank(at) => match field.field.own() {
                    // A blank standard cell says nothing.
                    Some(_) => continue,
                    None => (Cell::Blank, at),
                },
                Said::Text(text, at) => match self.value(kind, key, field, &[text], at) {
                    Some(cell) => (cell, at),
                    None => continue,
                },
                Said::List(members, at) => match self.value(kind, key, field, &members, at) {
                    Some(cell) => (cell, at),
                    None => continue,
                },
            };
            stated.push(Stated {
                field: field.field.clone(),
                cell,
                at,
            });
        }
        self.without_country(kind, &mut stated);
        stated
    }

    /// The value of a field, by its type.
    fn value(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        from: &Field,
        texts: &[Text],
        at: Pos,
    ) -> Option<Cell> {
        let Some(field) = kind.field(&from.field) else {
            return Some(Cell::Value(match (texts, from.cell.list) {
                ([text], None) => Value::Text(text.clone()),
                (texts, _) => Value::List(texts.into()),
            }));
        };
        let mut members = Vec::with_capacity(texts.len());
        for text in texts {
            match value::read(field, text, &self.mapping.words) {
                Ok(None) => return None,
                Ok(Some(reading)) => {
                    if let Some(warning) = &reading.warning {
                        self.report(warning, Some(key), field.name, at);
                    }
                    members.push(reading.value);
                }
                Err(fault) => {
                    self.faulty(kind, key, &from.field, &fault, at);
                    return None;
                }
            }
        }
        if !field.ty.is_list() {
            return members.pop().map(Cell::Value);
        }
        let ids = members.iter().filter_map(Value::as_text).map(Text::new);
        let list = match field.ty {
            Type::Links { .. } => Value::links(ids.map(|target| Link {
                target,
                attributes: [None; 2],
            })),
            _ => Value::set(ids),
        };
        Some(match from.cell.list {
            Some(List::Replace) => Cell::Value(list),
            // A list fed by a column of one value only grows.
            Some(List::Add) | None => Cell::Amend(Box::new(Amend {
                add: list,
                remove: Vec::new(),
            })),
        })
    }

    /// An attribute of the members that the row names.
    fn attribute(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        field: &Field,
        attribute: usize,
        said: Said,
        stated: &mut [Stated],
    ) {
        let (Said::Text(text, at), Some(of)) = (said, kind.field(&field.field)) else {
            return;
        };
        let choices = of.ty.attributes()[attribute].choices;
        let Some(choice) = choices
            .iter()
            .position(|choice| choice.eq_ignore_ascii_case(&text))
        else {
            let message = format!("`{text}` is not one of {}", choices.join(", "));
            self.faulty(
                kind,
                key,
                &field.field,
                &Fault::new(codes::ENUM, message),
                at,
            );
            return;
        };
        let choice = u8::try_from(choice).ok();
        let mut members = stated
            .iter_mut()
            .filter(|stated| stated.field == field.field);
        let Some(cell) = members.next().map(|stated| &mut stated.cell) else {
            return;
        };
        let links = match cell {
            Cell::Value(Value::Links(links)) => links,
            Cell::Amend(amend) => match &mut amend.add {
                Value::Links(links) => links,
                _ => return,
            },
            _ => return,
        };
        for link in links.iter_mut() {
            link.attributes[attribute] = choice;
        }
    }

    /// The addresses that a row gives its account or takes from it.
    fn addresses(&mut self, section: &'m Section, account: &Key, row: &Row<'_>) -> Option<Stated> {
        let mut add: Vec<Link> = Vec::new();
        let mut remove: Vec<Text> = Vec::new();
        let mut at = None;
        let nested = section
            .blocks
            .iter()
            .any(|block| self.list(block, row).is_some());
        for block in &section.blocks {
            match (block.rows, self.list(block, row)) {
                (Some(column), None) => self.shapeless(column, account, row),
                (Some(_), Some(list)) => {
                    for record in list {
                        let row = Row { record, ..*row };
                        at = self
                            .address(block, account, &row, &mut add, &mut remove)
                            .or(at);
                    }
                }
                (None, _) if nested && section.blocks.iter().any(|block| block.rows.is_some()) => {
                    self.mixed(block, account, row);
                }
                (None, _) => {
                    at = self
                        .address(block, account, row, &mut add, &mut remove)
                        .or(at)
                }
            }
        }
        let at = at?;
        remove.sort_unstable();
        Some(Stated {
            field: kinds::own(kinds::get(ACCOUNT).at("addresses")),
            cell: Cell::Amend(Box::new(Amend {
                add: Value::links(add),
                remove,
            })),
            at,
        })
    }

    fn list<'r>(&self, block: &Block, row: &Row<'r>) -> Option<&'r [Record]> {
        let place = row.places[block.rows?.0]?;
        row.record.list(place)
    }

    /// Something else where a list of addresses belongs.
    fn shapeless(&mut self, column: Column, account: &Key, row: &Row<'_>) {
        let entry = row.places[column.0].and_then(|place| row.record.cell(place));
        let Some(entry) = entry.filter(|entry| matches!(entry.shape, Shape::Object)) else {
            return;
        };
        let name = row.name(column);
        let message =
            format!("{account}: `{name}` is an object, and a list of objects belongs there");
        let found = Diagnostic::new(codes::JSON_SHAPE, message)
            .help(format!("write `\"{name}\": [{{..}}]`"))
            .of(account);
        let origin = self.origin(entry.at);
        self.collected.diagnostics.push(found.at(origin));
    }

    /// An object that has its addresses in a list and one beside the list.
    fn mixed(&mut self, block: &Block, account: &Key, row: &Row<'_>) {
        if let Ok(Said::Text(id, at)) = block.id.said(row, &self.mapping.words) {
            let message =
                format!("{account} has its addresses in a list and `{id}` beside the list");
            let found = Diagnostic::new(codes::JSON_MIXED, message)
                .help("send either the list or the flat form")
                .of(account);
            let origin = self.origin(at);
            self.collected.diagnostics.push(found.at(origin));
        }
    }

    /// One address; where it stands, if there is one.
    fn address(
        &mut self,
        block: &'m Block,
        account: &Key,
        row: &Row<'_>,
        add: &mut Vec<Link>,
        remove: &mut Vec<Text>,
    ) -> Option<Pos> {
        if !row.fits(block.when.as_ref()) {
            return None;
        }
        let kind = kinds::get(ADDRESS);
        let words = &self.mapping.words;
        if let Ok(Said::Absent | Said::Blank(_)) = block.id.said(row, words) {
            self.nameless(block, account, row);
            return None;
        }
        let (key, at) = self.key(kind, &block.id, row)?;
        if self.flag(block.unlink.as_ref(), account, row) == Some(1) {
            remove.push(key.id.clone());
            return Some(at);
        }
        let mut attributes = [None; 2];
        for (attribute, flag) in attributes.iter_mut().zip(&block.flags) {
            *attribute = self.flag(flag.as_ref(), account, row);
        }
        add.push(Link {
            target: key.id.clone(),
            attributes,
        });
        let said = self.fields(kind, &key, &block.fields, row);
        self.put(key.clone(), Some(account), at, said);
        self.owners.entry(key).or_insert_with(|| account.clone());
        Some(at)
    }

    /// An address without an id: fine where nothing is said of it.
    fn nameless(&mut self, block: &Block, account: &Key, row: &Row<'_>) {
        let words = &self.mapping.words;
        let own = block.fields.iter().find_map(|field| {
            let column = matches!(field.cell.take, super::mapping::Take::Column(_));
            match field.cell.said(row, words) {
                Ok(Said::Text(_, at)) if column => Some(at),
                _ => None,
            }
        });
        if let Some(at) = own {
            let fault = Fault::new(
                codes::REQUIRED,
                format!("an address of {account} has no externalId"),
            )
            .help("give it one: without it nobody knows which address is meant");
            self.report(&fault, Some(account), "addresses", at);
        }
    }

    /// What a boolean of a link says: `Some(0)` false, `Some(1)` true.
    fn flag(&mut self, flag: Option<&From>, account: &Key, row: &Row<'_>) -> Option<u8> {
        match flag?.said(row, &self.mapping.words) {
            Ok(Said::Text(text, _)) => Some(u8::from(text == "true")),
            Ok(_) => None,
            Err((fault, at)) => {
                self.report(&fault, Some(account), "addresses", at);
                None
            }
        }
    }

    /// Takes the country out of a postal code.
    fn without_country(&self, kind: &'static Kind, stated: &mut [Stated]) {
        if kind.id != ADDRESS {
            return;
        }
        let (zip, country) = (
            kinds::own(kind.at("zipCode")),
            kinds::own(kind.at("country")),
        );
        let text = |field: &FieldRef| {
            let stated = stated.iter().find(|stated| stated.field == *field)?;
            stated.cell.value()?.as_text().map(str::to_owned)
        };
        let (Some(code), Some(land)) = (text(&zip), text(&country)) else {
            return;
        };
        let without = value::zip(&code, &land);
        if without.len() < code.len()
            && let Some(stated) = stated.iter_mut().find(|stated| stated.field == zip)
        {
            stated.cell = Cell::Value(Value::text(without));
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
    pub(super) fn finish(self) -> Collected {
        let mut collected = self.collected;
        let mut groups: Vec<(Key, Group)> = self.groups.into_iter().collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        let path = &self.path;
        let declared = groups
            .into_iter()
            .map(|(key, group)| Arc::new(group.finish(key, path)));
        collected.resources = declared.collect();
        collected
    }
}
