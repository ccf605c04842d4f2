//! The indexes of the fields that rules mention by name, such as `user::EMAIL`.
//!
//! They are computed from the table of kinds at compile time. A renamed or removed field stops the
//! build here instead of making a rule look at the wrong field. The string functions are written by
//! hand because `==` on strings is not allowed in a `const fn`.

use crate::kinds;
use crate::model::KindId;

const fn field_index(kind: KindId, name: &str) -> usize {
    let fields = kinds::ALL[kind.0 as usize].fields;
    let mut index = 0;
    while index < fields.len() {
        if bytes_equal(fields[index].name.as_bytes(), name.as_bytes()) {
            return index;
        }
        index += 1;
    }
    panic!("the table of kinds has no such field")
}

const fn bytes_equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

macro_rules! fields {
    ($module:ident $kind:ident { $($constant:ident $name:literal)* }) => {
        pub(super) mod $module {
            $(pub(in crate::check) const $constant: usize =
                super::field_index(crate::kinds::$kind, $name);)*
        }
    };
}

fields!(settings SETTINGS {
    FIRST_USER "firstUser"
    ORGANISATION_DEPTH "organisationDepth"
    LOGIN_MODE "loginMode"
    USER_GROUPS "userGroups"
    OPTIONAL_FIELDS "optionalFields"
    PAYMENT_PROVIDER "paymentProvider"
});
fields!(custom_field CUSTOM_FIELD {
    APPLIES_TO "appliesTo"
    TYPE "type"
    OPTIONS "options"
    REQUIRED "required"
    DEFAULT "default"
    STATUS "status"
});
fields!(address ADDRESS {
    ZIP_CODE "zipCode"
    COUNTRY "country"
    PROTECT "protect"
});
fields!(account ACCOUNT {
    VAT_NUMBER "vatNumber"
    CUSTOMER_NUMBER "customerNumber"
    ADDRESSES "addresses"
    LEGAL_FIRST_NAME "legalUser.firstName"
    LEGAL_RESIDENCE "legalUser.countryOfResidence"
    STATUS "status"
});
fields!(organisation ORGANISATION {
    ACCOUNT "account"
    PARENT "parent"
});
fields!(user USER {
    EMAIL "email"
    GROUPS "groups"
    ACCOUNTS "accounts"
    ORGANISATIONS "organisations"
    MAIN_ORGANISATION "mainOrganisation"
    NOTIFY "notify"
    DATED_LINKS "datedLinks"
    STATUS "status"
});
fields!(policy POLICY {
    ACCOUNT "account"
    REVIEWED "reviewed"
    APPROVERS "approvers"
});
