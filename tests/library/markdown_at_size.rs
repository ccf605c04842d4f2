//! The comment on a pull request at every size, read as a platform reads it: what a tired reviewer sees
//! without opening or scrolling anything is the worst that the plan does.

use crate::support::directory::{Directory, read_files};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use roster::plan::render::{PersonalData, PseudonymKey, RenderOptions, markdown};
use roster::plan::{self, Plan, StepVerb};
use roster::reconcile;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The bytes within which every risk is named.
const FIRST_SCREEN: usize = 1_500;
/// What GitHub takes.
const COMMENT: usize = 65_536;
const USERS_OF_AN_ACCOUNT: usize = 10;
const USERS_OF_A_FILE: usize = 10_000;

/// How many of the users leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leavers {
    /// Few enough for the guards.
    Few,
    Half,
}

impl Leavers {
    /// Whether a user is removed. The first one always is: the only administrator of an account.
    fn has(self, user: usize) -> bool {
        user == 0
            || match self {
                Self::Few => user % 50 == 7,
                Self::Half => user % 2 == 1,
            }
    }
}

fn user(at: usize, phone: &str, level: &str) -> String {
    let account = at / USERS_OF_AN_ACCOUNT;
    let group = if level == "administrator" {
        "FOC_Admin"
    } else {
        "FOC_User"
    };
    format!(
        "  - {{externalId: u-{at}, civility: MRS, firstName: Karin, lastName: Åslund, email: u{at}@acme.example, phone: '{phone}', groups: [{group}], accounts: [{{account: a-{account}, level: {level}}}]}}\n"
    )
}

/// The files of a directory of so many users. With `leavers` they are as a branch changes them: each of
/// the first `changed` users changes or goes, some become administrators, and some accounts get other
/// prices.
fn files(users: usize, changed: usize, leavers: Option<Leavers>) -> Vec<(String, Vec<u8>)> {
    let tags =
        "tags:\n  - {externalId: trade, name: Trade}\n  - {externalId: premium, name: Premium}\n";
    let mut accounts = format!("{tags}accounts:\n");
    for at in 0..users.div_ceil(USERS_OF_AN_ACCOUNT) {
        let changes = leavers.is_some() && changed > 1 && at % 100 == 1;
        let tag = if changes { "premium" } else { "trade" };
        let _ = writeln!(
            accounts,
            "  - {{externalId: a-{at}, name: A {at}, companyRegistrationName: A{at} AB, businessRegistrationNumber: r-{at}, tags: [{tag}], \
             addresses: [{{externalId: at-{at}, fullName: A, street: Storgatan 1, city: Malmö, zipCode: 211 20, country: SE}}]}}"
        );
    }
    let mut files = vec![("accounts.yaml".to_owned(), accounts.into_bytes())];
    let all: Vec<usize> = (0..users).collect();
    for some in all.chunks(USERS_OF_A_FILE) {
        let mut text = String::from("users:\n");
        for at in some.iter().copied() {
            let of_branch = leavers.filter(|_| at < changed);
            if of_branch.is_some_and(|leavers| leavers.has(at)) {
                continue;
            }
            let is_first = at.is_multiple_of(USERS_OF_AN_ACCOUNT);
            let rises = of_branch.is_some() && at % 100 == 13;
            let level = if is_first || rises {
                "administrator"
            } else {
                "user"
            };
            // Each another number, or all of them would be one entry.
            let area = if of_branch.is_some() { "70" } else { "40" };
            text += &user(at, &format!("+46{area}{at:07}"), level);
        }
        files.push((format!("users-{}.yaml", some[0]), text.into_bytes()));
    }
    files
}

/// The plan of a branch that changes so many users.
fn branch(changes: usize, leavers: Leavers) -> Plan {
    let mut directory = Directory::new();
    let users = changes.max(2 * USERS_OF_AN_ACCOUNT);
    let plan = |directory: &Directory, leavers| {
        let files = files(users, changes, leavers);
        let (desired, found) = read_files("directory", &directory.stored, files);
        let plan = plan::plan(&desired, &directory.stored, &directory.rules, &found);
        assert!(!plan.errored, "{:#?}", plan.diagnostics);
        (plan, desired)
    };
    let (first, _) = plan(&directory, None);
    plan::advance(&mut directory.stored, &first);
    drop(first);
    let (mut plan, desired) = plan(&directory, Some(leavers));
    assert!(plan.steps.len() + plan.held.len() >= changes);
    let accounts = reconcile::find_plan_accounts(&mut plan, &desired, None);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(accounts).expect("accounts");
    plan
}

