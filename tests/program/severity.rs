//! Warnings that the operator made errors refuse what is new, on either engine.

use crate::support::workspace::{Workspace, account, each, user};

fn address(id: &str, zip: &str) -> String {
    format!(
        "---\nkind: Address\nexternalId: {id}\nfullName: A\nstreet: S 1\nzipCode: {zip}\ncity: C\ncountry: SE\n"
    )
}

fn company() -> String {
    account("acme", "") + &user("u-1", "acme", "")
}

fn configure(ws: &Workspace, severity: &str, on_error: &str) {
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\n{severity}sources: [{{name: directory, directory: manifests, onError: {on_error}}}]\n"
        ),
    );
}

fn apply(ws: &Workspace) -> crate::support::workspace::Ran {
    ws.run(&["apply", "--yes"])
}

#[test]
fn a_raised_warning_refuses_new_faults_and_leaves_stored_ones() {
    let raised = "severity: {zip-format: error}\n";
    for ws in each("severity") {
        configure(&ws, "", "refuse");
        ws.tree(company() + &address("odd", "1234"));
        let first = apply(&ws).exits(0);
        assert!(first.codes("warning").contains("zip-format"), "{first}");
        configure(&ws, raised, "refuse");
        let plan = ws.run(&["plan", "--detailed-exitcode"]);
        assert!(plan.codes("error").is_empty(), "{}: {plan}", ws.engine);
        ws.tree(company() + &address("odd", "1234") + &address("new", "12345678901"));
        let refused = apply(&ws).exits(1);
        assert!(
            refused.codes("error").contains("zip-format"),
            "{}: {refused}",
            ws.engine
        );
        assert_eq!(
            ws.column("SELECT external_id FROM addresses ORDER BY 1"),
            ["at-acme", "odd"].map(|id| Some(id.to_owned()))
        );
        // Where errors are held, the rest goes on.
        configure(&ws, raised, "hold");
        ws.tree(
            company()
                + &address("odd", "1234")
                + &address("new", "12345678901")
                + &address("good", "123 45"),
        );
        apply(&ws).exits(1);
        assert_eq!(
            ws.column("SELECT external_id FROM addresses ORDER BY 1"),
            ["at-acme", "good", "odd"].map(|id| Some(id.to_owned())),
            "{}",
            ws.engine
        );
        configure(&ws, "", "hold");
        apply(&ws).exits(0);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_lowered_error_is_applied_and_a_lowered_warning_is_a_note() {
    let lowered = "severity: {zip-format: note, address-no-use: warning}\n";
    let unused = "addresses: [{ref: odd, billing: false, shipping: false}]\n";
    for ws in each("lowered") {
        let tree = account("acme", unused) + &user("u-1", "acme", "") + &address("odd", "1234");
        configure(&ws, "", "refuse");
        ws.tree(tree);
        let refused = apply(&ws).exits(1);
        assert!(
            refused.codes("error").contains("address-no-use"),
            "{refused}"
        );
        configure(&ws, lowered, "refuse");
        let applied = apply(&ws).exits(0);
        assert!(
            applied.codes("warning").contains("address-no-use"),
            "{applied}"
        );
        assert!(applied.codes("note").contains("zip-format"), "{applied}");
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        // What is stored stays a warning without the entry.
        configure(&ws, "", "refuse");
        let again = ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(again.codes("error").is_empty(), "{}: {again}", ws.engine);
    }
}
