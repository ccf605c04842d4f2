//! Where an export is, and with which credentials it is fetched. These are the parsed forms of
//! `export:` in `roster.yaml`. Everything shown to people goes through `Display` or `redact`, which
//! leave out secrets.

use crate::model::Digest;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The default limit for a whole fetch.
pub const TIMEOUT: Duration = Duration::from_mins(5);
/// The default limit for the size of an export, unpacked.
pub const LIMIT: u64 = 2 << 30;

/// The place of an export, with the limits for fetching it.
#[derive(Clone, Debug)]
pub struct ExportLocation {
    pub kind: LocationKind,
    /// The most bytes of the export, packed or unpacked.
    pub limit: u64,
    /// The limit for a whole fetch.
    pub timeout: Duration,
}

#[derive(Clone, Debug)]
pub enum LocationKind {
    /// A local file that is overwritten each time.
    File(FileLocation),
    /// A local folder into which files are put.
    Drop(DropLocation),
    Http(Box<HttpLocation>),
    /// An SFTP server.
    Sftp(SftpLocation),
    Ftp(FtpLocation),
}

/// A local file, or the newest that a pattern matches.
#[derive(Clone, Debug)]
pub struct FileLocation {
    /// The file. Its last part may contain `*` and `?`.
    pub path: PathBuf,
    /// The ending of the empty file next to it that marks it as complete.
    pub done: Option<String>,
}

/// A folder into which files are put. Each is moved away when it is done.
#[derive(Clone, Debug)]
pub struct DropLocation {
    pub folder: PathBuf,
    /// The names of the files to read, with `*` and `?`.
    pub pattern: String,
    /// The ending of the empty file next to one that marks it as complete.
    pub done: Option<String>,
}

#[derive(Clone, Debug)]
pub struct HttpLocation {
    /// The address, without a password.
    pub url: Url,
    pub auth: HttpAuth,
    /// Extra headers. Only this server gets them, not the targets of redirects.
    pub headers: Vec<(String, SecretString)>,
    /// Where the next page is named.
    pub next: Option<NextPage>,
    /// The path of the list in a page, if it is not clear.
    pub items: Option<String>,
    /// A PEM file of certificates to trust in addition to those of the system.
    pub ca: Option<PathBuf>,
}

/// How to authenticate to a web server.
#[derive(Clone, Debug, Default)]
pub enum HttpAuth {
    #[default]
    None,
    Basic {
        username: String,
        password: SecretString,
    },
    /// A fixed token.
    Bearer(SecretString),
    /// Tokens requested with OAuth 2 client credentials.
    ClientCredentials(ClientCredentials),
    /// A signature in the address, as in S3.
    S3(S3Key),
}

/// The key that S3 addresses are signed with.
#[derive(Clone, Debug)]
pub struct S3Key {
    /// The id of the key.
    pub id: String,
    pub secret: SecretString,
    /// The session token of a temporary key.
    pub session: Option<SecretString>,
    /// The region of the bucket.
    pub region: String,
}

/// The credentials that tokens are requested with.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    pub id: String,
    pub secret: SecretString,
    /// The address that issues tokens.
    pub url: Url,
    pub scope: Option<String>,
}

/// Where the next page is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NextPage {
    /// In the header `Link`, as `rel=next`.
    Header,
    /// At an address in the page; holds its path.
    Link(String),
    /// By a cursor in the page that is sent back as a parameter.
    Cursor {
        /// The path in the page.
        path: String,
        /// The name of the parameter.
        parameter: String,
    },
}

#[derive(Clone, Debug)]
pub struct SftpLocation {
    /// The user. `None` leaves it to the configuration of ssh.
    pub user: Option<String>,
    /// The host, which may be an alias of the ssh configuration.
    pub host: String,
    /// The port. `None` leaves it to the configuration of ssh.
    pub port: Option<u16>,
    /// The file. Its last part may contain `*` and `?`.
    pub path: String,
    /// The ending of the empty file next to it that marks it as complete.
    pub done: Option<String>,
    /// The key. `None` leaves it to the configuration of ssh.
    pub key: Option<SshKey>,
}

