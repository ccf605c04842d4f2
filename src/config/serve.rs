//! `serve:`: where the daemon listens, who may reach it, and how much each client gets.

use super::network::IpNetwork;
use super::notices::NoticeSpec;
use super::values::{expand_variables, parse_duration};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CUSTOMER_LISTEN: &str = "serve.customers.listen";
const CUSTOMER_URL: &str = "serve.customers.url";

/// `serve:` as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServeSpec {
    /// Where it listens. Default: `127.0.0.1:8080`.
    listen: Option<String>,
    /// The file with the tokens.
    tokens: Option<String>,
    /// The certificate, if it serves HTTPS itself.
    tls: Option<TlsSpec>,
    /// Whether other machines may reach it without tokens and TLS.
    #[serde(default)]
    insecure: bool,
    /// The public address that links begin with.
    url: Option<String>,
    /// An address of its own for customers.
    customers: Option<CustomerServeSpec>,
    /// The proxies whose `X-Forwarded-For` is trusted.
    #[serde(default)]
    proxies: Vec<String>,
    /// After how long a pass counts as stuck. Default: `1h`.
    #[serde(rename = "stuckAfter")]
    stuck_after: Option<String>,
    /// How much each client gets.
    #[serde(default)]
    limits: ServeLimitsSpec,
    /// Whom it notifies about what.
    pub(super) notices: Option<Vec<NoticeSpec>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CustomerServeSpec {
    #[serde(deserialize_with = "customer_listen")]
    listen: String,
    #[serde(deserialize_with = "customer_link")]
    url: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TlsSpec {
    cert: String,
    key: String,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ServeLimitsSpec {
    body: Option<String>,
    tree: Option<String>,
    file: Option<String>,
    timeout: Option<String>,
    rate: Option<u32>,
    burst: Option<u32>,
    connections: Option<usize>,
    #[serde(rename = "connectionsPerAddress")]
    connections_per_address: Option<usize>,
    requests: Option<usize>,
    plan: Option<String>,
}

/// How the daemon is reached, and its limits.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    pub listen: SocketAddr,
    /// The file with the tokens.
    pub tokens: Option<PathBuf>,
    pub tls: Option<TlsFiles>,
    /// Whether the operator allows it to be open to everybody.
    pub insecure: bool,
    /// The public address for links, without a slash at the end.
    pub url: Option<String>,
    /// The address of the routes for customers, if it is another one.
    pub customers: Option<CustomerAddress>,
    /// The key of `listen` in the configuration.
    pub listen_key: &'static str,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub proxies: Vec<IpNetwork>,
    /// The duration after which a pass counts as stuck.
    pub stuck_after: Duration,
    pub limits: ServeLimits,
}

/// Where customers reach the daemon, apart from operators.
#[derive(Clone, Debug)]
pub struct CustomerAddress {
    pub listen: SocketAddr,
    /// The public address for links, without a slash at the end.
    pub url: String,
}

/// A certificate chain and its key, in PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Limits for clients.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Bytes in the body of a request.
    pub body: usize,
    /// Bytes in a tree sent to be planned.
    pub tree: usize,
    /// Bytes in a file of a job.
    pub file: usize,
    /// The longest time of a request.
    pub timeout: Duration,
    /// Requests a second of one token, or of one address without a token.
    pub rate: u32,
    /// Requests that may come at once, above the rate.
    pub burst: u32,
    /// Connections open at once.
    pub connections: usize,
    /// Connections of one address, unless it is a proxy.
    pub connections_per_address: usize,
    /// Requests that are handled at once.
    pub requests: usize,
    /// The longest time of a requested plan.
    pub plan: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            tree: 64 << 20,
            file: 1 << 30,
            timeout: Duration::from_secs(30),
            rate: 50,
            burst: 200,
            connections: 1024,
            connections_per_address: 128,
            requests: 256,
            plan: Duration::from_mins(5),
        }
    }
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tokens: None,
            tls: None,
            insecure: false,
            url: None,
            customers: None,
            listen_key: "serve.listen",
            proxies: Vec::new(),
            stuck_after: Duration::from_hours(1),
            limits: ServeLimits::default(),
        }
    }
}

