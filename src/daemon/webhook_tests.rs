//! Webhooks as the hosts document them, and everything that is not quite one.

use super::*;
use axum::http::{HeaderName, HeaderValue};

const GITHUB: &str = r#"{"ref":"refs/heads/main","before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","after":"59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5","repository":{"clone_url":"https://github.com/acme/customers.git","ssh_url":"git@github.com:acme/customers.git"}}"#;
const GITLAB: &str = r#"{"object_kind":"push","ref":"refs/heads/main","after":"da1560886d4f094c3e6c9ef40349f7d38b5d27d7","project":{"git_http_url":"https://gitlab.example/acme/customers.git","git_ssh_url":"git@gitlab.example:acme/customers.git"}}"#;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

fn hex(secret: &str, body: &str) -> String {
    let digest = hmac_digest(secret.as_bytes(), &[body.as_bytes()]);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_614_265_330, 0).unwrap()
}

fn github(event: &str, secret: &str, body: &str) -> HeaderMap {
    let signature = format!("sha256={}", hex(secret, body));
    headers(&[
        ("X-GitHub-Event", event),
        ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("X-Hub-Signature-256", &signature),
    ])
}

#[test]
fn githubs_own_example_is_right() {
    let secret = "It's a Secret to Everybody";
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers = |signature| {
        headers(&[
            ("X-GitHub-Event", "watch"),
            ("X-Hub-Signature-256", signature),
        ])
    };
    let result = verify(&headers(signature), b"Hello, World!", secret, now());
    assert_eq!(result, Ok(WebhookEvent::Other("watch".to_owned())));
    let upper = signature.to_uppercase().replace("SHA256", "sha256");
    assert!(verify(&headers(&upper), b"Hello, World!", secret, now()).is_ok());
}

