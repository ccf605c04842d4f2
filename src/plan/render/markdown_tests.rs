use super::*;
use crate::diagnostic::codes;
use crate::kinds::{ACCOUNT, POLICY, USER};
use crate::plan::render::PseudonymKey;
use crate::plan::render::marker::MARKER_START;
use crate::plan::render::samples::{self, change, links, set, step, text};

pub(super) fn written(plan: &Plan, max_bytes: Option<usize>) -> String {
    written_with(plan, max_bytes, PersonalData::Shown)
}

pub(super) fn written_with(
    plan: &Plan,
    max_bytes: Option<usize>,
    personal: PersonalData,
) -> String {
    let options = RenderOptions {
        max_bytes,
        color: true,
        personal,
        ..RenderOptions::default()
    };
    let mut out = Vec::new();
    write(plan, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The sample with something of everything.
const FULL: &str = "\
<!-- roster:plan source=directory environment=staging -->
### Plan: 1 to create, 1 to update, 1 to adopt, 1 to deactivate, 1 to reactivate, 1 to delete, 2 held.

Source `directory` at `abc123`, environment `staging`

#### Look at this first

- **Held** (guard): ``User.deactivate: 20 of 40 is more than the 4 that `guards.deactivate` allows at once``
  - deactivate 2 users: `User/u8`, `User/u9`
  - to approve: `roster approve hold 0123456789abcdef --reason \"…\"` or `--accept User.deactivate=20`
- **Deletes** 1 user: `User/u4`
- **Deactivates** 1 user: `User/u5`
- **Takes rights** `User/u2`: `groups: - FOC_Admin`, `accounts: - gone` (declared, `users.yaml:3:5`)
- **Gives rights** `User/u1`: `groups: + FOC_User`, `accounts: + acme (administrator)` (new, `users.yaml:3:5`)
- **Gives rights** `User/u2`: `groups: + FOC_User`, `accounts: + new (user), ~ acme level user → administrator` (declared, `users.yaml:3:5`)
- **Gives rights** `User/u3`: `status: inactive → active` (returned, `users.yaml:3:5`)
- **Visibility** `User/u2`: `gains organisation south`, `loses organisation north; users u7, u8 and 3 more`
- **Visibility**: 2 more users

**Next:** approve or reject what is held. Apply the rest with `roster apply --source directory --environment staging`.

| | create | update | adopt | deactivate | reactivate | delete | held |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| Accounts |  |  | 1 |  |  |  |  |
| Users | 1 | 1 |  | 1 | 1 | 1 | 2 |

#### Errors and warnings

- **warning** `accounts/acme.yaml:4:3` (vat-format): `` `X` is not a VAT number ``
  - `` Write it as `DE123456789` ``

<details><summary>2 held changes</summary>

```diff
- deactivate  User/u8  users.yaml:9:5
-     status: active
+     status: inactive
- deactivate  User/u9  users.yaml:9:5
-     status: active
+     status: inactive
```

</details>

<details><summary>Accounts: 1 to adopt</summary>

```diff
  adopt  Account/acme  users.yaml:3:5
#     no field differs; this source claims it from now on
```

</details>

<details><summary>Users: 1 to create, 1 to update, 1 to deactivate, 1 to reactivate, 1 to delete</summary>

```diff
+ create  User/u1  users.yaml:3:5
! update  User/u2  users.yaml:3:5
-     phone: +46
+     phone: +47
-     company: Acme
-     groups: FOC_Admin
+     groups: FOC_User
-     accounts: gone
!     accounts: acme level user → administrator
+     accounts: new (user)
!     passwordFrom: (redacted)
-     notify: false
+     notify: true
-     customFields.credit: 1.5
+     customFields.credit: 20
+ reactivate  User/u3  users.yaml:3:5  (returned)
-     status: inactive
+     status: active
- delete  User/u4  was users.yaml:3:5  (removed)
#     permanent: its id can never be used again
- deactivate  User/u5  was users.yaml:3:5  (removed)
-     status: active
+     status: inactive
```

</details>

<details><summary>Notes</summary>

```text
Stored fields that no source declares
  User/u1  phone

1 resource no longer declared; left unchanged (write `status: deleted` to remove it): Address/hq
1 resource released by this source; another source still declares it: User/u7
Approved by: User.delete=2
```

</details>

";

#[test]
fn risks_come_before_details_and_details_are_folded() {
    assert_eq!(written(&samples::full(), None), FULL);
}

/// Everything before the first fold.
fn first_screen(markdown: &str) -> &str {
    markdown.split("<details>").next().unwrap_or_default()
}

#[test]
fn every_risk_is_named_on_the_first_screen_whatever_the_size() {
    let status = || vec![change(USER, "status", text("active"), text("inactive"))];
    let groups = || {
        vec![change(
            USER,
            "groups",
            set(&["FOC_Admin"]),
            set(&["FOC_User"]),
        )]
    };
    let named = |what: &str, n: u32| format!("{what}-{n}-{}", "x".repeat(200));
    for size in [1, 100, 10_000] {
        let mut steps = Vec::new();
        for n in 0..size {
            steps.push(step(
                StepVerb::Delete,
                ACCOUNT,
                &named("gone", n),
                Vec::new(),
            ));
            steps.push(step(StepVerb::Deactivate, USER, &named("off", n), status()));
            steps.push(step(StepVerb::Update, USER, &named("groups", n), groups()));
        }
        let mut held: Vec<_> = (0..size)
            .map(|n| samples::held(codes::CONFLICT, StepVerb::Update, &named("held", n), "h"))
            .collect();
        held.push(samples::guarded("guarded", 20));
        let mut plan = samples::plan(steps, held);
        plan.visibility = samples::full().visibility;
        plan.diagnostics = samples::full().diagnostics;
        plan.diagnostics[0].severity = Severity::Error;
        let written = written(&plan, None);
        assert!(written.len() <= MAX_BYTES, "{}", written.len());
        let shown = &written[..written.len().min(1_500)];
        for word in [
            "1 error",
            "**Deletes**",
            "**Deactivates**",
            "**Takes rights**",
            "**Gives rights**",
            "**Visibility**",
        ] {
            assert!(
                first_screen(shown).contains(word),
                "{size} {word}: {written}"
            );
        }
        let held = ["**2 holds** need a decision", "**Held** (guard)"];
        assert!(
            held.iter().any(|word| first_screen(shown).contains(word)),
            "{shown}"
        );
    }
}

#[test]
fn personal_data_becomes_pseudonyms_and_ids_stay() {
    let mut plan = samples::full();
    plan.logins = vec![crate::model::TakenLogin {
        user: "u1".into(),
        account: "acme".into(),
        name: "eva.l".into(),
    }];
    let key = PseudonymKey::from_secret(b"secret");
    let masked = written_with(&plan, None, PersonalData::Masked(Some(key)));
    for value in ["+46", "+47", "1.5", "eva.l"] {
        assert!(!masked.contains(value), "{value}: {masked}");
    }
    for shown in ["User/u1", "Acme", "FOC_Admin", "-     phone: (masked "] {
        assert!(masked.contains(shown), "{shown}: {masked}");
    }
    let other = PseudonymKey::from_secret(b"other");
    assert_ne!(
        masked,
        written_with(&plan, None, PersonalData::Masked(Some(other)))
    );
}

#[test]
fn the_next_step_depends_on_what_is_left_to_do() {
    let update = || vec![samples::updated("u2")];
    let held = || vec![samples::guarded("u8", 20)];
    let mut refused = samples::plan(Vec::new(), Vec::new());
    refused.errored = true;
    for (plan, expected) in [
        (samples::plan(Vec::new(), Vec::new()), None),
        (
            samples::plan(update(), Vec::new()),
            Some("apply with `roster apply --source directory`."),
        ),
        (
            samples::plan(Vec::new(), held()),
            Some("approve or reject what is held."),
        ),
        (
            samples::plan(update(), held()),
            Some("held. Apply the rest with `roster apply --source directory`."),
        ),
        (refused, Some("fix the errors, then plan again.")),
    ] {
        let next = next_step(&plan, &RenderOptions::default());
        match expected {
            None => assert_eq!(next, None),
            Some(end) => assert!(
                next.as_deref().is_some_and(|next| next.ends_with(end)),
                "{next:?}"
            ),
        }
    }
}

#[test]
fn a_plan_without_changes_is_short() {
    assert_eq!(
        written(&samples::plan(Vec::new(), Vec::new()), None),
        "<!-- roster:plan source=directory -->\n### No changes. The directory matches the manifests.\n\nSource `directory` at `abc123`\n\n"
    );
}

#[test]
fn approvers_and_administrators_show_who_gains_and_who_loses() {
    let policy = change(POLICY, "approvers", set(&["u1"]), set(&["u2"]));
    let lowered = change(
        USER,
        "accounts",
        links(&[("acme", &[1])]),
        links(&[("acme", &[0])]),
    );
    let quiet = change(ACCOUNT, "name", text("A"), text("B"));
    let plan = samples::plan(
        vec![
            step(StepVerb::Update, ACCOUNT, "acme", vec![quiet]),
            step(StepVerb::Update, USER, "u3", vec![lowered]),
            step(StepVerb::Update, POLICY, "p", vec![policy]),
        ],
        Vec::new(),
    );
    let written = written(&plan, None);
    for expected in [
        "- **Gives rights** `Policy/p`: `approvers: + u2` (",
        "- **Takes rights** `Policy/p`: `approvers: - u1` (",
        "- **Takes rights** `User/u3`: `accounts: ~ acme level administrator → user` (",
    ] {
        assert!(written.contains(expected), "{expected} in {written}");
    }
    assert!(!written.contains("access** `Account/acme`"));
}

#[test]
fn whoever_reviews_a_branch_is_told_to_merge() {
    let update = || vec![samples::updated("u2")];
    let held = || vec![samples::guarded("u8", 20)];
    let options = RenderOptions {
        next: NextStep::Merge,
        ..RenderOptions::default()
    };
    for (steps, held, expected) in [
        (update(), Vec::new(), "**Next:** merge to apply it."),
        (
            update(),
            held(),
            "**Next:** merge to apply it. What is held then waits for a decision.",
        ),
        (
            Vec::new(),
            held(),
            "**Next:** merge it. What is held then waits for a decision.",
        ),
    ] {
        let plan = samples::plan(steps, held);
        assert_eq!(next_step(&plan, &options).as_deref(), Some(expected));
    }
    let mut faulty = samples::plan(update(), Vec::new());
    faulty.diagnostics = samples::full().diagnostics;
    faulty.diagnostics[0].severity = Severity::Error;
    let expected = "**Next:** fix the errors. Merging applies the rest.";
    assert_eq!(next_step(&faulty, &options).as_deref(), Some(expected));
}

#[test]
fn names_cannot_break_the_comment_or_mention_anybody() {
    let evil = "`` @admins </details><script>x</script> ![i](http://evil) | #1\n```\n# hi";
    let changes = vec![
        change(USER, "company", None, text(evil)),
        change(USER, "groups", None, set(&[evil])),
    ];
    let mut held = samples::held(codes::CONFLICT, StepVerb::Update, evil, "h");
    held.message = evil.into();
    let mut plan = samples::plan(
        vec![step(StepVerb::Update, USER, evil, changes)],
        vec![held],
    );
    plan.environment = Some(evil.into());
    plan.accepted = vec![evil.into()];
    plan.diagnostics = vec![
        crate::diagnostic::Diagnostic::new(codes::REFERENCE, evil)
            .help(evil)
            .at(samples::origin(evil, 1, 1)),
    ];
    let written = written(&plan, None);
    let mut fenced = false;
    for line in written.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            assert!(
                line == "```" || line == "```text" || line == "```diff",
                "{line}"
            );
        } else if !fenced && !line.starts_with(MARKER_START) {
            let bare = outside_code(line);
            let bare = bare.trim_start_matches('#');
            assert!(!bare.contains(['@', '[', '#']), "{line}");
            assert!(!bare.contains("script"), "{line}");
        }
    }
    assert!(!fenced);
}

/// What of a line a Markdown reader does not take for a code span.
fn outside_code(line: &str) -> String {
    let mut bare = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        bare.push_str(&rest[..start]);
        let fence = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let after = &rest[start + fence..];
        let mut at = 0;
        let end = loop {
            let Some(found) = after[at..].find('`') else {
                panic!("a code span is open at the end of {line}");
            };
            let run = after[at + found..].len() - after[at + found..].trim_start_matches('`').len();
            if run == fence {
                break at + found + run;
            }
            at += found + run;
        };
        rest = &after[end..];
    }
    bare + rest
}
