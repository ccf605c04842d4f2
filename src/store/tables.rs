//! The tables of the kinds, derived from the table of kinds. Reading, writing and the schema all
//! use this description, so a new field appears in all three at once. Start at [`KindTable`].

use super::sql_value::SqlType;
use crate::kinds::{
    self, ACCOUNT, Field, FieldType, Kind, LinkAttribute, ORGANISATION, RuntimeFact, SetItem, USER,
};
use crate::model::KindId;
use std::sync::LazyLock;

/// The table of one kind with its link tables.
#[derive(Debug)]
pub(super) struct KindTable {
    pub(super) kind: &'static Kind,
    /// The columns of a row, external id and version first.
    pub(super) columns: Vec<TableColumn>,
    /// The link tables, one per list field.
    pub(super) links: Vec<LinkTable>,
}

#[derive(Debug)]
pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) ty: SqlType,
    /// What it contains.
    pub(super) content: ColumnContent,
}

/// What a column contains.
#[derive(Clone, Copy, Debug)]
pub(super) enum ColumnContent {
    Id,
    Version,
    /// A field, by its index.
    Field(usize),
    /// The path of the file in a field.
    Path(usize),
    /// The SHA-256 of the file in a field.
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
    /// The kind of the members, if they are resources.
    pub(super) target: Option<KindId>,
    pub(super) attributes: &'static [LinkAttribute],
}

/// The tables of all kinds, indexed by kind.
pub(super) static ALL: LazyLock<Vec<KindTable>> =
    LazyLock::new(|| kinds::ALL.into_iter().map(KindTable::new).collect());

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

    /// The names and types of the columns.
    pub(super) fn shape(&self) -> Vec<(&str, SqlType)> {
        let columns = self.columns.iter();
        columns
            .map(|column| (column.name.as_str(), column.ty))
            .collect()
    }

    /// The columns of a field: one, two for a file, none for a list.
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

    /// The link table of a list field, by its name.
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
    /// The names and types of the columns, owner and member first.
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

/// The names that a search finds by their beginning.
const SEARCHED_NAMES: [(KindId, &str); 3] = [
    (ACCOUNT, "name"),
    (ORGANISATION, "name"),
    (USER, "lastName"),
];

/// The columns in which an index finds the beginning of a text, whatever its case: e-mail addresses
/// and the most searched names.
pub(super) fn searched_columns(table: &KindTable) -> impl Iterator<Item = &'static str> {
    let kind = table.kind;
    let fields = kind.fields.iter().filter(|field| {
        matches!(field.ty, FieldType::Email) || SEARCHED_NAMES.contains(&(kind.id, field.name))
    });
    fields.map(|field| field.column)
}

/// Column names as SQL, and their types.
pub(super) fn column_names_and_types(shape: &[(&str, SqlType)]) -> (String, Vec<SqlType>) {
    let names: Vec<&str> = shape.iter().map(|(name, _)| *name).collect();
    (names.join(", "), shape.iter().map(|(_, ty)| *ty).collect())
}

/// A boolean attribute is a boolean column; any other is stored as its word.
pub(super) fn attribute_type(attribute: &LinkAttribute) -> SqlType {
    match attribute.choices {
        ["false", "true"] => SqlType::Bool,
        _ => SqlType::Text,
    }
}

fn field_columns(kind: &Kind, index: usize, field: &Field) -> Vec<TableColumn> {
    let ty = match field.ty {
        FieldType::Set(_) | FieldType::Links { .. } => return Vec::new(),
        // Kinds without a life cycle have no status, although the table of kinds lists the field
        // for all.
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
    // The hash has a column of its own, so that other programs can find the content without
    // parsing.
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
