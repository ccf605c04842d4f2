//! What the table of kinds says about a field. `Field` is one row and `FieldType` decides how
//! its values are read, checked and stored. All of it is `const` data.

use crate::model::{CompactText, KindId, Link, Value};

/// In place of a reference to a password: the row of an export holds it. No manifest can say this.
pub const SECRET_IN_EXPORT: &str = "export";

#[derive(Debug)]
pub struct Field {
    /// The name in manifests, in camel case. A member of a group is `group.member`.
    pub name: &'static str,
    /// The SQL column, in snake case. For lists, the second part of the name of the link table.
    pub column: &'static str,
    pub ty: FieldType,
    /// Whether it is required on create.
    pub required: bool,
    /// Whether it can never change.
    pub immutable: bool,
    /// Whether it is personal data.
    pub personal: bool,
    /// Whether it tells where a person lives. Shown only with read permission.
    pub locates_person: bool,
    /// Whether a value or a member gives access to somebody. Roster never restores it without a
    /// decision.
    pub grants_access: bool,
    /// Whether it goes when the source that set it no longer declares it. Any other field keeps its
    /// stored value.
    pub lapses: bool,
    /// For a list whose items may have dates: the key that names the member of such an item.
    pub dated_by: Option<&'static str>,
    /// Whether other fields imply it, so that no manifest and no export names it.
    pub implied: bool,
    /// The list field whose only member is the value if none is declared.
    pub inferred_from: Option<&'static str>,
    /// Whether it is a number that identifies the resource elsewhere, and so must not have passed
    /// through a spreadsheet.
    pub identifier: bool,
    /// What a create writes if it is absent.
    pub default: FieldDefault,
    /// The meaning, in one sentence.
    pub doc: &'static str,
}

/// The type of a field: how it is read, what is allowed, and how it is stored.
#[derive(Debug)]
pub enum FieldType {
    /// Text on one line, with the most characters.
    Text(usize),
    /// Text on several lines, with the most characters.
    LongText(usize),
    Bool,
    /// A whole number, with its bounds.
    Int(i64, i64),
    /// `72h`, `15m`, `30s`, `3d`
    Duration,
    Enum(EnumChoices),
    /// `YYYY-MM-DD`; the rules report a day in the future
    PastDate,
    /// A day, which means its first moment in UTC, or a moment with its offset. Its value is
    /// `2026-12-31T00:00:00Z`, so that values sort by time.
    Moment,
    /// ISO 3166-1 alpha-2
    Country,
    Email,
    /// A phone number of at most 15 digits, which is the limit of E.164.
    Phone,
    /// An http or https URL.
    Url,
    /// A VAT number. Stored in capitals, without spaces and dots, so that two spellings compare
    /// equal.
    Vat,
    Zip,
    /// The external id of a resource of this kind.
    Ref(KindId),
    Set(SetItem),
    /// A list of texts in its order.
    Ordered(usize),
    /// Links to resources of a kind, each with its own attributes.
    Links {
        kind: KindId,
        /// The key of the target in the long form: `account`, `ref`.
        key: &'static str,
        /// At most two.
        attributes: &'static [LinkAttribute],
        /// Whether the target may be written out in place of a reference.
        inline: bool,
    },
    /// A reference to a password, `{env: ROSTER_SECRET_X}` or `{file: name}`. Its value is the text
    /// `env:ROSTER_SECRET_X` or `file:name`, never the password; or [`SECRET_IN_EXPORT`].
    Secret,
    /// The path of a file below the root of the source. Its content is stored, and its SHA-256 is
    /// the version.
    File,
    /// The default of a custom field: text, which the type of the custom field checks.
    CustomDefault,
}

#[derive(Debug)]
pub enum SetItem {
    Ref(KindId),
    /// Texts, with the most characters of each.
    Text(usize),
}

/// The words of an enum, in their order.
pub type EnumChoices = &'static [&'static str];

