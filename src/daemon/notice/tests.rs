//! Tests of the events, the texts and the times of notices.

use super::samples::{failed, many};
use super::*;
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Key, LineColumn};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn diagnostic(line: u32, message: &str) -> Diagnostic {
    let origin = Origin {
        path: "users.yaml".into(),
        at: LineColumn { line, column: 7 },
    };
    Diagnostic::new(codes::PHONE, message)
        .for_resource(&Key::new(kinds::USER, "u-1"))
        .field("phone")
        .at(origin)
}

fn state(failed: Option<&str>, held: &[&str], drift: bool, applied: Option<&str>) -> NoticeState {
    NoticeState {
        failed: failed.map(str::to_owned),
        held: held
            .iter()
            .map(|id| (*id).to_owned())
            .collect::<BTreeSet<_>>(),
        drift,
        applied: applied.map(str::to_owned),
    }
}

#[test]
fn only_a_change_of_state_is_told() {
    use NoticeEvent::{Applied, Drift, Failed, Held, Recovered};
    let well = state(None, &[], false, Some("r1"));
    let cases = [
        (NoticeState::default(), NoticeState::default(), vec![]),
        (
            NoticeState::default(),
            state(Some("a"), &[], false, None),
            vec![Failed],
        ),
        (
            state(Some("a"), &[], false, None),
            state(Some("a"), &[], false, None),
            vec![],
        ),
        (
            state(Some("a"), &[], false, None),
            state(Some("b"), &[], false, None),
            vec![Failed],
        ),
        (
            state(Some("a"), &[], false, Some("r1")),
            well.clone(),
            vec![Recovered],
        ),
        (well.clone(), well.clone(), vec![]),
        (
            well.clone(),
            state(None, &["h1"], false, Some("r1")),
            vec![Held],
        ),
        (
            state(None, &["h1"], false, None),
            state(None, &["h1"], false, None),
            vec![],
        ),
        (
            state(None, &["h1"], false, None),
            state(None, &["h1", "h2"], false, None),
            vec![Held],
        ),
        (
            state(None, &["h1", "h2"], false, None),
            state(None, &["h2"], false, None),
            vec![],
        ),
        (
            well.clone(),
            state(None, &[], true, Some("r2")),
            vec![Drift, Applied],
        ),
        (state(None, &[], true, Some("r2")), well, vec![Applied]),
    ];
    for (before, after, events) in cases {
        assert_eq!(
            events_between(&before, &after),
            events,
            "{before:?} to {after:?}"
        );
    }
}

#[test]
fn the_same_failure_is_the_same_wherever_it_has_moved_to() {
    let one = fingerprint([&diagnostic(9, "`12a` is no number")]);
    assert_eq!(one, fingerprint([&diagnostic(12, "other words")]));
    assert_ne!(
        one,
        fingerprint([&diagnostic(9, "x"), &diagnostic(10, "y")])
    );
    assert_ne!(one, fingerprint([&diagnostic(9, "x").field("mobile")]));
}

#[test]
fn a_notice_does_not_contain_the_value_that_a_diagnostic_names() {
    let detail = NoticeDetail::from(&diagnostic(9, "`+46 70 SENTINEL` is no phone number"));
    assert_eq!(detail.place.as_ref().unwrap().to_string(), "users.yaml:9:7");
    let notice = Notice {
        details: vec![detail],
        ..failed()
    };
    for text in [
        document(&notice, "d"),
        slack(&notice),
        body(&notice, None),
        subject(&notice),
    ] {
        assert!(!text.contains("SENTINEL"));
    }
    assert!(body(&notice, None).contains("users.yaml:9:7  User/u-1 phone"));
}

#[test]
fn the_document_says_it_all_and_cuts_long_lists() {
    let document: Value = serde_json::from_str(&document(&many(103), "d-1")).unwrap();
    assert_eq!(document["formatVersion"], "1");
    assert_eq!(document["id"], "d-1");
    assert_eq!(document["event"], "failed");
    assert_eq!(document["since"], "2026-05-01T12:00:00Z");
    assert_eq!(document["details"].as_array().unwrap().len(), 100);
    assert_eq!(document["more"], 3);
    assert_eq!(
        document["details"][0]["origin"],
        json!({"path": "users.yaml", "line": 9, "column": 7})
    );
}

