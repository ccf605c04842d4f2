//! A headless Chromium, driven by its driver.

use super::site::{client, runtime};
use crate::support::workspace::{LIMIT, is_installed};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Chrome {
    driver: Child,
    base: String,
    session: String,
    client: Client,
    runtime: Runtime,
    profile: TempDir,
}

/// How often the driver is started until it gets a port.
const TRIES: usize = 5;

/// Starts the driver, and returns the port that it listens on, if it got one; `None` if there is no
/// driver.
fn start_driver() -> Option<(Child, Option<String>)> {
    let driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    if !is_installed("chromedriver (Debian: chromium-driver)", driver.is_ok()) {
        return None;
    }
    let mut driver = driver.expect("the driver");
    let output = driver.stdout.take().expect("its output");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        Some(port.trim_end_matches('.').to_owned())
    });
    Some((driver, port))
}

impl Chrome {
    pub fn start() -> Option<Self> {
        // It takes a free port of IPv4 and ends if that port is in use in IPv6.
        let mut started = (0..TRIES).map(|_| start_driver());
        let (driver, port) = started
            .find_map(|started| match started {
                Some((driver, Some(port))) => Some(Some((driver, port))),
                Some((mut driver, None)) => {
                    driver.wait().expect("its end");
                    None
                }
                None => Some(None),
            })
            .expect("a port")?;
        let profile = TempDir::with_prefix("roster-chromium-").expect("a folder");
        let mut chrome = Self {
            driver,
            base: format!("http://127.0.0.1:{port}"),
            session: String::new(),
            client: client(),
            runtime: runtime(),
            profile,
        };
        chrome.open();
        Some(chrome)
    }

    fn open(&mut self) {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let opened = self.call(&Method::POST, "", &wanted);
        let id = opened["sessionId"].as_str().expect("a session");
        self.session = format!("/{id}");
    }

    #[track_caller]
    fn call(&self, method: &Method, path: &str, body: &Value) -> Value {
        let value = self.answer(method, path, body);
        assert!(value["error"].is_null(), "{path} {body}: {value}");
        value
    }

    fn answer(&self, method: &Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/session{}{path}", self.base, self.session);
        let request = self.client.request(method.clone(), url);
        let request = if method == Method::POST {
            request.json(body)
        } else {
            request
        };
        let mut answer: Value = self.runtime.block_on(async {
            let answer = request.send().await.expect("an answer");
            answer.json().await.expect("JSON")
        });
        answer["value"].take()
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.call(&Method::POST, path, body)
    }

    pub fn cdp(&self, command: &str, parameters: &Value) {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        );
    }

    pub fn go(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// What a script comes to.
    pub fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What a script hands to `done`.
    pub fn later(&self, script: &str) -> Value {
        let script = format!("const done = arguments[0]; {script}");
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let found = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Waits until an element says something: a page may be on its way.
    #[track_caller]
    pub fn shows(&self, selector: &str, words: &str) {
        let begin = Instant::now();
        loop {
            let by = json!({"using": "css selector", "value": selector});
            let found = self.answer(&Method::POST, "/element", &by);
            let element = found[ELEMENT].as_str().unwrap_or("none");
            let path = format!("/element/{element}/text");
            let text = self.answer(&Method::GET, &path, &Value::Null);
            if text.as_str().is_some_and(|text| text.contains(words)) {
                return;
            }
            assert!(
                begin.elapsed() < LIMIT,
                "{selector} never says {words}: {text}"
            );
        }
    }

    /// Wide or narrow, light or dark.
    pub fn look(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.cdp("Emulation.setEmulatedMedia", &features);
    }

    /// The errors on its console.
    pub fn errors(&self) -> Vec<Value> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let all = log.as_array().cloned().unwrap_or_default();
        all.into_iter()
            .filter(|line| line["level"] == "SEVERE")
            .collect()
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        // The browser ends with its session; it may have ended by itself.
        let url = format!("{}/session{}", self.base, self.session);
        let ended = async { self.client.delete(url).send().await };
        let _ = self.runtime.block_on(ended);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.driver.id()).unwrap_or_default());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.driver.wait();
    }
}
