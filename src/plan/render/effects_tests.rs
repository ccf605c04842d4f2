use super::*;
use crate::diagnostic::Diagnostic;
use crate::kinds::{ACCOUNT, POLICY, USER};
use crate::plan::render::{RenderOptions, github, markdown, samples, text};

fn effect(name: EffectName, key: Key, object: &str, because: &[Key]) -> PlanEffect {
    PlanEffect {
        name,
        key,
        object: object.into(),
        before: Vec::new(),
        after: Vec::new(),
        omitted: 0,
        because: because.to_vec(),
    }
}

fn user(id: &str) -> Key {
    Key::new(USER, id)
}

/// An account ends, an approver is replaced and a tag goes.
fn plan() -> Plan {
    let ends = [Key::new(ACCOUNT, "fjall")];
    let policy = [Key::new(POLICY, "large")];
    let mut listed = vec![
        effect(EffectName::AccessLost, user("anna"), "", &ends),
        effect(EffectName::AccessLost, user("bo"), "", &ends),
        effect(EffectName::AccessLost, user("cia"), "", &[user("cia")]),
        effect(EffectName::AdministratorLost, user("anna"), "fjall", &ends),
        effect(EffectName::BuyingLost, user("anna"), "fjall", &ends),
        effect(EffectName::BuyingLost, user("dan"), "fjall", &ends),
        effect(EffectName::ApproverGained, user("dan"), "large", &policy),
        effect(
            EffectName::VisibilityWidened,
            user("dan"),
            "",
            &[user("dan")],
        ),
    ];
    listed[7].before = vec!["erik".into()];
    let tag = [Key::new(crate::kinds::TAG, "a|b`c")];
    let mut price = effect(
        EffectName::PriceChanged,
        Key::new(ACCOUNT, "skog"),
        "",
        &tag,
    );
    price.before = vec!["trade".into(), "whole|sale".into()];
    price.after = vec!["new".into(), "trade".into()];
    listed.push(price);
    listed.sort();
    let mut plan = samples::plan(Vec::new(), Vec::new());
    plan.effects.listed = listed;
    let message = "Account/fjall loses its last administrator";
    plan.diagnostics = vec![Diagnostic::new(codes::LAST_ADMINISTRATOR, message)];
    plan
}

const SENTENCE: &str = "3 users lose access; User/anna loses administrator rights; \
     Account/fjall loses its last administrator; User/dan sees more people; \
     Account/skog changes its price tags; User/dan can approve orders; \
     User/dan can no longer buy for an account.";

#[test]
fn the_most_dangerous_comes_first_and_nothing_is_said_twice() {
    let plan = plan();
    assert_eq!(of_plan(&plan).as_deref(), Some(SENTENCE));
    let lines: Vec<String> = lines(&plan.effects, 5, &plan.visibility)
        .iter()
        .map(EffectLine::text)
        .collect();
    assert_eq!(
        lines,
        [
            "User/cia loses access",
            "2 users lose access: anna, bo  (because of Account/fjall)",
            "User/anna is no longer administrator of Account/fjall  (because of Account/fjall)",
            "User/dan sees more people (erik)",
            "Account/skog changes its price tags (+ new, - whole|sale)  (because of Tag/a|b`c)",
            "User/dan can approve orders under Policy/large  (because of Policy/large)",
            "User/dan can no longer buy for Account/fjall  (because of Account/fjall)",
        ]
    );
}

#[test]
fn what_does_not_fit_into_a_short_sentence_is_counted() {
    let plan = plan();
    let short = |bytes| short_sentence(&plan.effects, left_alone(&plan), as_text, bytes);
    let said = |bytes| short(bytes).unwrap_or_default();
    assert_eq!(said(SENTENCE.len()), SENTENCE);
    assert_eq!(
        said(60),
        "3 users lose access; User/anna loses administrator rights; 5 more effects."
    );
    // The worst is said whatever its length.
    assert_eq!(said(0), "3 users lose access; 6 more effects.");
    let nothing = samples::plan(Vec::new(), Vec::new());
    let short = short_sentence(&nothing.effects, left_alone(&nothing), as_text, 60);
    assert_eq!(short, None);
}

#[test]
fn every_form_for_people_begins_with_it() {
    let plan = plan();
    let options = RenderOptions::default();
    let of = |write: fn(&Plan, &RenderOptions, &mut dyn Write) -> io::Result<()>| {
        let mut out = Vec::new();
        write(&plan, &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = of(text::write);
    assert!(
        text.starts_with(&format!(
            "Source directory at abc123\n\n{SENTENCE}\n  2 users lose access: anna, bo "
        )),
        "{text}"
    );
    let markdown = of(markdown::write);
    let mut said = SENTENCE.to_owned();
    let alone = "Account/fjall loses its last administrator";
    for quoted in ["User/anna", alone, "User/dan", "Account/skog"] {
        said = said.replace(quoted, &format!("`{quoted}`"));
    }
    let first = markdown.lines().nth(3);
    assert_eq!(first, Some(&*said));
    let row =
        "| `Account/skog` | `changes its price tags (+ new, - whole\\|sale)` | ``Tag/a\\|b`c`` |";
    assert!(markdown.lines().any(|line| line == row), "{markdown}");
    let annotations = of(github::write);
    assert!(
        annotations.contains("::notice title=effects::3 users lose access; User/anna"),
        "{annotations}"
    );
}

#[test]
fn a_count_is_not_invented_where_a_plan_lists_only_the_first() {
    let mut plan = plan();
    plan.effects.omitted = [
        ("access.lost".to_owned(), 5_000),
        ("administrator.lost".to_owned(), 7),
    ]
    .into();
    let said = of_plan(&plan).unwrap_or_default();
    let start = "5,003 users lose access; at least 1 user loses administrator rights; ";
    assert!(said.starts_with(start), "{said}");
}

#[test]
fn accounts_without_an_administrator_are_named_and_counted() {
    let mut plan = plan();
    let found = plan.diagnostics.remove(0);
    plan.diagnostics = (0..5)
        .map(|at| {
            let mut found = found.clone();
            found.message = format!("Account/a{at} loses its last administrator");
            found
        })
        .collect();
    let said = of_plan(&plan).unwrap_or_default();
    assert!(
        said.contains(
            "Account/a2 loses its last administrator; 2 more accounts lose their last administrator; "
        ),
        "{said}"
    );
}
