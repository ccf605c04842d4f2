//! How `roster get` prints resources: as documents, as manifests, or as a table whose columns come
//! from the table of kinds.

use super::list_output::{self, JsonList, TableLayout};
use super::output_target::TextForm;
use super::{GlobalOptions, history};
use crate::diagnostic::visible;
use crate::document::{OutputFormat, ResourceDocument, ResourceMeta};
use crate::kinds::{self, FieldType, Kind};
use crate::manifest::write;
use crate::model::{FieldRef, Row, Value};
use crate::store::StoredResource;
use std::io::{self, Write};

/// How many members of a list a cell of a table names.
const MAX_MEMBERS: usize = 3;

/// The forms in which resources are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResourceForm {
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Manifests, which can be pasted into a file.
    Yaml,
    /// One line per resource.
    Table,
}

impl ResourceForm {
    /// The requested form; by default a list is a table. A single resource is printed by
    /// [`print_resource`] then, so this is `None`.
    pub fn requested(global: &GlobalOptions, is_single: bool) -> Option<Self> {
        match (global.output(), global.text_form()) {
            (OutputFormat::Json, _) => Some(Self::Json),
            (OutputFormat::Ndjson, _) => Some(Self::Ndjson),
            (_, Some(TextForm::Yaml)) => Some(Self::Yaml),
            (_, Some(TextForm::Table)) => Some(Self::Table),
            (_, None) => (!is_single).then_some(Self::Table),
        }
    }
}

/// Writes resources of one kind, and further ones of the same kind later.
pub struct ResourceWriter {
    kind: &'static Kind,
    form: ResourceForm,
    layout: TableLayout,
    /// The JSON document that is under way.
    list: Option<JsonList>,
    /// Whether a manifest was written, so that the next one is separated from it.
    has_written: bool,
}

impl ResourceWriter {
    pub fn new(kind: &'static Kind, form: ResourceForm) -> Self {
        Self {
            kind,
            form,
            layout: TableLayout::default(),
            list: None,
            has_written: false,
        }
    }

    /// Whether the widths of the columns must be known before the first line, from all resources.
    pub fn needs_widths(&self) -> bool {
        self.form == ResourceForm::Table
    }

    /// Makes the columns wide enough for resources. The widths hold for everything that is written
    /// later.
    pub fn fit(&mut self, records: &[StoredResource]) {
        if self.needs_widths() {
            let rows = records.iter().map(|record| cells(self.kind, record));
            rows.for_each(|row| self.layout.fit(&row));
        }
    }

    /// Begins a list.
    pub fn begin_list(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            ResourceForm::Json => self.list = Some(JsonList::begin(out)?),
            ResourceForm::Table => {
                let header = header(self.kind);
                self.layout.fit(&header);
                self.layout.write(&header, out)?;
            }
            ResourceForm::Ndjson | ResourceForm::Yaml => {}
        }
        Ok(())
    }

    /// Ends a list. What is written later stands alone.
    pub fn end_list(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let list = self.list.take();
        list.map_or(Ok(()), |_| JsonList::end(out))
    }

    /// Writes a whole list.
    pub fn write_all(&mut self, records: &[StoredResource], out: &mut dyn Write) -> io::Result<()> {
        self.fit(records);
        self.begin_list(out)?;
        let mut records = records.iter();
        records.try_for_each(|record| self.write(record, out))?;
        self.end_list(out)
    }

    /// Writes one more resource.
    pub fn write(&mut self, record: &StoredResource, out: &mut dyn Write) -> io::Result<()> {
        if let Some(list) = &mut self.list {
            return list.write(&ResourceDocument::from(record), out);
        }
        match self.form {
            ResourceForm::Json | ResourceForm::Ndjson => {
                list_output::write_line(&ResourceDocument::from(record), out)
            }
            ResourceForm::Yaml => {
                if std::mem::replace(&mut self.has_written, true) {
                    writeln!(out, "---")?;
                }
                out.write_all(manifest(self.kind, record).as_bytes())
            }
            ResourceForm::Table => self.layout.write(&cells(self.kind, record), out),
        }
    }

    /// Says that a resource that was written is no longer there.
    pub fn write_gone(&mut self, id: &str, why: GoneReason, out: &mut dyn Write) -> io::Result<()> {
        let name = self.kind.name;
        match self.form {
            ResourceForm::Json | ResourceForm::Ndjson => {
                let gone = crate::document::GoneResourceDocument {
                    kind: name,
                    external_id: id,
                    gone: why.word(),
                };
                list_output::write_line(&gone, out)
            }
            ResourceForm::Yaml => writeln!(out, "# {name}/{}: {}", visible(id), why.word()),
            ResourceForm::Table => {
                let row = [id.to_owned(), String::new(), why.word().to_owned()];
                self.layout.write(&row, out)
            }
        }
    }
}

/// Why a resource that was shown is shown no longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoneReason {
    Deleted,
    /// It no longer matches the filters.
    Unmatched,
}

impl GoneReason {
    fn word(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Unmatched => "no longer matches",
        }
    }
}

