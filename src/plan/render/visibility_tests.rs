use super::*;
use crate::plan::Plan;
use crate::plan::render::{PlanDetail, RenderOptions, github, markdown, text};
use crate::plan::visibility::VisibilityChange;

fn ids(ids: &[&str], omitted: u64) -> VisibleIds {
    VisibleIds {
        named: ids.iter().map(CompactText::new).collect(),
        omitted,
    }
}

fn change(user: &str, gains: &[&str], loses: &[&str]) -> VisibilityChange {
    let users = |users| VisibilityDelta {
        users: ids(users, 0),
        ..VisibilityDelta::default()
    };
    VisibilityChange {
        user: user.into(),
        gains: users(gains),
        loses: users(loses),
    }
}

fn said(changes: Vec<VisibilityChange>) -> Vec<(String, Vec<String>)> {
    let visibility = PlanVisibility {
        changes,
        omitted: 0,
    };
    let entries = entries(&visibility, false).into_iter();
    entries.map(|entry| (entry.who, entry.what)).collect()
}

#[test]
fn users_for_whom_the_same_changes_are_one_entry() {
    assert_eq!(
        said(vec![
            change("a", &["x"], &["y", "z"]),
            change("b", &["x"], &[]),
            change("c", &["x"], &["y", "z"]),
        ]),
        [
            (
                "2 users: a, c".to_owned(),
                vec!["gain user x".to_owned(), "lose users y, z".to_owned()]
            ),
            ("User/b".to_owned(), vec!["gains user x".to_owned()]),
        ]
    );
}

#[test]
fn users_who_lose_each_other_are_one_entry() {
    let lose = |rest: &[&str]| {
        let all = |without: &str| {
            let mut all: Vec<&str> = ["a", "b", "c"]
                .into_iter()
                .chain(rest.iter().copied())
                .collect();
            all.retain(|id| *id != without);
            all
        };
        ["a", "b", "c"].map(|user| change(user, &[], &all(user)))
    };
    let who = "3 users: a, b, c".to_owned();
    assert_eq!(
        said(lose(&[]).to_vec()),
        [(who.clone(), vec!["lose each other".to_owned()])]
    );
    assert_eq!(
        said(lose(&["x"]).to_vec()),
        [(who, vec!["lose each other; user x".to_owned()])]
    );
    // One who is not among them is named apart.
    let mut all = lose(&["x"]).to_vec();
    all.push(change("x", &[], &["a", "b", "c"]));
    all.push(change("y", &[], &["a", "b", "c"]));
    assert_eq!(said(all).len(), 2);
    let pair = vec![change("a", &["b"], &[]), change("b", &["a"], &[])];
    assert_eq!(
        said(pair),
        [(
            "2 users: a, b".to_owned(),
            vec!["gain each other".to_owned()]
        )]
    );
}

#[test]
fn long_lists_name_the_first_and_count_the_rest() {
    let many = |user: &str, first: &[&str]| {
        let mut change = change(user, &[], &[]);
        change.loses.users = ids(first, 19_900);
        change.loses.organisations = ids(&["n", "o", "p", "q", "r", "s"], 0);
        change
    };
    let alone = many("z", &["a", "b"]);
    assert_eq!(
        said(vec![alone])[0].1,
        ["loses organisations n, o, p, q, r and 1 more; users a, b and 19,900 more"]
    );
    let together = vec![
        many("a", &["b", "c"]),
        many("b", &["a", "c"]),
        many("x", &["a", "b"]),
    ];
    assert_eq!(
        said(together),
        [(
            "3 users: a, b, x".to_owned(),
            vec![
                "lose organisations n, o, p, q, r and 1 more; 19,902 other users, such as a, b"
                    .to_owned()
            ]
        )]
    );
}

fn in_formats(plan: &Plan, detail: PlanDetail) -> [String; 3] {
    let options = RenderOptions {
        detail,
        ..RenderOptions::default()
    };
    [text::write, markdown::write, github::write].map(|write| {
        let mut out = Vec::new();
        write(plan, &options, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    })
}

#[test]
fn every_format_says_it() {
    let numbered = |at: usize| change(&format!("u{at:02}"), &[&format!("v{at}")], &[]);
    let plan = Plan {
        visibility: PlanVisibility {
            changes: (0..60).map(numbered).collect(),
            omitted: 1000,
        },
        ..Plan::default()
    };
    let [text, markdown, github] = in_formats(&plan, PlanDetail::Changes);
    assert!(text.contains(
        "\nVisibility\n  User/u00\n      gains user v0\n  User/u01\n      gains user v1\n"
    ));
    assert!(
        text.contains("      gains user v19\n  and 1,040 more users\n"),
        "{text}"
    );
    // On the first screen it is one line, and each of them is below.
    assert!(
        markdown.contains("#### Look at this first\n\n- **Visibility** of 1,060 users\n\n"),
        "{markdown}"
    );
    assert!(markdown.contains("\n\n- **Visibility** `User/u00`: `gains user v0`\n"));
    assert!(
        markdown.contains("`gains user v49`\n- **Visibility**: 1,010 more users\n"),
        "{markdown}"
    );
    assert!(
        github.starts_with(
            "::notice title=visibility::1,060 users see more or less%0AUser/u00 gains user v0%0A"
        ),
        "{github}"
    );
    let [text, ..] = in_formats(&plan, PlanDetail::Summary);
    assert!(
        text.contains("\nVisibility\n  1,060 users see more or less\n\n"),
        "{text}"
    );
    let [text, ..] = in_formats(&plan, PlanDetail::Full);
    assert!(
        text.contains("      gains user v59\n  and 1,000 more users\n"),
        "{text}"
    );
    let quiet = in_formats(&Plan::default(), PlanDetail::Changes);
    assert!(
        quiet
            .iter()
            .all(|text| !text.to_lowercase().contains("visibility"))
    );
}
