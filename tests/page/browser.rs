//! What a browser makes of the pages, with scripts and without.

use super::chrome::{Chrome, there};
use super::site::Site;
use serde_json::{Value, json};

const PAGES: [&str; 11] = [
    "/",
    "/sources/customers",
    "/sources/prospects?q=next",
    "/sources/partners",
    "/resources?kind=User",
    "/resources/User/u-1",
    "/resources/Account/acme",
    "/runs",
    "/runs/1",
    "/acts",
    "/login",
];

fn log_in(chrome: &Chrome, site: &Site) {
    chrome.go(&format!("{}/", site.base));
    chrome.fill("#token", site.token("ada"));
    chrome.click("form.login button");
    chrome.shows("h1", "Inbox");
}

/// Logs in, searches in a plan, lets a hold through.
fn flows(chrome: &Chrome, site: &mut Site) {
    log_in(chrome, site);
    chrome.click("#sources a[href='/sources/prospects']");
    chrome.shows("h1", "Source prospects");
    chrome.fill("#q", "next script");
    chrome.click("form.search button");
    chrome.shows("#plan", "1 of 5 steps.");
    chrome.shows("#plan", "<script>alert(1)</script>");
    chrome.click("a[href='/']");
    chrome.shows("h1", "Inbox");
    chrome.click("input[name=scope][value=ticked]");
    chrome.click("input[name=only][value='User/u-11']");
    chrome.fill("#waiting input[name=reason]", "they left");
    chrome.click("#waiting form.act button");
    chrome.shows(".done", "Approved");
    site.served.says(&["deactivated 1"]);
}

#[test]
fn an_operator_finds_and_decides_with_scripts() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let mut site = Site::start();
    flows(&chrome, &mut site);
    // The page shows by itself what has become of it, and the focus stays where it was.
    chrome.script("document.querySelector(\"#sources a[href='/sources/partners']\").focus()");
    chrome.shows("#waiting", "deactivate 9 resources");
    assert_eq!(
        chrome.script("return document.activeElement.getAttribute('href')"),
        "/sources/partners"
    );
    assert_eq!(chrome.script("return location.search"), "");
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}

#[test]
fn an_operator_finds_and_decides_without_scripts() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let mut site = Site::start();
    chrome.cdp(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    flows(&chrome, &mut site);
}

#[test]
fn every_page_is_accessible_and_fits_light_and_dark() {
    let axe = std::env::var_os("ROSTER_AXE").map(std::fs::read_to_string);
    if !there(
        "axe-core (ROSTER_AXE, the path of axe.min.js)",
        axe.is_some(),
    ) {
        return;
    }
    let axe = axe.expect("a path").expect("axe-core");
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = Site::start();
    log_in(&chrome, &site);
    for (width, scheme) in [
        (360, "light"),
        (360, "dark"),
        (1440, "light"),
        (1440, "dark"),
    ] {
        chrome.look(width, scheme);
        for page in PAGES {
            chrome.go(&format!("{}{page}", site.base));
            let wide = chrome.script("return document.documentElement.scrollWidth");
            assert!(
                wide.as_u64() <= Some(width.into()),
                "{page} is {wide} wide at {width}"
            );
            chrome.script(&axe);
            let found = chrome.later(
                "axe.run(document, {resultTypes: ['violations']}).then((found) => \
                 done(found.violations.map((it) => [it.id, it.help, it.nodes.map((node) => node.html)])))",
            );
            assert_eq!(found, json!([]), "{page} at {width}, {scheme}");
        }
    }
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}
