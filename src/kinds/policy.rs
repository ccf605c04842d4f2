//! `Policy`: whose purchases need whose approval.

use super::{ACCOUNT, BLOCKED, Field, FieldType, IdChars, Kind, POLICY, SetItem, USER};

pub(super) const KIND: Kind = Kind {
    id: POLICY,
    name: "Policy",
    collection: "policies",
    table: "policies",
    singular: "policy",
    doc: "A buying policy: which purchases need whose approval.",
    fields: &[
        Field::new("name", "name", FieldType::Text(255), "Its name.").required(),
        Field::new(
            "description",
            "description",
            FieldType::LongText(2000),
            "The description.",
        ),
        Field::new(
            "message",
            "message",
            FieldType::LongText(2000),
            "The message that the customer sees.",
        ),
        Field::new(
            "account",
            "account_id",
            FieldType::Ref(ACCOUNT),
            "The account that it applies to.",
        )
        .required(),
        Field::new(
            "reviewed",
            "reviewed",
            FieldType::Set(SetItem::Ref(USER)),
            "The users of the account whose purchases need approval.",
        )
        .required(),
        // One or two, of the same account: both are rules, as the table knows no such bound. An
        // approver decides about purchases of others, so it counts as access.
        Field::new(
            "approvers",
            "approvers",
            FieldType::Set(SetItem::Ref(USER)),
            "The one or two users of the account who approve purchases.",
        )
        .required()
        .grants_access(),
        Field::EFFECTIVE_FROM,
        Field::EFFECTIVE_UNTIL,
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
