//! `Settings`: what holds for the whole directory.

use super::{Default, Field, IdChars, Item, Kind, SETTINGS, Type};

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
            Type::Bool,
            "Whether a new account waits for a person's approval before it is usable.",
        )
        .default(Default::Bool(false)),
        Field::new(
            "firstUser",
            "first_user",
            Type::Enum(&["required", "warn", "off"]),
            "How strictly an active account must have an active user.",
        )
        .default(Default::Text("required")),
        Field::new(
            "loginMode",
            "login_mode",
            Type::Enum(&["email", "customer-number", "both"]),
            "What people log in with.",
        )
        .default(Default::Text("email")),
        Field::new(
            "organisationDepth",
            "organisation_depth",
            Type::Int(1, 64),
            "How many levels of organisations an account may have.",
        )
        .default(Default::Int(2)),
        Field::new(
            "userGroups",
            "user_groups",
            Type::Set(Item::Text(128)),
            "The groups a user may be in.",
        )
        .default(Default::List(&["FOC_Admin", "FOC_User", "FOC_Webmaster"])),
        Field::new(
            "optionalFields",
            "optional_fields",
            Type::Set(Item::Text(128)),
            "Required fields made optional here, as `User.civility`; never an externalId.",
        )
        .default(Default::List(&[])),
        Field::new(
            "paymentProvider",
            "payment_provider",
            Type::Bool,
            "Whether a payment provider is used, which legal users need.",
        )
        .default(Default::Bool(false)),
        Field::new(
            "adminSeesAccount",
            "admin_sees_account",
            Type::Bool,
            "Whether administrators of an account, and FOC_Admin users, see all of it.",
        )
        .default(Default::Bool(true)),
        Field::new(
            "invitationTtl",
            "invitation_ttl",
            Type::Duration,
            "How long an invitation link works.",
        )
        .default(Default::Text("72h")),
        Field::DELETED,
        Field::PROTECT,
    ],
    status: false,
    custom: None,
    singleton: Some("settings"),
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[],
};
