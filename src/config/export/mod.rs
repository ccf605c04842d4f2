//! `export:` of a source: where the export of another system is, the credentials for it, and how it
//! is read. `export` is the entry; the keys of each transport are in a file of their own. Messages
//! never contain a secret.

mod bucket;
mod server;
#[cfg(test)]
mod tests;
mod web;

use super::network::is_loopback;
use super::schema_parts;
use super::values::{expand_variables, parse_duration};
use crate::transport::{
    DropLocation, ExportLocation, FileLocation, HttpAuth, LIMIT, LocationKind, TIMEOUT,
};
use reqwest::Url;
use reqwest::header::HeaderValue;
use schemars::{Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where an export is, and how it is read.
#[derive(Clone, Debug)]
pub struct ExportConfig {
    /// Where it is; `None` if it is pushed.
    pub place: Option<ExportLocation>,
    /// How it is read.
    pub shape: MappingReference,
}

/// How an export is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MappingReference {
    /// With a built-in mapping of this name.
    Preset(String),
    /// With the mapping in this file.
    Mapping(String),
}

/// The transports, and the keys that each one allows beside the common ones.
const TRANSPORT_KEYS: [(&str, &[&str]); 7] = [
    ("url", &["auth", "headers", "next", "items", "ca"]),
    ("file", &["done"]),
    ("drop", &["done"]),
    ("s3", &["auth", "region", "endpoint", "ca"]),
    ("sftp", &["auth", "done"]),
    ("ftp", &["auth", "done", "plain", "ca"]),
    (PUSH, &[]),
];
const COMMON_KEYS: [&str; 4] = ["preset", "mapping", "timeout", "limit"];
/// A push has no `timeout` or `limit`: `serve.limits` bounds it.
const PUSH: &str = "push";

/// The keys of `auth`, of all transports.
const AUTH_KEYS: [&str; 12] = [
    "token",
    "username",
    "password",
    "clientId",
    "clientSecret",
    "tokenUrl",
    "scope",
    "accessKeyId",
    "secretAccessKey",
    "sessionToken",
    "sshKey",
    "knownHosts",
];

/// The schema of the key: one form for each transport.
pub(super) fn key_schema(_: &mut SchemaGenerator) -> Schema {
    let forms = TRANSPORT_KEYS.map(|(way, keys)| {
        let always = &COMMON_KEYS[..if way == PUSH { 2 } else { COMMON_KEYS.len() }];
        let all = [way].into_iter().chain(keys.iter().copied());
        let all = all.chain(always.iter().copied());
        let properties: Map<String, Value> =
            all.map(|key| (key.to_owned(), value_schema(key))).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": [way],
            "additionalProperties": false,
        })
    });
    json_schema!({"anyOf": forms})
}

fn value_schema(key: &str) -> Value {
    match key {
        "auth" => schema_parts::text_or_keys(&AUTH_KEYS).to_value(),
        "headers" => json!({"type": "object"}),
        "next" => schema_parts::text_or_keys(&["link", "cursor", "parameter"]).to_value(),
        "drop" => schema_parts::text_or_keys(&["folder", "pattern"]).to_value(),
        "limit" => json!({"type": ["string", "integer"]}),
        "plain" => json!({"type": "boolean"}),
        PUSH => json!({"const": true}),
        _ => json!({"type": "string"}),
    }
}

/// Takes the keys of a mapping one after the other.
struct ExportKeyReader<'k> {
    remaining: Map<String, Value>,
    base: &'k Path,
}

/// Parses the key, with paths relative to `base` and without secrets in any message.
pub fn export(value: &Value, base: &Path) -> Result<ExportConfig, String> {
    read(value, base).map_err(|why| format!("`export:`: {why}"))
}

fn read(value: &Value, base: &Path) -> Result<ExportConfig, String> {
    let object = value.as_object().ok_or("expected a mapping")?;
    let way = find_transport(object)?;
    let mut keys = ExportKeyReader {
        remaining: object.clone(),
        base,
    };
    let shape = match (keys.text("preset")?, keys.text("mapping")?) {
        (Some(preset), None) => MappingReference::Preset(preset),
        (None, Some(mapping)) => MappingReference::Mapping(mapping),
        _ => return Err("expected exactly one of `preset` and `mapping`".into()),
    };
    if way == PUSH {
        return keys.push().map(|()| ExportConfig { place: None, shape });
    }
    let timeout = keys.text("timeout")?;
    let timeout = timeout.map_or(Ok(TIMEOUT), |text| parse_duration(&text))?;
    if timeout == Duration::ZERO {
        return Err("`timeout` is 0; use a longer time".to_owned());
    }
    let limit = keys.remaining.remove("limit");
    let limit = limit.map_or(Ok(LIMIT), |value| bytes(&value))?;
    let way = match way {
        "url" => LocationKind::Http(Box::new(keys.http()?)),
        "s3" => LocationKind::Http(Box::new(keys.s3()?)),
        "file" => LocationKind::File(FileLocation {
            path: keys.path("file")?.ok_or("`file` is empty")?,
            done: keys.done()?,
        }),
        "drop" => LocationKind::Drop(keys.drop()?),
        "sftp" => LocationKind::Sftp(keys.sftp()?),
        _ => LocationKind::Ftp(keys.ftp()?),
    };
    Ok(ExportConfig {
        place: Some(ExportLocation {
            kind: way,
            limit,
            timeout,
        }),
        shape,
    })
}

