//! Sessions of the web page: a token is sent once, then a random cookie stands for it.

use super::access::{AccessTokens, AuthMethod, Caller};
use super::token::{TokenGrant, TokenHash, random_secret};
use axum::http::{HeaderMap, HeaderValue, header};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// The form field with the session's CSRF token.
pub const CSRF_FIELD: &str = "csrf";
/// The header with it, for requests without a form.
pub const CSRF_HEADER: &str = "x-csrf-token";

const IDLE: Duration = Duration::from_hours(1);
const MAX_AGE: Duration = Duration::from_hours(12);
const MOST: usize = 1024;

/// The open sessions. They are kept in memory, so a restart asks for the token again.
pub struct LoginSessions {
    secure: bool,
    open: Mutex<HashMap<String, LoginSession>>,
}

struct LoginSession {
    token: TokenHash,
    csrf: Arc<str>,
    since: Instant,
    used: Instant,
}

impl fmt::Debug for LoginSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginSessions").finish_non_exhaustive()
    }
}

impl LoginSessions {
    /// No sessions yet; `secure` if browsers use https.
    pub fn new(secure: bool) -> Self {
        Self {
            secure,
            open: Mutex::default(),
        }
    }

    /// Opens a session in place of the request's own, and returns the cookie to set.
    pub fn open(
        &self,
        before: &HeaderMap,
        grant: &TokenGrant,
        now: Instant,
    ) -> Result<HeaderValue, String> {
        let failed = |error| format!("the system provides no random numbers: {error}");
        let id = random_secret().map_err(failed)?;
        let session = LoginSession {
            token: grant.hash,
            csrf: random_secret().map_err(failed)?.into(),
            since: now,
            used: now,
        };
        let mut open = self.lock();
        // A login must never continue a session that somebody else may have planted in the browser.
        for old in self.ids(before) {
            open.remove(&key(old));
        }
        // Only a login adds a session, so this is the only place where old ones have to be removed.
        open.retain(|_, session| session.is_live(now));
        // Full of live sessions, the one unused for longest goes, so that a login always works.
        if open.len() >= MOST {
            let oldest = open.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                open.remove(&oldest);
            }
        }
        open.insert(key(&id), session);
        self.cookie(&id, MAX_AGE)
    }

    /// The caller of the request's session. Its token is looked up every time, so that revoking the
    /// token ends the session.
    pub fn caller(
        &self,
        headers: &HeaderMap,
        access: &AccessTokens,
        now: Instant,
    ) -> Option<Caller> {
        let id = key(self.id(headers)?);
        let mut open = self.lock();
        let session = open.get_mut(&id).filter(|session| session.is_live(now))?;
        let Some(grant) = access.by_hash(&session.token) else {
            open.remove(&id);
            return None;
        };
        session.used = now;
        Some(Caller {
            csrf: Some(Arc::clone(&session.csrf)),
            ..Caller::from_grant(&grant, AuthMethod::Session)
        })
    }

    /// Ends the request's session, and returns the cookie that replaces it.
    pub fn close(&self, headers: &HeaderMap) -> HeaderValue {
        for id in self.ids(headers) {
            self.lock().remove(&key(id));
        }
        let gone = self.cookie("", Duration::ZERO);
        gone.unwrap_or(HeaderValue::from_static(""))
    }

    /// With `__Host-`, no other host of the domain can set the cookie.
    fn name(&self) -> &'static str {
        if self.secure {
            "__Host-roster"
        } else {
            "roster"
        }
    }

    fn cookie(&self, id: &str, age: Duration) -> Result<HeaderValue, String> {
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!(
            "{}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
            self.name(),
            age.as_secs()
        );
        HeaderValue::from_str(&cookie).map_err(|error| error.to_string())
    }

    fn id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        self.ids(headers).next()
    }

    /// A browser may send several cookies with this name, set for other paths.
    fn ids<'a>(&self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let own = self.name();
        let all = headers.get_all(header::COOKIE).into_iter();
        all.filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter_map(move |(name, id)| (name == own).then_some(id))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, LoginSession>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginSession {
    fn is_live(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < IDLE
            && now.saturating_duration_since(self.since) < MAX_AGE
    }
}

