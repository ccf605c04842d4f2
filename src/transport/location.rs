//! Where an export is, and how one is let in there.

use crate::model::Digest;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a whole fetch may take.
pub const TIMEOUT: Duration = Duration::from_mins(5);
/// How many bytes an export may have, unpacked.
pub const LIMIT: u64 = 2 << 30;

/// Where an export is.
#[derive(Clone, Debug)]
pub struct ExportLocation {
    /// The way there.
    pub kind: LocationKind,
    /// How many bytes it may have, packed or unpacked.
    pub limit: u64,
    /// How long a whole fetch may take.
    pub timeout: Duration,
}

/// The ways to an export.
#[derive(Clone, Debug)]
pub enum LocationKind {
    /// A file of this machine that is written anew each time.
    File(FileLocation),
    /// A folder of this machine into which files are put.
    Drop(DropLocation),
    /// A web server.
    Http(Box<HttpLocation>),
    /// A server by ssh.
    Sftp(SftpLocation),
    /// A server by FTP.
    Ftp(FtpLocation),
}

/// A file of this machine, or the newest of those that a pattern fits.
#[derive(Clone, Debug)]
pub struct FileLocation {
    /// The file; its last part may have `*` and `?` in it.
    pub path: PathBuf,
    /// The ending of the empty file beside it that says it is complete.
    pub done: Option<String>,
}

/// A folder into which files are put; each is moved away when it has been dealt with.
#[derive(Clone, Debug)]
pub struct DropLocation {
    pub folder: PathBuf,
    /// Which files count: a name with `*` and `?`.
    pub pattern: String,
    /// The ending of the empty file beside one that says it is complete.
    pub done: Option<String>,
}

/// A web server.
#[derive(Clone, Debug)]
pub struct HttpLocation {
    /// The address, without a password in it.
    pub url: Url,
    /// How it lets us in.
    pub auth: HttpAuth,
    /// What else it is told; only this server, not where it may send us.
    pub headers: Vec<(String, SecretString)>,
    /// Where the page after a page is.
    pub next: Option<NextPage>,
    /// Where in a page its list is, when that is not clear.
    pub items: Option<String>,
    /// Whose certificates count beside those of the system: a file in PEM.
    pub ca: Option<PathBuf>,
}

/// How a web server lets us in.
#[derive(Clone, Debug, Default)]
pub enum HttpAuth {
    /// It asks for nothing.
    #[default]
    None,
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        password: SecretString,
    },
    /// A token that somebody made.
    Bearer(SecretString),
    /// Tokens that we ask for: OAuth 2, client credentials.
    ClientCredentials(ClientCredentials),
    /// A signature in the address, as S3 wants it.
    S3(S3Key),
}

/// What addresses of S3 are signed with.
#[derive(Clone, Debug)]
pub struct S3Key {
    /// The name of the key.
    pub id: String,
    /// The key.
    pub secret: SecretString,
    /// What goes with a key that is good for a while only.
    pub session: Option<SecretString>,
    /// Where the bucket is.
    pub region: String,
}

/// What tokens are asked for with.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// Who we are.
    pub id: String,
    /// And the proof of it.
    pub secret: SecretString,
    /// Whom to ask.
    pub url: Url,
    pub scope: Option<String>,
}

/// Where the page after a page is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NextPage {
    /// In the header `Link`, as `rel=next`.
    Header,
    /// An address in the page: where.
    Link(String),
    /// A cursor in the page: where, and the name of the parameter it is sent back as.
    Cursor {
        /// Where in the page.
        path: String,
        /// The parameter of the address.
        parameter: String,
    },
}

/// A server by ssh.
#[derive(Clone, Debug)]
pub struct SftpLocation {
    /// Who we are there; as ssh is set up when not given.
    pub user: Option<String>,
    /// Which host; may be one of ssh's own names for it.
    pub host: String,
    /// Its port; as ssh is set up when not given.
    pub port: Option<u16>,
    /// The file; its last part may have `*` and `?` in it.
    pub path: String,
    /// The ending of the empty file beside it that says it is complete.
    pub done: Option<String>,
    /// The key; as ssh is set up when not given.
    pub key: Option<SshKey>,
}

/// A private key.
#[derive(Clone, Debug)]
pub struct SshKey {
    /// Its file.
    pub key: PathBuf,
    /// The file of the hosts that may be trusted; as ssh is set up when not given.
    pub known_hosts: Option<PathBuf>,
}

/// A server by FTP.
#[derive(Clone, Debug)]
pub struct FtpLocation {
    pub host: String,
    pub port: u16,
    /// The file; its last part may have `*` and `?` in it.
    pub path: String,
    /// The ending of the empty file beside it that says it is complete.
    pub done: Option<String>,
    /// Who we are there.
    pub username: String,
    pub password: SecretString,
    /// What others can read on the way.
    pub security: FtpSecurity,
    /// Whose certificates count beside those of the system: a file in PEM.
    pub ca: Option<PathBuf>,
}

/// What others can read on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FtpSecurity {
    /// Nothing: TLS is asked for before anything is said.
    Explicit,
    /// Nothing: there is TLS from the start.
    Implicit,
    /// Everything, the password too.
    Plain,
}

impl ExportLocation {
    /// Under which name the cache keeps it.
    pub(super) fn cache_key(&self) -> Digest {
        let detail = match &self.kind {
            // What stands after the `?` is not shown, and yet tells two exports apart.
            LocationKind::Http(http) => format!("{}\0{:?}\0{:?}", http.url, http.next, http.items),
            _ => String::new(),
        };
        Digest::of(format!("{self}\0{detail}").as_bytes())
    }

    /// What is asked beside the address: an answer to another question says nothing about this one.
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

    /// The text without the secrets of this place, however the other side came to say them.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets() {
            // What is as short as that stands in other words too.
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
                secrets.extend(http.url.query().map(str::to_owned));
                // Short ones are words like `json`.
                let values = http.url.query_pairs().map(|(_, value)| value.into_owned());
                secrets.extend(values.filter(|value| value.len() >= 8));
                secrets
            }
        }
    }
}

/// A host as it stands before a port: addresses of version 6 have colons of their own.
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

/// An address without what stands after the `?`, where secrets may be.
pub(super) fn url_without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // What has no place for a name has none to hide.
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
