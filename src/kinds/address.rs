//! `Address`: a postal address. It is declared alone or inline in an account, and any number of
//! accounts may share it.

use super::{ADDRESS, Field, FieldType, IdChars, Kind};

pub(super) const KIND: Kind = Kind {
    id: ADDRESS,
    name: "Address",
    collection: "addresses",
    table: "addresses",
    singular: "address",
    doc: "A postal address. Any number of accounts may use it.",
    fields: &[
        Field::new(
            "fullName",
            "full_name",
            FieldType::Text(255),
            "The recipient.",
        )
        .required()
        .personal(),
        Field::new(
            "street",
            "street",
            FieldType::Text(255),
            "Street and number.",
        )
        .required()
        .personal(),
        Field::new(
            "additionalStreet",
            "additional_street",
            FieldType::Text(255),
            "The second address line.",
        )
        .personal(),
        Field::new("city", "city", FieldType::Text(255), "City.")
            .required()
            .locates_person(),
        // Text, since postal codes have letters and leading zeros. The shape of the country is a
        // warning only.
        Field::new(
            "zipCode",
            "zip_code",
            FieldType::Zip,
            "Postal code, as written.",
        )
        .required()
        .locates_person(),
        Field::new("state", "state", FieldType::Text(255), "State or region.").locates_person(),
        Field::new(
            "country",
            "country",
            FieldType::Country,
            "Country, ISO 3166-1 alpha-2.",
        )
        .required(),
        Field::new("label", "label", FieldType::Text(255), "A display name.").locates_person(),
        Field::new("phone", "phone", FieldType::Phone, "Telephone number.").personal(),
        // An address has no state of its own: the accounts that use it are active or not.
        Field::DELETED,
        Field::PROTECT,
    ],
    nested: &[],
    has_status: false,
    applies_to_word: Some("address"),
    singleton: None,
    id_chars: IdChars::Printable,
    personal_id: false,
    facts: &[],
};