/// Sessions are stored by the hash of their id, so that the look-up time reveals nothing about an
/// id.
fn key(id: &str) -> String {
    TokenHash::of(id).hex()
}

/// Whether a form's token is the session's.
pub fn csrf_matches(caller: &Caller, sent: &str) -> bool {
    let expected = caller.csrf.as_deref().unwrap_or_default();
    !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(sent.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::role::Role;
    use std::os::unix::fs::PermissionsExt;

    struct SessionFixture {
        _dir: tempfile::TempDir,
        path: std::path::PathBuf,
        access: AccessTokens,
        grant: TokenGrant,
    }

    fn fixture() -> SessionFixture {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens");
        let (grant, _) = TokenGrant::create("ada", Role::Operator, None, None).expect("a token");
        std::fs::write(&path, grant.line()).expect("the file");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, mode).expect("its mode");
        let access = AccessTokens::open(Some(&path), false).expect("valid");
        SessionFixture {
            _dir: dir,
            path,
            access,
            grant,
        }
    }

    fn carried(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().expect("text").split(';').next();
        let value = format!("theme=dark; {}", pair.expect("a pair"));
        let value = HeaderValue::from_str(&value).expect("a header");
        HeaderMap::from_iter([(header::COOKIE, value)])
    }

    #[test]
    fn a_session_ends_idle_at_its_time_by_logout_and_with_its_token() {
        let fixture = fixture();
        let sessions = LoginSessions::new(true);
        let start = Instant::now();
        let open = || {
            carried(
                &sessions
                    .open(&HeaderMap::new(), &fixture.grant, start)
                    .expect("a session"),
            )
        };
        let alive = |headers: &HeaderMap, after: Duration| {
            let caller = sessions.caller(headers, &fixture.access, start + after);
            caller.is_some()
        };
        let one = open();
        assert!(alive(&one, IDLE / 2) && alive(&one, IDLE) && !alive(&one, 3 * IDLE));
        let two = open();
        for step in 1..24 {
            assert!(alive(&two, step * IDLE / 2), "{step}");
        }
        assert!(!alive(&two, MAX_AGE));
        let three = open();
        let gone = sessions.close(&three);
        assert!(gone.to_str().is_ok_and(|text| text.contains("Max-Age=0")));
        assert!(!alive(&three, Duration::ZERO));
        let four = open();
        std::fs::write(&fixture.path, "# nobody\n").expect("the file");
        assert!(!alive(&four, Duration::ZERO));
    }

    #[test]
    fn the_cookie_is_for_this_host_and_no_script() {
        let fixture = fixture();
        let cookie = |secure| {
            let cookie =
                LoginSessions::new(secure).open(&HeaderMap::new(), &fixture.grant, Instant::now());
            cookie
                .expect("a session")
                .to_str()
                .expect("text")
                .to_owned()
        };
        let secure = cookie(true);
        assert!(secure.starts_with("__Host-roster=") && secure.ends_with("; Secure"));
        let plain = cookie(false);
        assert!(plain.starts_with("roster=") && !plain.contains("Secure"));
        for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(secure.contains(part) && plain.contains(part));
        }
    }

    #[test]
    fn a_form_carries_its_own_sessions_token() {
        let fixture = fixture();
        let sessions = LoginSessions::new(false);
        let headers = carried(
            &sessions
                .open(&HeaderMap::new(), &fixture.grant, Instant::now())
                .expect("a session"),
        );
        let caller = sessions.caller(&headers, &fixture.access, Instant::now());
        let caller = caller.expect("a caller");
        let csrf = caller.csrf.clone().expect("a token");
        assert!(csrf_matches(&caller, &csrf) && !csrf_matches(&caller, ""));
        assert!(!csrf_matches(
            &Caller {
                csrf: None,
                ..caller
            },
            ""
        ));
    }
}
