//! `Account`: a company whose people buy.

use super::{
    ACCOUNT, ADDRESS, BLOCKED, BOOL, Field, FieldType, IdChars, Kind, LinkAttribute, RuntimeFact,
    SetItem, TAG,
};

const USES: &[LinkAttribute] = &[
    LinkAttribute {
        name: "shipping",
        column: "shipping",
        choices: BOOL,
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
        Field::new(
            "managerName",
            "manager_name",
            FieldType::Text(255),
            "The person who looks after the account.",
        )
        .personal(),
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
            FieldType::Date,
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
        Field::STATUS,
        Field::PROTECT,
    ],
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
            initial: Some("approved"),
            doc: "The decision of a person: `pending`, `approved` or `rejected`. Manifests do not change it.",
        },
    ],
};