impl ServeConfig {
    /// Fails if the daemon would be open to other machines without tokens and TLS, unless the
    /// operator allowed it.
    pub fn check_exposure(&self) -> Result<(), String> {
        // Tokens without TLS can be read on the way, and TLS without tokens lets everybody in.
        let guarded = self.tokens.is_some() && self.tls.is_some();
        if self.listen.ip().is_loopback() || guarded || self.insecure {
            return Ok(());
        }
        let lacks = match (&self.tokens, &self.tls) {
            (None, None) => "no tokens and no TLS",
            (None, Some(_)) => "no tokens",
            (_, _) => "no TLS",
        };
        Err(format!(
            "{} is {}, which other machines can reach, but `serve` has {lacks}; listen at \
             a loopback address (127.0.0.1:{}) behind a proxy, set `serve.tokens` and \
             `serve.tls`, or set `serve.insecure: true` (`--insecure`)",
            self.listen_key,
            self.listen,
            self.listen.port(),
        ))
    }

    /// The public address that links for customers begin with.
    pub fn customer_url(&self) -> Option<&str> {
        let own = self.customers.as_ref().map(|customers| &customers.url);
        own.or(self.url.as_ref()).map(String::as_str)
    }

    /// How customers reach the daemon, if they have an address of their own.
    pub fn for_customers(&self) -> Option<Self> {
        let customers = self.customers.clone()?;
        Some(Self {
            listen: customers.listen,
            listen_key: CUSTOMER_LISTEN,
            url: Some(customers.url),
            customers: None,
            ..self.clone()
        })
    }

    /// Whether browsers reach it by HTTPS, directly or through a proxy.
    pub fn uses_https(&self) -> bool {
        self.tls.is_some()
            || self
                .url
                .as_deref()
                .is_some_and(|url| url.starts_with("https://"))
    }
}

impl ServeSpec {
    /// Drops the values that contain variables, for commands that do not serve.
    pub(super) fn without_variables(mut self) -> Self {
        // Values without variables stay, so that their mistakes are found by `validate` as well.
        let fixed = |text: &String| !text.contains("${");
        self.listen = self.listen.filter(fixed);
        self.tokens = self.tokens.filter(fixed);
        // Links that are written into drafts begin with it, so it stays where its variables are
        // known.
        self.url = self
            .url
            .filter(|text| fixed(text) || expand_variables(text).is_ok());
        self.customers = self.customers.filter(|customers| {
            fixed(&customers.listen)
                && (fixed(&customers.url) || expand_variables(&customers.url).is_ok())
        });
        self.tls = self.tls.filter(|tls| fixed(&tls.cert) && fixed(&tls.key));
        self
    }

    /// Resolves the values, with paths relative to `base`.
    pub(super) fn resolve(self, base: &Path) -> Result<ServeConfig, String> {
        let place = |text: &str| Ok::<_, String>(base.join(expand_variables(text)?));
        let tls = match self.tls {
            Some(tls) => Some(TlsFiles {
                cert: place(&tls.cert)?,
                key: place(&tls.key)?,
            }),
            None => None,
        };
        let default = ServeConfig::default();
        let listen = match &self.listen {
            Some(text) => address("serve.listen", text)?,
            None => default.listen,
        };
        let customers = self.customers.map(CustomerServeSpec::resolve).transpose()?;
        // Port 0 lets the system choose, so it is another one each time.
        let same = |customers: &CustomerAddress| customers.listen == listen && listen.port() != 0;
        if customers.as_ref().is_some_and(same) {
            return Err(format!(
                "serve.customers.listen: `{listen}` is the address of `serve.listen`; use another port"
            ));
        }
        Ok(ServeConfig {
            listen,
            customers,
            listen_key: default.listen_key,
            tokens: self.tokens.as_deref().map(place).transpose()?,
            tls,
            insecure: self.insecure,
            url: self.url.map(|url| link("serve.url", &url)).transpose()?,
            proxies: proxies(&self.proxies)?,
            stuck_after: self
                .stuck_after
                .map_or(Ok(default.stuck_after), |text| parse_duration(&text))
                .map_err(|error| format!("serve.stuckAfter: {error}"))?,
            limits: self
                .limits
                .resolve()
                .map_err(|error| format!("serve.limits.{error}"))?,
        })
    }
}