fn comment(plan: &Plan, max_bytes: usize) -> String {
    let options = RenderOptions {
        max_bytes: Some(max_bytes),
        personal: PersonalData::Masked(Some(PseudonymKey::from_secret(b"secret"))),
        ..RenderOptions::default()
    };
    let mut out = Vec::new();
    markdown::write(plan, &options, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

/// What a platform makes of a comment.
#[derive(Default)]
struct Rendered {
    /// The text before the first fold and within the first screen.
    screen: String,
    folds: usize,
    /// The last paragraph, if it stands outside of all folds.
    end: String,
}

impl Rendered {
    /// Reads a comment as GitHub does. Whatever is cut open, nested wrongly or not read as what it is
    /// meant to be fails.
    fn of(markdown: &str) -> Self {
        let mut rendered = Self::default();
        let (mut is_folded, mut code, mut blocks) = (false, None, Vec::new());
        let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_GFM);
        for (event, at) in parser.into_offset_iter() {
            let is_first = rendered.folds == 0 && at.end <= FIRST_SCREEN;
            match event {
                Event::Html(html) => {
                    let html = html.trim_end();
                    if html.starts_with("<details><summary>") {
                        assert!(!is_folded && html.ends_with("</summary>"), "{html}");
                        is_folded = true;
                        rendered.folds += 1;
                    } else if html == "</details>" {
                        assert!(is_folded, "a fold ends that never began: {markdown}");
                        is_folded = false;
                    } else {
                        let is_marker = html.starts_with("<!-- roster:plan ") && at.start == 0;
                        assert!(is_marker, "{html}");
                    }
                }
                Event::Start(tag) => {
                    if let Tag::CodeBlock(CodeBlockKind::Fenced(language)) = &tag {
                        code = Some(language.to_string());
                    }
                    if tag == Tag::Paragraph && !is_folded {
                        rendered.end.clear();
                    }
                    blocks.push(tag.to_end());
                }
                Event::End(end) => {
                    assert_eq!(blocks.pop(), Some(end), "{markdown}");
                    if matches!(end, TagEnd::CodeBlock) {
                        code = None;
                    } else if !matches!(end, TagEnd::Strong) && is_first {
                        rendered.screen.push('\n');
                    }
                }
                Event::Text(text) => {
                    match code.as_deref() {
                        Some("diff") => text.lines().for_each(|line| {
                            assert!(line.starts_with(['+', '-', '!', '#', ' ']), "{line}");
                        }),
                        Some(_) => {}
                        // Neither a code span, nor a table, nor bold text is left half open.
                        None => assert!(!text.contains(['`', '|', '*', '<']), "{text}"),
                    }
                    rendered.say(&text, is_first, is_folded);
                }
                Event::Code(text) => rendered.say(&text, is_first, is_folded),
                Event::SoftBreak | Event::HardBreak => rendered.say(" ", is_first, is_folded),
                other => panic!("{other:?} in {markdown}"),
            }
        }
        assert!(!is_folded && blocks.is_empty(), "{markdown}");
        rendered
    }

    fn say(&mut self, text: &str, is_first: bool, is_folded: bool) {
        if is_first {
            self.screen += text;
        }
        if !is_folded {
            self.end += text;
        }
    }
}

/// The sizes. `ROSTER_MARKDOWN_CHANGES` adds one, such as a million.
fn sizes() -> Vec<usize> {
    let more = std::env::var("ROSTER_MARKDOWN_CHANGES").map(|it| it.parse().expect("a number"));
    [1, 100, 10_000].into_iter().chain(more.ok()).collect()
}

/// `ROSTER_MARKDOWN_TO` names a folder for comments that somebody wants to look at.
fn keep(name: &str, comment: &str) {
    if let Some(folder) = std::env::var_os("ROSTER_MARKDOWN_TO") {
        let file = std::path::Path::new(&folder).join(name);
        std::fs::write(file, comment).expect("a file");
    }
}

#[test]
fn the_worst_is_on_the_first_screen_whatever_the_size() {
    for changes in sizes() {
        for leavers in [Leavers::Few, Leavers::Half] {
            let plan = branch(changes, leavers);
            let written = comment(&plan, COMMENT);
            keep(&format!("{changes}-{leavers:?}.md"), &written);
            let Rendered { screen, .. } = Rendered::of(&written);
            let said = format!("{changes} {leavers:?}: {screen}");
            let left = (0..changes).filter(|at| leavers.has(*at)).count();
            let lost = match left {
                1 => "User/u-0 loses access".to_owned(),
                many => format!("{} users lose access", roster::diagnostic::thousands(many)),
            };
            assert!(screen.contains(&lost), "{lost} is missing in {said}");
            let is_held = plan.held.iter().any(|it| it.verb == StepVerb::Deactivate);
            let alone = if is_held {
                "User/u-0 loses administrator rights"
            } else {
                "Account/a-0 loses its last administrator"
            };
            assert!(screen.contains(alone), "{said}");
            for (risk, is_there) in [
                ("Deactivates", !is_held),
                ("if approved: ", is_held),
                ("Gives rights", changes > 13 && leavers == Leavers::Few),
            ] {
                let is_shown = !is_there || screen.contains(risk);
                assert!(is_shown, "{risk} is missing in {said}");
            }
            let decides = ["needs a decision", "need a decision", "Held (guard)"];
            let decides = decides.iter().any(|words| screen.contains(words));
            assert_eq!(decides, !plan.held.is_empty(), "{said}");
            // How to decide is somewhere in it, whatever had to be left out.
            let holds: BTreeSet<&str> = plan.held.iter().map(|held| &*held.hold).collect();
            for hold in holds {
                let command = format!("roster approve hold {hold}");
                assert!(
                    written.contains(&command),
                    "{command} is missing in {written}"
                );
            }
            // Guards hold what is too much at once.
            let is_much = changes > 1 && leavers == Leavers::Half || changes > 100_000;
            assert_eq!(is_held, is_much, "{said}");
        }
    }
}

#[test]
fn no_block_is_cut_and_the_last_line_names_what_is_left_out() {
    for changes in sizes() {
        let plan = branch(changes, Leavers::Few);
        let whole = comment(&plan, usize::MAX);
        for max_bytes in [2_000, 5_000, 20_000, COMMENT] {
            let written = comment(&plan, max_bytes);
            let length = written.len();
            assert!(length <= max_bytes, "{changes}: {length} of {max_bytes}");
            let end = Rendered::of(&written).end;
            let left_out = end.starts_with("Left out because the comment would be too long: ");
            assert_eq!(left_out, written != whole, "{changes}: {written}");
        }
    }
}