#[test]
fn a_push_names_its_branch_commit_and_repository() {
    let result = verify(
        &github("push", "s3cret", GITHUB),
        GITHUB.as_bytes(),
        "s3cret",
        now(),
    );
    let Ok(WebhookEvent::Push(push)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(
        push.delivery.as_deref(),
        Some("72d3162e-cc78-11e3-81ab-4c9367dc0958")
    );
    assert_eq!(push.reference, "refs/heads/main");
    assert_eq!(
        push.commit.as_deref(),
        Some("59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5")
    );
    assert_eq!(
        push.urls,
        [
            "git@github.com:acme/customers.git",
            "https://github.com/acme/customers.git"
        ]
    );
    assert!(push.concerns_ref("main") && push.concerns_ref("refs/heads/main"));
    assert!(
        !push.concerns_ref("release")
            && !push.concerns_ref("refs/tags/main")
            && !push.concerns_ref("in")
    );
    let tag = WebhookPush {
        reference: "refs/tags/v1".to_owned(),
        ..push
    };
    assert!(tag.concerns_ref("v1") && !tag.concerns_ref("main"));
}

#[test]
fn a_deleted_branch_has_no_commit_and_a_ping_is_one() {
    let body = GITHUB.replace("59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5", &"0".repeat(40));
    let result = verify(&github("push", "s", &body), body.as_bytes(), "s", now());
    assert!(matches!(
        result,
        Ok(WebhookEvent::Push(WebhookPush { commit: None, .. }))
    ));
    let result = verify(&github("ping", "s", "{}"), b"{}", "s", now());
    assert_eq!(result, Ok(WebhookEvent::Ping));
}

#[test]
fn one_bit_more_or_less_is_refused() {
    let good = github("push", "s3cret", GITHUB);
    let signature = good["x-hub-signature-256"].to_str().unwrap().to_owned();
    let refused = |headers: &HeaderMap, body: &str, secret: &str| {
        verify(headers, body.as_bytes(), secret, now()).unwrap_err()
    };
    for at in 0..GITHUB.len() {
        let mut body = GITHUB.as_bytes().to_vec();
        body[at] ^= 1;
        assert_eq!(
            verify(&good, &body, "s3cret", now()),
            Err(WebhookError::Signature)
        );
    }
    assert_eq!(refused(&good, GITHUB, "other"), WebhookError::Signature);
    assert_eq!(refused(&good, GITHUB, ""), WebhookError::Signature);
    for wrong in [
        "",
        "sha256=",
        &signature[..signature.len() - 2],
        &signature[7..],
        "sha256=zz",
        "sha1=00",
        "sha256=é",
    ] {
        let Ok(value) = HeaderValue::from_bytes(wrong.as_bytes()) else {
            continue;
        };
        let mut headers = good.clone();
        headers.insert("x-hub-signature-256", value);
        let error = refused(&headers, GITHUB, "s3cret");
        assert!(
            matches!(error, WebhookError::Signature | WebhookError::Unsigned),
            "{wrong}"
        );
    }
    let mut unsigned = good.clone();
    unsigned.remove("x-hub-signature-256");
    assert_eq!(refused(&unsigned, GITHUB, "s3cret"), WebhookError::Unsigned);
    // GitHub's older signature, which is not as strong, is not taken in its place.
    unsigned.insert("x-hub-signature", HeaderValue::from_static("sha1=00"));
    assert_eq!(refused(&unsigned, GITHUB, "s3cret"), WebhookError::Unsigned);
    assert_eq!(
        refused(&HeaderMap::new(), GITHUB, "s3cret"),
        WebhookError::UnknownHost
    );
}

#[test]
fn gitea_signs_in_its_own_header_and_is_not_taken_for_github() {
    let mut headers = headers(&[
        ("X-Gitea-Event", "push"),
        ("X-GitHub-Event", "push"),
        ("X-Gitea-Delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473"),
        ("X-Gitea-Signature", &hex("s", GITHUB)),
    ]);
    assert_eq!(detect_host(&headers), Some(GitHost::Gitea));
    let result = verify(&headers, GITHUB.as_bytes(), "s", now());
    assert!(
        matches!(result, Ok(WebhookEvent::Push(push)) if push.delivery.as_deref() == Some("f6266f16-1bf3-46a5-9ea4-602e06ead473"))
    );
    assert_eq!(
        verify(&headers, GITHUB.as_bytes(), "x", now()),
        Err(WebhookError::Signature)
    );
    headers.insert("x-gitea-signature", HeaderValue::from_static(""));
    assert_eq!(
        verify(&headers, GITHUB.as_bytes(), "s", now()),
        Err(WebhookError::Unsigned)
    );
}

#[test]
fn gitlab_sends_its_token_as_it_is() {
    let with = |event: &str, token: &str| {
        headers(&[
            ("X-Gitlab-Event", event),
            ("X-Gitlab-Token", token),
            ("Idempotency-Key", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"),
        ])
    };
    let result = verify(
        &with("Push Hook", "token"),
        GITLAB.as_bytes(),
        "token",
        now(),
    );
    let Ok(WebhookEvent::Push(push)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(
        push.delivery.as_deref(),
        Some("f5e5f430-f57b-4e6e-9fac-d9128cd7232f")
    );
    assert!(
        push.urls
            .contains(&"https://gitlab.example/acme/customers.git".to_owned())
    );
    for wrong in ["toke", "tokens", "Token", ""] {
        let result = verify(&with("Push Hook", wrong), GITLAB.as_bytes(), "token", now());
        assert_eq!(result, Err(WebhookError::Signature));
    }
    let result = verify(
        &with("System Hook", "token"),
        br#"{"object_kind":"note"}"#,
        "token",
        now(),
    );
    assert_eq!(result, Ok(WebhookEvent::Other("System Hook".to_owned())));
    let result = verify(&with("Push Hook", "token"), b"not json", "token", now());
    assert_eq!(result, Err(WebhookError::Body));
}

/// The example of the Standard Webhooks specification, which GitLab's signing tokens follow.
#[test]
fn gitlab_signs_with_a_signing_token() {
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    let with = |signature: &str, time: &str| {
        headers(&[
            ("X-Gitlab-Event", "Note Hook"),
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", time),
            ("webhook-signature", signature),
        ])
    };
    let judged = |headers: &HeaderMap, now| verify(headers, BODY, KEY, now);
    let good = with(SIGNATURE, "1614265330");
    assert!(judged(&good, now()).is_ok());
    assert!(judged(&with(&format!("v1,AAAA {SIGNATURE}"), "1614265330"), now()).is_ok());
    assert_eq!(
        judged(&good, now() + TimeDelta::minutes(6)),
        Err(WebhookError::Stale)
    );
    assert_eq!(
        judged(&good, now() - TimeDelta::minutes(6)),
        Err(WebhookError::Stale)
    );
    // A time that was not signed is no time.
    assert_eq!(
        judged(&with(SIGNATURE, "1614265331"), now()),
        Err(WebhookError::Signature)
    );
    assert_eq!(
        judged(&with("v2,g0hM", "1614265330"), now()),
        Err(WebhookError::Signature)
    );
    // With the key at hand one could send it as a token, which GitLab never does.
    let token = headers(&[("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", KEY)]);
    assert_eq!(judged(&token, now()), Err(WebhookError::Unsigned));
}

#[test]
fn a_delivery_that_comes_again_is_known_and_the_oldest_is_forgotten() {
    let mut seen = SeenDeliveries::new(3);
    let long = "x".repeat(5_000);
    assert!(seen.insert_delivery("a") && seen.insert_delivery("b") && seen.insert_delivery(&long));
    assert!(!seen.insert_delivery("a") && !seen.insert_delivery(&long));
    assert!(seen.insert_delivery("d"));
    assert!(
        seen.insert_delivery("a"),
        "the oldest of four was forgotten"
    );
    assert!(!seen.insert_delivery("d"));
    assert!(seen.order.iter().all(|name| name.len() <= 64));
}

#[test]
fn the_same_body_under_another_name_is_the_same_delivery() {
    let mut seen = SeenDeliveries::default();
    let push = |delivery: Option<&str>, signed: &str| WebhookPush {
        delivery: delivery.map(str::to_owned),
        body_digest: signed.to_owned(),
        reference: "refs/heads/main".to_owned(),
        commit: None,
        urls: Vec::new(),
    };
    assert!(seen.insert_push("shop", &push(Some("d-1"), "one")));
    assert!(!seen.insert_push("shop", &push(Some("d-2"), "one")));
    assert!(!seen.insert_push("shop", &push(None, "one")));
    assert!(!seen.insert_push("shop", &push(Some("d-1"), "two")));
    // One webhook may be for several sources.
    assert!(seen.insert_push("other", &push(Some("d-1"), "one")));
}
