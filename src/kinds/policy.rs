//! `Policy`: whose purchases wait for whose approval.

use super::{ACCOUNT, BLOCKED, Field, IdChars, Item, Kind, POLICY, Type, USER};

pub(super) const KIND: Kind = Kind {
    id: POLICY,
    name: "Policy",
    collection: "policies",
    table: "policies",
    singular: "policy",
    doc: "A buying policy: whose purchases wait for whose approval.",
    fields: &[
        Field::new("name", "name", Type::Text(255), "What it is called.").required(),
        Field::new(
            "description",
            "description",
            Type::LongText(2000),
            "What it is for.",
        ),
        Field::new(
            "message",
            "message",
            Type::LongText(2000),
            "What the customer is shown.",
        ),
        Field::new(
            "account",
            "account_id",
            Type::Ref(ACCOUNT),
            "The account it holds in.",
        )
        .required(),
        Field::new(
            "reviewed",
            "reviewed",
            Type::Set(Item::Ref(USER)),
            "The users of the account whose purchases are reviewed.",
        )
        .required(),
        Field::new(
            "approvers",
            "approvers",
            Type::Set(Item::Ref(USER)),
            "The one or two users of the account who review them.",
        )
        .required()
        .grants(),
        Field::STATUS,
        Field::PROTECT,
    ],
    status: true,
    custom: None,
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[BLOCKED],
};
