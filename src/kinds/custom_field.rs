//! `CustomField`: a field that operators add to a kind.

use super::{BLOCKED, CUSTOM_FIELD, EnumChoices, Field, FieldDefault, FieldType, IdChars, Kind};

const APPLIES_TO: EnumChoices = &["account", "organisation", "user", "address"];
const TYPES: EnumChoices = &["text", "long-text", "number", "boolean", "date", "list"];

pub(super) const KIND: Kind = Kind {
    id: CUSTOM_FIELD,
    name: "CustomField",
    collection: "customFields",
    table: "custom_fields",
    singular: "custom_field",
    doc: "A field that you add to accounts, organisations, users or addresses.",
    fields: &[
        Field::new(
            "appliesTo",
            "applies_to",
            FieldType::Enum(APPLIES_TO),
            "The kinds that have the field.",
        )
        .required()
        // Stored values would belong to resources of another kind.
        .immutable(),
        Field::new(
            "name",
            "name",
            FieldType::Text(255),
            "The label that users see.",
        )
        .required(),
        Field::new(
            "type",
            "type",
            FieldType::Enum(TYPES),
            "The type of its values.",
        )
        .required()
        // Stored values would not be of the new type.
        .immutable(),
        // A list and not a set, because users see the options in this order.
        Field::new(
            "options",
            "options",
            FieldType::Ordered(255),
            "The options, in display order. Only for `type: list`.",
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
            "The value on create when none is declared. It also replaces missing values of stored resources.",
        ),
        Field::STATUS,
        Field::PROTECT,
    ],
    nested: &[],
    has_status: true,
    applies_to_word: None,
    singleton: None,
    id_chars: IdChars::Ascii,
    personal_id: false,
    facts: &[BLOCKED],
};
