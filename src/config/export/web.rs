//! `url:` of an export, and the keys that go with it.

use super::super::values::expand_variables;
use super::{ExportKeyReader, secret};
use crate::transport::{ClientCredentials, HttpAuth, HttpLocation, NextPage};
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

impl ExportKeyReader<'_> {
    pub(super) fn http(&mut self) -> Result<HttpLocation, String> {
        let text = self.text("url")?.unwrap_or_default();
        let url = parse_web_url("url", &text)?;
        let http = HttpLocation {
            auth: self.http_auth()?,
            headers: self.headers()?,
            next: self.next()?,
            items: self.text("items")?,
            ca: self.path("ca")?,
            url,
        };
        // Refused and not ignored: without pages the key would have no effect.
        if http.items.is_some() && http.next.is_none() {
            return Err("`items` names the list within a page; it needs `next`".to_owned());
        }
        Ok(http)
    }

    fn http_auth(&mut self) -> Result<HttpAuth, String> {
        const KNOWN: [&str; 7] = [
            "token",
            "username",
            "password",
            "clientId",
            "clientSecret",
            "tokenUrl",
            "scope",
        ];
        const FORMS: &str = "`auth`: expected a token, `{token}`, `{username, password}` or `{clientId, clientSecret, tokenUrl, scope?}`";
        let object = match self.remaining.get("auth") {
            None => return Ok(HttpAuth::None),
            Some(Value::String(_)) => {
                let token = self.text("auth")?.unwrap_or_default();
                return Ok(HttpAuth::Bearer(secret("auth", token)?));
            }
            Some(_) => self.object("auth").map_err(|_| FORMS)?.unwrap_or_default(),
        };
        let mut auth = self.below("auth", object, &KNOWN)?;
        let mut take = |name| auth.text(name);
        let [token, user, word, id, proof, url, scope] = [
            take("token")?,
            take("username")?,
            take("password")?,
            take("clientId")?,
            take("clientSecret")?,
            take("tokenUrl")?,
            take("scope")?,
        ];
        // Exactly one form: of two credentials nobody could say which one is used.
        match (token, (user, word), (id, proof, url), scope) {
            (Some(token), (None, None), (None, None, None), None) => {
                Ok(HttpAuth::Bearer(secret("token", token)?))
            }
            (None, (Some(username), Some(word)), (None, None, None), None) => Ok(HttpAuth::Basic {
                username,
                password: secret("password", word)?,
            }),
            (None, (None, None), (Some(id), Some(proof), Some(url)), scope) => {
                Ok(HttpAuth::ClientCredentials(ClientCredentials {
                    id,
                    secret: secret("clientSecret", proof)?,
                    url: parse_web_url("tokenUrl", &url)?,
                    scope,
                }))
            }
            _ => Err(FORMS.to_owned()),
        }
    }

    fn headers(&mut self) -> Result<Vec<(String, SecretString)>, String> {
        let mut headers = Vec::new();
        for (name, value) in self.object("headers")?.unwrap_or_default() {
            let Value::String(value) = value else {
                return Err(format!("the header `{name}` is not text"));
            };
            let value = expand_variables(&value)?;
            // These would break the request or bypass `auth:`, which is handled as a secret.
            let own = ["authorization", "host", "content-length", "accept-encoding"];
            if own.contains(&name.to_lowercase().as_str()) {
                return Err(format!("the header `{name}` is set by Roster; use `auth`"));
            }
            // Checked now, so that a line break in a variable cannot add a header.
            if HeaderName::try_from(&*name).is_err() || HeaderValue::try_from(&*value).is_err() {
                return Err(format!("the header `{name}` cannot be sent"));
            }
            headers.push((name, SecretString::from(value)));
        }
        Ok(headers)
    }

    fn next(&mut self) -> Result<Option<NextPage>, String> {
        const FORMS: &str = "`next`: expected `link` (the header), `{link: PATH}` or `{cursor: PATH, parameter: NAME}`";
        let object = match self.remaining.get("next") {
            None => return Ok(None),
            Some(Value::String(text)) if text == "link" => {
                self.remaining.remove("next");
                return Ok(Some(NextPage::Header));
            }
            Some(_) => self.object("next").map_err(|_| FORMS)?.unwrap_or_default(),
        };
        let mut next = self.below("next", object, &["link", "cursor", "parameter"])?;
        let (link, path) = (next.text("link")?, next.text("cursor")?);
        match (link, path, next.text("parameter")?) {
            (Some(link), None, None) => Ok(Some(NextPage::Link(link))),
            (None, Some(path), Some(parameter)) => Ok(Some(NextPage::Cursor { path, parameter })),
            _ => Err(FORMS.to_owned()),
        }
    }
}

/// Parses a web address. A password in it is refused, because addresses are shown.
pub(super) fn parse_web_url(name: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| format!("`{name}` does not begin with `https://`"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "`{name}` contains a user or a password, which would be visible; remove it and set `auth: {{username: NAME, password: \"${{VARIABLE}}\"}}`"
        ));
    }
    Ok(url)
}
