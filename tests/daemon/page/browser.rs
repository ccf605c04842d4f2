//! What a browser makes of the pages, with scripts and without.

use super::chrome::Chrome;
use super::site::Site;
use crate::support::workspace::{account, is_installed, users};
use serde_json::{Value, json};

const PAGES: [&str; 22] = [
    "/propose?form=account",
    "/propose?form=user&account=acme",
    "/propose?form=export",
    "/",
    "/sources",
    "/sources/customers",
    "/sources/customers/plan",
    "/sources/customers/holds",
    "/sources/customers/history",
    "/sources/prospects/plan?q=next",
    "/sources/prospects/plan?by=verb",
    "/sources/partners/diagnostics",
    "/search?q=acme",
    "/search?q=nothing-like-it",
    "/resources?kind=User",
    "/resources/User/u-1",
    "/resources/Account/acme",
    "/runs",
    "/runs/1",
    "/runs/1/revert",
    "/acts",
    "/login",
];

pub(super) fn log_in(chrome: &Chrome, site: &Site) {
    chrome.go(&format!("{}/", site.base));
    chrome.fill("#token", site.token("ada"));
    chrome.click("form.login button");
    chrome.shows("h1", "Home");
}

/// Logs in, searches in a plan, lets a hold through.
fn flows(chrome: &Chrome, site: &mut Site, approve: &str) {
    log_in(chrome, site);
    chrome.click("#sources a[href='/sources/prospects']");
    chrome.shows("h1", "Source prospects");
    chrome.click(".tabs a[href='/sources/prospects/plan']");
    chrome.shows(".tabs a[aria-current]", "Plan 5");
    chrome.fill("#q", "next script");
    chrome.click("form.search button");
    chrome.shows("#plan", "1 of 5 steps.");
    chrome.shows("#account-next", "create 1");
    chrome.shows("#plan", "<script>alert(1)</script>");
    chrome.click("a[href='/']");
    chrome.shows("h1", "Home");
    chrome.click("#waiting summary");
    chrome.shows("#waiting form.act", "Approve 10 changes");
    // Every box is ticked, so that somebody takes away what should not happen.
    for id in (12..21).map(|n| format!("User/u-{n}")) {
        chrome.click(&format!("input[name=only][value='{id}']"));
    }
    chrome.shows("#waiting button.approve", approve);
    chrome.fill("#waiting input[name=reason]", "they left");
    chrome.click("#waiting form.act button");
    chrome.shows(".done", "Approved");
    site.served.says(&["deactivated 1"]);
}

/// Deletes a user: the browser sends nothing until the id was typed once more.
#[test]
fn a_user_is_deleted_on_the_page_of_the_user() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = Site::start();
    log_in(&chrome, &site);
    chrome.go(&format!("{}/resources/User/u-1", site.base));
    chrome.click("#act-delete summary");
    chrome.shows("#possible", "This cannot be undone.");
    let form = "form[action='/acts/delete']";
    chrome.fill(&format!("{form} input[name=reason]"), "asked for it");
    chrome.click(&format!("{form} button"));
    chrome.shows(".id", "User/u-1");
    chrome.fill(&format!("{form} input[name=confirm]"), "u-1");
    chrome.click(&format!("{form} button"));
    chrome.shows(".wrong", "It is no longer stored.");
    chrome.shows("#history", "asked for it");
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}

/// Erases a user who was deleted before, whose page is still there until then.
#[test]
fn a_user_is_erased_on_the_page_of_the_user() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = Site::start();
    log_in(&chrome, &site);
    let delete = ["user", "delete", "u-1", "--confirm", "u-1", "--reason", "x"];
    site.ws.run(&delete).exits(0);
    chrome.go(&format!("{}/resources/User/u-1", site.base));
    chrome.shows(".wrong", "It is no longer stored.");
    chrome.click("#act-erase summary");
    let form = "form[action='/acts/erase']";
    chrome.fill(&format!("{form} input[name=confirm]"), "u-1");
    chrome.fill(&format!("{form} input[name=reason]"), "asked for it");
    chrome.click(&format!("{form} button"));
    chrome.shows("h1", "Erased");
    chrome.shows("#main", "Git history");
    chrome.go(&format!("{}/acts", site.base));
    chrome.shows("#main", "asked for it");
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}

/// Several users are blocked at once, from the list of an account, and the page says what that leaves.
fn blocks_several(chrome: &Chrome, site: &Site) {
    log_in(chrome, site);
    chrome.go(&format!("{}/resources/Account/acme", site.base));
    chrome.shows("#users", "u-10");
    chrome.click("#users h2 a");
    chrome.shows("#main", "Show all");
    for id in ["u-1", "u-2"] {
        chrome.click(&format!("#found input[value='{id}']"));
    }
    chrome.fill("#why-ticked", "left the company");
    chrome.click("button[formaction='/acts/block']");
    chrome.shows(".done", "The history and the audit log show it.");
    // The list is still that of the account.
    chrome.shows("#main", "Show all");
    for id in ["u-1", "u-2"] {
        chrome.go(&format!("{}/resources/User/{id}", site.base));
        chrome.shows(".facts", "left the company");
    }
}

