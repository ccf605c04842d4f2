use super::*;
use crate::diagnostic::codes;
use crate::kinds::{ACCOUNT, POLICY, USER};
use crate::plan::render::samples::{self, change, links, set, step, text};

fn written(plan: &Plan, max_bytes: Option<usize>) -> String {
    let options = RenderOptions {
        max_bytes,
        color: true,
        ..RenderOptions::default()
    };
    let mut out = Vec::new();
    write(plan, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn risks_come_before_details_and_details_are_folded() {
    assert_eq!(
        written(&samples::full(), None),
        "\
<!-- roster-plan -->
### Plan: 1 to create, 1 to update, 1 to adopt, 1 to deactivate, 1 to reactivate, 1 to delete, 2 held.

Source `directory` at `abc123`, environment `staging`

| | create | update | adopt | deactivate | reactivate | delete | held |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| Accounts |  |  | 1 |  |  |  |  |
| Users | 1 | 1 |  | 1 | 1 | 1 | 2 |

#### Look at this first

- **Held** (guard): `` User.deactivate: 20 of 40 is more than the 4 that `guards.deactivate` allows at once; if this is intended, pass `--accept User.deactivate=20` ``
  - `deactivate User/u8`, `deactivate User/u9`
  - to approve: `roster approve hold 0123456789abcdef --reason \"…\"` or `--accept User.deactivate=20`
- **Deletes** 1 user: `User/u4`
- **Deactivates** 1 user: `User/u5`
- **Gains access** `User/u1`: `groups: + FOC_User`, `accounts: + acme (administrator)` (new, `users.yaml:3:5`)
- **Gains access** `User/u2`: `groups: + FOC_User`, `accounts: + new (user), ~ acme level user → administrator` (declared, `users.yaml:3:5`)
- **Gains access** `User/u3`: `status: inactive → active` (returned, `users.yaml:3:5`)
- **Loses access** `User/u2`: `groups: - FOC_Admin`, `accounts: - gone` (declared, `users.yaml:3:5`)
- **Visibility** `User/u2`: `gains organisation south`, `loses organisation north; users u7, u8 and 3 more`
- **Visibility**: 2 more users

#### Errors and warnings

- **warning** `accounts/acme.yaml:4:3` (vat-format): `` `X` is not a VAT number ``
  - `` Write it as `DE123456789` ``

<details><summary>Accounts: 1 to adopt</summary>

```text
  a adopt  Account/acme  users.yaml:3:5
      no field differs; this source claims it from now on
```

</details>

<details><summary>Users: 1 to create, 1 to update, 1 to deactivate, 1 to reactivate, 1 to delete</summary>

```text
  + create  User/u1  users.yaml:3:5
  ~ update  User/u2  users.yaml:3:5
      phone: +46 → +47
      company: Acme → (none)
      groups: + FOC_User, - FOC_Admin
      accounts: + new (user), - gone, ~ acme level user → administrator
      passwordFrom: (redacted)
      notify: false → true
      customFields.credit: 1.5 → 20
  o reactivate  User/u3  users.yaml:3:5  (returned)
      status: inactive → active
  - delete  User/u4  was users.yaml:3:5  (removed)
      permanent: its id can never be used again
  x deactivate  User/u5  was users.yaml:3:5  (removed)
      status: active → inactive
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

"
    );
}

#[test]
fn a_plan_without_changes_is_short() {
    assert_eq!(
        written(&samples::plan(Vec::new(), Vec::new()), None),
        "<!-- roster-plan -->\n### No changes. The directory matches the manifests.\n\nSource `directory` at `abc123`\n\n"
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
        "- **Gains access** `Policy/p`: `approvers: + u2` (",
        "- **Loses access** `Policy/p`: `approvers: - u1` (",
        "- **Loses access** `User/u3`: `accounts: ~ acme level administrator → user` (",
    ] {
        assert!(written.contains(expected), "{expected} in {written}");
    }
    assert!(!written.contains("access** `Account/acme`"));
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
            assert!(line == "```" || line == "```text", "{line}");
        } else if !fenced {
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

#[test]
fn what_does_not_fit_is_left_out_whole_and_counted() {
    let rename = |n: u32| {
        let name = change(ACCOUNT, "name", text("Old"), text(&format!("New {n}")));
        step(StepVerb::Update, ACCOUNT, &format!("a{n}"), vec![name])
    };
    let plan = samples::plan(
        (0..2_000).map(rename).collect(),
        vec![samples::guarded("u", 20)],
    );
    for max in [1_000, 1_500, 4_000, 20_000] {
        let written = written(&plan, Some(max));
        assert!(written.len() <= max, "{} of {max}", written.len());
        assert!(written.starts_with(MARKER));
        let opened = written.matches("<details>").count();
        assert_eq!(written.matches("</details>").count(), opened);
        assert_eq!(written.matches("```").count(), 2 * opened);
        assert_eq!(
            written.matches("~ update").count(),
            written.matches("name: Old → New").count()
        );
        assert!(written.contains("**Left out** because"), "{written}");
    }
    let all = written(&plan, None);
    assert_eq!(all.matches("~ update").count(), 2_000);
    assert!(!all.contains("Left out"));
}
