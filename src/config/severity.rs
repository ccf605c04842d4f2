//! `severity:` as written: the warnings that count as errors here, and what counts for less. Names are
//! checked where they are read, because a misspelt rule would check nothing.

use crate::diagnostic::{Code, Severity, codes, none_called};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Warnings that come after a plan is judged, so that no plan could be refused for them.
const AFTER_THE_PLAN: [Code; 3] = [
    codes::CLAIM_UNCONFIGURED,
    codes::IMPACT_FAILED,
    codes::INVITATION_UNUSABLE,
];

/// Warnings about how a value is written. As notes, they hide nothing that a decision depends on.
const ABOUT_WRITING: [Code; 15] = [
    codes::ADDRESS_LINK_AND_UPDATE,
    codes::COLUMN_UNKNOWN,
    codes::FLAGS_BOTH,
    codes::HEADER_REPEATED,
    codes::ID_SPACE,
    codes::JSON_NUMBER_ID,
    codes::LIST_EMPTY_ITEM,
    codes::MOJIBAKE,
    codes::NOTIFY_NO_EMAIL,
    codes::NOT_FOUND,
    codes::POLICY_SELF,
    codes::REPLACEMENT_CHARACTER,
    codes::VAT_COUNTRY,
    codes::VAT_FORMAT,
    codes::ZIP_FORMAT,
];

/// Errors of which the result can be stored and takes nothing from anybody.
const HARMLESS: [Code; 2] = [codes::ACCOUNT_WITHOUT_ADDRESS, codes::ADDRESS_NO_USE];

/// `severity: {zip-format: error, address-no-use: warning}`.
#[derive(Debug, Default)]
pub(super) struct SeveritySpec {
    /// The rules whose severity is another one here.
    pub changed: BTreeMap<Code, Severity>,
}

/// What a rule may be set to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SeverityWord {
    #[serde(alias = "E")]
    Error,
    #[serde(alias = "W")]
    Warning,
    #[serde(alias = "N")]
    Note,
}

impl<'de> Deserialize<'de> for SeveritySpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(SeverityVisitor)
    }
}

impl JsonSchema for SeveritySpec {
    fn schema_name() -> Cow<'static, str> {
        "Severity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = [
            (SeverityWord::Error, ["error", "E"]),
            (SeverityWord::Warning, ["warning", "W"]),
            (SeverityWord::Note, ["note", "N"]),
        ];
        let rules = codes::ALL.iter().map(|rule| Code::by_name(rule.name));
        let properties = rules.flatten().filter_map(|code| {
            let allowed = words
                .iter()
                .filter(|(word, _)| changed(code, *word).is_ok());
            let allowed: Vec<&str> = allowed.flat_map(|(_, words)| *words).collect();
            (!allowed.is_empty()).then(|| (code.name().to_owned(), json!({"enum": allowed})))
        });
        let properties: Map<String, Value> = properties.collect();
        json_schema!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

struct SeverityVisitor;

impl<'de> Visitor<'de> for SeverityVisitor {
    type Value = SeveritySpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rules with a severity, such as `{zip-format: error}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SeveritySpec, A::Error> {
        let mut spec = SeveritySpec::default();
        // Each entry is checked while it is read, so that an error has its place.
        while let Some(RuleName(code)) = map.next_key()? {
            if let Some(severity) = map.next_value_seed(SeverityOf(code))? {
                spec.changed.insert(code, severity);
            }
        }
        Ok(spec)
    }
}

/// The name of a rule.
struct RuleName(Code);

impl<'de> Deserialize<'de> for RuleName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let known = codes::ALL.iter().map(|rule| rule.name);
        let code = Code::by_name(&name);
        let wrong = || D::Error::custom(none_called("rule", &name, known));
        code.map(Self).ok_or_else(wrong)
    }
}

/// Reads the severity of this rule, if it is another one than its own.
struct SeverityOf(Code);

impl<'de> DeserializeSeed<'de> for SeverityOf {
    type Value = Option<Severity>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let word = SeverityWord::deserialize(from)?;
        changed(self.0, word).map_err(D::Error::custom)
    }
}

/// The severity that a word gives to a rule, if it is another one than its own. Fails if the rule
/// cannot be set to it.
fn changed(code: Code, word: SeverityWord) -> Result<Option<Severity>, String> {
    match (code.severity(), word) {
        (Severity::Error, SeverityWord::Error) | (Severity::Warning, SeverityWord::Warning) => {
            Ok(None)
        }
        (Severity::Warning, SeverityWord::Error) if AFTER_THE_PLAN.contains(&code) => Err(format!(
            "`severity`: `{code}` is found when the plan is already made, so it stays a warning; remove the entry"
        )),
        (Severity::Warning, SeverityWord::Error) => Ok(Some(Severity::Error)),
        (Severity::Warning, SeverityWord::Note) if ABOUT_WRITING.contains(&code) => {
            Ok(Some(Severity::Note))
        }
        (Severity::Warning, SeverityWord::Note) => Err(format!(
            "`severity`: a decision may depend on what `{code}` finds, so it stays a warning; remove the entry"
        )),
        (Severity::Error, SeverityWord::Warning) if HARMLESS.contains(&code) => {
            Ok(Some(Severity::Warning))
        }
        (Severity::Error, SeverityWord::Note) if HARMLESS.contains(&code) => Err(format!(
            "`severity`: `{code}` can be lowered to `warning`, and no further; write `warning`"
        )),
        (Severity::Error, SeverityWord::Warning | SeverityWord::Note) => Err(format!(
            "`severity`: what `{code}` finds cannot be stored, or would break a promise, so it stays an error; remove the entry"
        )),
        (Severity::Hold, _) => Err(format!(
            "`severity`: `{code}` is a hold, about which people decide; remove the entry"
        )),
        (Severity::Note, _) => Err(format!(
            "`severity`: `{code}` is a note and finds no fault; remove the entry"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safe_can_be_raised_and_lowered() {
        let read = |text: &str| {
            let read: Result<SeveritySpec, _> = serde_saphyr::from_str(text);
            let words = |spec: SeveritySpec| {
                let all = spec.changed.into_iter();
                let all = all.map(|(code, severity)| format!("{code} {}", severity.word()));
                all.collect::<Vec<_>>()
            };
            read.map(words).map_err(|error| error.to_string())
        };
        let words = |words: &[&str]| Ok(words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(read("{zip-format: error}"), words(&["zip-format error"]));
        assert_eq!(read("{zip-format: note}"), words(&["zip-format note"]));
        assert_eq!(
            read("{address-no-use: warning}"),
            words(&["address-no-use warning"])
        );
        assert_eq!(read("{zip-format: warning, phone: error}"), words(&[]));
        for (text, why) in [
            (
                "zip-format: warning\nzip-fromat: error",
                "did you mean `zip-format`?",
            ),
            ("phone: warning", "stays an error"),
            ("account-without-user: note", "stays an error"),
            // A document that others refer to would go, and take access with it.
            ("reference-inactive: warning", "stays an error"),
            ("address-no-use: note", "write `warning`"),
            ("last-administrator: note", "stays a warning"),
            ("removals-off: note", "stays a warning"),
            ("guard: error", "is a hold"),
            ("drift: error", "is a note"),
            ("claim-unconfigured: error", "stays a warning"),
            ("zip-format: off", "unknown variant `off`"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        let error = read("zip-format: error\nphone: warning\n").expect_err("refused");
        assert!(error.contains("line 2"), "{error}");
    }
}