#[test]
fn several_users_are_blocked_at_once_with_and_without_scripts() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = Site::start();
    blocks_several(&chrome, &site);
    assert_eq!(chrome.errors(), Vec::<Value>::new());
    site.ws
        .run(&["unblock", "User/u-1", "User/u-2", "--reason", "again"])
        .exits(0);
    chrome.click(".who button");
    chrome.cdp(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    blocks_several(&chrome, &site);
}

#[test]
fn the_page_says_what_an_act_leaves_to_nobody() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = Site::start();
    site.ws
        .sql("UPDATE users SET access = 'enabled' WHERE external_id = 'u-1'");
    log_in(&chrome, &site);
    chrome.go(&format!("{}/resources/User/u-1", site.base));
    chrome.click("#act-deactivate summary");
    let form = "form[action='/acts/deactivate']";
    chrome.fill(&format!("{form} input[name=reason]"), "left");
    chrome.click(&format!("{form} button"));
    chrome.shows("h1", "Done, with warnings");
    chrome.shows(
        ".wrong",
        "Account/acme has no user who can log in any more (last-user)",
    );
    chrome.click("#main p a");
    chrome.shows(".id", "User/u-1");
}

#[test]
fn an_operator_finds_and_decides_with_scripts() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let mut site = Site::start();
    flows(&chrome, &mut site, "Approve 1 change");
    // The page shows by itself what has become of it, and the focus stays where it was.
    chrome.script("document.querySelector(\"#sources a[href='/sources/partners']\").focus()");
    chrome.shows("#waiting", "9 people are deactivated");
    assert_eq!(
        chrome.script("return document.activeElement.getAttribute('href')"),
        "/sources/partners"
    );
    assert_eq!(chrome.script("return location.search"), "");
    let press = "document.body.dispatchEvent(new KeyboardEvent('keydown', \
        {key: '/', bubbles: true})); return document.activeElement.id";
    assert_eq!(chrome.script(press), "find");
    chrome.fill("#find", "u-12\u{e007}");
    chrome.shows("#main ul", "User/u-12");
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
    flows(&chrome, &mut site, "Approve 10 changes");
}

/// A source that no window lets apply, and the act that does.
fn overrules(chrome: &Chrome) {
    let sources =
        "  - {name: nightly, directory: nightly, windows: [{deny: '* * * * *', for: 2m}]}\n";
    let mut site = Site::with(sources, |ws| {
        ws.write(
            "nightly/all.yaml",
            account("late", "") + &users(70..71, "late", ""),
        );
    });
    log_in(chrome, &site);
    chrome.shows("#sources", "window closed");
    chrome.click("#sources a[href='/sources/nightly']");
    chrome.shows("#state", "closed by");
    // Without a reason it is not sent.
    chrome.click("form[action='/sources/nightly/overrule'] button");
    chrome.shows("h1", "Source nightly");
    chrome.fill(
        "#why-sources-nightly-overrule",
        "the invoice run waits for it",
    );
    chrome.click("form[action='/sources/nightly/overrule'] button");
    chrome.shows(".done", "It applies outside the window");
    site.served.says(&["nightly", "created"]);
    chrome.click("a[href='/acts']");
    for words in [
        "overrule window",
        "ada",
        "nightly",
        "the invoice run waits for it",
    ] {
        chrome.shows("#acts tbody tr", words);
    }
}

#[test]
fn a_closed_window_is_overruled_with_a_reason_that_is_recorded() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    overrules(&chrome);
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}

#[test]
fn a_closed_window_is_overruled_without_scripts() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    chrome.cdp(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    overrules(&chrome);
}

/// The path of the link in a drafted invitation of a user.
fn drafted_link(site: &Site, id: &str) -> String {
    let path = format!("/resources/User/{id}");
    // The draft is a file, so a person without a browser gets it here.
    let cookie = site.login("ada");
    let csrf = site.get(&path, &cookie).csrf();
    let fields = [
        ("csrf", &*csrf),
        ("kind", "User"),
        ("ids", id),
        ("reason", "new customer"),
        ("back", &*path),
    ];
    let draft = site.post("/acts/invite", &cookie, &fields);
    assert_eq!(draft.status, 200, "{}", draft.text);
    let (_, link) = draft
        .text
        .split_once("http://roster.example")
        .expect("a link");
    link.split_whitespace().next().expect("a path").to_owned()
}

/// An operator drafts an invitation on the page of a user, and the person uses its link.
fn invites(chrome: &Chrome, site: &Site, id: &str) {
    log_in(chrome, site);
    let path = format!("/resources/User/{id}");
    chrome.go(&format!("{}{path}", site.base));
    chrome.click("#act-invite summary");
    chrome.shows("#possible", "Invite User");
    let link = drafted_link(site, id);
    // The operator has a session in this browser, which changes nothing.
    chrome.go(&format!("{}{link}", site.base));
    chrome.shows("h1", "Set your password");
    chrome.fill("#password", "Winter2026");
    chrome.click("form.login button");
    chrome.shows("h1", "Your password is set");
    chrome.go(&format!("{}{path}", site.base));
    chrome.shows(".facts", "enabled");
}

