//! `Tag`: a group of customers that offers and prices refer to.

use super::{BLOCKED, Field, FieldType, IdChars, Kind, TAG};

pub(super) const KIND: Kind = Kind {
    id: TAG,
    name: "Tag",
    collection: "tags",
    table: "tags",
    singular: "tag",
    doc: "A group of customers that offers and prices refer to.",
    fields: &[
        Field::new(
            "name",
            "name",
            FieldType::Text(255),
            "The name of the tag. Prefer simple names.",
        )
        .required(),
        Field::new(
            "description",
            "description",
            FieldType::LongText(2000),
            "The description.",
        ),
        Field::STATUS,
        Field::PROTECT,
    ],
    nested: &[],
    has_status: true,
    applies_to_word: None,
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[BLOCKED],
};
