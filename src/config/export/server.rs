//! `sftp:` and `ftp:` of an export, and the keys that go with them.

use super::{ExportKeyReader, secret};
use crate::transport::{FtpLocation, FtpSecurity, SftpLocation, SshKey};
use secrecy::SecretString;
use serde_json::Value;

impl ExportKeyReader<'_> {
    pub(super) fn sftp(&mut self) -> Result<SftpLocation, String> {
        let text = self.text("sftp")?.unwrap_or_default();
        let (user, host, port, path) = parse_address("sftp", &text)?;
        // A host such as `-oProxyCommand=…` would be an option of ssh and run a program.
        let odd = |text: &str| text.starts_with('-') || text.contains(char::is_whitespace);
        if odd(&host) || user.as_deref().is_some_and(odd) {
            return Err("`sftp` names no host".to_owned());
        }
        let key = match self.object("auth")? {
            None => None,
            Some(object) => {
                let mut auth = self.below("auth", object, &["sshKey", "knownHosts"])?;
                Some(SshKey {
                    key: auth.path("sshKey")?.ok_or("`auth` needs `sshKey: FILE`")?,
                    known_hosts: auth.path("knownHosts")?,
                })
            }
        };
        Ok(SftpLocation {
            user,
            host,
            port,
            path: remote_path("sftp", &path)?,
            done: self.done()?,
            key,
        })
    }

    pub(super) fn ftp(&mut self) -> Result<FtpLocation, String> {
        let text = self.text("ftp")?.unwrap_or_default();
        let (user, host, port, path) = parse_address("ftp", &text)?;
        let plain = match self.remaining.remove("plain") {
            None => false,
            Some(Value::Bool(plain)) => plain,
            Some(_) => return Err("`plain` must be true or false".to_owned()),
        };
        // Port 990 expects TLS from the first byte, so plain commands would only wait for an
        // answer.
        let implicit = text.starts_with("ftps://") || port == Some(990);
        let security = match (plain, implicit) {
            (true, true) => return Err("`ftps://` cannot be `plain`".to_owned()),
            (true, false) => FtpSecurity::Plain,
            (false, true) => FtpSecurity::Implicit,
            // Encryption is the default. Sending a password openly must be asked for with `plain`.
            (false, false) => FtpSecurity::Explicit,
        };
        let (username, password) = self.ftp_auth(user)?;
        Ok(FtpLocation {
            port: port.unwrap_or(if implicit { 990 } else { 21 }),
            host,
            path: remote_path("ftp", &path)?,
            done: self.done()?,
            username,
            password,
            security,
            ca: self.path("ca")?,
        })
    }

    fn ftp_auth(&mut self, user: Option<String>) -> Result<(String, SecretString), String> {
        const FORMS: &str = "`auth`: expected `{username, password}`";
        let Some(object) = self.object("auth").map_err(|_| FORMS)? else {
            return match user {
                None => Ok(("anonymous".to_owned(), SecretString::from("roster@"))),
                Some(_) => Err("`ftp` names a user; add `auth: {username, password}`".into()),
            };
        };
        let mut auth = self.below("auth", object, &["username", "password"])?;
        let username = auth.text("username")?.or(user);
        match (username, auth.text("password")?) {
            (Some(username), Some(word)) => Ok((username, secret("password", word)?)),
            _ => Err(FORMS.to_owned()),
        }
    }
}

type ServerAddress = (Option<String>, String, Option<u16>, String);

/// `sftp://user@host:port/path`, or `user@host:path` as ssh writes it.
fn parse_address(name: &str, text: &str) -> Result<ServerAddress, String> {
    let wrong = || format!("`{name}` names no file; use `{name}://USER@HOST/PATH`");
    let (place, path, has_port) = match text.split_once("://") {
        Some((scheme, rest)) if scheme == name || (name == "ftp" && scheme == "ftps") => {
            let (place, path) = rest.split_once('/').ok_or_else(wrong)?;
            (place, format!("/{path}"), true)
        }
        Some(_) => return Err(wrong()),
        None => {
            let (place, path) = text.split_once(':').ok_or_else(wrong)?;
            (place, path.to_owned(), false)
        }
    };
    let (user, host) = match place.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, place),
    };
    // The address is shown in status and logs.
    if user.as_deref().is_some_and(|user| user.contains(':')) {
        return Err(format!(
            "`{name}` contains a password, which would be visible; move it to `auth`"
        ));
    }
    let (host, port) = match host.rsplit_once(':') {
        // In ssh notation the colon begins the path. In brackets it belongs to an IPv6 address.
        Some((host, port)) if has_port && !port.ends_with(']') => {
            (host, Some(port.parse().map_err(|_| wrong())?))
        }
        _ => (host, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || path.is_empty() {
        return Err(wrong());
    }
    Ok((user, host.to_owned(), port, path))
}

/// The path of a file. `/~/` is the home directory.
fn remote_path(name: &str, path: &str) -> Result<String, String> {
    let path = path.strip_prefix("/~/").unwrap_or(path);
    // FTP paths start at the home directory; a second slash makes them absolute.
    let below = path.strip_prefix('/').filter(|_| name == "ftp");
    let path = below.unwrap_or(path);
    let last = path.rsplit('/').next().unwrap_or_default();
    if matches!(last, "" | "." | "..") {
        return Err(format!("`{name}` names a folder; name a file"));
    }
    Ok(path.to_owned())
}
