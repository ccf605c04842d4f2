//! `git:` of a source: the repository, the ref and folder to read, and the credentials. Messages
//! never contain a secret.

use super::network::is_loopback;
use super::schema_parts;
use super::values::{expand_variables, parse_duration};
use crate::git::{GitAuth, GitLocation, TIMEOUT};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The allowed schemes. A url without one is a path, or a host in ssh notation.
const SCHEMES: [&str; 5] = ["https", "http", "ssh", "git", "file"];

/// The user name for a token. GitHub requires this one, others accept any.
const TOKEN_USER: &str = "x-access-token";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GitSpec {
    /// The address of the repository.
    url: String,
    /// The branch, tag or commit. Default: the branch of the repository's HEAD.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// The folder with the manifests, below the root of the repository.
    path: Option<String>,
    /// A token, `{token, username}`, `{username, password}` or `{sshKey, knownHosts}`.
    #[serde(default)]
    #[schemars(schema_with = "auth_schema")]
    auth: Option<Value>,
    /// The longest time of a fetch, such as `2m`.
    timeout: Option<String>,
}

fn auth_schema(_: &mut SchemaGenerator) -> Schema {
    schema_parts::text_or_keys(&["token", "username", "password", "sshKey", "knownHosts"])
}

/// Parses the key, without secrets in any message.
pub(super) fn resolve(value: Value, base: &Path) -> Result<GitLocation, String> {
    let file: GitSpec =
        serde_json::from_value(value).map_err(|error| format!("`git:`: {error}"))?;
    let url = url(&expand_variables(&file.url)?, base)?;
    let auth = match file.auth {
        Some(value) => auth(value, &url, base).map_err(|error| format!("`auth:`: {error}"))?,
        None => GitAuth::GitConfig,
    };
    Ok(GitLocation {
        reference: file.reference.map(reference).transpose()?,
        path: folder(file.path.as_deref().unwrap_or_default())?,
        timeout: file
            .timeout
            .map_or(Ok(TIMEOUT), |text| parse_duration(&text))?,
        url,
        auth,
    })
}

/// Warns of credentials that would be sent unencrypted.
pub(super) fn cleartext_secret(place: &GitLocation) -> Option<String> {
    let rest = place.url.strip_prefix("http://")?;
    let host = rest.split('/').next().unwrap_or_default();
    // A colon inside of brackets belongs to an IPv6 address and starts no port.
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let secret = matches!(place.auth, GitAuth::Password { .. }) && !is_loopback(host);
    secret.then(|| {
        format!(
            "the token or password for {} would be sent unencrypted; use https://",
            place.url
        )
    })
}

