//! `Account`: a company whose users buy.

use super::{
    ACCOUNT, ADDRESS, BLOCKED, BOOL, Field, FieldType, GivenValue, IdChars, Kind, LinkAttribute,
    NestedList, ORGANISATION, RuntimeFact, SetItem, TAG,
};

const USES: &[LinkAttribute] = &[
    LinkAttribute {
        name: "shipping",
        column: "shipping",
        choices: BOOL,
        // As in the import of DJUST: an address is used for both unless it says otherwise.
        default: 1,
        doc: "Whether this account uses the address for shipping.",
    },
    LinkAttribute {
        name: "billing",
        column: "billing",
        choices: BOOL,
        default: 1,
        doc: "Whether this account uses the address for billing.",
    },
];

pub(super) const KIND: Kind = Kind {
    id: ACCOUNT,
    name: "Account",
    collection: "accounts",
    table: "accounts",
    singular: "account",
    doc: "A company whose users buy.",
    fields: &[
        Field::new("name", "name", FieldType::Text(255), "Its name.").required(),
        Field::new(
            "companyRegistrationName",
            "company_registration_name",
            FieldType::Text(255),
            "Its name in the company register.",
        )
        .required(),
        // Text and not a number, because leading zeros count; marked, because spreadsheets drop
        // them.
        Field::new(
            "businessRegistrationNumber",
            "business_registration_number",
            FieldType::Text(64),
            "Its number in the company register. Leading zeros are kept.",
        )
        .required()
        .identifier(),
        Field::new("vatNumber", "vat_number", FieldType::Vat, "Its VAT number."),
        Field::new(
            "website",
            "website",
            FieldType::Url,
            "Its website, with http or https.",
        ),
        // Free text and not a reference: account managers work for the seller and are not users.
        Field::new(
            "managerName",
            "manager_name",
            FieldType::Text(255),
            "The person who looks after the account.",
        )
        .personal(),
        // Not required here: it is needed only while `loginMode` of the settings uses it, which is
        // a rule of its own (`customer-number-missing`).
        Field::new(
            "customerNumber",
            "customer_number",
            FieldType::Text(64),
            "Its number in the ERP. It is never used again, and login names contain it.",
        )
        .identifier(),
        Field::new(
            "tags",
            "tags",
            FieldType::Set(SetItem::Ref(TAG)),
            "The customer groups of the account.",
        ),
        // Required, as an account cannot be created without an address. Inline, because most
        // addresses belong to one account and are easiest to read there.
        Field::new(
            "addresses",
            "addresses",
            FieldType::Links {
                kind: ADDRESS,
                key: "ref",
                attributes: USES,
                inline: true,
            },
            "Its addresses, each in full or as a `ref:`, with their uses.",
        )
        .required(),
        // Required within the group: a legal user is complete or absent. The group itself depends
        // on `paymentProvider` of the settings (`legal-user`).
        Field::new(
            "legalUser.firstName",
            "legal_user_first_name",
            FieldType::Text(255),
            "First name of the legal user.",
        )
        .required()
        .personal(),
        Field::new(
            "legalUser.lastName",
            "legal_user_last_name",
            FieldType::Text(255),
            "Last name of the legal user.",
        )
        .required()
        .personal(),
        Field::new(
            "legalUser.birthday",
            "legal_user_birthday",
            FieldType::PastDate,
            "Birthday of the legal user.",
        )
        .required()
        .personal(),
        Field::new(
            "legalUser.nationality",
            "legal_user_nationality",
            FieldType::Country,
            "Nationality of the legal user, ISO 3166-1 alpha-2.",
        )
        .required()
        .personal(),
        Field::new(
            "legalUser.countryOfResidence",
            "legal_user_country_of_residence",
            FieldType::Country,
            "The country where the legal user lives, ISO 3166-1 alpha-2.",
        )
        .required()
        .personal(),
        Field::EFFECTIVE_FROM,
        Field::EFFECTIVE_UNTIL,
        Field::STATUS,
        Field::PROTECT,
    ],
    nested: &[NestedList {
        name: "organisations",
        kind: ORGANISATION,
        // An entry directly in the account has no parent. Its place says so, and moving it out of
        // another organisation must have an effect.
        given: &[
            ("account", GivenValue::OuterId),
            ("parent", GivenValue::Cleared),
        ],
        doc: "Organisations of the account, each in full, with those below them.",
    }],
    has_status: true,
    applies_to_word: Some("account"),
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[
        BLOCKED,
        RuntimeFact {
            column: "approval",
            name: "approval",
            // With `accountApproval` in the settings, a new account starts as `pending` instead.
            initial: Some("approved"),
            doc: "The decision of a person: `pending`, `approved` or `rejected`. Manifests do not change it.",
        },
    ],
};
