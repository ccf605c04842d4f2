//! `serve.notices` and `mail`: where notices go, and about which events. The keys are checked
//! when the file is read. Variables are expanded and addresses checked only where notices are sent,
//! because a job that only plans has no webhooks.

use super::network::is_loopback;
use super::values::expand_variables;
use lettre::message::Mailbox;
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// An event of a source that a notice can report.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum NoticeEvent {
    /// A pass wrote something.
    Applied,
    /// A pass failed or was refused, for a new reason.
    Failed,
    /// Something new waits for a decision.
    Held,
    /// An account started to wait for an approval.
    Approval,
    /// Something that a source declares was changed outside Roster.
    Drift,
    /// A pass succeeded after one that did not.
    Recovered,
    /// A test of whether notices arrive.
    #[serde(skip_deserializing)]
    Test,
}

impl NoticeEvent {
    /// Every event of a source.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Failed,
        Self::Held,
        Self::Approval,
        Self::Drift,
        Self::Recovered,
    ];
    /// The default events: those that need a person.
    const DEFAULT: [Self; 4] = [Self::Failed, Self::Held, Self::Approval, Self::Recovered];

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Approval => "approval",
            Self::Drift => "drift",
            Self::Recovered => "recovered",
            Self::Test => "test",
        }
    }
}

/// The format of a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoticeFormat {
    /// The JSON document of the specification.
    #[default]
    Json,
    /// A message for Slack or services compatible with its blocks.
    Slack,
}

/// `serve.notices` and `mail` as written.
#[derive(Clone, Default, Debug)]
pub struct NoticesSpec {
    notices: Vec<NoticeSpec>,
    mail: Option<MailSpec>,
}

/// An entry of `serve.notices`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticeSpec {
    name: Option<String>,
    webhook: Option<String>,
    format: Option<NoticeFormat>,
    secret: Option<String>,
    mail: Option<Vec<String>>,
    on: Option<BTreeSet<NoticeEvent>>,
}

/// `mail` as written.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MailSpec {
    smtp: String,
    from: String,
    redirect: Option<String>,
}

// Addresses of webhooks and mail servers are secrets, even as written.
impl fmt::Debug for NoticeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoticeSpec").finish_non_exhaustive()
    }
}

impl fmt::Debug for MailSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSpec").finish_non_exhaustive()
    }
}

/// A target of notices.
#[derive(Clone, Debug)]
pub struct NoticeTarget {
    /// The name as configured, or else the host or first address.
    pub name: String,
    /// The events that it gets.
    pub events: BTreeSet<NoticeEvent>,
    pub channel: NoticeChannel,
}

/// How notices reach a target.
#[derive(Clone, Debug)]
pub enum NoticeChannel {
    /// An HTTP request.
    Webhook {
        /// The whole address, which is a secret in itself.
        url: SecretString,
        /// Its scheme and host, which may be shown.
        shown: String,
        format: NoticeFormat,
        /// The key of the signature.
        secret: Option<SecretString>,
    },
    Mail {
        /// The recipients.
        to: Vec<String>,
        server: Arc<MailServer>,
    },
}

/// The mail server and the sender.
#[derive(Clone, Debug)]
pub struct MailServer {
    /// The server with user and password, in the form of the mail library.
    pub url: SecretString,
    /// Scheme, host and port, which may be shown.
    pub shown: String,
    /// The address of the sender.
    pub from: String,
    /// An address that gets every mail instead of its recipients.
    pub redirect: Option<String>,
}

impl MailServer {
    /// The Message-ID of a delivery, in the domain of the sender.
    #[must_use]
    pub fn message_id(&self, delivery: &str) -> String {
        let domain = self
            .from
            .rsplit_once('@')
            .map_or("roster", |(_, domain)| domain);
        // `from` may be written as `Shop <shop@example.com>`.
        let domain = domain.trim_end_matches('>');
        format!("<{delivery}@{domain}>")
    }
}

