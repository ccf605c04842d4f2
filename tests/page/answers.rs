//! What the pages answer, without a browser.

use super::site::{HOSTILE, ODD, Site};
use std::collections::BTreeSet;

#[test]
fn who_has_no_session_is_sent_to_the_login_and_a_wrong_token_opens_none() {
    let site = Site::start();
    let page = site.get("/runs", "");
    assert_eq!(
        (page.status, page.place.as_deref()),
        (303, Some("/login?next=/runs"))
    );
    let page = site.post("/login", "", &[("token", "wrong")]);
    assert_eq!((page.status, page.cookie), (401, None));
    assert!(
        page.text.contains("unknown, expired or revoked"),
        "{}",
        page.text
    );
    let away = site.post(
        "/login",
        "",
        &[("token", site.token("vera")), ("next", "//evil.example")],
    );
    assert_eq!(away.place.as_deref(), Some("/"));
    let cookie = site.login("vera");
    let csrf = site.get("/", &cookie).csrf();
    assert_eq!(
        site.post("/logout", &cookie, &[("csrf", &csrf)]).status,
        303
    );
    assert_eq!(site.get("/", &cookie).status, 303);
}

#[test]
fn the_inbox_says_what_waits_and_a_hold_goes_through_in_parts() {
    let mut site = Site::start();
    let cookie = site.login("ada");
    let inbox = site.get("/", &cookie);
    for words in [
        "deactivate 10 resources",
        "1 source out of order",
        "all.yaml:10:11",
        "User/u-11",
    ] {
        assert!(inbox.text.contains(words), "{words}: {}", inbox.text);
    }
    let (hold, csrf) = (inbox.hold(), inbox.csrf());
    let approve = format!("/holds/{hold}/approve");
    let only = ("only", "User/u-11");
    let common = [("reason", "they left"), ("back", "/")];
    let forged = site.post(
        &approve,
        &cookie,
        &[&common[..], &[("scope", "all")]].concat(),
    );
    assert_eq!(forged.status, 403, "{}", forged.text);
    let common = [&common[..], &[("csrf", &*csrf)]].concat();
    for unclear in [&[][..], &[("scope", "ticked")], &[("scope", "all"), only]] {
        let page = site.post(&approve, &cookie, &[&common[..], unclear].concat());
        assert_eq!(page.status, 422, "{}", page.text);
    }
    let page = site.post(
        &approve,
        &cookie,
        &[&common[..], &[("scope", "ticked"), only]].concat(),
    );
    assert_eq!(
        (page.status, page.place.as_deref()),
        (303, Some("/?done=approved"))
    );
    site.served.says(&["deactivated 1", "run 3"]);
    // What is left is another hold, as the next pass says.
    let knock = "/sources/customers/reconcile";
    assert_eq!(site.post(knock, &cookie, &common).status, 303);
    site.served
        .says(&["customers: the database matches", "one hold waits"]);
    let mut inbox = site.until("/", &cookie, "deactivate 9 resources");
    while inbox.hold() == hold {
        inbox = site.get("/", &cookie);
    }
    let approve = format!("/holds/{}/approve", inbox.hold());
    let page = site.post(
        &approve,
        &cookie,
        &[&common[..], &[("scope", "all")]].concat(),
    );
    assert_eq!(page.status, 303, "{}", page.text);
    site.served.says(&["deactivated 9", "run 4"]);
    let inactive = "SELECT count(*) FROM users WHERE status = 'inactive'";
    assert_eq!(site.ws.value(inactive).as_deref(), Some("10"));
    let acts = site.get("/acts", &cookie);
    assert!(
        acts.text.contains("approve") && acts.text.contains("they left"),
        "{}",
        acts.text
    );
}

#[test]
fn a_source_is_suspended_with_a_reason_and_resumed() {
    let site = Site::start();
    let cookie = site.login("ada");
    let csrf = site.get("/sources/customers", &cookie).csrf();
    let with = |reason| {
        [
            ("csrf", &*csrf),
            ("reason", reason),
            ("back", "/sources/customers"),
        ]
    };
    let act =
        |act: &str, reason| site.post(&format!("/sources/customers/{act}"), &cookie, &with(reason));
    assert_eq!(act("suspend", " ").status, 422);
    assert_eq!(
        act("suspend", "the migration").place.as_deref(),
        Some("/sources/customers?done=suspended")
    );
    let page = site.get("/", &cookie);
    assert!(
        page.text.contains("suspended by ada: the migration"),
        "{}",
        page.text
    );
    assert_eq!(act("reconcile", "").status, 409);
    assert_eq!(act("resume", "done").status, 303);
    assert_eq!(
        act("reconcile", "").place.as_deref(),
        Some("/sources/customers?done=asked")
    );
}