#[derive(Clone, Debug)]
pub struct SshKey {
    pub key: PathBuf,
    /// The file of trusted hosts. `None` leaves that to the configuration of ssh.
    pub known_hosts: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct FtpLocation {
    pub host: String,
    pub port: u16,
    /// The file. Its last part may contain `*` and `?`.
    pub path: String,
    /// The ending of the empty file next to it that marks it as complete.
    pub done: Option<String>,
    pub username: String,
    pub password: SecretString,
    /// What others on the network can read.
    pub security: FtpSecurity,
    /// A PEM file of certificates to trust in addition to those of the system.
    pub ca: Option<PathBuf>,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FtpSecurity {
    /// TLS is started before anything is sent.
    Explicit,
    /// TLS from the start.
    Implicit,
    /// No encryption. Others can read everything, including the password.
    Plain,
}

impl ExportLocation {
    /// The name of its folder in the cache.
    pub(super) fn cache_key(&self) -> Digest {
        let detail = match &self.kind {
            // The query of the address is never displayed, but it can tell two exports apart.
            LocationKind::Http(http) => format!("{}\0{:?}\0{:?}", http.url, http.next, http.items),
            _ => String::new(),
        };
        Digest::of(format!("{self}\0{detail}").as_bytes())
    }

    /// A digest of what is sent besides the address. An answer to another request says nothing
    /// about this one: a header may select the company.
    pub(super) fn request_digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        if let LocationKind::Http(http) = &self.kind {
            for (name, value) in &http.headers {
                hasher.update(name.as_bytes());
                hasher.update(value.expose_secret().as_bytes());
            }
        }
        Digest::from_hasher(&hasher)
    }

    /// Removes the secrets of this place from a text. Servers repeat credentials in their messages,
    /// plain or in base64.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets() {
            // Shorter ones occur in ordinary words.
            if secret.len() > 3 {
                text = text.replace(&secret, "[secret]");
            }
        }
        text
    }

    fn secrets(&self) -> Vec<String> {
        let with_encoded = |name: &str, word: &SecretString| {
            let word = word.expose_secret();
            let pair = encode(&format!("{name}:{word}"));
            vec![word.to_owned(), pair, encode(word)]
        };
        match &self.kind {
            LocationKind::File(_) | LocationKind::Drop(_) | LocationKind::Sftp(_) => Vec::new(),
            LocationKind::Ftp(ftp) => with_encoded(&ftp.username, &ftp.password),
            LocationKind::Http(http) => {
                let mut secrets = match &http.auth {
                    HttpAuth::None => Vec::new(),
                    HttpAuth::Basic { username, password } => with_encoded(username, password),
                    HttpAuth::Bearer(token) => with_encoded("", token),
                    HttpAuth::ClientCredentials(grant) => with_encoded(&grant.id, &grant.secret),
                    HttpAuth::S3(key) => {
                        let session = key.session.iter();
                        let session = session.map(|token| token.expose_secret().to_owned());
                        let secret = with_encoded(&key.id, &key.secret);
                        session.chain(secret).collect()
                    }
                };
                let headers = http.headers.iter();
                secrets.extend(headers.map(|(_, value)| value.expose_secret().to_owned()));
                // The query as a whole and its values, because a message may quote either.
                secrets.extend(http.url.query().map(str::to_owned));
                // Short ones are words such as `json`.
                let values = http.url.query_pairs().map(|(_, value)| value.into_owned());
                secrets.extend(values.filter(|value| value.len() >= 8));
                secrets
            }
        }
    }
}

/// Puts brackets around IPv6 addresses, whose colons would be mistaken for that of the port.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        return format!("[{host}]");
    }
    host.to_owned()
}

fn encode(text: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(text);
    text.trim_end_matches('=').to_owned()
}

/// Removes the query, which may contain secrets, and the user from an address.
pub(super) fn url_without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for addresses that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

impl fmt::Display for ExportLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LocationKind::File(file) => write!(f, "{}", file.path.display()),
            LocationKind::Drop(drop) => write!(f, "{}/{}", drop.folder.display(), drop.pattern),
            LocationKind::Http(http) => f.write_str(&url_without_secrets(&http.url)),
            LocationKind::Sftp(sftp) => write!(f, "{sftp}"),
            LocationKind::Ftp(ftp) => write!(f, "{ftp}"),
        }
    }
}

impl fmt::Display for SftpLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sftp://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&bracketed(&self.host))?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        let home = if self.path.starts_with('/') {
            ""
        } else {
            "/~/"
        };
        write!(f, "{home}{}", self.path)
    }
}

impl fmt::Display for FtpLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == FtpSecurity::Implicit {
            "ftps"
        } else {
            "ftp"
        };
        let host = bracketed(&self.host);
        write!(f, "{scheme}://{}@{host}", self.username)?;
        if self.port != 21 && self.port != 990 {
            write!(f, ":{}", self.port)?;
        }
        write!(f, "/{}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(query: &str, header: &str) -> ExportLocation {
        ExportLocation {
            kind: LocationKind::Http(Box::new(HttpLocation {
                url: format!("https://erp.example/customers.csv{query}")
                    .parse()
                    .unwrap(),
                auth: HttpAuth::Basic {
                    username: "roster".to_owned(),
                    password: "hunter22".into(),
                },
                headers: vec![("X-Api-Key".to_owned(), header.into())],
                next: None,
                items: None,
                ca: None,
            })),
            limit: LIMIT,
            timeout: TIMEOUT,
        }
    }

    #[test]
    fn a_place_is_shown_without_its_secrets() {
        let place = http("?key=sesame99", "opensaysme");
        assert_eq!(place.to_string(), "https://erp.example/customers.csv");
        let debugged = format!("{:?}", http("", "opensaysme"));
        assert!(!debugged.contains("hunter22") && !debugged.contains("opensaysme"));
        let basic = encode("roster:hunter22");
        let said = format!("no: hunter22 {basic} sesame99 opensaysme");
        assert_eq!(
            place.redact(&said),
            "no: [secret] [secret] [secret] [secret]"
        );
    }

    #[test]
    fn another_question_is_another_place_or_another_question() {
        assert_ne!(http("?a=1", "x").cache_key(), http("?a=2", "x").cache_key());
        assert_eq!(http("", "x").cache_key(), http("", "y").cache_key());
        assert_ne!(
            http("", "x").request_digest(),
            http("", "y").request_digest()
        );
    }
}