impl NoticeTarget {
    /// The address without secrets.
    #[must_use]
    pub fn display_address(&self) -> String {
        match &self.channel {
            NoticeChannel::Webhook { shown, .. } => shown.clone(),
            NoticeChannel::Mail { to, .. } => to.join(", "),
        }
    }
}

impl NoticesSpec {
    /// Checks both keys, without expanding variables.
    pub(super) fn new(notices: Vec<NoticeSpec>, mail: Option<MailSpec>) -> Result<Self, String> {
        let file = Self { notices, mail };
        for (at, notice) in file.notices.iter().enumerate() {
            notice
                .check(file.mail.is_some())
                .map_err(|error| format!("serve.notices[{at}]: {error}"))?;
        }
        Ok(file)
    }

    /// The mail server, with all variables expanded; `None` if none is configured.
    pub fn mail_server(&self) -> Result<Option<MailServer>, String> {
        let mail = self.mail.as_ref().map(MailSpec::resolve).transpose();
        mail.map_err(|error| format!("mail: {error}"))
    }

    /// Whether a mail server is configured.
    #[must_use]
    pub fn has_mail_server(&self) -> bool {
        self.mail.is_some()
    }

    /// The address of the sender of mails, if its variables are set.
    #[must_use]
    pub fn mail_sender(&self) -> Option<String> {
        address(&self.mail.as_ref()?.from).ok()
    }

    /// The targets, with all variables expanded.
    pub fn resolve(&self) -> Result<Vec<NoticeTarget>, String> {
        let mail = self.mail_server()?.map(Arc::new);
        let mut targets: Vec<NoticeTarget> = Vec::new();
        for (at, notice) in self.notices.iter().enumerate() {
            let target = notice
                .resolve(mail.as_ref())
                .map_err(|error| format!("serve.notices[{at}]: {error}"))?;
            // A stored notice finds its target by this name.
            if targets.iter().any(|other| other.name == target.name) {
                return Err(format!(
                    "serve.notices[{at}]: two notices are named `{}`; give each its own `name:`",
                    target.name
                ));
            }
            targets.push(target);
        }
        Ok(targets)
    }
}

impl NoticeSpec {
    fn check(&self, mail: bool) -> Result<(), String> {
        let signed = self.format.is_some() || self.secret.is_some();
        let wrong = match (&self.webhook, &self.mail) {
            (None, Some(to)) if to.is_empty() => "`mail:` lists no address",
            (None, Some(_)) if signed => "`format:` and `secret:` need a `webhook:`",
            (None, Some(_)) if !mail => {
                "`mail:` needs a mail server; set `mail: {smtp: …, from: …}` at the top level"
            }
            (Some(_), None) | (None, Some(_)) => return Ok(()),
            _ => "expected either `webhook: URL` or `mail: [ADDRESS]`",
        };
        Err(wrong.to_owned())
    }

    fn resolve(&self, post: Option<&Arc<MailServer>>) -> Result<NoticeTarget, String> {
        let (to, default) = match (&self.webhook, &self.mail, post) {
            (Some(webhook), ..) => self.webhook(webhook)?,
            (None, Some(to), Some(post)) => mail(to, post)?,
            _ => return Err("expected either `webhook:` or `mail:`".to_owned()),
        };
        let on = self.on.clone();
        Ok(NoticeTarget {
            name: self.name.clone().unwrap_or(default),
            events: on.unwrap_or_else(|| NoticeEvent::DEFAULT.into()),
            channel: to,
        })
    }

