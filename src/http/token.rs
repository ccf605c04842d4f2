//! Access tokens, and the file with their hashes. Only hashes are stored, so reading the file gives
//! nobody access.

use super::role::Role;
use chrono::{DateTime, NaiveDate, Utc};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The prefix of every token, by which secret scanners recognise it.
const PREFIX: &str = "roster_";

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How many base-62 digits 256 bits need.
const DIGITS: usize = 43;
const LONGEST_NAME: usize = 64;

/// The stored hash of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token as it was sent.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let mut bytes = [0; 32];
        // Non-ASCII bytes would make the pairs below invalid UTF-8.
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            // `from_str_radix` accepts a sign.
            if pair.contains('+') {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Compares in constant time.
    pub(super) fn constant_time_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(super) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

/// What a token allows: a line of the file.
#[derive(Clone, Debug)]
pub struct TokenGrant {
    /// The name in the audit log.
    pub name: Arc<str>,
    pub role: Role,
    /// When it expires.
    pub expires: Option<DateTime<Utc>>,
    /// The sources it covers; `None` for all.
    pub sources: Option<BTreeSet<Arc<str>>>,
    pub(super) hash: TokenHash,
}

impl TokenGrant {
    /// A new grant with its token, which is stored nowhere.
    pub fn create(
        name: &str,
        role: Role,
        expires: Option<DateTime<Utc>>,
        sources: Option<BTreeSet<Arc<str>>>,
    ) -> Result<(Self, String), String> {
        if !is_name(name) {
            return Err(format!(
                "`{name}` is not a valid token name; use at most {LONGEST_NAME} letters, digits and `._@-`"
            ));
        }
        if let Some(wrong) = sources.iter().flatten().find(|source| !is_name(source)) {
            return Err(format!("`{wrong}` is not a valid source name"));
        }
        let random = random_secret()
            .map_err(|error| format!("the system provides no random numbers: {error}"))?;
        let token = format!("{PREFIX}{random}");
        let grant = Self {
            name: name.into(),
            role,
            expires,
            sources,
            hash: TokenHash::of(&token),
        };
        Ok((grant, token))
    }

    pub fn line(&self) -> String {
        let mut line = format!("{} {} sha256:{}", self.name, self.role, self.hash.hex());
        if let Some(expires) = self.expires {
            let written = expires.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            line.push_str(" expires=");
            line.push_str(written.strip_suffix("T00:00:00Z").unwrap_or(&written));
        }
        if let Some(sources) = &self.sources {
            let names: Vec<&str> = sources.iter().map(AsRef::as_ref).collect();
            line.push_str(" sources=");
            line.push_str(&names.join(","));
        }
        line
    }

    /// Whether it has expired.
    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let mut next = |what: &str| words.next().ok_or_else(|| format!("{what} is missing"));
        let name = next("the name")?;
        if !is_name(name) {
            return Err("the name has characters other than letters, digits and `._@-`".to_owned());
        }
        // The next word may be a token or a hash in the wrong place, so messages do not repeat it.
        let role = Role::by_name(next("the role")?).ok_or_else(|| {
            let roles = Role::ALL.map(Role::name);
            format!("no such role; the roles are {}", roles.join(", "))
        })?;
        let hash = TokenHash::parse(next("the hash")?)
            .ok_or("the hash is not `sha256:` and 64 hexadecimal digits")?;
        let mut grant = Self {
            name: name.into(),
            role,
            expires: None,
            sources: None,
            hash,
        };
        for word in words {
            grant.option(word)?;
        }
        Ok(grant)
    }

    fn option(&mut self, word: &str) -> Result<(), String> {
        match word.split_once('=') {
            Some(("expires", text)) if self.expires.is_none() => {
                self.expires = Some(parse_expiry(text)?);
            }
            Some(("sources", text)) if self.sources.is_none() => {
                self.sources = Some(parse_sources(text)?);
            }
            Some(("expires" | "sources", _)) => return Err("an option is given twice".to_owned()),
            _ => return Err("only `expires=` and `sources=` are allowed after the hash".to_owned()),
        }
        Ok(())
    }
}

