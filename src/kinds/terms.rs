//! `Terms`: a terms and conditions document that users accept.

use super::{Field, FieldType, IdChars, Kind, TERMS};

pub(super) const KIND: Kind = Kind {
    id: TERMS,
    name: "Terms",
    collection: "terms",
    table: "terms",
    singular: "terms",
    doc: "A terms and conditions document that users accept. New content resets its acceptances.",
    fields: &[
        Field::new("title", "title", FieldType::Text(255), "Its name.").required(),
        Field::new(
            "file",
            "file",
            FieldType::File,
            "The document: a path below the root of the source, at most 20 MB.",
        )
        .required(),
        Field::DELETED,
        Field::PROTECT,
    ],
    nested: &[],
    has_status: false,
    applies_to_word: None,
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[],
};