    fn webhook(&self, written: &str) -> Result<(NoticeChannel, String), String> {
        let text = expand_variables(written)?;
        // The parser's message repeats nothing of its input.
        let url =
            Url::parse(&text).map_err(|error| format!("webhook: not a valid address: {error}"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        match url.scheme() {
            "https" => {}
            // To this machine nothing leaves it, as with a local relay.
            "http" if is_loopback(&host) => {}
            "http" => {
                return Err(format!(
                    "webhook: the address (at {host}) is a secret and would be sent unencrypted; use https://, or http:// to this machine"
                ));
            }
            other => return Err(format!("webhook: use https://; found {other}:")),
        }
        let secret = self.secret.as_deref().map(expand_variables).transpose()?;
        // An empty key signs what anybody could sign.
        if secret.as_ref().is_some_and(String::is_empty) {
            return Err("secret: is empty; set a value or remove it".to_owned());
        }
        let receiver = NoticeChannel::Webhook {
            shown: shown_address(&url),
            url: text.into(),
            format: self.format.unwrap_or_default(),
            secret: secret.map(SecretString::from),
        };
        Ok((receiver, host))
    }
}

fn mail(to: &[String], post: &Arc<MailServer>) -> Result<(NoticeChannel, String), String> {
    let to: Vec<String> = to
        .iter()
        .map(|text| address(text))
        .collect::<Result<_, _>>()?;
    let first = to[0].clone();
    let post = post.clone();
    Ok((NoticeChannel::Mail { to, server: post }, first))
}

impl MailSpec {
    fn resolve(&self) -> Result<MailServer, String> {
        let mut url = self.server()?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let known = !url.username().is_empty();
        let secure = url.scheme() == "smtps";
        if url.port().is_none() {
            // Submission with a password is on 465 or 587; relays without one listen on 25.
            let port = match (secure, known) {
                (true, _) => 465,
                (false, true) => 587,
                (false, false) => 25,
            };
            // Cannot fail: a url with a host may have a port.
            let _ = url.set_port(Some(port));
        }
        if !secure {
            // A password must not cross a network unencrypted. Without one, mail is still encrypted
            // where the server can.
            let required = known && !is_loopback(&host);
            url.set_query(Some(if required {
                "tls=required"
            } else {
                "tls=opportunistic"
            }));
        }
        let redirect = self.redirect.as_deref().map(address);
        Ok(MailServer {
            shown: shown_address(&url),
            url: String::from(url).into(),
            from: address(&self.from).map_err(|error| format!("from: {error}"))?,
            redirect: redirect
                .transpose()
                .map_err(|error| format!("redirect: {error}"))?,
        })
    }

    fn server(&self) -> Result<Url, String> {
        let wrong = || {
            "smtp: use `smtps://user:password@host` or `smtp://host`; encode special characters of the password: `@` as `%40`, `/` as `%2F`, `#` as `%23`".to_owned()
        };
        let url = Url::parse(&expand_variables(&self.smtp)?).map_err(|_| wrong())?;
        // The query is ours: it decides about TLS.
        let plain = matches!(url.path(), "" | "/") && url.query().is_none();
        let known = ["smtp", "smtps"].contains(&url.scheme());
        if known && plain && url.fragment().is_none() && url.host_str().is_some() {
            Ok(url)
        } else {
            Err(wrong())
        }
    }
}

fn address(text: &str) -> Result<String, String> {
    let text = expand_variables(text)?;
    let mailbox: Result<Mailbox, _> = text.parse();
    mailbox.map_err(|_| {
        format!("`{text}` is not a mail address; use an address such as `ops@example.com`")
    })?;
    Ok(text)
}

/// Scheme, host and port, which may be shown.
fn shown_address(url: &Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(notices: &str, mail: &str) -> Result<NoticesSpec, String> {
        let told = |error: serde_saphyr::Error| error.without_snippet().to_string();
        let notices = serde_saphyr::from_str(notices).map_err(told)?;
        let mail = (!mail.is_empty()).then(|| serde_saphyr::from_str(mail).unwrap());
        NoticesSpec::new(notices, mail)
    }

    fn targets(notices: &str, mail: &str) -> Result<Vec<NoticeTarget>, String> {
        read(notices, mail)?.resolve()
    }

    #[test]
    fn a_target_is_called_as_its_host_or_first_address_and_told_what_needs_a_person() {
        let found = targets(
            "[{webhook: 'https://hooks.example/T0/secret'}, {mail: [ops@example.com, eva@example.com], on: [applied]}]",
            "{smtp: 'smtps://shop:pass@mail.example', from: shop@example.com}",
        )
        .unwrap();
        assert_eq!(found[0].name, "hooks.example");
        assert_eq!(found[0].display_address(), "https://hooks.example");
        assert_eq!(found[0].events, NoticeEvent::DEFAULT.into());
        assert_eq!(found[1].name, "ops@example.com");
        assert_eq!(found[1].events, [NoticeEvent::Applied].into());
        let debug = format!("{found:?}");
        assert!(
            !debug.contains("secret\"") && !debug.contains("pass"),
            "{debug}"
        );
    }

    #[test]
    fn a_password_goes_to_another_machine_only_encrypted() {
        let url = |smtp: &str| {
            let mail = format!("{{smtp: '{smtp}', from: a@example.com}}");
            let found = targets("[{mail: [ops@example.com]}]", &mail).unwrap();
            let NoticeChannel::Mail { server: post, .. } = &found[0].channel else {
                panic!("a mail")
            };
            (post.url.expose_secret().to_owned(), post.shown.clone())
        };
        let whole = |url: &str, shown: &str| (url.to_owned(), shown.to_owned());
        assert_eq!(
            url("smtp://u:p@mail.example"),
            whole(
                "smtp://u:p@mail.example:587?tls=required",
                "smtp://mail.example:587"
            )
        );
        assert_eq!(
            url("smtp://mail.example"),
            whole(
                "smtp://mail.example:25?tls=opportunistic",
                "smtp://mail.example:25"
            )
        );
        assert_eq!(
            url("smtp://u:p@127.0.0.1:2525"),
            whole(
                "smtp://u:p@127.0.0.1:2525?tls=opportunistic",
                "smtp://127.0.0.1:2525"
            )
        );
        assert_eq!(
            url("smtps://u:p%40@mail.example"),
            whole(
                "smtps://u:p%40@mail.example:465",
                "smtps://mail.example:465"
            )
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_what_is_secret() {
        let mail = "{smtp: 'smtp://mail.example', from: a@example.com}";
        let cases = [
            (
                "[{webhook: 'http://hooks.example/SENTINEL'}]",
                "",
                "at hooks.example",
            ),
            (
                "[{webhook: 'ftp://hooks.example/SENTINEL'}]",
                "",
                "found ftp:",
            ),
            (
                "[{webhook: 'SENTINEL'}]",
                "",
                "webhook: not a valid address",
            ),
            ("SENTINEL", "", "expected sequence start at line 1"),
            ("[{webhook: {x: SENTINEL}}]", "", "expected string"),
            (
                "[{webhook: 'https://a/', secret: ''}]",
                "",
                "secret: is empty",
            ),
            (
                "[{webhook: 'https://a/SENTINEL', on: [exploded]}]",
                "",
                "applied",
            ),
            (
                "[{webhook: 'https://a/SENTINEL', mail: [a@b.c]}]",
                "",
                "either `webhook: URL`",
            ),
            ("[{mail: [ops@example.com]}]", "", "at the top level"),
            ("[{mail: [nobody]}]", mail, "`nobody` is not a mail address"),
            (
                "[{mail: [a@b.example], secret: SENTINEL}]",
                mail,
                "need a `webhook:`",
            ),
            (
                "[{mail: [a@b.example]}]",
                "{smtp: 'smtps://u:SENTI#NEL@h', from: a@b.c}",
                "`%40`",
            ),
            (
                "[{webhook: 'https://a/1'}, {webhook: 'https://a/2'}]",
                "",
                "two notices are named `a`",
            ),
            (
                "[{webhook: '${ROSTER_NOT_SET_HERE}'}]",
                "",
                "ROSTER_NOT_SET_HERE",
            ),
        ];
        for (notices, mail, said) in cases {
            let error = targets(notices, mail).unwrap_err();
            assert!(error.contains(said), "{notices}: {error}");
            assert!(!error.contains("SENTI"), "{error}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_matters_only_where_notices_are_sent() {
        assert!(read("[{webhook: '${ROSTER_NOT_SET_HERE}'}]", "").is_ok());
    }
}