#[test]
fn a_slack_message_mentions_nobody_and_stays_within_the_limits() {
    let mut notice = many(40);
    notice.source = "<!channel>".to_owned();
    notice.summary = "a & b <@U1>".to_owned();
    notice.command = Some("roster approve hold 0123 --reason TEXT".to_owned());
    notice.details[0].resource = Some("Tag/`<!here>`\n".repeat(60));
    let text = slack(&notice);
    let message: Value = serde_json::from_str(&text).unwrap();
    let blocks = message["blocks"].as_array().unwrap();
    // Slack shows a header as plain text, so it is not escaped.
    assert_eq!(blocks[0]["text"]["type"], "plain_text");
    assert_eq!(blocks[1]["text"]["text"], "a &amp; b &lt;@U1&gt;");
    let list = blocks[2]["text"]["text"].as_str().unwrap();
    assert!(list.ends_with("… and 30 more"));
    assert!(!list.contains("<!"));
    assert!(
        blocks[3]["text"]["text"]
            .as_str()
            .unwrap()
            .contains("```roster approve hold")
    );
    let texts = blocks
        .iter()
        .filter_map(|block| block["text"]["text"].as_str());
    assert!(texts.map(str::len).all(|length| length < 3_000));
    let context = blocks[4]["elements"][0]["text"].as_str().unwrap();
    assert!(context.contains("<https://roster.example/sources/directory|open>"));
    assert!(
        message["text"]
            .as_str()
            .unwrap()
            .starts_with("[staging] &lt;!channel&gt; failed")
    );
}

#[test]
fn a_mail_says_it_in_plain_text() {
    assert_eq!(
        subject(&failed()),
        "Roster: [staging] directory failed: 1 error; nothing was applied."
    );
    let to = ["ops@example.com".to_owned()];
    assert_eq!(
        body(&failed(), Some(&to)),
        "Source:      directory
State:       failed, since 2026-05-01 12:00 UTC
Environment: staging
Revision:    4f2a9c1
Counts:      errors 1

1 error; nothing was applied.

- users.yaml:9:7  User/u-1 phone  A phone number contains a character that is not a digit.  (phone)

More: https://roster.example/sources/directory

This mail was addressed to ops@example.com; `mail.redirect` sent it here.
"
    );
    assert!(body(&many(53), None).contains("- and 3 more\n"));
    let lines = Notice {
        summary: "one\r\nBcc: all@example.com".to_owned(),
        ..failed()
    };
    assert!(!subject(&lines).contains(['\r', '\n']));
}

#[test]
fn a_signature_is_what_openssl_computes() {
    // Computed with: printf '1777636800.{"a":1}' | openssl dgst -sha256 -hmac key
    assert_eq!(
        sign("key", 1_777_636_800, br#"{"a":1}"#),
        "t=1777636800,v1=41d536115bda678a7f3055b5774da689f3102c7f95f0d5913ec735dc63c91e60"
    );
}

#[test]
fn a_notice_is_tried_again_for_a_day_as_its_target_wants() {
    let first = failed().since;
    let error = |status: u16, after| DeliveryError::Status {
        to: "https://a".to_owned(),
        status: reqwest::StatusCode::from_u16(status).unwrap(),
        line: String::new(),
        after,
    };
    let next =
        |attempts, error: &DeliveryError| next_attempt_at(first, attempts, first, error, 0.0);
    let busy = error(503, None);
    assert_eq!(next(1, &busy), Some(first + TimeDelta::seconds(10)));
    assert_eq!(next(4, &busy), Some(first + TimeDelta::seconds(80)));
    assert_eq!(next(60, &busy), Some(first + TimeDelta::hours(1)));
    assert_eq!(
        next(1, &error(429, Some(TimeDelta::minutes(7)))),
        Some(first + TimeDelta::minutes(7))
    );
    assert_eq!(next(1, &error(403, None)), None);
    let late = first + TimeDelta::hours(23) + TimeDelta::minutes(30);
    assert_eq!(next_attempt_at(first, 60, late, &busy, 0.0), None);
}
