//! `Store`: a web shop that users may have access to.

use super::{BLOCKED, Field, FieldType, IdChars, Kind, STORE};

pub(super) const KIND: Kind = Kind {
    id: STORE,
    name: "Store",
    collection: "stores",
    table: "stores",
    singular: "store",
    doc: "A web shop that users may have access to.",
    fields: &[
        Field::new(
            "name",
            "name",
            FieldType::Text(255),
            "The name of the store.",
        )
        .required(),
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
