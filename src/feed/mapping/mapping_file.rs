//! The mapping as written in YAML, and its conversion to a `Mapping`. It is strict: unknown keys
//! and fields are errors, and everything is checked before a row is read, because a mistyped key
//! that is ignored would leave a field unmapped. Start reading at `Mapping::parse`.

use super::cell::CellMapping;
use super::cell_file::{MappingColumns, MappingResult, cell, one_or_many};
use super::file_options::{blanks, check_header, format, sheet, unnamed_columns};
use super::locale::{CountryFormat, ExportLocale};
use super::numbered_blocks;
use super::numbered_blocks::AddressBlockFile;
use super::polarity::{check_decided, check_pinned};
use super::row_matching::matching;
use super::section::{AddressBlock, ColumnCondition, FieldMapping, MappingSection};
use super::{CsvOptions, Mapping};
use crate::feed::format::{ExportFormat, encoding_for_label};
use crate::kinds::{self, ADDRESS, FieldType, Kind};
use crate::model::{Digest, FieldRef};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const API_VERSION: &str = "roster/v1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct MappingFile {
    api_version: String,
    name: String,
    #[serde(default)]
    doc: String,
    format: Option<String>,
    #[serde(default)]
    csv: CsvOptions,
    /// The line or row of the header, from 1.
    header: Option<u32>,
    /// The names of columns that the header leaves blank, by their number from 1.
    #[serde(default)]
    unnamed_columns: BTreeMap<usize, String>,
    sheet: Option<Value>,
    #[serde(default)]
    blanks: Vec<Value>,
    rows: Option<String>,
    locale: Option<String>,
    countries: Option<CountryFormat>,
    booleans: Option<BooleansFile>,
    #[serde(default)]
    dates: Vec<String>,
    lists: Option<String>,
    trailer: Option<String>,
    #[serde(default)]
    columns: Map<String, Value>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    undecided: Vec<String>,
    accounts: Option<Value>,
    organisations: Option<Value>,
    users: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BooleansFile {
    #[serde(rename = "true")]
    truths: Vec<String>,
    #[serde(rename = "false")]
    falsehoods: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SectionFile {
    when: Option<Value>,
    external_id: Value,
    #[serde(rename = "match")]
    matching: Option<Value>,
    password: Option<Value>,
    login: Option<Value>,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    custom_fields: Map<String, Value>,
    addresses: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFile {
    column: String,
    #[serde(default, rename = "in")]
    among: Vec<String>,
    #[serde(default)]
    blank: Option<bool>,
    #[serde(default)]
    is: Option<bool>,
}

impl Mapping {
    /// Parses and checks a mapping.
    pub fn parse(text: &str) -> MappingResult<Self> {
        let told = |error: serde_saphyr::Error| error.without_snippet().to_string();
        // A column may be called `NO` or `Y`, which YAML 1.1 reads as booleans.
        let options = serde_saphyr::options! { strict_booleans: true };
        let file: MappingFile = serde_saphyr::from_str_with_options(text, options).map_err(told)?;
        Ok(Self {
            digest: Digest::of(text.as_bytes()),
            ..file.resolve()?
        })
    }
}

impl MappingFile {
    fn resolve(self) -> MappingResult<Mapping> {
        if self.api_version != API_VERSION {
            return Err(format!(
                "apiVersion: `{}`; expected `{API_VERSION}`",
                self.api_version
            ));
        }
        // First, because a drafted mapping that still asks who is inactive must not be used at all.
        check_decided(&self.undecided)?;
        let words = self.words()?;
        let mut names = MappingColumns::default();
        // Before the sections, so that their cells find a column under any of its names.
        for (name, others) in self.columns {
            let others: Vec<String> = serde_json::from_value(others)
                .map_err(|error| format!("columns: {name}: {error}"))?;
            let column = names.column(&name);
            names.columns[column.0].extend(others);
        }
        let mut sections = Vec::new();
        // In the order of dependency. A record may become an account, its organisation and a user
        // at once.
        let parts = [
            (kinds::ACCOUNT, self.accounts),
            (kinds::ORGANISATION, self.organisations),
            (kinds::USER, self.users),
        ];
        for (kind, files) in parts {
            let kind = kinds::get(kind);
            for file in one_or_many::<SectionFile>(kind.collection, files)? {
                let section = file.resolve(kind, &mut names);
                sections.push(section.map_err(|why| format!("{}: {why}", kind.collection))?);
            }
        }
        if sections.is_empty() {
            return Err(
                "it maps nothing; add a section `accounts`, `organisations` or `users`".to_owned(),
            );
        }
        let format = self.format.as_deref().map(format).transpose()?;
        if let Some(label) = &self.csv.encoding
            && encoding_for_label(label).is_none()
        {
            return Err(format!("csv: encoding: unknown encoding `{label}`"));
        }
        check_header(self.header, format, &self.csv)?;
        let unnamed = unnamed_columns(self.unnamed_columns, &self.csv)?;
        if self.rows.is_some() && format == Some(ExportFormat::Jsonl) {
            return Err(
                "`rows:` is for a JSON document; JSON Lines has no document around its objects"
                    .to_owned(),
            );
        }
        // After the sections, because `requires` may name columns that no field uses, which adds
        // them.
        let requires = self
            .requires
            .iter()
            .map(|name| names.column(name))
            .collect();
        Ok(Mapping {
            name: self.name,
            doc: self.doc,
            digest: Digest::default(),
            format,
            csv: self.csv,
            header: self.header,
            unnamed,
            sheet: self.sheet.map(sheet).transpose()?,
            blanks: blanks(&self.blanks)?,
            rows: self.rows,
            trailer: self.trailer,
            words,
            requires,
            ignored: self.ignore,
            columns: names.columns,
            sections,
        })
    }

    fn words(&self) -> MappingResult<ExportLocale> {
        let mut words = match &self.locale {
            Some(locale) => ExportLocale::for_locale(locale)?,
            None => ExportLocale::default(),
        };
        if let Some(booleans) = &self.booleans {
            let lower = |words: &[String]| words.iter().map(|word| word.to_lowercase()).collect();
            words.truths = lower(&booleans.truths);
            words.falsehoods = lower(&booleans.falsehoods);
        }
        words.countries = self.countries.unwrap_or_default();
        if !self.dates.is_empty() {
            words.dates.clone_from(&self.dates);
        }
        if let Some(lists) = &self.lists {
            words.lists.clone_from(lists);
        }
        Ok(words)
    }
}

impl SectionFile {
    fn resolve(
        self,
        kind: &'static Kind,
        names: &mut MappingColumns,
    ) -> MappingResult<MappingSection> {
        let id = cell(self.external_id, names).map_err(|why| format!("externalId: {why}"))?;
        // `*` is taken out first, since `fields` would take it for the id of a custom field.
        let mut custom = self.custom_fields;
        let every = custom
            .remove("*")
            .map(|columns| custom_prefix(&columns))
            .transpose()?;
        let fields = fields(kind, self.fields, custom, names)?;
        if self.password.is_some() && !kind.fields.iter().any(kinds::Field::is_secret) {
            return Err("`password:` is only for users".to_owned());
        }
        if self.login.is_some() && kind.id != kinds::USER {
            return Err("`login:` is only for users".to_owned());
        }
        let matching = self
            .matching
            .map(|value| matching(kind, &fields, value, names));
        let matching = matching
            .transpose()
            .map_err(|why| format!("match: {why}"))?;
        let login = self.login.map(|value| cell(value, names)).transpose();
        let login = login.map_err(|why| format!("login: {why}"))?;
        let password = self.password.map(|value| cell(value, names)).transpose();
        let password = password.map_err(|why| format!("password: {why}"))?;
        let blocks: Vec<AddressBlockFile> = numbered_blocks::blocks(self.addresses)?;
        if !blocks.is_empty() && kind.id != kinds::ACCOUNT {
            return Err("`addresses:` is only for accounts".to_owned());
        }
        let blocks = blocks.into_iter().map(|block| {
            let block = block.resolve(names);
            block.map_err(|why| format!("addresses: {why}"))
        });
        let blocks = blocks.collect::<MappingResult<_>>()?;
        Ok(MappingSection {
            kind,
            when: conditions(self.when, names)?,
            id,
            matching,
            fields,
            password,
            login,
            custom_prefix: every,
            blocks,
        })
    }
}

impl AddressBlockFile {
    fn resolve(self, names: &mut MappingColumns) -> MappingResult<AddressBlock> {
        // Paths are easily written from the root of the document. Such a column would never be
        // found, and the address would look absent in every record.
        if let Some(rows) = &self.rows {
            check_nested_paths(rows, &self.external_id, &self.fields)?;
        } else if let Some(path) = first_path(&self.external_id, &self.fields) {
            return Err(format!(
                "map-parent: `{path}` is a field of the objects in `{0}`; name the array first: `rows: {0}`",
                path.split('.').next().unwrap_or_default()
            ));
        }
        let mut flag = |name: &str, value: Option<Value>| -> MappingResult<Option<CellMapping>> {
            let Some(value) = value else { return Ok(None) };
            let mut flag = cell(value, names).map_err(|why| format!("{name}: {why}"))?;
            // The flags of a link have no status-like meaning, so TRUE may stand for itself here.
            if flag.values.is_empty() && flag.booleans.is_none() {
                flag.booleans = Some([Some("false".to_owned()), Some("true".to_owned())]);
            }
            Ok(Some(flag))
        };
        let flags = [
            flag("shipping", self.shipping)?,
            flag("billing", self.billing)?,
        ];
        let unlink = flag("unlink", self.unlink)?;
        let id = cell(self.external_id, names).map_err(|why| format!("externalId: {why}"))?;
        Ok(AddressBlock {
            when: conditions(self.when, names)?,
            own_columns: self.own.iter().map(|name| names.column(name)).collect(),
            rows: self.rows.map(|rows| names.column(&rows)),
            id,
            fields: fields(kinds::get(ADDRESS), self.fields, self.custom_fields, names)?,
            flags,
            unlink,
        })
    }
}

impl ConditionFile {
    fn resolve(self, names: &mut MappingColumns) -> MappingResult<ColumnCondition> {
        let given = [
            !self.among.is_empty(),
            self.blank.is_some(),
            self.is.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err(
                "when: use exactly one of `in: [..]`, `blank: true|false` and `is: true|false`"
                    .to_owned(),
            );
        }
        Ok(ColumnCondition {
            column: names.column(&self.column),
            among: self.among.iter().map(|text| text.to_lowercase()).collect(),
            blank: self.blank,
            truth: self.is,
        })
    }
}

/// Reads one condition, or several that must all hold.
fn conditions(
    value: Option<Value>,
    names: &mut MappingColumns,
) -> MappingResult<Vec<ColumnCondition>> {
    let files: Vec<ConditionFile> = one_or_many("when", value)?;
    files.into_iter().map(|file| file.resolve(names)).collect()
}

/// Returns the first column name that is a path.
fn first_path(id: &Value, fields: &Map<String, Value>) -> Option<String> {
    let values = std::iter::once(id).chain(fields.values());
    let names = values.filter_map(|value| value.as_str().or_else(|| value.get("column")?.as_str()));
    // `Tel.` is a column, `address.city` is a path.
    let is_path = |name: &&str| {
        name.contains('.') && !name.contains(' ') && !name.split('.').any(str::is_empty)
    };
    names.into_iter().find(is_path).map(str::to_owned)
}

/// Checks that fields of nested objects are named relative to these.
fn check_nested_paths(rows: &str, id: &Value, fields: &Map<String, Value>) -> MappingResult<()> {
    match first_path(id, fields) {
        Some(path) if path.starts_with(&format!("{rows}.")) => Err(format!(
            "`{path}`: within `rows: {rows}` write `{}`",
            &path[rows.len() + 1..]
        )),
        _ => Ok(()),
    }
}

fn fields(
    kind: &'static Kind,
    own: Map<String, Value>,
    custom: Map<String, Value>,
    names: &mut MappingColumns,
) -> MappingResult<Vec<FieldMapping>> {
    let mut fields = Vec::new();
    for (name, value) in own {
        // `accounts.level` is an attribute of a list, but some fields have a dot in their own name.
        let (base, attribute) = match name.split_once('.') {
            Some((base, rest)) if kind.index(base).is_some() => (base, Some(rest)),
            _ => (name.as_str(), None),
        };
        let Some(index) = kind.index(base) else {
            let known: Vec<&str> = kind.fields.iter().map(|field| field.name).collect();
            let near = crate::diagnostic::did_you_mean(base, known.iter().copied());
            let help = near.map_or_else(
                || format!("; there are {}", known.join(", ")),
                |near| format!("; did you mean `{near}`?"),
            );
            return Err(format!("{} has no field `{base}`{help}", kind.name));
        };
        let field = &kind.fields[index];
        let at = |why: String| format!("fields: {name}: {why}");
        let read = cell(value, names).map_err(at)?;
        let attribute = attribute.map(|wanted| {
            let mut attributes = field.ty.attributes().iter();
            let found = attributes.position(|attribute| attribute.name == wanted);
            found.ok_or_else(|| at(format!("its members have no attribute `{wanted}`")))
        });
        check_pinned(kind, index, &read).map_err(at)?;
        check_allowed(field).map_err(at)?;
        fields.push(FieldMapping {
            field: kinds::own_field(index),
            attribute: attribute.transpose()?,
            cell: read,
        });
    }
    if !custom.is_empty() && kind.applies_to_word.is_none() {
        return Err(format!("{} has no custom fields", kind.name));
    }
    for (id, value) in custom {
        let read = cell(value, names).map_err(|why| format!("customFields: {id}: {why}"))?;
        fields.push(FieldMapping {
            field: FieldRef::Custom(id.as_str().into()),
            attribute: None,
            cell: read,
        });
    }
    // Sorted, so that an attribute follows the list that it belongs to, and cells come out in the
    // order in which resources keep them.
    fields.sort_by(|a, b| (&a.field, a.attribute).cmp(&(&b.field, b.attribute)));
    Ok(fields)
}

/// Returns the prefix of columns that end with the id of a custom field.
fn custom_prefix(columns: &Value) -> MappingResult<String> {
    let before = columns
        .as_str()
        .and_then(|columns| columns.strip_suffix('*'));
    let before = before.filter(|before| !before.is_empty());
    before.map(str::to_owned).ok_or_else(|| {
        "customFields: `*`: write the prefix of the columns, such as `custom_field_*`".to_owned()
    })
}

/// Rejects fields that a feed may not set.
fn check_allowed(field: &kinds::Field) -> MappingResult<()> {
    match field.ty {
        FieldType::Secret => {
            Err("write `password: COLUMN` next to `fields:`; only the hash is kept".to_owned())
        }
        FieldType::File => Err("exports cannot set files".to_owned()),
        _ if field.lapses => Err("exports cannot set dates; declare them in a manifest".to_owned()),
        FieldType::Links { inline: true, .. } => {
            Err("put `addresses:` next to `fields:`".to_owned())
        }
        _ => Ok(()),
    }
}
