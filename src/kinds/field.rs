//! What the table says of one field.

use crate::model::{CompactText, KindId, Link, Value};

/// One field of a kind.
#[derive(Debug)]
pub struct Field {
    /// As in manifests, camel case; a member of a group is written `group.member`.
    pub name: &'static str,
    /// The SQL column, or, for lists, the second part of the link table's name; snake case.
    pub column: &'static str,
    /// What its values are.
    pub ty: FieldType,
    /// Whether a create must say it.
    pub required: bool,
    /// Whether it may never change.
    pub immutable: bool,
    /// Whether it says something about a person.
    pub personal: bool,
    /// Whether it says where a person lives, so that it is shown only to those who may read.
    pub locates_person: bool,
    /// Whether a value, or a member of it, gives somebody access: never given back by itself.
    pub grants_access: bool,
    /// The list field whose only member is its value when nothing is said.
    pub inferred_from: Option<&'static str>,
    /// Whether it is a number by which others know the resource, which a spreadsheet ruins.
    pub identifier: bool,
    /// What a create writes when it is absent.
    pub default: FieldDefault,
    /// What it means, in one sentence.
    pub doc: &'static str,
}

/// The type of a field: how it reads, what is allowed, how it is stored.
#[derive(Debug)]
pub enum FieldType {
    /// Text on one line, at most so many characters.
    Text(usize),
    /// Text that may have several lines, at most so many characters.
    LongText(usize),
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds.
    Int(i64, i64),
    /// `72h`, `15m`, `30s`, `3d`.
    Duration,
    /// One of these words.
    Enum(EnumChoices),
    /// `YYYY-MM-DD`.
    Date,
    /// ISO 3166-1 alpha-2.
    Country,
    /// An e-mail address.
    Email,
    /// A telephone number, at most 15 digits.
    Phone,
    /// An http or https URL.
    Url,
    /// A VAT number, stored without spaces and dots, in capitals.
    Vat,
    /// A postal code.
    Zip,
    /// The external id of a resource of that kind.
    Ref(KindId),
    /// A set of such items.
    Set(SetItem),
    /// A list of texts that keeps its order.
    Ordered(usize),
    /// Links to resources of a kind, each with attributes of the link itself.
    Links {
        /// The kind linked to.
        kind: KindId,
        /// The key that names the target in the long form: `account`, `ref`.
        key: &'static str,
        /// At most two attributes.
        attributes: &'static [LinkAttribute],
        /// Whether the target may be written out in place of a reference.
        inline: bool,
    },
    /// A reference to a password: `{env: ROSTER_SECRET_X}` or `{file: name}`; its value is the
    /// text `env:ROSTER_SECRET_X` or `file:name`, never the password.
    Secret,
    /// A file below the source's root: its path; its content is stored and its SHA-256 is the version.
    File,
    /// What a custom field's default may be: text, checked by the custom field's own type.
    CustomDefault,
}

/// The items of a [`FieldType::Set`].
#[derive(Debug)]
pub enum SetItem {
    /// References to resources of a kind.
    Ref(KindId),
    /// Free text, at most so many characters each.
    Text(usize),
}

/// The words of an enum, in their order.
pub type EnumChoices = &'static [&'static str];

/// An attribute of a link: its choices, and the one that an absent attribute means.
#[derive(Debug)]
pub struct LinkAttribute {
    /// As in manifests.
    pub name: &'static str,
    /// The SQL column of the link table.
    pub column: &'static str,
    /// Its words; [`BOOL`] for booleans. The index of the word is the stored choice.
    pub choices: EnumChoices,
    /// What absence means in a manifest.
    pub default: u8,
    /// What it means.
    pub doc: &'static str,
}

/// The choices of a boolean attribute.
pub const BOOL: EnumChoices = &["false", "true"];

/// What a create writes when nothing is said.
#[derive(Clone, Copy, Debug)]
pub enum FieldDefault {
    /// Nothing.
    None,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    Text(&'static str),
    /// A list, sorted.
    List(&'static [&'static str]),
}

impl FieldDefault {
    /// The default as a value.
    pub fn value(self) -> Option<Value> {
        Some(match self {
            Self::None => return None,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Text(text) => Value::text(text),
            Self::List(items) => Value::set(items.iter().map(CompactText::new)),
        })
    }
}

impl FieldType {
    /// The kind that values of this type refer to.
    pub fn target(&self) -> Option<KindId> {
        match self {
            Self::Ref(kind) | Self::Set(SetItem::Ref(kind)) | Self::Links { kind, .. } => {
                Some(*kind)
            }
            _ => None,
        }
    }

    /// Whether values are lists: a blank says nothing and `[]` is the empty list.
    pub fn is_list(&self) -> bool {
        self.has_link_table() || matches!(self, Self::Ordered(_))
    }

    /// Whether values are sets of members, stored in a link table of their own.
    pub fn has_link_table(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Links { .. })
    }

    /// The attributes of the links, none for other types.
    pub fn attributes(&self) -> &'static [LinkAttribute] {
        match self {
            Self::Links { attributes, .. } => attributes,
            _ => &[],
        }
    }

    /// A link with the attributes that absence means.
    pub fn plain_link(&self, target: &str) -> Link {
        let mut attributes = [None; 2];
        for (choice, attribute) in attributes.iter_mut().zip(self.attributes()) {
            *choice = Some(attribute.default);
        }
        Link {
            target: CompactText::new(target),
            attributes,
        }
    }
}

impl Field {
    /// A field of which nothing is required.
    pub(super) const fn new(
        name: &'static str,
        column: &'static str,
        ty: FieldType,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            column,
            ty,
            required: false,
            immutable: false,
            personal: false,
            locates_person: false,
            grants_access: false,
            inferred_from: None,
            identifier: false,
            default: FieldDefault::None,
            doc,
        }
    }

    /// The same, required on create.
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, never to change.
    pub(super) const fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    /// The same, personal.
    pub(super) const fn personal(mut self) -> Self {
        self.personal = true;
        self
    }

    /// The same, saying where a person lives.
    pub(super) const fn locates_person(mut self) -> Self {
        self.locates_person = true;
        self
    }

    /// The same, giving access.
    pub(super) const fn grants_access(mut self) -> Self {
        self.grants_access = true;
        self
    }

    /// The same, inferred from a list of one.
    pub(super) const fn inferred_from(mut self, list: &'static str) -> Self {
        self.inferred_from = Some(list);
        self
    }

    /// The same, a number that must not have been through a spreadsheet.
    pub(super) const fn identifier(mut self) -> Self {
        self.identifier = true;
        self
    }

    /// The same, with a default on create.
    pub(super) const fn default(mut self, default: FieldDefault) -> Self {
        self.default = default;
        self
    }

    /// Whether its values may never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.ty, FieldType::Secret)
    }

    /// `status: active | inactive | deleted`, the same for every kind that has it.
    pub(super) const STATUS: Self = Self::new(
        "status",
        "status",
        FieldType::Enum(&["active", "inactive", "deleted"]),
        "Whether the resource is active. `deleted` is final.",
    )
    .default(FieldDefault::Text("active"))
    .grants_access();

    /// `status: deleted`, for kinds that have no other.
    pub(super) const DELETED: Self = Self::new(
        "status",
        "status",
        FieldType::Enum(&["deleted"]),
        "Only `deleted`, which is final.",
    );

    /// `protect`, which every kind has.
    pub(super) const PROTECT: Self = Self::new(
        "protect",
        "protect",
        FieldType::Bool,
        "Whether the resource is protected from removal, even after its manifest is gone.",
    )
    .default(FieldDefault::Bool(false));
}
