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
        doc: "Whether this account has goods sent there.",
    },
    LinkAttribute {
        name: "billing",
        column: "billing",
        choices: BOOL,
        default: 1,
        doc: "Whether this account has invoices sent there.",
    },
];

pub(super) const KIND: Kind = Kind {
    id: ACCOUNT,
    name: "Account",
    collection: "accounts",
    table: "accounts",
    singular: "account",
    doc: "A company whose people buy.",
    fields: &[
        Field::new("name", "name", FieldType::Text(255), "What it is called.").required(),
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
            "Its number in the company register, zeros kept.",
        )
        .required()
        .identifier(),
        Field::new("vatNumber", "vat_number", FieldType::Vat, "Its VAT number."),
        Field::new(
            "website",
            "website",
            FieldType::Url,
            "Its website, http or https.",
        ),
        Field::new(
            "managerName",
            "manager_name",
            FieldType::Text(255),
            "Who looks after it.",
        )
        .personal(),
        Field::new(
            "customerNumber",
            "customer_number",
            FieldType::Text(64),
            "Its number in the ERP, unique for ever; login names are built on it.",
        )
        .identifier(),
        Field::new(
            "tags",
            "tags",
            FieldType::Set(SetItem::Ref(TAG)),
            "The customer groups it is in.",
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
            "Its addresses, each written out or a `ref:`, with what it is used for.",
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
            "Where the legal user lives, ISO 3166-1 alpha-2.",
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
            doc: "`pending`, `approved` or `rejected`: a named person's decision, never a merge's.",
        },
    ],
};
