//! The table of codes: name, severity, DJUST code and page of every rule. A new rule is one line in
//! `codes!` and one page in `specs/rules/`; without the page it does not compile.

use super::severity::Severity::{self, Error, Hold, Note, Warning};
use std::fmt;

/// The stable name of a rule, as an index into [`ALL`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u8);

/// A row of the table.
#[derive(Debug)]
pub struct DiagnosticRule {
    /// The stable name, in kebab case.
    pub name: &'static str,
    /// The severity, unless a diagnostic overrides it.
    pub severity: Severity,
    /// The code of DJUST's own import for the same problem.
    pub djust: Option<&'static str>,
    /// Its page in `specs/rules/`: why it exists, with a bad and a good example.
    pub page: &'static str,
}

impl Code {
    pub fn rule(self) -> &'static DiagnosticRule {
        &ALL[usize::from(self.0)]
    }

    pub fn name(self) -> &'static str {
        self.rule().name
    }

    /// The severity, unless a diagnostic overrides it.
    pub fn severity(self) -> Severity {
        self.rule().severity
    }

    /// The page that `roster explain` prints.
    #[must_use]
    pub fn page(self) -> &'static str {
        self.rule().page
    }

    /// The rule in one sentence: the first line below the title of its page.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.page().lines().nth(2).unwrap_or_default()
    }

    /// Returns the code with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        let index = ALL.iter().position(|rule| rule.name == name)?;
        Some(Self(u8::try_from(index).ok()?))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! codes {
    ($($constant:ident $name:literal $severity:ident $($djust:literal)?;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        enum Index { $($constant),* }

        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: Code = Code(Index::$constant as u8);
        )*

        /// All rules, in the order of the rule pages.
        pub const ALL: &[DiagnosticRule] = &[$(DiagnosticRule {
            name: $name,
            severity: $severity,
            djust: codes!(@djust $($djust)?),
            page: include_str!(concat!("../../specs/rules/", $name, ".md")),
        }),*];
    };
    (@djust) => { None };
    (@djust $djust:literal) => { Some($djust) };
}

