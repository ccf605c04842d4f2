//! `User`: a person who buys.

use super::{
    ACCOUNT, BLOCKED, Field, FieldDefault, FieldType, IdChars, Kind, LinkAttribute, ORGANISATION,
    RuntimeFact, STORE, SetItem, USER,
};

const LEVEL: &[LinkAttribute] = &[LinkAttribute {
    name: "level",
    column: "level",
    choices: &["user", "administrator"],
    default: 0,
    doc: "Whether the user may manage the logins of the account.",
}];

pub(super) const KIND: Kind = Kind {
    id: USER,
    name: "User",
    collection: "users",
    table: "users",
    singular: "user",
    doc: "A person who buys for one or more accounts.",
    fields: &[
        Field::new(
            "civility",
            "civility",
            FieldType::Enum(&["MISS", "MRS", "MR"]),
            "How to address them.",
        )
        .required(),
        Field::new(
            "firstName",
            "first_name",
            FieldType::Text(255),
            "First name.",
        )
        .required()
        .personal(),
        Field::new("lastName", "last_name", FieldType::Text(255), "Last name.")
            .required()
            .personal(),
        Field::new(
            "email",
            "email",
            FieldType::Email,
            "E-mail address, compared without regard to case.",
        )
        .required()
        .personal(),
        Field::new("phone", "phone", FieldType::Phone, "Telephone number.")
            .required()
            .personal(),
        Field::new(
            "company",
            "company",
            FieldType::Text(255),
            "Company, free text.",
        ),
        Field::new(
            "groups",
            "groups",
            FieldType::Set(SetItem::Text(128)),
            "The groups they are in, of `Settings.userGroups`.",
        )
        .required()
        .grants_access(),
        Field::new(
            "accounts",
            "accounts",
            FieldType::Links {
                kind: ACCOUNT,
                key: "account",
                attributes: LEVEL,
                inline: false,
            },
            "The accounts they buy for, each with their level there.",
        )
        .required()
        .grants_access(),
        Field::new(
            "organisations",
            "organisations",
            FieldType::Set(SetItem::Ref(ORGANISATION)),
            "The organisations they belong to, of their accounts.",
        ),
        Field::new(
            "mainOrganisation",
            "main_organisation_id",
            FieldType::Ref(ORGANISATION),
            "The main one of their organisations; of one, that one.",
        )
        .inferred_from("organisations"),
        Field::new(
            "stores",
            "stores",
            FieldType::Set(SetItem::Ref(STORE)),
            "The stores they have access to.",
        ),
        Field::new(
            "passwordFrom",
            "password_from",
            FieldType::Secret,
            "Where a temporary password is found: `{env: ROSTER_SECRET_X}` or `{file: name}`.",
        ),
        Field::new(
            "notify",
            "notify",
            FieldType::Bool,
            "Whether they are sent a set-password link on create and on a new password.",
        )
        .default(FieldDefault::Bool(false)),
        Field::STATUS,
        Field::PROTECT,
    ],
    has_status: true,
    applies_to_word: Some("user"),
    singleton: None,
    id_chars: IdChars::Ascii,
    personal_id: true,
    facts: &[
        BLOCKED,
        RuntimeFact {
            column: "access",
            name: "access",
            initial: Some("unregistered"),
            doc: "`unregistered`, `invited`, `pending`, `enabled` or `disabled`: whether they can log in.",
        },
        RuntimeFact {
            column: "password_hash",
            name: "passwordHash",
            initial: None,
            doc: "The argon2 hash of the password last set.",
        },
        RuntimeFact {
            column: "password_temporary",
            name: "passwordTemporary",
            initial: None,
            doc: "`true` while the password must be changed at the first login.",
        },
        RuntimeFact {
            column: "invited_at",
            name: "invitedAt",
            initial: None,
            doc: "When the last invitation went out.",
        },
        RuntimeFact {
            column: "terms_accepted",
            name: "termsAccepted",
            initial: None,
            doc: "The SHA-256 of the terms they last accepted.",
        },
        RuntimeFact {
            column: "terms_accepted_at",
            name: "termsAcceptedAt",
            initial: None,
            doc: "When they accepted the terms.",
        },
    ],
};
