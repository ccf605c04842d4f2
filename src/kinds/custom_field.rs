//! `CustomField`: a field that the operator adds to a kind.

use super::{BLOCKED, CUSTOM_FIELD, EnumChoices, Field, FieldDefault, FieldType, IdChars, Kind};

const APPLIES_TO: EnumChoices = &["account", "organisation", "user", "address"];
const TYPES: EnumChoices = &["text", "long-text", "number", "boolean", "date", "list"];

pub(super) const KIND: Kind = Kind {
    id: CUSTOM_FIELD,
    name: "CustomField",
    collection: "customFields",
    table: "custom_fields",
    singular: "custom_field",
    doc: "A field that the operator adds to accounts, organisations, users or addresses.",
    fields: &[
        Field::new(
            "appliesTo",
            "applies_to",
            FieldType::Enum(APPLIES_TO),
            "What it is a field of.",
        )
        .required()
        .immutable(),
        Field::new("name", "name", FieldType::Text(255), "What people see.").required(),
        Field::new(
            "type",
            "type",
            FieldType::Enum(TYPES),
            "What its values are.",
        )
        .required()
        .immutable(),
        Field::new(
            "options",
            "options",
            FieldType::Ordered(255),
            "The values to choose from, in the order shown; only for `type: list`.",
        ),
        Field::new(
            "required",
            "required",
            FieldType::Bool,
            "Whether every resource must have a value.",
        )
        .default(FieldDefault::Bool(false)),
        Field::new(
            "default",
            "default_value",
            FieldType::CustomDefault,
            "Written on create when nothing is said; stands in for a missing value of stored rows.",
        ),
        Field::STATUS,
        Field::PROTECT,
    ],
    has_status: true,
    applies_to_word: None,
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[BLOCKED],
};