codes! {
    // Reading
    YAML_SYNTAX "yaml-syntax" Error;
    YAML_LIMIT "yaml-limit" Error;
    ENCODING "encoding" Error;
    UNKNOWN_KIND "unknown-kind" Error;
    UNKNOWN_FIELD "unknown-field" Error;
    DUPLICATE_KEY "duplicate-key" Error;
    DUPLICATE_RESOURCE "duplicate-resource" Error "F-E-003";
    WRONG_TYPE "wrong-type" Error;
    RUNTIME_FIELD "runtime-field" Error;
    SECRET_IN_GIT "secret-in-git" Error;
    SECRET_SOURCE "secret-source" Error;
    PATH_ESCAPE "path-escape" Error;
    SOURCE_UNREADABLE "source-unreadable" Error;
    // Fields
    REQUIRED "required" Error "F-E-001";
    CLEAR_REQUIRED "clear-required" Error;
    CLEAR_UNKNOWN "clear-unknown" Error;
    ID_FORMAT "id-format" Error;
    ID_SPACE "id-space" Warning;
    ID_CASE "id-case" Error;
    ID_IMMUTABLE "id-immutable" Error;
    RETIRED_ID "retired-id" Hold "410";
    POSSIBLE_RENAME "possible-rename" Hold;
    ENUM "enum" Error "F-E-008";
    BOOL "bool" Error "F-E-009";
    LENGTH "length" Error "F-E-010";
    PHONE "phone" Error "F-E-010";
    EMAIL "email" Error "F-E-012";
    URL "url" Error "F-E-012";
    DATE "date" Error "F-E-012";
    COUNTRY "country" Error "F-E-012";
    SCIENTIFIC_NOTATION "scientific-notation" Error;
    SPREADSHEET_ERROR "spreadsheet-error" Error;
    EMAIL_DUPLICATE "email-duplicate" Error "F-E-003";
    CUSTOMER_NUMBER_DUPLICATE "customer-number-duplicate" Error;
    LOGIN_TAKEN "login-taken" Error;
    PASSWORD_WEAK "password-weak" Error;
    SECRET_UNAVAILABLE "secret-unavailable" Warning;
    NOTIFY_NO_EMAIL "notify-no-email" Warning;
    VAT_FORMAT "vat-format" Warning;
    VAT_COUNTRY "vat-country" Warning;
    ZIP_FORMAT "zip-format" Warning;
    CUSTOM_FIELD_UNKNOWN "custom-field-unknown" Error;
    CUSTOM_FIELD_TYPE "custom-field-type" Error;
    CUSTOM_FIELD_OPTION "custom-field-option" Error;
    CUSTOM_FIELD_REQUIRED "custom-field-required" Error "F-E-001";
    CUSTOM_FIELD_BACKFILL "custom-field-backfill" Error;
    FIELD_RELEASED "field-released" Note;
    // References and shape
    REFERENCE "reference" Error "F-E-002";
    NOT_FOUND "not-found" Warning "F-E-033";
    REFERENCE_INACTIVE "reference-inactive" Error;
    ACCOUNT_WITHOUT_USER "account-without-user" Error;
    ACCOUNT_WITHOUT_ADDRESS "account-without-address" Error;
    USER_WITHOUT_ACCOUNT "user-without-account" Error;
    LAST_USER "last-user" Error;
    LAST_ADMINISTRATOR "last-administrator" Warning;
    ORGANISATION_ACCOUNT "organisation-account" Error;
    MAIN_ORGANISATION "main-organisation" Error;
    ORGANISATION_CYCLE "organisation-cycle" Error;
    ORGANISATION_DEPTH "organisation-depth" Error;
    ADDRESS_CONFLICT "address-conflict" Error;
    ADDRESS_LINK_INCOMPLETE "address-link-incomplete" Error;
    ADDRESS_LINK_AND_UPDATE "address-link-and-update" Warning;
    ADDRESS_NO_USE "address-no-use" Error;
    LEGAL_USER "legal-user" Error;
    LEGAL_USER_EXISTS "legal-user-exists" Error;
    POLICY_FOREIGN_USER "policy-foreign-user" Error;
    POLICY_APPROVERS "policy-approvers" Error;
    POLICY_SELF "policy-self" Warning;
    CUSTOMER_NUMBER_MISSING "customer-number-missing" Error;
    IN_USE "in-use" Error;
    SCOPE "scope" Error;
    // Plan and apply
    GUARD "guard" Hold;
    EMPTY_SOURCE "empty-source" Hold;
    REACTIVATION "reactivation" Hold;
    ADOPT_INACTIVE "adopt-inactive" Hold;
    CONFLICT "conflict" Hold;
    LOGIN_CHANGE "login-change" Hold;
    DELETES_NOT_ALLOWED "deletes-not-allowed" Hold;
    JOBS_OPEN "jobs-open" Hold;
    IMPACT "impact" Hold;
    IMPACT_FAILED "impact-failed" Warning;
    HELD_DEPENDENCY "held-dependency" Hold;
    PROTECTED "protected" Hold;
    ACCOUNT_REJECTED "account-rejected" Hold;
    REMOVALS_OFF "removals-off" Warning;
    STILL_DECLARED "still-declared" Note;
    AUTHORITY_WAITS "authority-waits" Note;
    ACCOUNT_PENDING "account-pending" Note;
    ENDS_SOON "ends-soon" Note;
    NOT_IN_PLAN "not-in-plan" Note;
    USER_ERASED "user-erased" Note;
    INVITATION_UNUSABLE "invitation-unusable" Warning;
    REVERTED "reverted" Note;
    NOT_REVERTED "not-reverted" Warning;
    ACCEPT_TRAILER "accept-trailer" Warning;
    STALE_PLAN "stale-plan" Hold;
    INVARIANT "invariant" Hold;
    LOCK_TIMEOUT "lock-timeout" Error;
    SCHEMA_OLD "schema-old" Error;
    SCHEMA_NEWER "schema-newer" Error;
    ENVIRONMENT_MISMATCH "environment-mismatch" Error;
    // Rules that the ones above imply but do not name.
    OBSERVED "observed" Note;
    DRIFT "drift" Note;
    NO_OP "no-op" Note;
    CLAIM_UNCONFIGURED "claim-unconfigured" Warning;
    CONFIG_IGNORED "config-ignored" Note;
    // Feeds
    HEADER_BLANK "header-blank" Error;
    HEADER_DUPLICATE "header-duplicate" Error;
    COLUMN_MISSING "column-missing" Error;
    COLUMN_UNKNOWN "column-unknown" Warning;
    COLUMN_BLANK "column-blank" Hold;
    HEADER_REPEATED "header-repeated" Warning;
    FLAGS_BOTH "flags-both" Warning;
    LIST_EMPTY_ITEM "list-empty-item" Warning;
    MOJIBAKE "mojibake" Warning;
    REPLACEMENT_CHARACTER "replacement-character" Warning;
    ROW_WIDTH "row-width" Error;
    ROW_QUOTE "row-quote" Error;
    ROW_CONFLICT "row-conflict" Error;
    MATCH_UNCLEAR "match-unclear" Error;
    ID_ZEROS "id-zeros" Error;
    POLARITY_UNPINNED "polarity-unpinned" Error;
    JSON_NOT_LIST "json-not-list" Error;
    JSON_SHAPE "json-shape" Error;
    JSON_MIXED "json-mixed" Error;
    JSON_NUMBER_ID "json-number-id" Warning;
    MAP_PARENT "map-parent" Error;
    MAP_REQUIRED_CUSTOM_FIELD "map-required-custom-field" Error;
    FEED_TRUNCATED "feed-truncated" Hold;
    FEED_SHRUNK "feed-shrunk" Hold;
    FEED_STALE "feed-stale" Hold;
    FEED_NOT_DATA "feed-not-data" Hold;
}

impl Code {
    /// Returns whether a diagnostic of this rule means that the source could not be read
    /// completely, so that nothing of it may be removed.
    #[must_use]
    pub fn turns_removals_off(self) -> bool {
        // Codes compare by their place in the table. The rules of reading come first and end with
        // this one.
        self <= SOURCE_UNREADABLE
    }

    /// All codes, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().filter_map(|rule| Self::by_name(rule.name))
    }

    /// Returns whether a person may approve a hold of this rule. For the others, something else
    /// must change first.
    #[must_use]
    pub fn is_approvable(self) -> bool {
        // Approving these would not make them safe: a truncated export stays truncated, and a
        // conflict has no right answer yet.
        let fixed = [
            RETIRED_ID,
            JOBS_OPEN,
            CONFLICT,
            PROTECTED,
            ACCOUNT_REJECTED,
            HELD_DEPENDENCY,
            FEED_TRUNCATED,
            FEED_NOT_DATA,
        ];
        self.severity() == Hold && !fixed.contains(&self)
    }

    /// Returns whether holds of this rule are permanent. They are listed but do not change the exit
    /// code.
    pub fn is_standing(self) -> bool {
        self == PROTECTED || self == ACCOUNT_REJECTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        for (index, rule) in ALL.iter().enumerate() {
            assert!(ALL[index + 1..].iter().all(|other| other.name != rule.name));
            assert!(
                rule.name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-')
            );
            assert_eq!(Code::by_name(rule.name).map(Code::name), Some(rule.name));
        }
    }
}
