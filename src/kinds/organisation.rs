//! `Organisation`: a group of users within an account.

use super::{
    ACCOUNT, BLOCKED, Field, FieldType, GivenValue, IdChars, Kind, NestedList, ORGANISATION,
};

pub(super) const KIND: Kind = Kind {
    id: ORGANISATION,
    name: "Organisation",
    collection: "organisations",
    table: "organisations",
    singular: "organisation",
    doc: "A group of users within an account.",
    fields: &[
        Field::new("name", "name", FieldType::Text(255), "Its name.").required(),
        Field::new(
            "account",
            "account_id",
            FieldType::Ref(ACCOUNT),
            "The account that it belongs to.",
        )
        .required()
        // An organisation does not move: its parent and its users belong to the same account.
        .immutable(),
        // That it is in the same account and in no cycle needs other resources to check, so it is a
        // rule (`organisation-account`, `organisation-cycle`).
        Field::new(
            "parent",
            "parent_id",
            FieldType::Ref(ORGANISATION),
            "The parent organisation, in the same account.",
        ),
        Field::STATUS,
        Field::PROTECT,
    ],
    nested: &[NestedList {
        name: "organisations",
        kind: ORGANISATION,
        given: &[
            ("account", GivenValue::OuterField("account")),
            ("parent", GivenValue::OuterId),
        ],
        doc: "The organisations below it, each in full, in the same account.",
    }],
    has_status: true,
    applies_to_word: Some("organisation"),
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[BLOCKED],
};
