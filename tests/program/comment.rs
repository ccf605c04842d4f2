//! `roster comment` against GitHub, GitLab and Gitea on this machine: one comment for each plan,
//! whatever the platform does meanwhile.

use crate::support::http_exchange::HttpReply;
use crate::support::program::{Place, Ran};
use crate::support::review_platform::{BOT, PlatformKind, READ_TOKEN, ReviewPlatform, TOKEN};
use serde_json::json;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

const TAGS: &str = "tags:\n  - {externalId: north, name: North}\n";

/// A directory with an applied tree, and a plan of what changed since.
fn planned() -> Place {
    let place = Place::new("sqlite:roster.db");
    place.write("manifests/tags.yaml", TAGS);
    place.ok(&["apply", "manifests", "--yes", "--quiet"]);
    plan(&place, "South");
    place
}

/// Plans a new name, as a push to the branch would.
fn plan(place: &Place, name: &str) {
    place.write("manifests/tags.yaml", &TAGS.replace("North", name));
    place.ok(&[
        "plan",
        "manifests",
        "--out",
        "plan.json",
        "--output",
        "markdown=plan.md",
    ]);
}

fn comment(place: &Place, platform: &ReviewPlatform, token: &str, more: &[&str]) -> Ran {
    let mut command = place.command(&[&["comment", "--pr", "7", "-vv"], more].concat());
    command.envs(platform.variables(token));
    let ran = Ran::from_output(&command.output().expect("the program runs"));
    for text in [&ran.out, &ran.err] {
        assert!(!text.contains(token), "the token in {text}");
    }
    ran
}

fn commented(place: &Place, platform: &ReviewPlatform) -> String {
    let ran = comment(place, platform, TOKEN, &["--plan", "plan.json"]);
    assert_eq!(ran.code, Some(0), "{:?}: {ran:#?}", platform.kind);
    ran.out
}

#[test]
fn a_second_push_replaces_the_comment_and_the_same_plan_changes_nothing() {
    for kind in PlatformKind::ALL {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        // More than a page of what people say.
        for n in 0..130 {
            platform.comment_as("eva", &format!("comment {n}"));
        }
        let first = commented(&place, &platform);
        assert!(first.starts_with("Created the comment "), "{first}");
        let [written] = &platform.written()[..] else {
            panic!("{kind:?}: {:?}", platform.written())
        };
        assert!(
            written
                .body
                .starts_with("<!-- roster:plan source=directory -->\n### Plan: 1 to update.\n")
        );
        assert!(
            written.body.contains("+     name: South"),
            "{}",
            written.body
        );
        for n in 0..130 {
            platform.comment_as("olle", &format!("answer {n}"));
        }
        plan(&place, "West");
        let second = commented(&place, &platform);
        assert!(second.starts_with("Updated the comment "), "{second}");
        let [updated] = &platform.written()[..] else {
            panic!("{kind:?}: {:?}", platform.written())
        };
        assert_eq!(updated.id, written.id);
        assert!(updated.body.contains("West") && !updated.body.contains("South"));
        let third = commented(&place, &platform);
        assert!(third.starts_with("Unchanged: the comment "), "{third}");
        let json = comment(
            &place,
            &platform,
            TOKEN,
            &["--plan", "plan.json", "--output", "json"],
        );
        let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
        assert_eq!(json["items"][0]["outcome"], "unchanged");
        assert_eq!(json["items"][0]["id"], written.id);
        assert_eq!(platform.comments().len(), 261);
    }
}

