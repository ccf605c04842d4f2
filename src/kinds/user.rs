//! `User`: a person who buys.

use super::{
    ACCOUNT, BLOCKED, Field, FieldDefault, FieldType, IdChars, Kind, LinkAttribute, ORGANISATION,
    RuntimeFact, STORE, SetItem, USER,
};

/// The group whose members see their accounts as administrators do.
pub const ADMIN_GROUP: &str = "FOC_Admin";

const LEVEL: &[LinkAttribute] = &[LinkAttribute {
    name: "level",
    column: "level",
    choices: &["user", "administrator"],
    // The level with fewer rights, for a link that names none.
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
            "The form of address.",
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
        // No unique index enforces it: whether it must be unique depends on `loginMode` of the
        // settings, so a rule and an invariant do.
        Field::new(
            "email",
            "email",
            FieldType::Email,
            "The e-mail address. Case does not matter.",
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
            "The company, as free text.",
        ),
        // Not an enum: the groups that exist are themselves declared, in the settings.
        Field::new(
            "groups",
            "groups",
            FieldType::Set(SetItem::Text(128)),
            "The user groups, from `Settings.userGroups`.",
        )
        .required()
        .dated_by("group")
        .grants_access(),
        // Required, since every user belongs to an account. `optionalFields` of the settings can
        // lift that.
        Field::new(
            "accounts",
            "accounts",
            FieldType::Links {
                kind: ACCOUNT,
                key: "account",
                attributes: LEVEL,
                inline: false,
            },
            "The accounts that the user buys for, each with the user's level.",
        )
        .required()
        .dated_by("account")
        .grants_access(),
        Field::new(
            "organisations",
            "organisations",
            FieldType::Set(SetItem::Ref(ORGANISATION)),
            "The organisations of the user, from the user's accounts.",
        ),
        // Inferred, so that the common case of one organisation needs no second field that has to
        // agree with the first.
        Field::new(
            "mainOrganisation",
            "main_organisation_id",
            FieldType::Ref(ORGANISATION),
            "The main organisation. With one organisation, that one.",
        )
        .inferred_from("organisations"),
        Field::new(
            "stores",
            "stores",
            FieldType::Set(SetItem::Ref(STORE)),
            "The stores that the user can access.",
        ),
        // Only a reference: passwords do not belong into a repository, a plan or a history.
        Field::new(
            "passwordFrom",
            "password_from",
            FieldType::Secret,
            "The source of a temporary password: `{env: ROSTER_SECRET_X}` or `{file: name}`.",
        ),
        Field::new(
            "notify",
            "notify",
            FieldType::Bool,
            "Whether the user gets a set-password link on create and on a new password.",
        )
        .default(FieldDefault::Bool(false)),
        // Written as dates on the items of the two lists.
        Field::new(
            "datedLinks",
            "dated_links",
            FieldType::Set(SetItem::Text(400)),
            "The accounts and groups that begin or end on a day: \
             `until 2026-12-31T00:00:00Z groups FOC_User`.",
        )
        .lapses()
        .implied(),
        Field::EFFECTIVE_FROM,
        Field::EFFECTIVE_UNTIL,
        Field::STATUS,
        Field::PROTECT,
    ],
    nested: &[],
    has_status: true,
    applies_to_word: Some("user"),
    singleton: None,
    // DJUST allows neither accents nor spaces in the ids of users. They often are e-mail addresses
    // or names of people, hence the next line.
    id_chars: IdChars::Ascii,
    personal_id: true,
    facts: &[
        BLOCKED,
        RuntimeFact {
            column: "access",
            name: "access",
            initial: Some("unregistered"),
            doc: "Whether the user can log in: `unregistered`, `invited`, `pending`, `enabled` or `disabled`.",
        },
        RuntimeFact {
            column: "password_hash",
            name: "passwordHash",
            initial: None,
            doc: "The argon2 hash of the latest password.",
        },
        RuntimeFact {
            column: "password_applied",
            name: "passwordApplied",
            initial: None,
            doc: "The argon2 hash of the password that a source set last. The same password again changes nothing.",
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
            doc: "When the last invitation was sent.",
        },
    ],
};
