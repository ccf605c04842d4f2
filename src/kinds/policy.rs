//! `Policy`: whose purchases wait for whose approval.

use super::{ACCOUNT, BLOCKED, Field, FieldType, IdChars, Kind, POLICY, SetItem, USER};

pub(super) const KIND: Kind = Kind {
    id: POLICY,
    name: "Policy",
    collection: "policies",
    table: "policies",
    singular: "policy",
    doc: "A buying policy: whose purchases wait for whose approval.",
    fields: &[
        Field::new("name", "name", FieldType::Text(255), "What it is called.").required(),
        Field::new(
            "description",
            "description",
            FieldType::LongText(2000),
            "What it is for.",
        ),
        Field::new(
            "message",
            "message",
            FieldType::LongText(2000),
            "What the customer is shown.",
        ),
        Field::new(
            "account",
            "account_id",
            FieldType::Ref(ACCOUNT),
            "The account it holds in.",
        )
        .required(),
        Field::new(
            "reviewed",
            "reviewed",
            FieldType::Set(SetItem::Ref(USER)),
            "The users of the account whose purchases are reviewed.",
        )
        .required(),
        Field::new(
            "approvers",
            "approvers",
            FieldType::Set(SetItem::Ref(USER)),
            "The one or two users of the account who review them.",
        )
        .required()
        .grants_access(),
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
