//! `Settings`: the settings of the whole directory. There is one per directory, and other kinds are
//! checked against it.

use super::{Field, FieldDefault, FieldType, IdChars, Kind, SETTINGS, SetItem};

pub(super) const KIND: Kind = Kind {
    id: SETTINGS,
    name: "Settings",
    collection: "settings",
    table: "settings",
    singular: "settings",
    doc: "The settings of the whole directory. There is one per directory, with the externalId `settings`.",
    fields: &[
        Field::new(
            "accountApproval",
            "account_approval",
            FieldType::Bool,
            "Whether a new account needs the approval of a person before it can be used.",
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
            "The name that users log in with.",
        )
        .default(FieldDefault::Text("email")),
        // Two levels are what DJUST has; the upper bound only guards against mistakes.
        Field::new(
            "organisationDepth",
            "organisation_depth",
            FieldType::Int(1, 64),
            "The maximum number of organisation levels in an account.",
        )
        .default(FieldDefault::Int(2)),
        Field::new(
            "userGroups",
            "user_groups",
            FieldType::Set(SetItem::Text(128)),
            "The user groups that exist.",
        )
        .default(FieldDefault::List(&[
            "FOC_Admin",
            "FOC_User",
            "FOC_Webmaster",
        ])),
        // As names and not as marks in the table, because what a shop needs differs and the table
        // is compiled in.
        Field::new(
            "optionalFields",
            "optional_fields",
            FieldType::Set(SetItem::Text(128)),
            "Required fields to make optional, such as `User.civility`. An externalId stays required.",
        )
        .default(FieldDefault::List(&[])),
        Field::new(
            "paymentProvider",
            "payment_provider",
            FieldType::Bool,
            "Whether a payment provider is used. Legal users need one.",
        )
        .default(FieldDefault::Bool(false)),
        Field::new(
            "adminSeesAccount",
            "admin_sees_account",
            FieldType::Bool,
            "Whether administrators of an account and FOC_Admin users see the whole account.",
        )
        .default(FieldDefault::Bool(true)),
        Field::new(
            "initialAccess",
            "initial_access",
            FieldType::Enum(&["unregistered", "enabled"]),
            "The access of users that are created or adopted later, if nobody has set it: `enabled` for a shop that has its own logins.",
        )
        .default(FieldDefault::Text("unregistered")),
        Field::new(
            "invitationTtl",
            "invitation_ttl",
            FieldType::Duration,
            "How long an invitation link is valid.",
        )
        .default(FieldDefault::Text("72h")),
        // Every kind has a status, but the one resource of this kind cannot be deleted.
        Field::DELETED,
        Field::PROTECT,
    ],
    nested: &[],
    has_status: false,
    applies_to_word: None,
    singleton: Some("settings"),
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[],
};
