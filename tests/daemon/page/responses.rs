//! What the pages answer, without a browser.

use super::site::{HOSTILE, ODD, Site};
use crate::support::workspace::{account, each, run, user, users};
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
        "10 people are deactivated; the limit is",
        "1 failed source",
        "all.yaml:10:12",
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
        .says(&["customers: nothing to apply", "1 hold needs"]);
    let mut inbox = site.until("/", &cookie, "9 people are deactivated");
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
fn a_hold_shows_each_change_beside_its_box_and_is_rejected_with_a_reason() {
    let site = Site::start();
    let cookie = site.login("ada");
    let page = site.get("/sources/customers/holds", &cookie);
    let (_, boxes) = page.text.split_once("value=\"User/u-11\"").expect("a box");
    let (item, _) = boxes.split_once("</li>").expect("its end");
    for words in [
        " checked",
        "Karin",
        "<dt>status</dt>",
        "<del>active</del>",
        "<ins>inactive</ins>",
    ] {
        assert!(item.contains(words), "{words}: {item}");
    }
    let (hold, csrf) = (page.hold(), page.csrf());
    let reject = format!("/holds/{hold}/reject");
    let fields = |reason| {
        let back = "/sources/customers/holds";
        [("csrf", &*csrf), ("reason", reason), ("back", back)]
    };
    assert_eq!(site.post(&reject, &cookie, &fields("no")[1..]).status, 403);
    assert_eq!(site.post(&reject, &cookie, &fields(" ")).status, 422);
    let done = site.post(&reject, &cookie, &fields("they are on leave"));
    let place = "/sources/customers/holds?done=rejected";
    assert_eq!((done.status, done.place.as_deref()), (303, Some(place)));
    let page = site.get(place, &cookie);
    for words in [
        "Rejected. It stays held",
        "Rejected by ada",
        "they are on leave",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let home = site.get("/", &cookie);
    assert!(!home.text.contains("they are on leave"), "{}", home.text);
    assert_eq!(site.post(&reject, &cookie, &fields("again")).status, 409);
    assert!(site.get("/acts", &cookie).text.contains("reject hold"));
    // Somebody with better reasons approves it all the same.
    let approve = [&fields("they have left")[..], &[("scope", "all")]].concat();
    let done = site.post(&format!("/holds/{hold}/approve"), &cookie, &approve);
    assert_eq!(done.status, 303, "{}", done.text);
    site.until("/runs", &cookie, "deactivate 10");
    // Who approved the run is known of the run, and not only of its pass.
    site.ws.sql("DELETE FROM passes");
    let run = site.get("/runs/3", &cookie);
    for words in ["Approved by ada", "they have left", "10 users lose access"] {
        assert!(run.text.contains(words), "{words}: {}", run.text);
    }
    let commit = r#"{"commits": {"count": 1, "listed": [{"revision": "a1", "author": "Eva", "subject": "Spring <b>"}]}}"#;
    site.ws.sql(&format!(
        "UPDATE run_causes SET document = '{commit}' WHERE run = 3"
    ));
    let runs = site.get("/runs", &cookie);
    assert!(runs.text.contains("Spring &lt;b&gt;"), "{}", runs.text);
    let run = site.get("/runs/3", &cookie);
    assert!(run.text.contains("Spring &lt;b&gt; by Eva"), "{}", run.text);
}

#[test]
fn what_depends_on_somebody_is_beside_the_hold_and_in_the_plan() {
    let carts = "impact: [{name: carts, kind: User, sql: \"select 'u-11', 5\", holdAbove: 100}]\n";
    let site = Site::with(carts, |_| {});
    let cookie = site.login("vera");
    let plan = site.until("/sources/customers/plan", &cookie, "impact: carts 5");
    assert_eq!(
        plan.text.matches("impact: carts").count(),
        1,
        "{}",
        plan.text
    );
}

#[test]
fn what_others_changed_is_charted() {
    let site = Site::start();
    let cookie = site.login("ada");
    let page = site.get("/sources/customers", &cookie);
    assert!(!page.text.contains("Drift, last"), "{}", page.text);
    site.ws
        .sql("UPDATE users SET first_name = 'Nobody' WHERE external_id IN ('u-1', 'u-2')");
    let csrf = page.csrf();
    let fields = [("csrf", &*csrf), ("back", "/sources/customers")];
    let asked = site.post("/sources/customers/reconcile", &cookie, &fields);
    assert_eq!(asked.status, 303, "{}", asked.text);
    let page = site.until("/sources/customers", &cookie, "Drift, last");
    assert!(
        page.text.contains("2 resources changed outside Roster"),
        "{}",
        page.text
    );
}

#[test]
fn everything_with_a_name_is_found_from_anywhere() {
    let site = Site::start();
    let cookie = site.login("vera");
    let find = |q: &str| site.get(&format!("/search?q={q}"), &cookie).text;
    for (q, link) in [
        ("u-12", "/resources/User/u-12"),
        ("User%2Fu-12", "/resources/User/u-12"),
        ("acme", "/resources/Account/acme"),
        ("custom", "/sources/customers"),
        ("1", "/runs/1"),
    ] {
        let link = format!("href=\"{link}\"");
        assert!(find(q).contains(&link), "{q}: {}", find(q));
    }
    assert!(find("nothing-like-it").contains("Nothing found"));
    site.ws
        .sql("UPDATE users SET last_name = 'Weiß', first_name = 'Ossi' WHERE external_id = 'u-3'");
    for q in ["weiss", "Wei%C3%9F", "WEISS", "ossi", "eiss"] {
        assert!(
            find(q).contains("href=\"/resources/User/u-3\""),
            "{q}: {}",
            find(q)
        );
    }
    // A hold by its id.
    let hold = site
        .get("/sources/customers/holds", &site.login("ada"))
        .hold();
    let link = format!("href=\"/sources/customers/holds?hold={hold}#hold-customers-{hold}\"");
    assert!(find(&hold).contains(&link), "{}", find(&hold));
    assert!(find(&hold[..6]).contains(&link), "{}", find(&hold));
    // A run by the revision that it applied, which is of a folder here.
    let revision = site
        .ws
        .value("SELECT revision FROM runs WHERE id = 2")
        .expect("a run");
    let short = &revision[..9];
    assert!(find(short).contains("href=\"/runs/2\""), "{}", find(short));
    assert!(find("%3Cb%3E").contains("&lt;b&gt;"));
    let list = site.get("/resources?kind=User&q=u-12", &cookie);
    for words in [
        "u-12@",
        "href=\"/resources/Account/acme\"",
        "href=\"/sources/customers\"",
    ] {
        assert!(list.text.contains(words), "{words}: {}", list.text);
    }
    // An address has no status, so none is active.
    let none = site.get("/resources?kind=Address&status=active", &cookie);
    assert_eq!(none.status, 200, "{}", none.text);
    let none = site.get("/resources?kind=User&source=partners", &cookie);
    assert!(none.text.contains("No resources found"), "{}", none.text);
}

#[test]
fn every_entry_of_the_audit_log_is_reached_page_by_page() {
    for ws in each("log") {
        let engine = ws.engine;
        let site = Site::on(ws, "", |_| {});
        let cookie = site.login("vera");
        // Several in one millisecond, which a page may part.
        let acts = (0..450).map(|n| {
            format!(
                "({}, {n}, 'eva', 'noted', 'number-{n}.', 'why')",
                1000 + n / 7
            )
        });
        let acts: Vec<String> = acts.collect();
        site.ws.sql(&format!(
            "INSERT INTO acts (at, id, actor, act, subject, reason) VALUES {}",
            acts.join(", ")
        ));
        let (mut found, mut pages, mut path) = (Vec::new(), 0, "/acts".to_owned());
        loop {
            let page = site.get(&path, &cookie);
            found.extend(page.after("data-label=\"Subject\">number-"));
            pages += 1;
            match page.text.split_once("\" rel=\"next\">Earlier acts") {
                Some((before, _)) => {
                    let (_, next) = before.rsplit_once("href=\"").expect("a link");
                    path = next.replace("&amp;", "&");
                }
                None => break,
            }
        }
        let numbers: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(
            (numbers.len(), found.len(), pages),
            (450, 450, 3),
            "{engine}"
        );
    }
}

#[test]
fn large_holds_have_pages_and_every_box_has_a_name() {
    let crowd = |leave: usize, groups: usize, levels: usize| {
        let group = "groups: [FOC_Admin]";
        let level = "accounts: [{account: crowd, level: administrator}]";
        let (first, second) = (1000 + leave, 1000 + leave + groups);
        account("crowd", "")
            + &users(first..second, "crowd", group)
            + &users(second..second + levels, "crowd", level)
            + &users(second + levels..1400, "crowd", "")
    };
    let site = Site::with("  - {name: crowd, directory: crowd}\n", |ws| {
        ws.write("crowd/all.yaml", crowd(0, 0, 0));
    });
    let cookie = site.login("ada");
    site.until("/runs", &cookie, "create 402");
    site.ws.write("crowd/all.yaml", crowd(110, 110, 110));
    let path = "/sources/crowd/holds";
    let mut page = site.until(path, &cookie, "110 people are deactivated");
    let (mut holds, mut pages) = (BTreeSet::new(), 1);
    loop {
        assert!(page.text.len() < 100_000, "{}", page.text.len());
        for hold in page.after("form class=\"act\" method=\"post\" action=\"/holds/") {
            holds.insert(hold.trim_end_matches("/approve").to_owned());
        }
        // Each of the hundred that are listed.
        for item in page.text.split("type=\"checkbox\"").skip(1) {
            let (item, _) = item.split_once("</label>").expect("its label");
            assert!(item.contains("Karin Åslund"), "{item}");
        }
        match page.text.split_once("\" rel=\"next\">Next holds") {
            Some((before, _)) => {
                let (_, next) = before.rsplit_once("href=\"").expect("a link");
                page = site.get(next, &cookie);
                pages += 1;
            }
            None => break,
        }
    }
    assert!(
        holds.len() >= 2 && pages >= 2,
        "{holds:?} on {pages} pages: {}",
        page.text
    );
    // A link to a hold leads to its page.
    for hold in &holds {
        let page = site.get(&format!("{path}?hold={hold}"), &cookie);
        assert!(
            page.text.contains(&format!("id=\"hold-crowd-{hold}\"")),
            "{hold}"
        );
    }
}

#[test]
fn every_page_shows_the_same_on_both_engines() {
    for ws in each("pages") {
        let engine = ws.engine;
        let site = Site::on(ws, "", |_| {});
        let cookie = site.login("ada");
        let shows = |path: &str, words: &[&str]| {
            let page = site.get(path, &cookie);
            for word in words {
                assert!(
                    page.text.contains(word),
                    "{engine} {path} {word}: {}",
                    page.text
                );
            }
        };
        shows(
            "/",
            &[
                "10 people are deactivated",
                "Steps a day",
                "1 failed source",
            ],
        );
        shows("/sources", &["customers", "partners"]);
        // The stored users that go are of an account, whose new name is hostile.
        shows(
            "/sources/customers/plan",
            &["id=\"account-acme\"", "10 held", "&lt;script&gt;"],
        );
        shows(
            "/sources/prospects/plan",
            &["id=\"account-next\"", "create 5"],
        );
        shows(
            "/sources/prospects/plan?by=verb",
            &["id=\"group-User-create\""],
        );
        shows(
            "/sources/customers/holds",
            &[
                "Karin Åslund",
                "<del>active</del>",
                "10 users lose access: u-11",
            ],
        );
        shows(
            "/sources/customers/history",
            &[
                "as <a href=\"/runs/2\">run 2</a>",
                "History <span class=\"count\">",
            ],
        );
        shows(
            "/search?q=acme",
            &["/resources/Account/acme", "/resources/Address/at-acme"],
        );
        shows(
            "/resources?kind=User&account=acme&source=customers&status=active",
            &["u-20@roster.example"],
        );
        shows("/resources/User/u-1", &["Karin Åslund", "Set by customers"]);
        shows("/runs", &["update 1"]);
        shows("/runs/2", &["Account: update 1"]);
        // Who the people are, beside their ids.
        shows(
            "/runs/1",
            &["/resources/User/u-1\">User/u-1</a> Karin Åslund"],
        );
        shows(
            "/sources/customers/plan",
            &["/resources/User/u-11\">User/u-11</a> Karin Åslund"],
        );
        // It would only be created, so only the plan knows the name.
        shows("/sources/prospects/plan", &["User/u-50</a> Karin Åslund"]);
    }
}

#[test]
fn a_field_that_was_changed_outside_shows_what_is_stored_and_what_is_declared() {
    let site = Site::start();
    let cookie = site.login("vera");
    let sources = ["customers", "partners", "prospects"];
    let ada = site.login("ada");
    for source in sources {
        let csrf = site.get("/", &ada).csrf();
        let fields = [("csrf", &*csrf), ("reason", "a test"), ("back", "/")];
        let path = format!("/sources/{source}/suspend");
        assert_eq!(site.post(&path, &ada, &fields).status, 303);
    }
    site.ws
        .sql("UPDATE users SET first_name = 'Hand' WHERE external_id = 'u-1'");
    let page = site.get("/resources/User/u-1", &cookie).text;
    let (_, row) = page
        .split_once("data-label=\"Field\">firstName<")
        .expect("the field");
    let (row, _) = row.split_once("</tr>").expect("its end");
    for words in [
        "changed outside Roster",
        "<dt>Stored</dt><dd>Hand</dd>",
        "<dt>Declared</dt><dd>Karin</dd>",
    ] {
        assert!(row.contains(words), "{words}: {row}");
    }
    // What set the fields is said once.
    assert_eq!(page.matches("Set by customers").count(), 1, "{page}");
    assert!(page.contains("<a class=\"key\" href=\"/resources/Account/acme\">acme</a>"));
}

/// The row of a field on the page of a resource.
fn field_row<'p>(page: &'p str, field: &str) -> &'p str {
    let begin = format!("data-label=\"Field\">{field}<");
    let (_, row) = page.split_once(&begin).expect("the field");
    row.split_once("</tr>").expect("its end").0
}