impl CustomerServeSpec {
    fn resolve(self) -> Result<CustomerAddress, String> {
        Ok(CustomerAddress {
            listen: address(CUSTOMER_LISTEN, &self.listen)?,
            url: link(CUSTOMER_URL, &self.url)?,
        })
    }
}

impl ServeLimitsSpec {
    fn resolve(self) -> Result<ServeLimits, String> {
        let default = ServeLimits::default();
        let bytes = |name: &str, text: Option<String>, default: usize| {
            text.map_or(Ok(default), |text| size(&text))
                .map_err(|error| format!("{name}: {error}"))
        };
        let limits = ServeLimits {
            body: bytes("body", self.body, default.body)?,
            tree: bytes("tree", self.tree, default.tree)?,
            file: bytes("file", self.file, default.file)?,
            timeout: self
                .timeout
                .map_or(Ok(default.timeout), |text| parse_duration(&text))
                .map_err(|error| format!("timeout: {error}"))?,
            rate: self.rate.unwrap_or(default.rate),
            burst: self.burst.unwrap_or(default.burst),
            connections: self.connections.unwrap_or(default.connections),
            connections_per_address: self
                .connections_per_address
                .unwrap_or(default.connections_per_address),
            requests: self.requests.unwrap_or(default.requests),
            plan: self
                .plan
                .map_or(Ok(default.plan), |text| parse_duration(&text))
                .map_err(|error| format!("plan: {error}"))?,
        };
        // With 0 the daemon would answer nothing, which nobody means.
        let none = [
            ("body", limits.body),
            ("tree", limits.tree),
            ("file", limits.file),
            ("rate", limits.rate as usize),
            ("burst", limits.burst as usize),
            ("connections", limits.connections),
            ("connectionsPerAddress", limits.connections_per_address),
            ("requests", limits.requests),
        ];
        match none.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("{name}: must not be 0")),
            None if limits.timeout.is_zero() => Err("timeout: must not be 0".to_owned()),
            None if limits.plan.is_zero() => Err("plan: must not be 0".to_owned()),
            None => Ok(limits),
        }
    }
}

fn proxies(texts: &[String]) -> Result<Vec<IpNetwork>, String> {
    let read = texts
        .iter()
        .map(|text| IpNetwork::parse(&expand_variables(text)?));
    read.collect::<Result<_, _>>()
        .map_err(|error| format!("serve.proxies: {error}"))
}

/// Checks the text while the place in the file is known. Variables are replaced later.
fn customer_listen<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    checked(value, |text| address(CUSTOMER_LISTEN, text).map(|_| ()))
}

fn customer_link<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    checked(value, |text| link(CUSTOMER_URL, text).map(|_| ()))
}

fn checked<'de, D: Deserializer<'de>>(
    value: D,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<String, D::Error> {
    let text = String::deserialize(value)?;
    if !text.contains("${") {
        check(&text).map_err(D::Error::custom)?;
    }
    Ok(text)
}

fn address(key: &str, text: &str) -> Result<SocketAddr, String> {
    expand_variables(text)?.parse().map_err(|_| {
        format!("{key}: `{text}` is not an address; use a value such as `127.0.0.1:8080`")
    })
}

fn link(key: &str, text: &str) -> Result<String, String> {
    let url = expand_variables(text)?;
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest {
        // Paths are appended to it, which a query would swallow, and it is shown, so it must have
        // no password.
        Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ', '@']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(format!(
            "{key}: `{text}` is not an address; use a value such as `https://roster.example`"
        )),
    }
}

