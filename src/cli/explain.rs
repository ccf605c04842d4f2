//! `roster explain`: what a kind, a field or a code means.

use super::{CommandFailure, CommandResult, print::print};
use crate::diagnostic::{Code, did_you_mean};
use crate::http::problem::{self, ProblemKind};
use crate::kinds::explain::{explain_topic, overview, topics};
use std::fmt::Write;

/// Explain a kind, a field or a diagnostic code. Without an argument, list them all.
#[derive(clap::Args, Debug)]
pub struct ExplainArgs {
    /// What to explain: `Account`, `Account.vatNumber` or `last-user`.
    #[arg(value_name = "CODE|KIND[.FIELD]")]
    topic: Option<String>,
}

/// Prints the explanation.
pub fn run(args: &ExplainArgs) -> CommandResult {
    match &args.topic {
        None => print(list()),
        Some(topic) => print(explain(topic)?),
    }
}

fn explain(topic: &str) -> Result<String, CommandFailure> {
    if let Some(code) = Code::by_name(topic) {
        return Ok(code.page().to_owned());
    }
    if let Some(kind) = problem::ALL.iter().find(|kind| kind.code == topic) {
        return Ok(problem_page(kind));
    }
    explain_topic(topic).ok_or_else(|| unknown(topic))
}

/// The page of a code with which acts and requests are refused.
fn problem_page(kind: &ProblemKind) -> String {
    let ProblemKind {
        code,
        status,
        title,
        advice,
    } = kind;
    format!(
        "# {code}\n\n{title}. The API answers {}, and a command exits with 1.\n\n{advice}\n",
        status.as_u16()
    )
}

fn unknown(topic: &str) -> CommandFailure {
    let codes = Code::all().map(|code| code.name().to_owned());
    let problems = problem::ALL.iter().map(|kind| kind.code.to_owned());
    let known: Vec<String> = topics().chain(codes).chain(problems).collect();
    let way_out = match did_you_mean(topic, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`roster explain` lists all of them".to_owned(),
    };
    CommandFailure::usage(format!("no kind, field or code `{topic}`; {way_out}"))
}

fn list() -> String {
    let mut text = format!(
        "Kinds (for details: `roster explain Account` or `roster explain Account.vatNumber`):\n\n{}\nCodes (for details: `roster explain last-user`):\n\n",
        overview()
    );
    for code in Code::all() {
        let severity = code.severity().to_string();
        let _ = writeln!(
            text,
            "  {:<25} {severity:<7}  {}",
            code.name(),
            code.summary()
        );
    }
    text.push_str("\nCodes of acts and of the API:\n\n");
    for kind in problem::ALL {
        // Some codes are those of a rule, whose page says more.
        if Code::by_name(kind.code).is_none() {
            let _ = writeln!(
                text,
                "  {:<25} {}      {}",
                kind.code,
                kind.status.as_u16(),
                kind.title
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_shows_its_page_and_a_field_its_reference() {
        let page = explain("last-user").expect("a code");
        assert!(page.starts_with("# last-user\n") && page.contains("```yaml bad\n"));
        let page = explain("wrong-state").expect("a code of an act");
        assert!(
            page.contains("The API answers 409") && page.contains("`possible`"),
            "{page}"
        );
        for kind in problem::ALL {
            assert!(explain(kind.code).is_ok(), "{}", kind.code);
        }
        let field = explain("Account.vatNumber").expect("a field");
        assert!(field.contains("vatNumber: SE556012345601"), "{field}");
    }

    #[test]
    fn a_misspelt_name_gets_the_right_one() {
        let failure = explain("Acount.vatNumber").expect_err("misspelt");
        assert_eq!(failure.exit, 64);
        assert!(
            failure
                .message
                .ends_with("did you mean `Account.vatNumber`?"),
            "{failure:?}"
        );
        let failure = explain("lastuser").expect_err("misspelt");
        assert!(
            failure.message.ends_with("did you mean `last-user`?"),
            "{failure:?}"
        );
        let failure = explain("zzz").expect_err("unknown");
        assert!(
            failure
                .message
                .ends_with("`roster explain` lists all of them"),
            "{failure:?}"
        );
    }

    #[test]
    fn the_list_names_every_kind_and_code() {
        let text = list();
        for name in crate::kinds::ALL
            .map(|kind| kind.name)
            .into_iter()
            .chain(Code::all().map(Code::name))
        {
            assert!(text.contains(&format!("\n  {name} ")), "{name} is missing");
        }
    }
}
