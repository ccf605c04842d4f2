//! The words for kinds, verbs, reasons, severities and codes in documents. Unknown words are
//! refused.

use crate::diagnostic::{Code, Severity};
use crate::kinds;
use crate::model::KindId;
use crate::plan::{StepReason, StepVerb};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

macro_rules! words {
    ($($type:ty: $what:literal, $word:expr, $by_word:expr, $schema:expr;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let word: fn($type) -> &'static str = $word;
                to.serialize_str(word(*self))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = Cow::<str>::deserialize(from)?;
                let by_word: fn(&str) -> Option<$type> = $by_word;
                by_word(&word).ok_or_else(|| {
                    serde::de::Error::custom(format!(concat!("unknown ", $what, " `{}`"), word))
                })
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

words! {
    KindId: "kind", |kind| kinds::get(kind).name, |word| Some(kinds::by_name(word)?.id),
        one_of(kinds::ALL.iter().map(|kind| kind.name));
    StepVerb: "verb", StepVerb::word, StepVerb::by_word, one_of(StepVerb::ALL.map(StepVerb::word));
    StepReason: "reason", StepReason::word, StepReason::by_word,
        one_of(StepReason::ALL.map(StepReason::word));
    Severity: "severity", Severity::word, Severity::by_word,
        one_of(Severity::ALL.map(Severity::word));
    Code: "code", Code::name, Code::by_name, json_schema!({"type": "string"});
}

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
    let words: Vec<&str> = words.into_iter().collect();
    json_schema!({"type": "string", "enum": words})
}