#[test]
fn a_viewer_sees_no_forms_and_is_refused_and_a_token_of_a_source_sees_no_other() {
    let site = Site::start();
    let cookie = site.login("vera");
    for path in ["/", "/sources/customers", "/runs", "/resources", "/acts"] {
        let page = site.get(path, &cookie);
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(
            page.after("method=\"post\" action=\""),
            ["/logout"],
            "{path}"
        );
    }
    let ada = site.login("ada");
    let approve = format!("/holds/{}/approve", site.get("/", &ada).hold());
    let csrf = site.get("/", &cookie).csrf();
    for path in [
        &*approve,
        "/sources/customers/suspend",
        "/suspend",
        "/resume",
    ] {
        let fields = [("csrf", &*csrf), ("reason", "because"), ("scope", "all")];
        assert_eq!(site.post(path, &cookie, &fields).status, 403, "{path}");
    }
    let cookie = site.login("pia");
    let inbox = site.get("/", &cookie);
    assert!(
        inbox.text.contains("partners") && !inbox.text.contains("customers"),
        "{}",
        inbox.text
    );
    assert!(!site.get("/runs", &cookie).text.contains("customers"));
    for path in [
        "/sources/customers",
        "/resources",
        "/acts",
        "/resources/User/u-1",
    ] {
        assert_eq!(site.get(path, &cookie).status, 403, "{path}");
    }
    assert_eq!(site.get("/runs/1", &cookie).status, 404);
    let fields = [
        ("csrf", &*inbox.csrf()),
        ("reason", "because"),
        ("scope", "all"),
    ];
    assert_eq!(site.post(&approve, &cookie, &fields).status, 404);
}

#[test]
fn a_plan_is_searched_and_a_resource_says_who_set_what() {
    let site = Site::start();
    let cookie = site.login("vera");
    let plan = "/sources/prospects?q=";
    let page = site.get(
        &format!("{plan}next+storgatan&kind=Address&verb=create"),
        &cookie,
    );
    assert!(page.text.contains("1 of 5 steps."), "{}", page.text);
    assert!(page.text.contains("all.yaml:7:26"), "{}", page.text);
    let page = site.get(&format!("{plan}nothing-like-it"), &cookie);
    assert!(page.text.contains("0 of 5 steps."), "{}", page.text);
    let page = site.get("/sources/customers?q=nothing-like-it", &cookie);
    assert!(page.text.contains("0 of 1 steps."), "{}", page.text);
    let page = site.get("/resources?kind=User&q=u-2&status=active", &cookie);
    assert!(
        page.text.contains("/resources/User/u-2") && !page.text.contains("u-3"),
        "{}",
        page.text
    );
    let page = site.get("/resources/Account/acme", &cookie);
    for words in [
        "all.yaml:3:",
        "/runs/2",
        "customers",
        "companyRegistrationName",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
}

#[test]
fn every_id_that_a_manifest_may_say_has_a_page_and_is_reached_through_the_api() {
    let site = Site::start();
    let cookie = site.login("vera");
    let list = site.get("/resources?kind=Tag", &cookie);
    let links = list.after("href=\"/resources/Tag/");
    assert_eq!(links.len(), ODD.len(), "{links:?}");
    for id in ODD {
        let shown = format!(">Tag/{}<", id.replace('&', "&amp;"));
        let before = list.text.split(&shown).next().expect("some text");
        assert!(before.len() < list.text.len(), "{id} is not listed");
        let (_, link) = before.rsplit_once("href=\"").expect("a link");
        let path = link.trim_end_matches(['"', '>']);
        let page = site.get(path, &cookie);
        let title = format!("<h1>Tag/{}</h1>", id.replace('&', "&amp;"));
        assert!(page.text.contains(&title), "{path}: {}", page.text);
        for more in ["", "/history", "/why"] {
            let answer = site.get(&format!("/api/v1{path}{more}"), &cookie);
            assert_eq!(answer.status, 200, "{path}{more}: {}", answer.text);
            let quoted = serde_json::to_string(id).expect("JSON");
            assert!(
                answer.text.contains(&quoted),
                "{path}{more}: {}",
                answer.text
            );
        }
    }
}

#[test]
fn every_link_leads_somewhere_and_nothing_hostile_is_markup() {
    let site = Site::start();
    let cookie = site.login("ada");
    let (mut waiting, mut seen) = (vec!["/".to_owned()], BTreeSet::new());
    let mut hostile = 0;
    while let Some(path) = waiting.pop() {
        let path = path.split('#').next().unwrap_or_default().to_owned();
        if !path.starts_with('/') || !seen.insert(path.clone()) {
            continue;
        }
        let page = site.get(&path, &cookie);
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains(HOSTILE), "{path}");
        hostile += usize::from(page.text.contains("&lt;script&gt;"));
        if !path.starts_with("/assets/") {
            assert!(page.policy.contains("script-src 'self';"), "{path}");
            assert!(
                !page.text.contains("style=\"") && !page.text.contains("<style"),
                "{path}"
            );
            waiting.extend(page.after("href=\""));
            waiting.extend(page.after("src=\""));
        }
    }
    assert!(seen.len() > 25 && hostile > 2, "{hostile} of {seen:?}");
    let missing = site.get("/resources/User/%3Cscript%3E", &cookie);
    assert_eq!(missing.status, 404);
    assert!(missing.text.contains("&lt;script&gt;") && missing.text.contains("To the inbox"));
}
