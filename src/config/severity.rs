//! `severity:` as written: the warnings that count as errors here. Names are checked where they are
//! read, because a misspelt rule would check nothing.

use crate::diagnostic::{Code, Severity, codes, none_called};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Warnings that come after a plan is judged, so that no plan could be refused for them.
const AFTER_THE_PLAN: [Code; 2] = [codes::CLAIM_UNCONFIGURED, codes::INVITATION_UNUSABLE];

/// `severity: {zip-format: error}`.
#[derive(Debug, Default)]
pub(super) struct SeveritySpec {
    pub raised: BTreeSet<Code>,
}

/// What a rule may be set to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SeverityWord {
    #[serde(alias = "E")]
    Error,
    #[serde(alias = "W")]
    Warning,
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
        ];
        let rules = codes::ALL.iter().map(|rule| Code::by_name(rule.name));
        let properties = rules.flatten().filter_map(|code| {
            let allowed = words
                .iter()
                .filter(|(word, _)| is_raised(code, *word).is_ok());
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
            if map.next_value_seed(SeverityOf(code))? {
                spec.raised.insert(code);
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

/// Reads whether a severity raises this rule.
struct SeverityOf(Code);

impl<'de> DeserializeSeed<'de> for SeverityOf {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        let word = SeverityWord::deserialize(from)?;
        is_raised(self.0, word).map_err(D::Error::custom)
    }
}

/// Whether the word makes a warning an error. Fails if the rule cannot be set to it.
fn is_raised(code: Code, word: SeverityWord) -> Result<bool, String> {
    match (code.severity(), word) {
        (Severity::Error, SeverityWord::Error) | (Severity::Warning, SeverityWord::Warning) => {
            Ok(false)
        }
        (Severity::Warning, SeverityWord::Error) if AFTER_THE_PLAN.contains(&code) => Err(format!(
            "`severity`: `{code}` is found when the plan is already made, so it stays a warning; remove the entry"
        )),
        (Severity::Warning, SeverityWord::Error) => Ok(true),
        (Severity::Error, SeverityWord::Warning) => Err(format!(
            "`severity`: what `{code}` finds cannot be stored, so it stays an error; remove the entry"
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
    fn only_warnings_can_be_raised_and_nothing_can_be_lowered() {
        let read = |text: &str| {
            let read: Result<SeveritySpec, _> = serde_saphyr::from_str(text);
            read.map(|spec| spec.raised.into_iter().map(Code::name).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read("{zip-format: error}"), Ok(vec!["zip-format"]));
        assert_eq!(read("{zip-format: warning, phone: error}"), Ok(vec![]));
        for (text, why) in [
            (
                "zip-format: warning\nzip-fromat: error",
                "did you mean `zip-format`?",
            ),
            ("phone: warning", "stays an error"),
            ("guard: error", "is a hold"),
            ("drift: error", "is a note"),
            ("claim-unconfigured: error", "stays a warning"),
            ("zip-format: note", "unknown variant `note`"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        let error = read("zip-format: error\nphone: warning\n").expect_err("refused");
        assert!(error.contains("line 2"), "{error}");
    }
}