/// The transport. A key that it would ignore is an error.
fn find_transport(object: &Map<String, Value>) -> Result<&'static str, String> {
    let named = TRANSPORT_KEYS
        .iter()
        .filter(|(way, _)| object.contains_key(*way));
    let named: Vec<_> = named.collect();
    let [(way, keys)] = named.as_slice() else {
        return Err(
            "expected one of `url`, `file`, `drop`, `s3`, `sftp`, `ftp` and `push`".to_owned(),
        );
    };
    for key in object.keys() {
        let key = key.as_str();
        let always = &COMMON_KEYS[..if *way == PUSH { 2 } else { COMMON_KEYS.len() }];
        if key != *way && !keys.contains(&key) && !always.contains(&key) {
            let known = [keys, always].concat();
            // Suggestions come only from the keys of this transport, so that following one leads to
            // no second error.
            let near = crate::diagnostic::did_you_mean(key, known.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(format!("`{key}` has no meaning with `{way}`{near}"));
        }
    }
    Ok(way)
}

/// Warns of credentials that would be sent unencrypted.
#[must_use]
pub fn readable(place: &ExportLocation) -> Option<String> {
    let LocationKind::Http(http) = &place.kind else {
        return None;
    };
    let open = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "http" && !is_loopback(host)
    };
    // Headers count as credentials, because API keys are sent in them.
    let secret = !matches!(http.auth, HttpAuth::None) || !http.headers.is_empty();
    // The client secret goes to the token server, whatever the address of the export.
    let asked = matches!(&http.auth, HttpAuth::ClientCredentials(grant) if open(&grant.url));
    (asked || (secret && open(&http.url)))
        .then(|| format!("the credentials for {place} would be sent unencrypted; use https://"))
}

impl ExportKeyReader<'_> {
    /// A text with its variables expanded.
    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.remaining.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let text = expand_variables(&text)?;
                // A line break could end the header or command line that the text becomes part of.
                if text.contains(char::is_control) {
                    return Err(format!(
                        "`{name}` contains a line break or another control character"
                    ));
                }
                Ok(Some(text.trim().to_owned()))
            }
            Some(_) => Err(format!("`{name}` is not text")),
        }
    }

    fn path(&mut self, name: &str) -> Result<Option<PathBuf>, String> {
        let Some(text) = self.text(name)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let path = std::path::absolute(self.base.join(text)).map_err(|error| error.to_string())?;
        Ok(Some(path))
    }

    fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, String> {
        match self.remaining.remove(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(format!("`{name}` is not a mapping")),
        }
    }

    /// A reader for the mapping below `name`, which allows only the known keys.
    fn below(
        &self,
        name: &str,
        object: Map<String, Value>,
        known: &[&str],
    ) -> Result<Self, String> {
        match object.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!(
                "`{name}` has no key `{key}`; expected {}",
                listed(known)
            )),
            None => Ok(ExportKeyReader {
                remaining: object,
                base: self.base,
            }),
        }
    }

    fn push(&mut self) -> Result<(), String> {
        match self.remaining.remove(PUSH) {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err("`push` must be `true` or absent".to_owned()),
        }
    }

    fn done(&mut self) -> Result<Option<String>, String> {
        let done = self.text("done")?;
        // It is appended to the name of the export, so a slash could lead to another folder.
        let wrong = |done: &String| !done.starts_with('.') || done.len() < 2 || done.contains('/');
        match done.as_ref().filter(|done| wrong(done)) {
            Some(done) => Err(format!("`done` is `{done}`; use an ending such as `.done`")),
            None => Ok(done),
        }
    }

    fn drop(&mut self) -> Result<DropLocation, String> {
        if self.remaining.get("drop").is_some_and(Value::is_object) {
            let below = self.object("drop")?.unwrap_or_default();
            let mut below = self.below("drop", below, &["folder", "pattern"])?;
            let folder = below.path("folder")?.ok_or("`drop` needs a `folder`")?;
            let pattern = below.text("pattern")?;
            return self.dropped(folder, pattern);
        }
        let folder = self.path("drop")?.ok_or("`drop` is empty")?;
        self.dropped(folder, None)
    }

    fn dropped(
        &mut self,
        folder: PathBuf,
        pattern: Option<String>,
    ) -> Result<DropLocation, String> {
        let pattern = pattern.unwrap_or_else(|| "*".to_owned());
        // A slash could lead out of the drop folder.
        if pattern.is_empty() || pattern.contains('/') {
            return Err(format!(
                "`pattern` is `{pattern}`; use a file name such as `customers-*.csv`"
            ));
        }
        Ok(DropLocation {
            folder,
            pattern,
            done: self.done()?,
        })
    }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn secret(name: &str, text: String) -> Result<SecretString, String> {
    if text.is_empty() {
        return Err(format!("`{name}` is empty"));
    }
    // Checked now, because the HTTP client would fail in the middle of a pass.
    if HeaderValue::try_from(&*text).is_err() {
        return Err(format!("`{name}` contains characters that cannot be sent"));
    }
    Ok(SecretString::from(text))
}

/// A number of bytes: `500MB`, `2GiB`, `1048576`.
fn bytes(value: &Value) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let wrong = || "`limit` is not a size; use `500MB`, `2GiB` or a number of bytes".to_owned();
    let bytes = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => {
            let text = text.trim();
            let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
            let (unit, factor) = unit.copied().unwrap_or(("", 1));
            let number = text[..text.len() - unit.len()].trim().parse::<u64>().ok();
            // A number that overflows is refused; wrapped, it would be a small limit.
            number.and_then(|number| number.checked_mul(factor))
        }
        _ => None,
    };
    // With 0 no export could ever be read.
    bytes.filter(|bytes| *bytes > 0).ok_or_else(wrong)
}
