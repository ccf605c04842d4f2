//! The tables of the kinds, derived from the table of kinds.

use super::sql_value::SqlType;
use crate::kinds::{self, Field, FieldType, Kind, LinkAttribute, RuntimeFact, SetItem};
use crate::model::KindId;
use std::sync::LazyLock;

/// The table of one kind, and its link tables.
#[derive(Debug)]
pub(super) struct KindTable {
    pub(super) kind: &'static Kind,
    /// The columns that make up a row, external id and version first.
    pub(super) columns: Vec<TableColumn>,
    /// The link tables, one a list field.
    pub(super) links: Vec<LinkTable>,
}

#[derive(Debug)]
pub(super) struct TableColumn {
    pub(super) name: String,
    /// Its type.
    pub(super) ty: SqlType,
    /// What it holds.
    pub(super) content: ColumnContent,
}

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum ColumnContent {
    /// The external id.
    Id,
    Version,
    /// A field, by index.
    Field(usize),
    /// The path of the file that a field names.
    Path(usize),
    /// The SHA-256 of the file that a field names.
    Sha256(usize),
    /// The custom values, as canonical JSON.
    Custom,
    /// A runtime fact.
    Fact(&'static RuntimeFact),
}

/// The table of one list field.
#[derive(Debug)]
pub(super) struct LinkTable {
    /// The index of the field.
    pub(super) field: usize,
    /// `user_accounts`.
    pub(super) name: String,
    /// `user_id`.
    pub(super) owner: String,
    /// `account_id`, or `value` where members are plain text.
    pub(super) member: String,
    /// What the members refer to.
    pub(super) target: Option<KindId>,
    /// The attributes of each link.
    pub(super) attributes: &'static [LinkAttribute],
}

/// The tables of all kinds, by kind.
pub(super) static ALL: LazyLock<Vec<KindTable>> =
    LazyLock::new(|| kinds::ALL.into_iter().map(KindTable::new).collect());

/// The table of a kind.
pub(super) fn for_kind(kind: KindId) -> &'static KindTable {
    &ALL[usize::from(kind.0)]
}

impl KindTable {
    fn new(kind: &'static Kind) -> Self {
        let mut columns = vec![
            TableColumn::new("external_id", SqlType::Id, ColumnContent::Id),
            TableColumn::new("version", SqlType::Int, ColumnContent::Version),
        ];
        for (index, field) in kind.fields.iter().enumerate() {
            columns.extend(field_columns(kind, index, field));
        }
        if kind.applies_to_word.is_some() {
            columns.push(TableColumn::new(
                "custom_fields",
                SqlType::Text,
                ColumnContent::Custom,
            ));
        }
        let facts = kind.facts.iter();
        columns.extend(
            facts.map(|fact| {
                TableColumn::new(fact.column, SqlType::Text, ColumnContent::Fact(fact))
            }),
        );
        Self {
            kind,
            columns,
            links: links(kind),
        }
    }

    /// The columns' names and types.
    pub(super) fn shape(&self) -> Vec<(&str, SqlType)> {
        let columns = self.columns.iter();
        columns
            .map(|column| (column.name.as_str(), column.ty))
            .collect()
    }

    /// The columns that hold a field: one, two for a file, none for a list.
    pub(super) fn columns_of_field(&self, field: usize) -> impl Iterator<Item = &TableColumn> {
        self.columns.iter().filter(move |column| {
            matches!(
                column.content,
                ColumnContent::Field(index) | ColumnContent::Path(index) | ColumnContent::Sha256(index) if index == field
            )
        })
    }

    /// The link table of a field.
    pub(super) fn link(&self, field: usize) -> Option<&LinkTable> {
        self.links.iter().find(|link| link.field == field)
    }

    /// The table of the links to a kind, by the name of the field.
    pub(super) fn link_named(&self, field: &str) -> &LinkTable {
        let field = self.kind.expect_index(field);
        self.link(field)
            .expect("the callers name fields that are lists of the table")
    }
}

impl TableColumn {
    fn new(name: impl Into<String>, ty: SqlType, holds: ColumnContent) -> Self {
        Self {
            name: name.into(),
            ty,
            content: holds,
        }
    }
}

impl LinkTable {
    /// The columns' names and types, owner and member first.
    pub(super) fn shape(&self) -> Vec<(&str, SqlType)> {
        let mut shape = vec![
            (self.owner.as_str(), SqlType::Id),
            (self.member.as_str(), SqlType::Id),
        ];
        let attributes = self.attributes.iter();
        shape.extend(attributes.map(|attribute| (attribute.column, attribute_type(attribute))));
        shape
    }
}

/// Booleans are booleans; other attributes are kept as their word.
pub(super) fn attribute_type(attribute: &LinkAttribute) -> SqlType {
    match attribute.choices {
        ["false", "true"] => SqlType::Bool,
        _ => SqlType::Text,
    }
}

fn field_columns(kind: &Kind, index: usize, field: &Field) -> Vec<TableColumn> {
    let ty = match field.ty {
        FieldType::Set(_) | FieldType::Links { .. } => return Vec::new(),
        FieldType::Enum(_) if index == kind.status_index() && !kind.has_status => {
            return Vec::new();
        }
        FieldType::Bool => SqlType::Bool,
        FieldType::Int(..) => SqlType::Int,
        FieldType::Ref(_) => SqlType::Id,
        _ => SqlType::Text,
    };
    if !matches!(field.ty, FieldType::File) {
        return vec![TableColumn::new(
            field.column,
            ty,
            ColumnContent::Field(index),
        )];
    }
    let hash = format!("{}_sha256", field.column);
    vec![
        TableColumn::new(field.column, ty, ColumnContent::Path(index)),
        TableColumn::new(hash, SqlType::Text, ColumnContent::Sha256(index)),
    ]
}

fn links(kind: &'static Kind) -> Vec<LinkTable> {
    let fields = kind.fields.iter().enumerate();
    let lists = fields.filter(|(_, field)| {
        matches!(
            field.ty,
            FieldType::Set(SetItem::Ref(_) | SetItem::Text(_)) | FieldType::Links { .. }
        )
    });
    lists
        .map(|(index, field)| {
            let target = field.ty.target();
            LinkTable {
                field: index,
                name: format!("{}_{}", kind.singular, field.column),
                owner: format!("{}_id", kind.singular),
                member: target.map_or_else(
                    || "value".to_owned(),
                    |target| format!("{}_id", kinds::get(target).singular),
                ),
                target,
                attributes: field.ty.attributes(),
            }
        })
        .collect()
}