/// Prints a resource as its manifest, followed by comments with what no manifest declares.
pub fn print_resource(
    kind: &'static Kind,
    record: &StoredResource,
    out: &mut dyn Write,
) -> io::Result<()> {
    // The output can be used as a manifest as it is; everything else is a comment.
    out.write_all(manifest(kind, record).as_bytes())?;
    let meta = ResourceMeta::from(record);
    let facts = [
        ("version", Some(meta.version.to_string())),
        ("usable", meta.usable.map(|usable| usable.to_string())),
        ("approval", meta.approval),
        ("block", meta.block),
        ("access", meta.access),
        ("contactStatus", meta.contact_status.map(str::to_owned)),
        (
            "actions",
            (!meta.actions.is_empty()).then(|| meta.actions.join(", ")),
        ),
        ("login", meta.login.map(|names| names.join(", "))),
    ];
    let terms = meta.terms.iter().flatten();
    let terms = terms.map(|it| {
        let accepted = format!("{} {}, version {}", it.terms, it.at, it.version);
        ("terms", Some(accepted))
    });
    writeln!(out, "# meta")?;
    for (name, fact) in facts.into_iter().chain(terms) {
        if let Some(fact) = fact {
            writeln!(out, "#   {name}: {}", fact.replace('\n', " "))?;
        }
    }
    for claim in &record.claims {
        let (state, at) = (claim.state.word(), claim.position);
        let revision = history::short(&claim.revision);
        let place = format!("{}:{}:{}", visible(&claim.path), at.line, at.column);
        writeln!(
            out,
            "#   claim: {} ({state}) {place}, revision {revision}",
            claim.source
        )?;
    }
    Ok(())
}

/// The resource as a manifest.
fn manifest(kind: &'static Kind, record: &StoredResource) -> String {
    let fields = stored(&record.row);
    let fields = fields.iter().map(|(field, value)| (field, *value));
    write::document(kind, &record.row.key.id, fields)
}

pub fn stored(row: &Row) -> Vec<(FieldRef, &Value)> {
    let own = row.values.iter().enumerate();
    let own = own.filter_map(|(index, value)| Some((kinds::own_field(index), value.as_ref()?)));
    let custom = row.custom_values.iter();
    own.chain(custom.map(|(id, value)| (FieldRef::Custom(id.clone()), value)))
        .collect()
}

/// The fields that get a column of their own: what a resource cannot be without, and what says where
/// it belongs.
fn columns(kind: &Kind) -> impl Iterator<Item = usize> {
    let fields = kind.references().filter(|(index, _)| {
        let field = &kind.fields[*index];
        // Addresses of an account are its own, and so many that nobody reads them in a cell.
        let is_inline = matches!(field.ty, FieldType::Links { inline: true, .. });
        field.required && !is_inline
    });
    fields.map(|(index, _)| index)
}

fn header(kind: &Kind) -> Vec<String> {
    let own = columns(kind).map(|index| kind.fields[index].column.to_uppercase());
    let fixed = ["ID", "NAME", "STATUS"].map(str::to_owned);
    fixed.into_iter().chain(own).collect()
}

fn cells(kind: &Kind, record: &StoredResource) -> Vec<String> {
    let row = &record.row;
    let own = columns(kind).map(|index| row.values[index].as_ref().map_or(String::new(), cell));
    let fixed = [row.key.id.to_string(), name(kind, row), status(kind, row)];
    fixed.into_iter().chain(own).collect()
}

/// The name of a resource is its first required name or title; a person has two.
pub fn name(kind: &Kind, row: &Row) -> String {
    let fields = kind.fields.iter().enumerate();
    let is_name = |name: &str| name.to_lowercase().ends_with("name") || name == "title";
    let names = fields.filter(|(_, field)| field.required && is_name(field.name));
    let names = names
        .filter_map(|(index, _)| row.values[index].as_ref()?.as_text())
        .take(if kind.personal_id { 2 } else { 1 });
    names.collect::<Vec<_>>().join(" ")
}

pub fn declared_status<'r>(kind: &Kind, row: &'r Row) -> &'r str {
    let stored = row.values[kind.status_index()].as_ref();
    stored.and_then(Value::as_text).unwrap_or("-")
}

/// The status, with what people decided at run time.
fn status(kind: &Kind, row: &Row) -> String {
    let mut status = declared_status(kind, row).to_owned();
    for fact in ["approval", "blocked"] {
        match row.facts.get(fact).map(compact_str::CompactString::as_str) {
            Some(_) if fact == "blocked" => status.push_str(", blocked"),
            Some("approved") | None => {}
            Some(approval) => status = format!("{status}, {approval}"),
        }
    }
    status
}

/// A reference, or the first ones of a list.
fn cell(value: &Value) -> String {
    let ids: Vec<&str> = match value {
        Value::Text(id) => vec![id],
        Value::List(ids) => ids.iter().map(AsRef::as_ref).collect(),
        Value::Links(links) => links.iter().map(|link| link.target.as_ref()).collect(),
        Value::Bool(_) | Value::Int(_) | Value::Number(_) => Vec::new(),
    };
    let more = ids.len().saturating_sub(MAX_MEMBERS);
    let shown = ids[..ids.len() - more].join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}
