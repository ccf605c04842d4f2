//! A daemon with a hold, a failed source and tokens of every kind, and somebody who asks it.

use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{LIMIT, Workspace, account, sqlite, users};
use reqwest::{Client, Method, RequestBuilder, Response};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Instant;
use tokio::runtime::Runtime;

/// A name that is markup.
pub const HOSTILE: &str = "<script>alert(1)</script>";

/// Ids that mean something in an address.
pub const ODD: [&str; 9] = [
    ".", "..", "~..", "...", "a/b", "a?b=c&d", "a#b%2F", "två ord", "a\\b;c+d",
];

pub struct Site {
    pub ws: Workspace,
    pub served: DaemonProcess,
    pub base: String,
    tokens: BTreeMap<&'static str, String>,
    client: Client,
    runtime: Runtime,
}

/// An answer.
pub struct Page {
    pub status: u16,
    pub text: String,
    pub place: Option<String>,
    pub cookie: Option<String>,
    pub policy: String,
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

pub fn client() -> Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Only the first one counts, and it is always the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .no_proxy()
        // The server closes what is idle, as while a browser is at work in between.
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

impl Site {
    /// Two sources: of one half the users are gone and one account has a hostile name, the other is
    /// refused.
    pub fn start() -> Self {
        Self::with("", |_| {})
    }

    /// The same with further sources, whose files are written before the daemon starts.
    pub fn with(sources: &str, prepare: impl FnOnce(&Workspace)) -> Self {
        Self::on(sqlite(), sources, prepare)
    }

    /// The same on a database.
    pub fn on(ws: Workspace, sources: &str, prepare: impl FnOnce(&Workspace)) -> Self {
        prepare(&ws);
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nserve: {{listen: '127.0.0.1:0', tokens: tokens, url: 'http://roster.example', \
                 limits: {{rate: 10000, burst: 10000}}}}\n\
                 sources:\n  - {{name: customers, directory: manifests}}\n  \
                 - {{name: partners, directory: partners}}\n  \
                 - {{name: prospects, directory: prospects, mode: plan}}\n{sources}"
            ),
        );
        let mut tokens = BTreeMap::new();
        for (name, role, more) in [
            ("ada", "administrator", None),
            ("vera", "viewer", None),
            ("pia", "approver", Some("partners")),
        ] {
            let mut arguments = vec!["token", "create", "--name", name, "--role", role];
            arguments.extend(["--file", "tokens", "--output", "text"]);
            arguments.extend(more.iter().flat_map(|source| ["--sources", source]));
            let ran = ws.run(&arguments).exits(0);
            tokens.insert(name, ran.stdout.trim().to_owned());
        }
        let first = account("acme", "") + &users(1..21, "acme", "");
        ws.tree(first);
        let tag = |id: &str| format!("  - {{externalId: '{id}', name: tag}}\n");
        let tags: String = ODD.into_iter().map(tag).collect();
        ws.write("manifests/tags.yaml", format!("tags:\n{tags}"));
        ws.write("partners/all.yaml", users(90..91, "nobody", ""));
        let next = account("next", "").replace("name: next\n", &format!("name: {HOSTILE}\n"));
        ws.write("prospects/all.yaml", next + &users(50..53, "next", ""));
        let mut served = DaemonProcess::on(&ws, &[]);
        let line = served.says(&["listening at"]);
        let base = line.split_once("listening at ").expect("an address").1;
        let base = base.trim().to_owned();
        served.says(&["customers", "created", "as run"]);
        let renamed = account("acme", "").replace("name: acme\n", &format!("name: {HOSTILE}\n"));
        ws.tree(renamed + &users(1..11, "acme", ""));
        served.says(&["1 hold needs"]);
        let site = Self {
            ws,
            served,
            base,
            tokens,
            client: client(),
            runtime: runtime(),
        };
        // The log is ahead of what is kept.
        let cookie = site.login("ada");
        for words in [
            "10 people are deactivated",
            "failed source",
            ">planned</span>",
        ] {
            site.until("/", &cookie, words);
        }
        site
    }

    /// Waits until a page says something.
    #[track_caller]
    pub fn until(&self, path: &str, cookie: &str, words: &str) -> Page {
        let begin = Instant::now();
        loop {
            let page = self.get(path, cookie);
            if page.text.contains(words) {
                return page;
            }
            assert!(
                begin.elapsed() < LIMIT,
                "{path} never says {words}: {}",
                page.text
            );
        }
    }

    pub fn token(&self, name: &str) -> &str {
        &self.tokens[name]
    }

    fn ask(&self, method: Method, path: &str, cookie: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        request
            .header("accept", "text/html")
            .header("cookie", cookie)
    }

    fn answer(&self, request: RequestBuilder) -> Page {
        self.runtime.block_on(async {
            let response = request.send().await.expect("an answer");
            Page::of(response).await
        })
    }

    pub fn get(&self, path: &str, cookie: &str) -> Page {
        self.answer(self.ask(Method::GET, path, cookie))
    }

    pub fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Page {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        let form = "application/x-www-form-urlencoded";
        let request = self.ask(Method::POST, path, cookie);
        self.answer(request.header("content-type", form).body(body.join("&")))
    }

    /// Opens a session and gives its cookie.
    #[track_caller]
    pub fn login(&self, name: &str) -> String {
        let page = self.post(
            "/login",
            "",
            &[("token", self.token(name)), ("next", "/runs")],
        );
        assert_eq!((page.status, page.place.as_deref()), (303, Some("/runs")));
        let cookie = page.cookie.expect("a cookie");
        cookie.split(';').next().expect("a pair").to_owned()
    }
}

impl Page {
    async fn of(response: Response) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().expect("text").to_owned())
        };
        Self {
            status: response.status().as_u16(),
            place: header("location"),
            cookie: header("set-cookie"),
            policy: header("content-security-policy").unwrap_or_default(),
            text: response.text().await.expect("text"),
        }
    }

    /// What stands between quotes after each of these.
    pub fn after(&self, before: &str) -> Vec<String> {
        let parts = self.text.split(before).skip(1);
        parts
            .filter_map(|part| part.split('"').next())
            .map(|found| found.replace("&amp;", "&"))
            .collect()
    }

    /// What its forms carry so that no other site can send them.
    pub fn csrf(&self) -> String {
        self.after("name=\"csrf\" value=\"").swap_remove(0)
    }

    /// The id of the hold on it.
    pub fn hold(&self) -> String {
        let action = self.after("action=\"/holds/").swap_remove(0);
        action.trim_end_matches("/approve").to_owned()
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