fn url(text: &str, base: &Path) -> Result<String, String> {
    let text = text.trim();
    // `ext::` and the like run programs; `http://[::1]` is only an address. A leading `-` would be
    // an option of git.
    let helper = text.split("://").next().unwrap_or(text).contains("::");
    if text.is_empty() || text.starts_with('-') || helper {
        return Err(format!(
            "`git.url` is not supported; use one of {}, `user@host:path` or a path",
            SCHEMES.map(|scheme| format!("`{scheme}://`")).join(", ")
        ));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        // As git does: a colon before the first slash makes it `host:path`.
        let host = text.find(':').is_some_and(|at| !text[..at].contains('/'));
        if host {
            return Ok(text.to_owned());
        }
        let path = std::path::absolute(base.join(text)).map_err(|error| error.to_string())?;
        return Ok(path.to_string_lossy().into_owned());
    };
    if !SCHEMES.contains(&scheme) {
        return Err(format!(
            "`git.url` begins with `{scheme}://`; use one of {}",
            SCHEMES.map(|scheme| format!("`{scheme}://`")).join(", ")
        ));
    }
    let user = rest.split('/').next().unwrap_or_default();
    let user = user.rsplit_once('@').map(|(user, _)| user);
    // The url is shown in status, pages and logs. With ssh a user name is usual and no secret.
    if user.is_some_and(|user| scheme.starts_with("http") || user.contains(':')) {
        return Err(
            "`git.url` contains a user or a password, which would be visible; remove it and set `auth: {username: NAME, password: \"${VARIABLE}\"}`"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

fn reference(text: String) -> Result<String, String> {
    // The characters that git forbids in refs, some of which have a meaning in commands. A leading
    // `-` would be an option.
    let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    if text.is_empty() || text.starts_with('-') || text.contains("..") || text.contains(odd) {
        return Err(format!(
            "`git.ref` is `{text}`; use a branch, a tag or a commit"
        ));
    }
    Ok(text)
}

/// The folder without `.` and outer slashes.
fn folder(text: &str) -> Result<String, String> {
    let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<&str> = parts.collect();
    // The folder must stay within the reviewed tree.
    if parts.contains(&"..") {
        return Err(format!(
            "`git.path` is `{text}`, which leaves the repository"
        ));
    }
    Ok(parts.join("/"))
}

fn auth(value: Value, url: &str, base: &Path) -> Result<GitAuth, String> {
    let auth = match value {
        Value::String(token) => password(TOKEN_USER, &token)?,
        Value::Object(parts) => from_parts(parts, base)?,
        _ => return Err(FORMS.to_owned()),
    };
    let http = url.starts_with("http://") || url.starts_with("https://");
    match &auth {
        GitAuth::Password { .. } if !http => {
            Err("tokens and passwords are for https; for ssh set `{sshKey: FILE}`".to_owned())
        }
        GitAuth::Key { .. } if http => {
            Err("keys are for ssh; for https set a token or `{username, password}`".to_owned())
        }
        _ => Ok(auth),
    }
}

const FORMS: &str = "expected a token, `{token, username?}`, `{username, password}` or `{sshKey: FILE, knownHosts?: FILE}`, all of them text";

fn from_parts(mut parts: Map<String, Value>, base: &Path) -> Result<GitAuth, String> {
    let mut take = |name: &str| match parts.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => expand_variables(&text).map(Some),
        Some(_) => Err(format!("`{name}` is not text; {FORMS}")),
    };
    let (token, user, word) = (take("token")?, take("username")?, take("password")?);
    let (key, hosts) = (take("sshKey")?, take("knownHosts")?);
    if let Some(name) = parts.keys().next() {
        return Err(format!("unknown key `{name}`; {FORMS}"));
    }
    let file =
        |path: String| -> PathBuf { std::path::absolute(base.join(&path)).unwrap_or(path.into()) };
    match (token, user, word, key, hosts) {
        (Some(token), user, None, None, None) => {
            Ok(secret(user.as_deref().unwrap_or(TOKEN_USER), token)?)
        }
        (None, Some(user), Some(word), None, None) => secret(&user, word),
        (None, None, None, Some(key), hosts) => Ok(GitAuth::Key {
            key: file(key),
            known_hosts: hosts.map(file),
        }),
        _ => Err(FORMS.to_owned()),
    }
}

fn password(username: &str, text: &str) -> Result<GitAuth, String> {
    secret(username, expand_variables(text)?)
}

fn secret(username: &str, password: String) -> Result<GitAuth, String> {
    // Git's credential protocol is line-based, so a line break could add a field.
    if password.is_empty() || password.contains(['\n', '\r', '\0']) || username.contains('\n') {
        return Err("the token or password is empty or contains a line break".to_owned());
    }
    Ok(GitAuth::Password {
        username: username.to_owned(),
        password: SecretString::from(password),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use serde_json::json;

    fn read(value: Value) -> Result<GitLocation, String> {
        resolve(value, Path::new("/base"))
    }

    #[test]
    fn a_place_is_read_and_shown_without_its_secret() {
        let place = read(json!({
            "url": "https://git.example/c.git", "ref": "main", "path": "/manifests/", "auth": "hunter22",
        }))
        .unwrap();
        assert_eq!(
            place.to_string(),
            "https://git.example/c.git#main:manifests"
        );
        assert!(!format!("{place:?}").contains("hunter22"));
        let GitAuth::Password { username, password } = place.auth else {
            panic!("no password");
        };
        assert_eq!(
            (&*username, password.expose_secret()),
            (TOKEN_USER, "hunter22")
        );
    }

    #[test]
    fn a_password_that_others_can_read_is_known() {
        for (url, told) in [
            ("http://git.example/c.git", true),
            ("http://10.0.0.7:8080/c.git", true),
            ("http://localhost.example/c.git", true),
            ("https://git.example/c.git", false),
            ("http://localhost:8080/c.git", false),
            ("http://127.0.0.1/c.git", false),
            ("http://[::1]:80/c.git", false),
        ] {
            let place = read(json!({"url": url, "auth": "hunter22"})).unwrap();
            assert_eq!(cleartext_secret(&place).is_some(), told, "{url}");
            let open = read(json!({"url": url})).unwrap();
            assert_eq!(cleartext_secret(&open), None);
        }
    }

    #[test]
    fn every_form_of_auth_is_read() {
        let ssh = "git@git.example:c.git";
        let key = read(json!({"url": ssh, "auth": {"sshKey": "id", "knownHosts": "/hosts"}}));
        assert!(
            matches!(key.unwrap().auth, GitAuth::Key { key, .. } if key == Path::new("/base/id"))
        );
        let http = "https://git.example/c.git";
        for auth in [
            json!({"token": "hunter22"}),
            json!({"token": "hunter22", "username": "me"}),
            json!({"username": "me", "password": "hunter22"}),
        ] {
            assert!(matches!(
                read(json!({"url": http, "auth": auth})).unwrap().auth,
                GitAuth::Password { .. }
            ));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let http = "https://git.example/c.git";
        for wrong in [
            json!({"url": "https://me:hunter22@git.example/c.git"}),
            json!({"url": "https://hunter22@git.example/c.git"}),
            json!({"url": "ext::sh -c hunter22"}),
            json!({"url": "ftp://git.example/c.git"}),
            json!({"url": "--upload-pack=hunter22"}),
            json!({"url": http, "auth": {"tokn": "hunter22"}}),
            json!({"url": http, "auth": {"token": "hunter22", "sshKey": "id"}}),
            json!({"url": http, "auth": ["hunter22"]}),
            json!({"url": http, "auth": {"password": "hunter22"}}),
            json!({"url": http, "auth": {"sshKey": "id"}}),
            json!({"url": "git@git.example:c.git", "auth": "hunter22"}),
            json!({"url": http, "auth": "${ROSTER_NOT_SET_HERE}"}),
            json!({"url": http, "path": "../secrets"}),
            json!({"url": http, "ref": "--force"}),
            json!({"url": http, "branch": "main"}),
        ] {
            let said = read(wrong.clone()).unwrap_err();
            assert!(!said.contains("hunter22"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_path_is_relative_to_the_configuration() {
        assert_eq!(
            read(json!({"url": "../c.git"})).unwrap().url,
            "/base/../c.git"
        );
    }
}