#[test]
fn a_list_and_a_field_that_no_run_set_show_what_is_declared_instead() {
    let adopted =
        "INSERT INTO tags (external_id, name, description) VALUES ('old', 'Old', 'As it was')";
    for ws in each("drift") {
        let engine = ws.engine;
        let site = Site::on(ws, "", |_| {});
        let (cookie, ada) = (site.login("vera"), site.login("ada"));
        site.ws.sql(adopted);
        // What was adopted as it was declared has no change that set it.
        site.ws.write(
            "manifests/adopted.yaml",
            "tags: [{externalId: old, name: Old, description: As it was}]\n",
        );
        site.until("/runs", &cookie, "adopt 1");
        for source in ["customers", "partners", "prospects"] {
            let csrf = site.get("/", &ada).csrf();
            let fields = [("csrf", &*csrf), ("reason", "a test"), ("back", "/")];
            let path = format!("/sources/{source}/suspend");
            assert_eq!(site.post(&path, &ada, &fields).status, 303);
        }
        for change in [
            "UPDATE tags SET description = 'By hand' WHERE external_id = 'old'",
            "UPDATE user_accounts SET level = 'administrator' WHERE user_id = 'u-1'",
            "DELETE FROM user_groups WHERE user_id = 'u-1'",
            "INSERT INTO user_groups (user_id, value) VALUES ('u-2', 'FOC_Admin')",
        ] {
            site.ws.sql(change);
        }
        let shows = |id: &str, field: &str, words: &[&str]| {
            let page = site.get(&format!("/resources/{id}"), &cookie).text;
            let row = field_row(&page, field);
            for word in words {
                assert!(row.contains(word), "{engine} {id} {field} {word}: {row}");
            }
        };
        let outside = "changed outside Roster";
        shows(
            "Tag/old",
            "description",
            &[outside, "By hand", "another value; see"],
        );
        shows(
            "User/u-1",
            "groups",
            &[
                outside,
                "<dt>Declared</dt><dd><ul class=\"members\"><li>FOC_User",
            ],
        );
        shows(
            "User/u-1",
            "accounts",
            &[outside, "administrator", "<dt>Declared</dt>"],
        );
        shows("User/u-2", "groups", &[outside, "FOC_Admin"]);
        // What nobody changed is not marked.
        let page = site.get("/resources/User/u-2", &cookie).text;
        for field in ["accounts", "email", "status"] {
            assert!(
                !field_row(&page, field).contains(outside),
                "{engine} {field}"
            );
        }
        assert!(
            !site
                .get("/resources/User/u-3", &cookie)
                .text
                .contains(outside)
        );
    }
}

