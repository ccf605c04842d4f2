//! What a comment shows once and what it leaves out when there is more than fits.

use super::tests::{written, written_with};
use super::*;
use crate::kinds::{ACCOUNT, USER};
use crate::plan::render::marker::MARKER_START;
use crate::plan::render::samples::{self, change, step, text};

#[test]
fn many_held_with_the_same_change_are_shown_once() {
    let mut held: Vec<_> = (0..40)
        .map(|n| samples::guarded(&format!("u{n}"), 40))
        .collect();
    held[7].changes.clear();
    let written = written(&samples::plan(Vec::new(), held), None);
    let named: Vec<String> = (0..21)
        .filter(|n| *n != 7)
        .map(|n| format!("u{n}"))
        .collect();
    let once = format!(
        "- deactivate  39 users\n-     status: active\n+     status: inactive\n#     {} and 19 more\n",
        named.join(", ")
    );
    let other = "- deactivate  User/u7  users.yaml:9:5\n";
    assert!(
        written.contains(&once) && written.contains(other),
        "{written}"
    );
    assert_eq!(written.matches("status: active").count(), 1, "{written}");
}

#[test]
fn long_lists_leave_room_for_what_to_decide_and_for_changes() {
    let rename = |n: u32| {
        let name = change(ACCOUNT, "name", text("Old"), text(&format!("New {n}")));
        step(StepVerb::Update, ACCOUNT, &format!("a{n}"), vec![name])
    };
    let held = (0..20).map(|n| samples::guarded(&format!("{n}-{}", "x".repeat(200)), 20));
    let mut plan = samples::plan((0..2_000).map(rename).collect(), held.collect());
    let rises = |n: u32| crate::plan::PlanEffect {
        name: crate::plan::EffectName::AdministratorGained,
        key: crate::model::Key::new(USER, format!("u{n}")),
        object: format!("a{n}").into(),
        before: Vec::new(),
        after: Vec::new(),
        omitted: 0,
        because: Vec::new(),
    };
    plan.effects.listed = (0..5_000).map(rises).collect();
    let written = written(&plan, None);
    assert!(written.len() <= MAX_BYTES, "{}", written.len());
    for words in [
        "roster approve hold 0123456789abcdef",
        "becomes administrator of Account/a100`",
        "! update  Account/a100 ",
        "| Accounts | 2,000 |",
        "**Left out** because",
    ] {
        assert!(written.contains(words), "{words}: {written}");
    }
    let all = written_with(&plan, Some(usize::MAX), PersonalData::Shown);
    assert_eq!(all.matches("becomes administrator of").count(), 5_000);
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
        assert!(written.starts_with(MARKER_START));
        let opened = written.matches("<details>").count();
        assert_eq!(written.matches("</details>").count(), opened);
        assert_eq!(written.matches("```").count(), 2 * opened);
        assert_eq!(
            written.matches("! update").count(),
            written.matches("+     name: New").count()
        );
        assert!(written.contains("**Left out** because"), "{written}");
    }
    let all = written(&plan, Some(usize::MAX));
    assert_eq!(all.matches("! update").count(), 2_000);
    assert!(!all.contains("Left out"));
}