/// Reads a file of tokens.
pub fn parse(text: &str) -> Result<Vec<TokenGrant>, (usize, String)> {
    let mut grants: Vec<TokenGrant> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let grant = TokenGrant::parse(line).map_err(|error| (number, error))?;
        // If two people share a token, the audit log may name the wrong one.
        if let Some(other) = grants.iter().find(|other| other.hash == grant.hash) {
            let message = format!("`{}` already uses this token; create a new one", other.name);
            return Err((number, message));
        }
        grants.push(grant);
    }
    Ok(grants)
}

/// A day (from its start in UTC) or a point in time.
pub fn parse_expiry(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.with_timezone(&Utc))
        .map_err(|_| "not a valid date; use `2027-01-31` or `2027-01-31T12:00:00Z`".into())
}

/// `a,b`.
pub fn parse_sources(text: &str) -> Result<BTreeSet<Arc<str>>, String> {
    let names = text.split(',').map(str::trim);
    names
        .map(|name| {
            is_name(name)
                .then(|| name.into())
                .ok_or_else(|| "not a list of source names; use `a,b`".to_owned())
        })
        .collect()
}

fn is_name(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(known)
}

/// 256 random bits as letters and digits.
pub fn random_secret() -> Result<String, rand::rand_core::OsError> {
    // From the system's generator, because a token is a key.
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes)?;
    let mut digits = [0; DIGITS];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u16;
        for byte in &mut bytes {
            let value = rest << 8 | u16::from(*byte);
            // Both fit, because the divisor is less than 256.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = ALPHABET[usize::from(rest)];
    }
    Ok(digits.map(char::from).iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_token_reads_back_from_its_line() {
        let expires = parse_expiry("2027-01-01").expect("a day");
        let sources = parse_sources("erp,directory").expect("names");
        let (grant, token) =
            TokenGrant::create("ci", Role::Planner, Some(expires), Some(sources)).expect("a token");
        let line = grant.line();
        assert!(
            line.starts_with("ci planner sha256:")
                && line.ends_with(" expires=2027-01-01 sources=directory,erp"),
            "{line}"
        );
        assert!(!line.contains(&token));
        assert_eq!(token.len(), PREFIX.len() + DIGITS);
        let read = &parse(&format!("# the CI\n\n{line}\n")).expect("valid")[0];
        assert!(read.hash.constant_time_eq(&TokenHash::of(&token)));
        assert_eq!(read.line(), line);
        assert!(read.expired(expires) && !read.expired(expires - chrono::TimeDelta::seconds(1)));
    }

    #[test]
    fn a_broken_line_is_named_and_what_may_be_secret_is_not_repeated() {
        let hash = TokenHash::of("x").hex();
        let cases = [
            ("ada", "role is missing"),
            ("ada roster_PLANTED", "no such role"),
            ("ada viewer roster_PLANTED", "64 hexadecimal"),
            ("ada viewer sha256:+1", "64 hexadecimal"),
            (&format!("ada viewer sha256:{hash} until=PLANTED"), "only"),
            (
                &format!("ada viewer sha256:{hash} expires=PLANTED"),
                "2027-01-31",
            ),
            (&format!("ada viewer sha256:{hash} sources="), "names"),
            (
                &format!("a viewer sha256:{hash}\nb viewer sha256:{hash}"),
                "`a` already uses this token; create a new one",
            ),
        ];
        for (text, part) in cases {
            let (line, error) = parse(text).expect_err(text);
            assert_eq!(line, text.lines().count());
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("PLANTED"), "{error}");
        }
    }

    #[test]
    fn tokens_differ_and_names_are_plain() {
        assert_ne!(
            random_secret().expect("random"),
            random_secret().expect("random")
        );
        for name in ["", "a b", "a\nb", "ä", &"x".repeat(65)] {
            assert!(TokenGrant::create(name, Role::Viewer, None, None).is_err());
        }
    }
}
