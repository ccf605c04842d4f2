//! `Settings`: what holds for the whole directory.

use super::{Field, FieldDefault, FieldType, IdChars, Kind, SETTINGS, SetItem};

pub(super) const KIND: Kind = Kind {
    id: SETTINGS,
    name: "Settings",
    collection: "settings",
    table: "settings",
    singular: "settings",
    doc: "What holds for the whole directory; one per directory, its externalId is `settings`.",
    fields: &[
        Field::new(
            "accountApproval",
            "account_approval",
            FieldType::Bool,
            "Whether a new account waits for a person's approval before it is usable.",
        )
        .default(FieldDefault::Bool(false)),
        Field::new(
            "firstUser",
            "first_user",
            FieldType::Enum(&["required", "warn", "off"]),
            "How strictly an active account must have an active user.",
        )
        .default(FieldDefault::Text("required")),
        Field::new(
            "loginMode",
            "login_mode",
            FieldType::Enum(&["email", "customer-number", "both"]),
            "What people log in with.",
        )
        .default(FieldDefault::Text("email")),
        Field::new(
            "organisationDepth",
            "organisation_depth",
            FieldType::Int(1, 64),
            "How many levels of organisations an account may have.",
        )
        .default(FieldDefault::Int(2)),
        Field::new(
            "userGroups",
            "user_groups",
            FieldType::Set(SetItem::Text(128)),
            "The groups a user may be in.",
        )
        .default(FieldDefault::List(&[
            "FOC_Admin",
            "FOC_User",
            "FOC_Webmaster",
        ])),
        Field::new(
            "optionalFields",
            "optional_fields",
            FieldType::Set(SetItem::Text(128)),
            "Required fields made optional here, as `User.civility`; never an externalId.",
        )
        .default(FieldDefault::List(&[])),
        Field::new(
            "paymentProvider",
            "payment_provider",
            FieldType::Bool,
            "Whether a payment provider is used, which legal users need.",
        )
        .default(FieldDefault::Bool(false)),
        Field::new(
            "adminSeesAccount",
            "admin_sees_account",
            FieldType::Bool,
            "Whether administrators of an account, and FOC_Admin users, see all of it.",
        )
        .default(FieldDefault::Bool(true)),
        Field::new(
            "invitationTtl",
            "invitation_ttl",
            FieldType::Duration,
            "How long an invitation link works.",
        )
        .default(FieldDefault::Text("72h")),
        Field::DELETED,
        Field::PROTECT,
    ],
    has_status: false,
    applies_to_word: None,
    singleton: Some("settings"),
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[],
};
