use super::*;
use crate::diagnostic::codes;
use crate::kinds::{ACCOUNT, POLICY, SETTINGS, USER};
use crate::model::Value;
use crate::plan::StepReason;
use crate::plan::render::samples::{self, change, links, set, step, text};

fn with(plan: &Plan, options: &RenderOptions) -> String {
    let mut out = Vec::new();
    write(plan, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn at(plan: &Plan, detail: PlanDetail) -> String {
    with(
        plan,
        &RenderOptions {
            detail,
            ..RenderOptions::default()
        },
    )
}

fn written(plan: &Plan) -> String {
    at(plan, PlanDetail::Changes)
}

#[test]
fn a_plan_reads_kind_by_kind_and_ends_with_what_it_comes_to() {
    let depth = change(
        SETTINGS,
        "organisationDepth",
        Some(Value::Int(2)),
        Some(Value::Int(3)),
    );
    let mut drift = step(
        StepVerb::Update,
        ACCOUNT,
        "acme",
        vec![change(
            ACCOUNT,
            "website",
            None,
            text("https://acme.example"),
        )],
    );
    drift.reason = StepReason::Drift;
    let away = change(USER, "status", text("active"), text("inactive"));
    let mut plan = samples::plan(
        vec![
            step(StepVerb::Update, SETTINGS, "settings", vec![depth]),
            drift,
            step(StepVerb::Adopt, ACCOUNT, "beta", Vec::new()),
            samples::created("u1"),
            samples::updated("u2"),
            step(StepVerb::Deactivate, USER, "u5", vec![away]),
            step(StepVerb::Delete, USER, "u6", Vec::new()),
        ],
        Vec::new(),
    );
    plan.environment = Some("staging".into());
    assert_eq!(
        written(&plan),
        "\
Source directory at abc123, environment staging

Settings
  ~ update  Settings/settings  users.yaml:3:5
      organisationDepth: 2 → 3

Accounts
  ~ update  Account/acme  users.yaml:3:5  (drift)
      website: (none) → https://acme.example
  a adopt  Account/beta  users.yaml:3:5
      no field differs; this source claims it from now on

Users
  + create  User/u1  users.yaml:3:5
  ~ update  User/u2  users.yaml:3:5
      phone: +46 → +47
      company: Acme → (none)
      groups: + FOC_User, - FOC_Admin
      accounts: + new (user), - gone, ~ acme level user → administrator
      passwordFrom: (redacted)
      notify: false → true
      customFields.credit: 1.5 → 20
  x deactivate  User/u5  was users.yaml:3:5  (removed)
      status: active → inactive
  - delete  User/u6  was users.yaml:3:5  (removed)
      permanent: its id can never be used again

Plan: 1 to create, 3 to update, 1 to adopt, 1 to deactivate, 0 to reactivate, 1 to delete, 0 held.
"
    );
}

#[test]
fn nothing_to_do_is_said_in_one_sentence() {
    assert_eq!(
        written(&samples::plan(Vec::new(), Vec::new())),
        "Source directory at abc123\n\nNo changes. The directory matches the manifests.\n"
    );
}

#[test]
fn a_refused_plan_says_how_many_errors() {
    let error = crate::diagnostic::Diagnostic::new(codes::REFERENCE, "no such account");
    let mut plan = samples::plan(Vec::new(), Vec::new());
    plan.errored = true;
    plan.diagnostics = vec![error.clone()];
    assert!(written(&plan).ends_with("\nRefused: 1 error.\n"));
    plan.diagnostics = vec![error; 3];
    assert!(written(&plan).ends_with("\nRefused: 3 errors.\n"));
}

#[test]
fn a_guard_says_why_who_and_how_to_let_it_through() {
    let held = (0..104).map(|n| samples::guarded(&format!("u{n}"), 104));
    assert_eq!(
        written(&samples::plan(Vec::new(), held.collect())),
        "\
Source directory at abc123

Held
  ! held  guard  User.deactivate: 104 of 40 is more than the 4 that `guards.deactivate` allows at once; if this is intended, pass `--accept User.deactivate=104`
      deactivate  User/u0, User/u1, User/u2, User/u3, User/u4 and 99 more
        status: active → inactive
      to approve: roster approve hold 0123456789abcdef --reason \"…\"
      or: --accept User.deactivate=104

Plan: 0 to create, 0 to update, 0 to adopt, 0 to deactivate, 0 to reactivate, 0 to delete, 104 held.
"
    );
}

#[test]
fn a_hold_that_no_approval_helps_offers_none() {
    let waits = (0..7).map(|n| {
        let id = format!("u{n}");
        let mut held = samples::held(codes::HELD_DEPENDENCY, StepVerb::Create, &id, &id);
        held.root = codes::REFERENCE;
        held.message = format!("User/{id} belongs to Account/acme, which is held (reference)");
        held
    });
    let protected = samples::held(codes::PROTECTED, StepVerb::Delete, "boss", "p");
    let written = written(&samples::plan(
        Vec::new(),
        waits.chain([protected]).collect(),
    ));
    assert!(
        written.contains(
            "\
  ! held  held-dependency  7 resources, each for its own reason
      create  User/u0  users.yaml:9:5
        User/u0 belongs to Account/acme, which is held (reference)
"
        ),
        "{written}"
    );
    assert!(
        written
            .contains("      and 2 more\n      Applied once the step that it needs is applied.\n")
    );
    assert!(written.contains("It does not affect the exit code"));
    assert!(!written.contains("approve hold"));
}

#[test]
fn the_same_change_of_many_is_said_once() {
    let joins = |n: u32| {
        let groups = change(USER, "groups", None, set(&["FOC_User"]));
        step(StepVerb::Update, USER, &format!("u{n:03}"), vec![groups])
    };
    let steps: Vec<Step> = (0..412).map(joins).chain([samples::updated("z")]).collect();
    let written = written(&samples::plan(steps.clone(), Vec::new()));
    assert!(
        written.contains(
            "\
Users
  ~ update  412 users: groups + FOC_User
      u000, u001, u002 and 409 more
  ~ update  User/z  users.yaml:3:5
"
        ),
        "{written}"
    );
    let full = at(&samples::plan(steps, Vec::new()), PlanDetail::Full);
    assert_eq!(full.matches("groups: + FOC_User").count(), 413);
    let few = at(
        &samples::plan((0..4).map(joins).collect(), Vec::new()),
        PlanDetail::Changes,
    );
    assert_eq!(few.matches("~ update  User/").count(), 4);
}

#[test]
fn of_many_who_lose_access_more_are_named() {
    let leaves = |n: u32| {
        let away = change(USER, "status", text("active"), text("inactive"));
        step(StepVerb::Deactivate, USER, &format!("u{n}"), vec![away])
    };
    let written = written(&samples::plan((0..30).map(leaves).collect(), Vec::new()));
    assert!(written.contains("  x deactivate  30 users: status active → inactive  (removed)\n"));
    assert!(written.contains("u18, u19 and 10 more\n"), "{written}");
}

#[test]
fn very_many_creates_are_counted_and_full_lists_them() {
    let steps: Vec<Step> = (0..1_500)
        .map(|n| samples::created(&format!("u{n}")))
        .collect();
    let plan = samples::plan(steps, Vec::new());
    let written = written(&plan);
    assert!(written.contains("  + create  1,500 users (--detail full lists them)\n"));
    assert!(written.lines().count() < 10);
    let full = at(&plan, PlanDetail::Full);
    assert_eq!(full.matches("      firstName: Eva\n").count(), 1_500);
    assert!(full.contains(
        "\
  + create  User/u7  users.yaml:3:5
      firstName: Eva
      groups: + FOC_User
      accounts: + acme (administrator)
      passwordFrom: (redacted)
      status: active
"
    ));
    assert!(!full.contains("SECRET"));
}

#[test]
fn a_summary_counts_and_still_shows_holds() {
    let plan = samples::full();
    let summary = at(&plan, PlanDetail::Summary);
    assert!(summary.contains(
        "  Accounts: 1 to adopt\n  Users: 1 to create, 1 to update, 1 to deactivate, 1 to reactivate, 1 to delete\n"
    ), "{summary}");
    assert!(summary.contains("! held  guard"));
    assert!(!summary.contains("User/u2"));
}

#[test]
fn a_long_text_shows_the_words_that_differ() {
    let before = "Purchases over 500 euros are reviewed by the head of the department before they are ordered from the supplier.";
    let after = before
        .replace("500", "1000")
        .replace("supplier.", "supplier.\nAsk Eva.");
    let policy = step(
        StepVerb::Update,
        POLICY,
        "p",
        vec![change(POLICY, "message", text(before), text(&after))],
    );
    let plan = samples::plan(vec![policy], Vec::new());
    let written = written(&plan);
    assert!(
        written.contains("message: Purchases over [-500-]{+1000+} euros are reviewed by … are ordered from the supplier.{+\\nAsk Eva.+}\n"),
        "{written}"
    );
    let full = at(&plan, PlanDetail::Full);
    assert!(full.contains("Purchases over [-500-]{+1000+} euros are reviewed by the head"));
}

#[test]
fn values_cannot_write_to_the_terminal_or_pass_for_something_else() {
    let evil = [
        "\u{1b}[2Jall good",
        "a\nPlan: 0 to create",
        "\u{202e}drowssap",
        "(none)",
        " x ",
        "a → b",
    ];
    let changes = |value: &str| vec![change(USER, "company", None, text(value))];
    let steps = evil
        .iter()
        .map(|value| step(StepVerb::Update, USER, value, changes(value)));
    let mut plan = samples::plan(steps.collect(), Vec::new());
    plan.accepted = vec!["hold \u{7}".into()];
    plan.held = vec![samples::held(
        codes::CONFLICT,
        StepVerb::Update,
        "\u{9b}1m",
        "h",
    )];
    plan.held[0].message = "bad \u{1b}]0;title\u{7}".into();
    let written = written(&plan);
    assert!(
        !written.chars().any(|c| c.is_control() && c != '\n'),
        "{written:?}"
    );
    assert!(!written.contains('\u{202e}'));
    for expected in [
        "company: (none) → \\u{1b}[2Jall good\n",
        "company: (none) → a\\nPlan: 0 to create\n",
        "company: (none) → \"(none)\"\n",
        "company: (none) → \" x \"\n",
        "company: (none) → \"a → b\"\n",
    ] {
        assert!(written.contains(expected), "{expected} in {written}");
    }
    let last = written.lines().last().unwrap();
    assert!(last.starts_with("Plan: 0 to create, 6 to update"));
}

#[test]
fn colours_are_only_there_when_asked_for() {
    let plan = samples::full();
    assert!(!written(&plan).contains('\u{1b}'));
    let color = RenderOptions {
        color: true,
        ..RenderOptions::default()
    };
    let colored = with(&plan, &color);
    assert!(colored.contains("\u{1b}[32m+ create\u{1b}[0m"), "{colored}");
}

#[test]
fn boolean_attributes_of_links_are_words() {
    let uses = change(
        ACCOUNT,
        "addresses",
        links(&[("hq", &[0, 1])]),
        links(&[("hq", &[1, 1]), ("dock", &[1, 0])]),
    );
    let plan = samples::plan(
        vec![step(StepVerb::Update, ACCOUNT, "acme", vec![uses])],
        Vec::new(),
    );
    assert!(
        written(&plan)
            .contains("addresses: + dock (shipping, no billing), ~ hq shipping no → yes\n")
    );
}

#[test]
fn notes_say_what_is_left_alone_and_what_was_let_through() {
    let mut plan = samples::full();
    plan.summary.unclaimed = 12;
    let written = written(&plan);
    for expected in [
        "1 resource no longer declared; left unchanged (write `status: deleted` to remove it): Address/hq\n",
        "1 resource released by this source; another source still declares it: User/u7\n",
        "12 resources not declared by any source; Roster leaves them unchanged\n",
        "Approved by: User.delete=2\n",
        "Stored fields that no source declares\n  User/u1  phone\n",
        "Found: 1 warning.\n",
    ] {
        assert!(written.contains(expected), "{expected} in {written}");
    }
}

#[test]
fn the_exit_code_goes_by_precedence() {
    let of = |code, root| {
        let mut held = samples::held(code, StepVerb::Update, "u", "h");
        held.root = root;
        samples::plan(vec![samples::updated("u2")], vec![held]).exit_code(true)
    };
    assert_eq!(of(codes::PROTECTED, codes::PROTECTED), 2);
    assert_eq!(of(codes::GUARD, codes::GUARD), 3);
    assert_eq!(of(codes::HELD_DEPENDENCY, codes::REFERENCE), 1);
    assert_eq!(of(codes::HELD_DEPENDENCY, codes::ACCOUNT_REJECTED), 2);
    let plan = samples::plan(vec![samples::updated("u2")], Vec::new());
    assert_eq!((plan.exit_code(true), plan.exit_code(false)), (2, 0));
    assert_eq!(Plan::default().exit_code(true), 0);
}