#[test]
fn a_source_is_suspended_with_a_reason_and_resumed() {
    let site = Site::start();
    let cookie = site.login("ada");
    let csrf = site.get("/sources/customers", &cookie).csrf();
    let long = "x".repeat(2001);
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
    assert_eq!(act("suspend", &long).status, 422);
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
    for path in [
        "/",
        "/sources",
        "/sources/customers",
        "/sources/customers/holds",
        "/search?q=acme",
        "/runs",
        "/resources",
        "/acts",
    ] {
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
    let reject = approve.replace("/approve", "/reject");
    for path in [
        &*approve,
        &*reject,
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
    for path in ["", "/plan", "/holds", "/diagnostics", "/history"] {
        let page = site.get(&format!("/sources/partners{path}"), &cookie);
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains("/resources"), "{path}: {}", page.text);
    }
    for path in [
        "/sources/customers",
        "/sources/customers/plan",
        "/sources/customers/holds",
        "/resources",
        "/search?q=acme",
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
    let plan = "/sources/prospects/plan?q=";
    let page = site.get(
        &format!("{plan}next+storgatan&kind=Address&verb=create"),
        &cookie,
    );
    assert!(page.text.contains("1 of 5 steps."), "{}", page.text);
    assert!(page.text.contains("all.yaml:7:26"), "{}", page.text);
    let page = site.get(&format!("{plan}nothing-like-it"), &cookie);
    assert!(page.text.contains("0 of 5 steps."), "{}", page.text);
    let page = site.get("/sources/customers/plan?q=nothing-like-it", &cookie);
    assert!(
        page.text.contains("0 of 11 steps, including held steps."),
        "{}",
        page.text
    );
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
        let title = format!(
            "<code class=\"key\">Tag/{}</code>",
            id.replace('&', "&amp;")
        );
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
        assert!(page.text.len() < 100_000, "{path}: {}", page.text.len());
        hostile += usize::from(page.text.contains("&lt;script&gt;"));
        // A download of the API is no page.
        if !path.starts_with("/assets/") && !path.starts_with("/api/") {
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
    assert!(
        missing.text.contains("&lt;script&gt;") && missing.text.contains("Go to the home page")
    );
    // Somebody with a browser has no command line.
    assert!(!missing.text.contains("roster get"), "{}", missing.text);
}

/// Follows the ways to more of something to the end; the users that it names, and how many pages there were.
fn all_users(site: &Site, cookie: &str, first: &str) -> (BTreeSet<String>, usize) {
    let (mut path, mut pages) = (first.to_owned(), 0);
    let mut users = BTreeSet::new();
    loop {
        let page = site.get(&path, cookie);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.len() < 100_000, "{path}: {}", page.text.len());
        pages += 1;
        let named = page.text.split(">User/u-").skip(1);
        users.extend(named.filter_map(|rest| Some(rest.split_once('<')?.0.to_owned())));
        let Some((before, _)) = page.text.split_once("rel=\"next\"") else {
            return (users, pages);
        };
        let (_, href) = before.rsplit_once("href=\"").expect("a link");
        let href = href.split('"').next().expect("an address");
        path = href.replace("&amp;", "&").replace("#plan", "");
    }
}

#[test]
fn all_of_a_long_plan_and_of_a_long_run_is_reached_page_by_page() {
    let many = account("big", "") + &users(1000..1320, "big", "");
    let sources =
        "  - {name: grown, directory: grown}\n  - {name: big, directory: big, mode: plan}\n";
    let site = Site::with(sources, |ws| {
        ws.write("grown/all.yaml", &many);
        ws.write(
            "big/all.yaml",
            account("other", "") + &users(2000..2320, "other", ""),
        );
    });
    let cookie = site.login("vera");
    site.until("/sources/big/plan", &cookie, "322 steps.");
    let wanted = |from: usize| (from..from + 320).map(|n| n.to_string()).collect();
    let (planned, pages) = all_users(&site, &cookie, "/sources/big/plan");
    assert_eq!((planned, pages), (wanted(2000), 6));
    let (found, pages) = all_users(
        &site,
        &cookie,
        "/sources/big/plan?q=other&kind=User&verb=create",
    );
    assert_eq!((found, pages), (wanted(2000), 6));
    let runs = site.until("/runs", &cookie, "create 322");
    let (before, _) = runs.text.split_once("create 322").expect("the run");
    let (_, run) = before.rsplit_once("href=\"/runs/").expect("its link");
    let run = format!("/runs/{}", run.split('"').next().expect("its number"));
    let (changed, pages) = all_users(&site, &cookie, &run);
    assert_eq!((changed, pages), (wanted(1000), 5));
    // The counts are those of the run, not of the page.
    let first = site.get(&run, &cookie).text;
    for words in [
        "Account create 1, Address create 1, User create 320",
        "User: create 320",
    ] {
        assert!(first.contains(words), "{words}: {first}");
    }
    assert!(first.contains(" on this page)"), "{first}");
    // A hold of more resources than its card lists leads to all of them.
    site.ws.write(
        "grown/all.yaml",
        account("big", "") + &users(1000..1010, "big", ""),
    );
    let inbox = site.until("/", &cookie, "310 people are deactivated");
    assert!(inbox.text.contains("and 285 more"), "{}", inbox.text);
    let (held, pages) = all_users(&site, &cookie, "/sources/grown/plan?verb=held");
    assert_eq!((held.len(), pages), (310, 6));
}

#[test]
fn the_page_of_a_plan_says_who_sees_more_or_less() {
    let organisation = |id: &str| {
        format!("---\nkind: Organisation\nexternalId: {id}\nname: {id}\naccount: firm\n")
    };
    let tree = |of_sven: &str| {
        [
            account("firm", ""),
            organisation("north"),
            organisation("south"),
            user("nils", "firm", "organisations: [north]"),
            user("nora", "firm", "organisations: [north]"),
            user("sven", "firm", &format!("organisations: [{of_sven}]")),
            // So many that three who see more are no large share.
            account("far", ""),
            users(0..5, "far", ""),
        ]
        .concat()
    };
    let sources = "  - {name: firm, directory: firm, mode: plan}\n";
    let site = Site::with(sources, |ws| {
        ws.write("firm/all.yaml", tree("south"));
        let config = "apiVersion: roster/v1\nsources: [{name: firm, directory: firm}]\n";
        ws.write("roster.yaml", config);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.write("firm/all.yaml", tree("north"));
    });
    let cookie = site.login("vera");
    let page = site.until("/sources/firm/plan", &cookie, "3 users see more or less");
    for words in [
        // The sentence that every plan begins with.
        "3 users see more people.",
        "2 users: nils, nora",
        "gain user sven",
        "User/sven",
        "gains organisation north; users nils, nora",
        "loses organisation south",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    // The search looks there too; all of its words are in one entry.
    let section = |search: &str| {
        let text = site
            .get(&format!("/sources/firm/plan?{search}"), &cookie)
            .text;
        let (_, section) = text.split_once("id=\"visibility\"")?;
        let (section, _) = section.split_once("</details>")?;
        Some(section.to_owned())
    };
    let found = section("q=South").expect("what is found");
    assert!(
        found.contains("3 users see more or less, 1 found"),
        "{found}"
    );
    assert!(
        found.contains("User/sven") && !found.contains("2 users"),
        "{found}"
    );
    let found = section("q=users%3A+nora").expect("what is found");
    assert!(found.contains("more or less, 2 found"), "{found}");
    assert_eq!(section("q=north+nothing-such"), None);
    // A kind and a verb choose among steps.
    let whole = section("kind=User&verb=update").expect("all of it");
    assert!(
        whole.contains("nora") && !whole.contains("found"),
        "{whole}"
    );
    let plan = site.get("/api/v1/sources/firm/plan", &cookie).text;
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("a plan");
    assert_eq!(plan["visibility"][2]["loses"]["organisations"][0], "south");
}

#[test]
fn an_export_is_let_begin_from_the_inbox_and_its_page_says_how_it_stands() {
    let sources =
        "  - {name: erp, export: {file: erp.csv, preset: djust-accounts}, interval: 1s}\n";
    let site = Site::with(sources, |ws| {
        let head = "accountExternalId;accountName;companyRegistrationName;businessRegistrationNumber;customerTagExternalId;addressExternalId;addressFullName;addressCountry;addressCity;addressZipCode;addressStreetName";
        let address = "Acme;SE;Åre;837 52;Torget 1";
        let name = HOSTILE;
        let bad = format!("e-2;{name};Acme AB;556012-3456;gold;f-2;{address}");
        let good = format!("e-1;{name};Acme AB;556012-3456;;f-1;{address}");
        ws.write("erp.csv", format!("{head}\n{good}\n{bad}\n"));
    });
    let (ada, vera) = (site.login("ada"), site.login("vera"));
    let inbox = site.until("/", &ada, "awaiting first approval");
    let form = "action=\"/sources/erp/approve\"";
    for words in ["1 first approval", "It will create 2; 1 error", form] {
        assert!(inbox.text.contains(words), "{words}: {}", inbox.text);
    }
    let seen = site.get("/", &vera);
    assert!(seen.text.contains("awaiting first approval") && !seen.text.contains(form));
    let csrf = inbox.csrf();
    let fields = [
        ("csrf", &*csrf),
        ("back", "/"),
        ("reason", "the sample is right"),
    ];
    let path = "/sources/erp/approve";
    assert_eq!(site.post(path, &ada, &fields[1..]).status, 403);
    assert_eq!(site.post(path, &ada, &fields[..2]).status, 422);
    let begun = site.post(path, &ada, &fields);
    assert_eq!(
        (begun.status, begun.place.as_deref()),
        (303, Some("/?done=begun"))
    );
    assert!(
        site.get("/?done=begun", &ada)
            .text
            .contains("Approved. A pass was requested")
    );
    // Passes that only planned may still come to their end.
    let inbox = site.until("/", &ada, "1 hold, 2 failed sources");
    assert!(
        !inbox.text.contains("awaiting first approval"),
        "{}",
        inbox.text
    );
    let page = site.until("/sources/erp", &ada, "same bytes as the last export");
    for words in [
        "<dt>Rows</dt><dd>2",
        "<dt>Usable</dt><dd>yes",
        "accountExternalId, accountName",
        "/api/v1/sources/erp/report",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert!(!page.text.contains(HOSTILE), "{}", page.text);
    let report = site.get("/api/v1/sources/erp/report", &ada);
    assert!(
        report.status == 200 && report.text.contains("gold"),
        "{}",
        report.text
    );
    assert!(site.get("/acts", &ada).text.contains("the sample is right"));
}

#[test]
fn a_planted_file_name_is_visible_and_equal_errors_are_one_line() {
    let planted = "a\u{1b}[31m\u{202e}b\nPlan: 0 to create.yaml";
    let sources = "  - {name: planted, directory: planted}\n";
    let mut site = Site::with(sources, |ws| {
        let tag = |n| format!("  - {{externalId: t{n}}}\n");
        let tags: String = (0..600).map(tag).collect();
        ws.write(&format!("planted/{planted}"), format!("tags:\n{tags}"));
    });
    let cookie = site.login("vera");
    let page = site.until("/sources/planted/diagnostics", &cookie, "600 errors");
    let plain = |text: &str| !text.contains(['\u{1b}', '\u{202e}']);
    let shown = "a\\u{1b}[31m\\u{202e}b\\nPlan: 0 to create.yaml";
    assert!(
        plain(&page.text) && page.text.contains(shown),
        "{}",
        page.text
    );
    // 600 of one cause are one entry, with the first places.
    let (_, findings) = page
        .text
        .split_once("id=\"findings\"")
        .expect("the findings");
    let (findings, _) = findings.split_once("</section>").expect("their end");
    assert!(findings.contains("600 times"), "{findings}");
    let entries = findings.matches("cannot be created").count();
    assert_eq!(entries, 1, "{findings}");
    let inbox = site.get("/", &cookie);
    assert!(plain(&inbox.text), "{}", inbox.text);
    let log = site.served.said();
    assert!(plain(&log) && log.contains(shown), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("Plan:")), "{log}");
    for output in ["text", "json"] {
        let mut command = site.ws.command(&["status", "--output", output]);
        command.env("ROSTER_REMOTE", &site.base);
        command.env("ROSTER_TOKEN", site.token("vera"));
        let status = run(&mut command);
        assert!(
            plain(&status.stdout) && status.stdout.contains("Plan: 0"),
            "{status}"
        );
        assert!(
            !status.stdout.lines().any(|line| line.starts_with("Plan:")),
            "{status}"
        );
    }
}

#[test]
fn a_pending_account_is_decided_in_the_inbox_and_a_user_blocked_on_its_page() {
    let site = Site::with("", |ws| {
        let settings = "settings: [{externalId: settings, accountApproval: true}]\n";
        ws.write("manifests/settings.yaml", settings);
    });
    let cookie = site.login("ada");
    let inbox = site.until("/", &cookie, "awaiting approval");
    assert!(inbox.text.contains("1 pending account"), "{}", inbox.text);
    for words in ["Account/acme", "User/u-1", "customers", "all.yaml:1"] {
        assert!(inbox.text.contains(words), "{words}: {}", inbox.text);
    }
    for (kind, status, found) in [
        ("Account", "pending", true),
        ("Account", "blocked", false),
        // Only accounts wait for an approval.
        ("User", "pending", true),
    ] {
        let list = site.get(&format!("/resources?kind={kind}&status={status}"), &cookie);
        assert_eq!(list.status, 200, "{}", list.text);
        let has = !list.text.contains("No resources found");
        assert_eq!(has, found, "{kind} {status}: {}", list.text);
    }
    let csrf = inbox.csrf();
    let fields = |kind: &'static str, id: &'static str, reason: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("kind", kind.into()),
            ("ids", id.into()),
            ("reason", reason.into()),
            ("back", "/".into()),
        ]
    };
    let send = |act: &str, kind, id, reason| {
        let fields = fields(kind, id, reason);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        site.post(&format!("/acts/{act}"), &cookie, &fields)
    };
    assert_eq!(send("approve", "Account", "acme", " ").status, 422);
    let done = send("approve", "Account", "acme", "VAT checked");
    assert_eq!(
        (done.status, done.place.as_deref()),
        (303, Some("/?done=acted"))
    );
    assert_eq!(send("approve", "Account", "acme", "again").status, 409);
    let inbox = site.get("/?done=acted", &cookie);
    assert!(
        inbox
            .text
            .contains("Done. The history and the audit log show it.")
    );
    assert!(!inbox.text.contains("awaiting approval"), "{}", inbox.text);

    let page = site.get("/resources/User/u-1", &cookie);
    assert!(
        page.text.contains("action=\"/acts/block\""),
        "{}",
        page.text
    );
    assert_eq!(send("block", "User", "u-1", "stolen card").status, 303);
    let page = site.get("/resources/User/u-1", &cookie);
    assert!(
        page.text.contains("action=\"/acts/unblock\""),
        "{}",
        page.text
    );
    assert!(page.text.contains("stolen card"), "{}", page.text);
    let blocked = site.get("/resources?kind=User&status=blocked", &cookie);
    let ids = blocked.after("name=\"ids\" value=\"");
    assert_eq!(ids, ["u-1"], "{}", blocked.text);
    let list = "/resources?kind=User&q=u-1&source=customers";
    let list = site.get(list, &cookie);
    for words in [">blocked<", "name=\"source\" value=\"customers\""] {
        assert!(list.text.contains(words), "{words}: {}", list.text);
    }

    // A viewer sees no form.
    let viewer = site.login("vera");
    let page = site.get("/resources/User/u-1", &viewer);
    assert!(!page.text.contains("action=\"/acts/"), "{}", page.text);

    // What cannot be undone asks for the id once more.
    assert_eq!(send("delete", "User", "u-1", "left").status, 428);
    let back = "/resources/User/u-1";
    let mut confirmed = fields("User", "u-1", "left").to_vec();
    confirmed.extend([("confirm", "u-1".into()), ("back", back.into())]);
    confirmed.remove(4);
    let confirmed: Vec<(&str, &str)> = confirmed
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    let done = site.post("/acts/delete", &cookie, &confirmed);
    let place = format!("{back}?done=acted");
    assert_eq!((done.status, done.place), (303, Some(place.clone())));
    let page = site.get(&place, &cookie);
    assert!(page.text.contains("no longer stored"), "{}", page.text);
    assert!(!page.text.contains("/backup"), "{}", page.text);
    // Something is stored about the person all the same, for an administrator.
    let link = "/api/v1/resources/User/u-1/dossier";
    assert!(page.text.contains(link), "{}", page.text);
    let page = site.get(back, &viewer);
    assert!(!page.text.contains(link), "{}", page.text);
}

#[test]
fn an_acceptance_that_was_given_on_paper_is_recorded_on_the_page_of_the_user() {
    let site = Site::with("", |ws| {
        ws.write("manifests/sale.txt", "hello");
        let terms = "---\nkind: Terms\nexternalId: sale\ntitle: Sale\nfile: sale.txt\n";
        ws.write("manifests/terms.yaml", terms);
    });
    let cookie = site.login("ada");
    let page = site.until("/resources/User/u-1", &cookie, "not accepted");
    let csrf = page.csrf();
    let (_, after) = page
        .text
        .split_once("name=\"version\" value=\"")
        .expect("a version");
    let (version, _) = after.split_once('"').expect("its end");
    let send = |version: &str| {
        let fields = [
            ("csrf", &*csrf),
            ("kind", "User"),
            ("ids", "u-1"),
            ("terms", "sale"),
            ("version", version),
            ("reason", "signed on paper"),
            ("back", "/resources/User/u-1"),
        ];
        site.post("/acts/accept-terms", &cookie, &fields).status
    };
    assert_eq!(send("0123"), 409);
    assert_eq!(send(version), 303);
    assert_eq!(send(version), 409);
    let page = site.get("/resources/User/u-1", &cookie);
    assert!(!page.text.contains("not accepted"), "{}", page.text);
    assert!(page.text.contains("sale sha256:"), "{}", page.text);
    assert!(
        !page.text.contains("action=\"/acts/accept-terms\""),
        "{}",
        page.text
    );
}

#[test]
fn a_plan_on_the_page_says_which_accounts_will_wait() {
    let site = Site::with("", |ws| {
        let settings = "settings: [{externalId: settings, accountApproval: true}]\n";
        ws.write("manifests/settings.yaml", settings);
    });
    let cookie = site.login("ada");
    // Planned again, now that the settings are stored.
    let csrf = site.get("/sources/prospects", &cookie).csrf();
    let fields = [("csrf", &*csrf), ("reason", "look again"), ("back", "/")];
    let asked = site.post("/sources/prospects/reconcile", &cookie, &fields);
    assert_eq!(asked.status, 303, "{}", asked.text);
    let page = site.until("/sources/prospects/plan", &cookie, "pending approval");
    assert!(
        page.text.contains("create, pending approval"),
        "{}",
        page.text
    );
    let found = site.get("/sources/prospects/plan?q=pending+approval", &cookie);
    assert!(found.text.contains("1 of 5 steps"), "{}", found.text);
}

#[test]
fn an_invitation_whose_link_does_not_work_is_said_after_the_act() {
    let mail = "mail: {smtp: 'smtp://127.0.0.1:9', from: shop@example.com}\n";
    let site = Site::with(mail, |_| {});
    let cookie = site.login("ada");
    let csrf = site.get("/resources/User/u-1", &cookie).csrf();
    let send = |act: &str, id: &str| {
        let fields = [
            ("csrf", &*csrf),
            ("kind", "User"),
            ("ids", id),
            ("reason", "new customer"),
            ("back", "/"),
            ("send", "true"),
        ];
        site.post(&format!("/acts/{act}"), &cookie, &fields)
    };
    assert_eq!(send("block", "u-1").status, 303);
    assert_eq!(send("invite", "u-2").status, 303);
    let done = send("invite", "u-1");
    assert_eq!(done.status, 200, "{}", done.text);
    for words in ["User/u-1 is blocked", "invitation-unusable"] {
        assert!(done.text.contains(words), "{words}: {}", done.text);
    }
}