#[test]
fn plans_of_two_environments_and_sources_keep_a_comment_each() {
    let config = "apiVersion: roster/v1\nsources:\n  - {name: a, directory: a}\n  - {name: b, directory: b}\nenvironments:\n  staging: {database: 'sqlite:staging.db'}\n  production: {database: 'sqlite:production.db'}\n";
    for kind in PlatformKind::ALL {
        let platform = ReviewPlatform::start(kind);
        let place = Place::new("sqlite:unused.db");
        place.write("roster.yaml", config);
        place.write("a/tags.yaml", TAGS);
        place.write("b/tags.yaml", "tags:\n  - {externalId: b, name: B}\n");
        let write = |environment: &str| {
            // Both sources go to one file.
            let mut command =
                place.command(&["plan", "-e", environment, "--output", "markdown=plan.md"]);
            let ran = Ran::from_output(
                &command
                    .env_remove("ROSTER_DATABASE")
                    .output()
                    .expect("runs"),
            );
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let ran = comment(&place, &platform, TOKEN, &["--plan", "plan.md"]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
        };
        for _ in 0..2 {
            write("staging");
            write("production");
        }
        let written = platform.written();
        let mut markers: Vec<&str> = written
            .iter()
            .filter_map(|it| it.body.lines().next())
            .collect();
        markers.sort_unstable();
        assert_eq!(
            markers,
            [
                "<!-- roster:plan source=a environment=production -->",
                "<!-- roster:plan source=a environment=staging -->",
                "<!-- roster:plan source=b environment=production -->",
                "<!-- roster:plan source=b environment=staging -->",
            ],
            "{kind:?}"
        );
    }
}

#[test]
fn a_comment_of_somebody_else_with_the_marker_is_never_taken_over() {
    for kind in PlatformKind::ALL {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        let trap = "<!-- roster:plan source=directory -->\nNothing to see here.";
        platform.comment_as("mallory", trap);
        commented(&place, &platform);
        plan(&place, "West");
        commented(&place, &platform);
        let comments = platform.comments();
        assert_eq!(comments.len(), 2, "{kind:?}: {comments:?}");
        assert_eq!(
            (comments[0].author.as_str(), comments[0].body.as_str()),
            ("mallory", trap)
        );
        assert_eq!(comments[1].author, BOT);
        assert!(comments[1].body.contains("West"));
    }
}

#[test]
fn a_token_that_may_not_ask_for_its_name_overwrites_nobody_and_keeps_one_comment() {
    for kind in PlatformKind::ALL {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        platform.hide_identity();
        let trap = "<!-- roster:plan source=directory -->\nNothing to see here.";
        platform.comment_as("mallory", trap);
        let first = commented(&place, &platform);
        assert!(first.starts_with("Created the comment "), "{first}");
        let id = platform.written()[0].id;
        plan(&place, "West");
        let second = comment(&place, &platform, TOKEN, &["--plan", "plan.json"]);
        assert!(second.out.starts_with("Updated the comment "), "{second:?}");
        assert!(
            second.err.contains("does not tell this token whose it is"),
            "{second:?}"
        );
        let third = commented(&place, &platform);
        assert!(third.starts_with("Unchanged: the comment "), "{third}");
        let comments = platform.comments();
        assert_eq!(comments.len(), 2, "{kind:?}: {comments:?}");
        assert_eq!(
            (comments[0].author.as_str(), comments[0].body.as_str()),
            ("mallory", trap)
        );
        assert_eq!((comments[1].author.as_str(), comments[1].id), (BOT, id));
        assert!(comments[1].body.contains("West"));
    }
}

#[test]
fn two_jobs_at_once_leave_one_comment() {
    for kind in PlatformKind::ALL {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        // Neither sees the comment of the other before it creates its own.
        platform.gather_lists(2);
        let start = || {
            let mut command = place.command(&["comment", "--pr", "7", "--plan", "plan.json"]);
            command
                .envs(platform.variables(TOKEN))
                .stdout(Stdio::null());
            command.spawn().expect("the program runs")
        };
        let jobs = [start(), start()];
        for mut job in jobs {
            assert!(job.wait().expect("it ends").success());
        }
        let posted = platform.requests();
        let posted = posted.iter().filter(|request| request.method == "POST");
        let posted = posted.filter(|request| !request.path.ends_with("/graphql"));
        assert_eq!(posted.count(), 2, "{kind:?}");
        assert_eq!(platform.written().len(), 1, "{kind:?}");
    }
}

#[test]
fn a_comment_that_appears_late_is_not_left_out_of_date() {
    let marker = "<!-- roster:plan source=directory -->";
    for kind in PlatformKind::ALL {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        // The answer comes too late, and the comment later still.
        platform.create_late_and_answer(HttpReply::json(504, &json!({})));
        commented(&place, &platform);
        let [first] = &platform.written()[..] else {
            panic!("{kind:?}: {:?}", platform.written())
        };
        // One appears after the run.
        platform.comment_as(BOT, &format!("{marker}\nAn old plan."));
        let again = commented(&place, &platform);
        assert!(again.starts_with("Unchanged: "), "{again}");
        assert_eq!(
            &platform.written()[..],
            std::slice::from_ref(first),
            "{kind:?}"
        );
        // Who may not delete it says where the current one is, once.
        platform.refuse_deletion();
        let late = platform.comment_as(BOT, &format!("{marker}\nAn old plan."));
        plan(&place, "West");
        commented(&place, &platform);
        let writes = || {
            let requests = platform.requests();
            let written = requests.iter().filter(|request| request.method != "GET");
            written
                .filter(|request| !request.path.ends_with("/graphql"))
                .count()
        };
        let before = writes();
        commented(&place, &platform);
        assert_eq!(writes(), before, "{kind:?}");
        let written = platform.written();
        assert_eq!(written[0].id, first.id);
        assert!(written[0].body.contains("West"), "{kind:?}: {written:?}");
        assert_eq!(written[1].id, late);
        let text = &written[1].body;
        assert!(
            text.starts_with(&format!(
                "{marker}\nThe current plan is in [another comment]("
            )) && text.contains(&first.id.to_string()),
            "{kind:?}: {text}"
        );
    }
}

#[test]
fn rate_limits_are_waited_for_and_long_ones_are_named() {
    let limited = || HttpReply::json(429, &json!({"message": "Too Many Requests"}));
    for kind in PlatformKind::ALL {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        let soon = chrono::Utc::now().timestamp() + 1;
        let secondary = "You have exceeded a secondary rate limit. Please wait a few minutes.";
        let secondary = HttpReply::json(403, &json!({"message": secondary}));
        for reply in [
            limited().with("Retry-After", 1),
            HttpReply::json(403, &json!({"message": "API rate limit exceeded"}))
                .with("X-RateLimit-Remaining", 0)
                .with("X-RateLimit-Reset", soon),
            secondary.clone().with("Retry-After", 0),
        ] {
            platform.refuse_next(reply);
        }
        let start = Instant::now();
        commented(&place, &platform);
        assert!(
            start.elapsed() >= Duration::from_secs(1),
            "{kind:?} did not wait"
        );
        assert_eq!(platform.written().len(), 1, "{kind:?}");
        // An hour is longer than a job should wait.
        platform.refuse_next(limited().with("Retry-After", 3600));
        let ran = comment(&place, &platform, TOKEN, &["--plan", "plan.json"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let said = "limits the requests of this token for another 60 min; run this again then, or pass `--timeout 61m`";
        assert!(ran.err.contains(said), "{ran:?}");
        // One that says nothing lasts a minute.
        platform.refuse_next(secondary);
        let ran = comment(
            &place,
            &platform,
            TOKEN,
            &["--plan", "plan.json", "--timeout", "10s"],
        );
        assert!(ran.err.contains("for another 1 min"), "{ran:?}");
    }
}

#[test]
fn failures_of_the_server_are_tried_again_without_a_second_comment() {
    let broken = |status| HttpReply::json(status, &json!({"message": "Server Error"}));
    for kind in PlatformKind::ALL {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        platform.refuse_next(broken(502));
        platform.refuse_next(broken(503));
        // The comment is written, and the answer is lost on the way.
        platform.carry_out_and_answer(broken(504));
        let said = commented(&place, &platform);
        assert!(said.starts_with("Unchanged: "), "{said}");
        assert_eq!(platform.written().len(), 1, "{kind:?}");
        for _ in 0..6 {
            platform.refuse_next(broken(500));
        }
        let ran = comment(
            &place,
            &platform,
            TOKEN,
            &["--plan", "plan.json", "--timeout", "2s"],
        );
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.err
                .contains(" is not working: it answered 500 Internal Server Error"),
            "{ran:?}"
        );
    }
}

#[test]
fn a_refusal_names_the_permission_and_never_the_token() {
    for (kind, needed) in [
        (
            PlatformKind::GitHub,
            "the token needs `pull-requests: write`",
        ),
        (PlatformKind::GitLab, "the token needs the scope `api`"),
        (
            PlatformKind::Gitea,
            "the token needs the scope `write:issue`",
        ),
    ] {
        let (place, platform) = (planned(), ReviewPlatform::start(kind));
        let refused = |token: &str, more: &[&str]| {
            let ran = comment(
                &place,
                &platform,
                token,
                &[&["--plan", "plan.json"], more].concat(),
            );
            assert_eq!(ran.code, Some(1), "{ran:?}");
            ran.err
        };
        let forbidden = refused(READ_TOKEN, &[]);
        assert!(
            forbidden.contains(" answered 403: ") && forbidden.contains(needed),
            "{forbidden}"
        );
        // The server repeats the token that it was given.
        let unknown = refused("tok-expired-9", &[]);
        assert!(
            unknown.contains(" answered 401: ")
                && unknown.contains("the token is wrong or has expired; check "),
            "{unknown}"
        );
        let missing = refused(TOKEN, &["--repository", "acme/other"]);
        assert!(
            missing.contains(" answered 404")
                && missing.contains(" 7 in acme/other, or the token may not see it"),
            "{missing}"
        );
        assert!(platform.comments().is_empty());
    }
}

#[test]
fn the_pull_request_of_the_job_is_the_default_and_what_is_missing_is_named_at_once() {
    let place = planned();
    let platform = ReviewPlatform::start(PlatformKind::GitLab);
    let mut command = place.command(&["comment", "--plan", "plan.md"]);
    command
        .envs(platform.variables(TOKEN))
        .env("CI_MERGE_REQUEST_IID", "7");
    let ran = Ran::from_output(&command.output().expect("the program runs"));
    assert_eq!(
        (ran.code, platform.written().len()),
        (Some(0), 1),
        "{ran:?}"
    );
    let ran = place.run(&["comment", "--plan", "plan.md", "--provider", "gitlab"]);
    assert_eq!(ran.code, Some(64));
    assert_eq!(
        ran.err,
        "error: to comment on GitLab, set `--api-url` or CI_API_V4_URL; `--repository` or CI_MERGE_REQUEST_PROJECT_ID, CI_PROJECT_ID; `--pr N`; `--token-file` or GITLAB_TOKEN, CI_JOB_TOKEN\n"
    );
    let ran = place.run(&["comment", "--plan", "plan.md"]);
    assert_eq!(ran.code, Some(64));
    assert!(
        ran.err.contains("no CI of GitHub, GitLab or Gitea found"),
        "{ran:?}"
    );
    // In the clear, anybody on the way could read the token.
    let mut command = place.command(&[
        "comment",
        "--plan",
        "plan.md",
        "--api-url",
        "http://git.example/api/v4",
    ]);
    command
        .envs(platform.variables(TOKEN))
        .env("CI_MERGE_REQUEST_IID", "7");
    let ran = Ran::from_output(&command.output().expect("the program runs"));
    assert_eq!(ran.code, Some(64));
    assert!(
        ran.err.contains("the token would be sent unencrypted"),
        "{ran:?}"
    );
}

#[test]
fn a_moved_repository_is_said_and_the_token_goes_nowhere_else() {
    let place = planned();
    let elsewhere = ReviewPlatform::start(PlatformKind::GitHub);
    for kind in PlatformKind::ALL {
        let platform = ReviewPlatform::start(kind);
        for _ in 0..2 {
            let moved = HttpReply::json(301, &json!({"message": "Moved Permanently"}));
            platform.refuse_next(moved.with("Location", elsewhere.api()));
        }
        let ran = comment(&place, &platform, TOKEN, &["--plan", "plan.json"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.err.contains("the API or the repository has moved"),
            "{ran:?}"
        );
    }
    assert!(elsewhere.requests().is_empty());
}

/// Runs the command with these variables only, for pull request 7.
fn comment_with(place: &Place, variables: &[(&str, String)], more: &[&str]) -> Ran {
    let arguments = [&["comment", "--plan", "plan.json", "--pr", "7"], more].concat();
    let mut command = place.command(&arguments);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    Ran::from_output(&command.output().expect("the program runs"))
}

#[test]
fn a_token_of_one_platform_is_never_sent_to_another() {
    let place = planned();
    let (github, gitea) = (
        ReviewPlatform::start(PlatformKind::GitHub),
        ReviewPlatform::start(PlatformKind::Gitea),
    );
    let text = |text: &str| text.to_owned();
    let in_github = |token: (&'static str, &str)| {
        let mut variables = vec![
            ("GITHUB_ACTIONS", text("true")),
            ("GITHUB_API_URL", github.api()),
            ("GITHUB_REPOSITORY", text("acme/customers")),
            ("GITEA_TOKEN", text("tok-of-gitea")),
        ];
        variables.push((token.0, token.1.to_owned()));
        variables
    };
    // In Actions of GitHub, the token of Gitea is for another job, with and without an address.
    let ran = comment_with(&place, &in_github(("GITHUB_SHA", "0")), &[]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: to comment on GitHub, set `--token-file` or GITHUB_TOKEN, GH_TOKEN\n"
    );
    let mut variables = in_github(("GITHUB_TOKEN", TOKEN));
    variables.push(("GITEA_API_URL", gitea.api()));
    let ran = comment_with(&place, &variables, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(github.written().len(), 1);
    // Nor does the token of the workflow go to Gitea.
    variables.retain(|(name, _)| *name != "GITEA_TOKEN");
    let provider = ["--provider", "gitea", "--repository", "acme/customers"];
    let ran = comment_with(&place, &variables, &provider);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(
        ran.err.ends_with("set `--token-file` or GITEA_TOKEN\n"),
        "{ran:?}"
    );
    assert!(gitea.requests().is_empty());

    // Actions of Gitea set the names of GitHub, also the one that says which CI it is.
    let mut variables = gitea.variables(TOKEN);
    variables.push(("GITHUB_ACTIONS", text("true")));
    let ran = comment_with(&place, &variables, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(gitea.written().len(), 1);
    let asked = (github.requests().len(), gitea.requests().len());
    variables.push(("GH_TOKEN", text("tok-of-github")));
    let ran = comment_with(&place, &variables, &["--provider", "github"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert_eq!(ran.err, "error: to comment on GitHub, set `--repository`\n");
    assert_eq!(asked, (github.requests().len(), gitea.requests().len()));
}

#[test]
fn a_login_in_the_address_is_never_printed() {
    let place = planned();
    // Nothing listens here.
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("its address");
    drop(closed);
    for (kind, name) in [
        (PlatformKind::GitHub, "GITHUB_API_URL"),
        (PlatformKind::GitLab, "CI_API_V4_URL"),
        (PlatformKind::Gitea, "GITHUB_API_URL"),
    ] {
        let platform = ReviewPlatform::start(kind);
        let with_login = |url: &str| url.replace("http://", "http://eva:hunter2@");
        let run = |url: &str, more: &[&str]| {
            let mut variables = platform.variables(TOKEN);
            variables.retain(|(variable, _)| *variable != name);
            variables.push((name, with_login(url)));
            let ran = comment_with(&place, &variables, &[&["-vv"], more].concat());
            for text in [&ran.out, &ran.err] {
                assert!(
                    !text.contains("hunter2") && !text.contains("eva:"),
                    "{text}"
                );
            }
            ran
        };
        let ran = run(&format!("http://{address}/api"), &["--timeout", "1s"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let said = format!(" at http://{address}/api is not working: ");
        assert!(ran.err.contains(&said), "{ran:?}");
        // Neither a redirect nor a refusal repeats it, and the token is sent all the same.
        let moved = HttpReply::json(301, &json!({"message": "moved to eva's, hunter2"}));
        for _ in 0..2 {
            platform.refuse_next(moved.clone().with("Location", with_login(&platform.api())));
        }
        assert_eq!(run(&platform.api(), &[]).code, Some(1));
        let ran = run(&platform.api(), &[]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(platform.written().len(), 1);
        for broken in ["http://[git.example/", "http://git.example/"] {
            assert_eq!(run(broken, &[]).code, Some(64));
        }
    }
}

#[test]
fn a_server_that_hangs_holds_the_job_no_longer_than_the_timeout() {
    let place = planned();
    // Connections are accepted by the system, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let api = format!("http://{}", silent.local_addr().expect("its address"));
    let variables = [
        ("GITHUB_API_URL", api.clone()),
        ("GITHUB_REPOSITORY", "acme/customers".to_owned()),
        ("GITHUB_TOKEN", TOKEN.to_owned()),
    ];
    let start = Instant::now();
    let ran = comment_with(&place, &variables, &["--timeout", "2s"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.err,
        format!("error: GitHub at {api} is not working: no answer within 2 s\n")
    );
    // Half of the 30 s that one request may take otherwise.
    assert!(start.elapsed() < Duration::from_secs(15), "{start:?}");
}

#[test]
fn what_is_wrong_with_a_token_is_said() {
    let (place, platform) = (planned(), ReviewPlatform::start(PlatformKind::GitHub));
    place.write("token", &format!("{TOKEN}\n# of eva\n"));
    let ran = comment(
        &place,
        &platform,
        TOKEN,
        &["--plan", "plan.json", "--token-file", "token"],
    );
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: the token in token has 2 lines; leave only the token\n"
    );
    let mut variables = platform.variables(TOKEN);
    variables.push(("GITHUB_TOKEN", "tok-\u{1}".to_owned()));
    let ran = comment_with(&place, &variables, &[]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(
        ran.err
            .starts_with("error: the token in GITHUB_TOKEN has a space or another character"),
        "{ran:?}"
    );
    // A daemon is asked with a token, too.
    let remote = ["status", "--remote", "http://127.0.0.1:1", "--token-file"];
    let ran = place.run(&[&remote[..], &["token"]].concat());
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(ran.err.contains("has 2 lines"), "{ran:?}");
    assert!(platform.requests().is_empty());
}

#[test]
fn options_that_cannot_change_markdown_are_refused() {
    let (place, platform) = (planned(), ReviewPlatform::start(PlatformKind::GitHub));
    for (option, more) in [
        ("--max-bytes", &["--max-bytes", "900"][..]),
        ("--show-personal", &["--show-personal"]),
        ("--detail", &["--detail", "full"]),
    ] {
        let ran = comment(
            &place,
            &platform,
            TOKEN,
            &[&["--plan", "plan.md"], more].concat(),
        );
        assert_eq!(ran.code, Some(64), "{ran:?}");
        let said = format!("`{option}` has no effect on plan.md, which is Markdown already");
        assert!(ran.err.contains(&said), "{ran:?}");
    }
    assert!(platform.requests().is_empty());
    let limited = ["--plan", "plan.json", "--max-bytes", "900"];
    assert_eq!(comment(&place, &platform, TOKEN, &limited).code, Some(0));
}

#[test]
fn a_file_with_the_plans_of_several_sources_is_shown_and_commented_in_full() {
    let place = Place::new("sqlite:roster.db");
    place.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources:\n  - {name: a, directory: a}\n  - {name: b, directory: b}\n",
    );
    place.write("a/tags.yaml", TAGS);
    place.write("b/tags.yaml", "tags:\n  - {externalId: b, name: Beta}\n");
    let text = place.ok(&[
        "plan",
        "--output",
        "json=plans.json",
        "--output",
        "markdown=plans.md",
    ]);
    assert_eq!(place.ok(&["show", "plans.json"]), text);
    let markers = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("<!-- "));
        lines.map(str::to_owned).collect()
    };
    let markdown = std::fs::read_to_string(place.path("plans.md")).expect("written");
    let shown = place.ok(&["show", "plans.json", "--output", "markdown"]);
    assert_eq!(markers(&shown), markers(&markdown));
    let json = std::fs::read_to_string(place.path("plans.json")).expect("written");
    assert_eq!(place.ok(&["show", "plans.json", "--output", "json"]), json);
    let platform = ReviewPlatform::start(PlatformKind::GitHub);
    let ran = comment(&place, &platform, TOKEN, &["--plan", "plans.json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let written = platform.written();
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written[0].body.contains("Tag/north"), "{written:?}");
    assert!(written[1].body.contains("Tag/b"), "{written:?}");
    // What was edited since is refused in each of them, and both cannot be applied as one.
    let ran = place.run(&["apply", "plans.json", "--yes"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(
        ran.err
            .contains("the plans of 2 sources are in it, and only one can be applied"),
        "{ran:?}"
    );
    place.edit("plans.json", "Beta", "Alpha");
    let ran = place.run(&["show", "plans.json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("was changed after it was saved"),
        "{ran:?}"
    );
}