#[test]
fn an_invited_person_sets_a_password_with_and_without_scripts() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = Site::start();
    invites(&chrome, &site, "u-1");
    assert_eq!(chrome.errors(), Vec::<Value>::new());
    chrome.go(&format!("{}/", site.base));
    chrome.click(".who button");
    chrome.cdp(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    invites(&chrome, &site, "u-2");
}

/// How often the page asked for news of itself, from now on.
const COUNT: &str = "window.asked = 0; const real = window.fetch; \
    window.fetch = (...all) => { window.asked += 1; return real(...all); };";
/// What makes the page ask at once.
const ASK: &str = "document.dispatchEvent(new Event('visibilitychange'));";

#[test]
fn news_leave_what_somebody_is_doing_alone() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let mut site = Site::start();
    log_in(&chrome, &site);
    let steps =
        "return parseInt(document.querySelector('#days figcaption').textContent.split(': ')[1])";
    let steps = chrome
        .script(steps)
        .as_u64()
        .expect("the steps of the last days");
    chrome.script(COUNT);
    chrome.click("#waiting summary");
    chrome.click("#waiting details[id^=commands] summary");
    chrome.click("#waiting input[name=only][value='User/u-12']");
    chrome.fill("#waiting input[name=reason]", "they have le");
    // Something happens while somebody types: nothing moves under their hands.
    site.ws.write(
        "manifests/all.yaml",
        account("acme", "website: https://acme.example") + &users(1..11, "acme", ""),
    );
    site.served.says(&["customers", "updated 1"]);
    chrome.script(ASK);
    assert_eq!(chrome.script("return window.asked"), 0);
    chrome.fill("#waiting input[name=reason]", "ft");
    let typed = "const at = document.activeElement; return [at.name, at.value]";
    assert_eq!(chrome.script(typed), json!(["reason", "they have left"]));
    // They look elsewhere: the news come, and what they began is as they left it.
    chrome.script("document.querySelector(\"a[href='/runs']\").focus()");
    chrome.script(ASK);
    chrome.shows("#days", &format!("{} steps", steps + 1));
    let begun = "const holds = document.getElementById('waiting'); return [\
        holds.querySelector('input[name=reason]').value,\
        holds.querySelector('details[id^=commands]').open,\
        [...holds.querySelectorAll('input[name=only]:not(:checked)')].map((box) => box.value),\
        document.activeElement.getAttribute('href')]";
    assert_eq!(
        chrome.script(begun),
        json!(["they have left", true, ["User/u-12"], "/runs"])
    );

    // What was searched for in a plan stays what is shown of it, and what was opened stays open.
    let search = "/sources/prospects/plan?q=next&kind=User&verb=create";
    chrome.go(&format!("{}{search}", site.base));
    chrome.shows("#plan", "3 of 5 steps.");
    chrome.click("#account-next summary");
    chrome.script("document.querySelector(\"a[href='/acts']\").focus()");
    site.ws.write(
        "prospects/all.yaml",
        account("next", "") + &users(50..54, "next", ""),
    );
    chrome.shows("#plan", "4 of 6 steps.");
    let left = "return [document.getElementById('q').value, \
        document.getElementById('account-next').open, location.search]";
    assert_eq!(
        chrome.script(left),
        json!(["next", false, "?q=next&kind=User&verb=create"])
    );
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}

#[test]
fn every_page_is_accessible_and_fits_light_and_dark() {
    let axe = std::env::var_os("ROSTER_AXE").map(std::fs::read_to_string);
    if !is_installed(
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
    let link = drafted_link(&site, "u-1");
    let pages: Vec<&str> = PAGES.iter().copied().chain([&*link]).collect();
    are_accessible(&chrome, &site, &axe, &pages);
    assert_eq!(chrome.errors(), Vec::<Value>::new());
    // The browser itself calls a page that does not exist an error.
    are_accessible(&chrome, &site, &axe, &["/resources/User/nobody"]);
}

/// Looks at pages with everything in them opened, wide and narrow, light and dark.
fn are_accessible(chrome: &Chrome, site: &Site, axe: &str, pages: &[&str]) {
    for (width, scheme) in [
        (360, "light"),
        (360, "dark"),
        (1440, "light"),
        (1440, "dark"),
    ] {
        chrome.look(width, scheme);
        for page in pages {
            chrome.go(&format!("{}{page}", site.base));
            chrome.script(
                "document.querySelectorAll('details').forEach((it) => { it.open = true; })",
            );
            let wide = chrome.script("return document.documentElement.scrollWidth");
            assert!(
                wide.as_u64() <= Some(width.into()),
                "{page} is {wide} wide at {width}"
            );
            chrome.script(axe);
            let found = chrome.later(
                "axe.run(document, {resultTypes: ['violations']}).then((found) => \
                 done(found.violations.map((it) => [it.id, it.help, it.nodes.map((node) => node.html)])))",
            );
            assert_eq!(found, json!([]), "{page} at {width}, {scheme}");
        }
    }
}
