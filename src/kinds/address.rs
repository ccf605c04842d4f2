//! `Address`: a postal address, alone or inline in accounts, shared by any number of them.

use super::{ADDRESS, Field, IdChars, Kind, Type};

pub(super) const KIND: Kind = Kind {
    id: ADDRESS,
    name: "Address",
    collection: "addresses",
    table: "addresses",
    singular: "address",
    doc: "A postal address, which any number of accounts may use.",
    fields: &[
        Field::new(
            "fullName",
            "full_name",
            Type::Text(255),
            "Who is addressed.",
        )
        .required()
        .personal(),
        Field::new("street", "street", Type::Text(255), "Street and number.")
            .required()
            .personal(),
        Field::new(
            "additionalStreet",
            "additional_street",
            Type::Text(255),
            "A second line.",
        )
        .personal(),
        Field::new("city", "city", Type::Text(255), "City.")
            .required()
            .locates(),
        Field::new("zipCode", "zip_code", Type::Zip, "Postal code, as written.")
            .required()
            .locates(),
        Field::new("state", "state", Type::Text(255), "State or region.").locates(),
        Field::new(
            "country",
            "country",
            Type::Country,
            "Country, ISO 3166-1 alpha-2.",
        )
        .required(),
        Field::new("label", "label", Type::Text(255), "What people call it.").locates(),
        Field::new("phone", "phone", Type::Phone, "Telephone number.").personal(),
        Field::DELETED,
        Field::PROTECT,
    ],
    status: false,
    custom: Some("address"),
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[],
};