/// An attribute of a link.
#[derive(Debug)]
pub struct LinkAttribute {
    /// The name in manifests.
    pub name: &'static str,
    /// The SQL column of the link table.
    pub column: &'static str,
    /// Its words, or [`BOOL`] for booleans. A choice is the index of its word.
    pub choices: EnumChoices,
    /// The choice if a manifest leaves it out.
    pub default: u8,
    pub doc: &'static str,
}

pub const BOOL: EnumChoices = &["false", "true"];

/// What a create writes if nothing is declared.
#[derive(Clone, Copy, Debug)]
pub enum FieldDefault {
    None,
    Bool(bool),
    Int(i64),
    Text(&'static str),
    /// A list, sorted.
    List(&'static [&'static str]),
}

impl FieldDefault {
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

    /// Whether values are lists. A blank list says nothing, while `[]` is the empty list.
    pub fn is_list(&self) -> bool {
        self.has_link_table() || matches!(self, Self::Ordered(_))
    }

    /// Whether values are sets, which are stored in a link table.
    pub fn has_link_table(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Links { .. })
    }

    /// The attributes of links. Empty for other types.
    pub fn attributes(&self) -> &'static [LinkAttribute] {
        match self {
            Self::Links { attributes, .. } => attributes,
            _ => &[],
        }
    }

    /// Creates a link with default attributes.
    pub fn plain_link(&self, target: &str) -> Link {
        // Two, because a link stores its attributes in an array of two.
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
    /// A field that is not required and has no marks. The functions below add them.
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
            lapses: false,
            dated_by: None,
            implied: false,
            inferred_from: None,
            identifier: false,
            default: FieldDefault::None,
            doc,
        }
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) const fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    pub(super) const fn personal(mut self) -> Self {
        self.personal = true;
        self
    }

    pub(super) const fn locates_person(mut self) -> Self {
        self.locates_person = true;
        self
    }

    pub(super) const fn grants_access(mut self) -> Self {
        self.grants_access = true;
        self
    }

    pub(super) const fn lapses(mut self) -> Self {
        self.lapses = true;
        self
    }

    /// Allows items with dates, whose member is at `key`.
    pub(super) const fn dated_by(mut self, key: &'static str) -> Self {
        self.dated_by = Some(key);
        self
    }

    pub(super) const fn implied(mut self) -> Self {
        self.implied = true;
        self
    }

    /// Infers the value from a list with one member.
    pub(super) const fn inferred_from(mut self, list: &'static str) -> Self {
        self.inferred_from = Some(list);
        self
    }

    /// Marks an identifying number, which a spreadsheet must not have touched.
    pub(super) const fn identifier(mut self) -> Self {
        self.identifier = true;
        self
    }

    pub(super) const fn default(mut self, default: FieldDefault) -> Self {
        self.default = default;
        self
    }

    /// Whether its values must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.ty, FieldType::Secret)
    }

    /// `status: active | inactive | deleted`, for kinds that have both states.
    pub(super) const STATUS: Self = Self::new(
        "status",
        "status",
        FieldType::Enum(&["active", "inactive", "deleted"]),
        "Whether the resource is active. `deleted` is final.",
    )
    .default(FieldDefault::Text("active"))
    .grants_access();

    /// `effectiveFrom`: a resource is inactive before it.
    pub(super) const EFFECTIVE_FROM: Self = Self::new(
        "effectiveFrom",
        "effective_from",
        FieldType::Moment,
        "The day or moment from which the resource is active. Before it, it is inactive.",
    )
    .lapses();

    /// `effectiveUntil`: a resource is inactive from it on.
    pub(super) const EFFECTIVE_UNTIL: Self = Self::new(
        "effectiveUntil",
        "effective_until",
        FieldType::Moment,
        "The day or moment from which the resource is no longer active.",
    )
    .lapses();

    /// `status: deleted`, for the other kinds.
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