/// `64MiB`, `512KiB`, `1GiB` or a number of bytes.
fn size(text: &str) -> Result<usize, String> {
    // The empty unit is last, because every text ends with it.
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("", 0)];
    let found = units.iter().find_map(|(unit, shift)| {
        let number = text.strip_suffix(unit)?.trim_end();
        Some((number.parse::<usize>().ok()?, *shift))
    });
    found
        // A size that overflows is refused; wrapped, it would be a small limit.
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is not a size; use a value such as `512KiB` or `64MiB`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(text: &str) -> Result<ServeConfig, String> {
        let file: ServeSpec = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        file.resolve(Path::new("/base"))
    }

    #[test]
    fn paths_are_relative_to_the_configuration_and_sizes_have_units() {
        let serve = serve(
            "{listen: '0.0.0.0:8443', tokens: tokens, tls: {cert: tls/cert.pem, key: /key.pem}, url: 'https://roster.example/', limits: {tree: 2GiB, timeout: 5s}}",
        )
        .expect("valid");
        assert_eq!(serve.tokens.as_deref(), Some(Path::new("/base/tokens")));
        let tls = serve.tls.as_ref().expect("TLS");
        assert_eq!(tls.cert, Path::new("/base/tls/cert.pem"));
        assert_eq!(tls.key, Path::new("/key.pem"));
        assert_eq!(serve.limits.tree, 2 << 30);
        assert_eq!(serve.limits.timeout, Duration::from_secs(5));
        assert_eq!(serve.url.as_deref(), Some("https://roster.example"));
        assert!(serve.check_exposure().is_ok());
    }

    #[test]
    fn beyond_this_machine_names_the_three_ways_out() {
        for (text, lacks) in [
            ("{listen: '0.0.0.0:80'}", "no tokens and no TLS"),
            ("{listen: '[::]:80', tokens: t}", "no TLS"),
            (
                "{listen: '10.0.0.1:80', tls: {cert: c, key: k}}",
                "no tokens",
            ),
        ] {
            let error = serve(text)
                .expect("valid")
                .check_exposure()
                .expect_err("open");
            for part in [lacks, "127.0.0.1:80", "serve.tokens", "--insecure"] {
                assert!(error.contains(part), "{error}");
            }
        }
        for text in [
            "{}",
            "{listen: '[::1]:80'}",
            "{listen: '0.0.0.0:80', insecure: true}",
        ] {
            assert!(
                serve(text).expect("valid").check_exposure().is_ok(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (text, part) in [
            ("{listen: here}", "serve.listen"),
            ("{limits: {body: lots}}", "serve.limits.body"),
            ("{limits: {burst: 0}}", "serve.limits.burst"),
            ("{limits: {body: 99999999999999GiB}}", "serve.limits.body"),
            ("{url: roster.example}", "serve.url"),
            ("{tls: {cert: c}}", "key"),
            (
                "{customers: {listen: here, url: 'https://a.example'}}",
                "serve.customers.listen",
            ),
            (
                "{customers: {listen: '127.0.0.1:81', url: a.example}}",
                "serve.customers.url",
            ),
            ("{customers: {listen: '127.0.0.1:81'}}", "url"),
            (
                "{listen: '127.0.0.1:81', customers: {listen: '127.0.0.1:81', url: 'https://a.example'}}",
                "another port",
            ),
            ("{proxies: ['10.0.0.0/33']}", "serve.proxies"),
            ("{token: x}", "token"),
        ] {
            let error = serve(text).expect_err("wrong");
            assert!(error.contains(part), "{error}");
        }
    }
}
