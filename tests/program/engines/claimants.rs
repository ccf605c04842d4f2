//! Sources that are no longer configured and still claim something.

use crate::support::workspace::{Ran, Workspace, account, each, user};

const ERP_ONLY: &str = "apiVersion: roster/v1\nsources: [{name: erp, directory: erp}]\n";

fn configure(ws: &Workspace, sources: &[&str]) {
    let sources: Vec<String> = sources
        .iter()
        .map(|name| format!("{{name: {name}, directory: {name}}}"))
        .collect();
    let sources = sources.join(", ");
    ws.write(
        "roster.yaml",
        format!("apiVersion: roster/v1\nsources: [{sources}]\n"),
    );
}

/// `git` and `erp` are applied, then only `git` is configured.
fn lost(ws: &Workspace) {
    configure(ws, &["git", "erp"]);
    ws.write(
        "git/all.yaml",
        account("acme", "") + &user("u-1", "acme", ""),
    );
    ws.write(
        "erp/all.yaml",
        user("u-2", "acme", "") + &user("u-3", "acme", ""),
    );
    ws.run(&["apply", "--yes"]).exits(0);
    configure(ws, &["git"]);
}

/// What a plan says of claims without a source, each as its message.
fn said(ran: &Ran) -> Vec<String> {
    let plans = ran.plans();
    let found = plans
        .iter()
        .filter_map(|plan| plan["diagnostics"].as_array());
    found
        .flatten()
        .filter(|found| found["code"] == "claim-unconfigured")
        .map(|found| found["message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

const WARNING: &str = "source erp is no longer configured but still claims 2 resources, which no source changes or removes";

#[test]
fn a_source_taken_out_of_the_configuration_is_named_in_every_pass() {
    for ws in each("taken out") {
        lost(&ws);
        let plan = ws.run(&["plan"]).exits(0);
        assert_eq!(said(&plan), [WARNING], "{}: {plan}", ws.engine);
        assert_eq!(plan.steps(), Vec::<String>::new());
        ws.run(&["apply", "--yes"]).exits(0);
        // A pass that reads no row says so too, and stays short.
        for _ in 0..2 {
            let short = ws.run(&["plan", "-v"]).exits(0);
            assert_eq!(said(&short), [WARNING], "{}: {short}", ws.engine);
            assert!(short.stderr.contains("nothing changed"), "{short}");
        }
        configure(&ws, &["git", "erp"]);
        assert_eq!(said(&ws.run(&["plan"]).exits(0)), Vec::<String>::new());
    }
}

#[test]
fn it_is_said_once_whatever_the_number_of_sources() {
    for ws in each("said once") {
        lost(&ws);
        configure(&ws, &["git", "more"]);
        ws.write("more/all.yaml", user("u-4", "acme", ""));
        assert_eq!(
            said(&ws.run(&["plan"]).exits(0)),
            [WARNING],
            "{}",
            ws.engine
        );
        let one = ws.run(&["plan", "--source", "more"]).exits(0);
        assert_eq!(said(&one), [WARNING]);
    }
}

#[test]
fn without_a_configuration_the_sources_of_one_are_named() {
    for ws in each("no configuration") {
        lost(&ws);
        ws.remove("roster.yaml");
        let plan = ws.run(&["plan", "git"]).exits(0);
        assert_eq!(
            said(&plan),
            [
                "source erp claims 2 resources, but without a roster.yaml its location is unknown",
                "source git claims 3 resources, but without a roster.yaml its location is unknown",
            ],
            "{}: {plan}",
            ws.engine
        );
    }
}

#[test]
fn a_renamed_source_keeps_its_claims() {
    for ws in each("renamed") {
        lost(&ws);
        ws.run(&["source", "rename", "erp", "sap"]).exits(64);
        std::fs::rename(ws.path("erp"), ws.path("sap")).expect("renamed");
        configure(&ws, &["git", "sap"]);
        ws.run(&["source", "rename", "git", "sap"]).exits(64);
        ws.run(&["source", "rename", "nobody", "sap"]).exits(1);
        ws.run(&["source", "rename", "erp", "sap"]).exits(0);
        let plan = ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert_eq!(said(&plan), Vec::<String>::new(), "{}: {plan}", ws.engine);
        ws.write("sap/all.yaml", user("u-2", "acme", ""));
        let plan = ws.run(&["plan"]).exits(0);
        assert_eq!(plan.steps(), ["deactivate User/u-3"], "{}", ws.engine);
    }
}

#[test]
fn a_source_that_claims_already_takes_over_the_claims_of_another() {
    for ws in each("taken over") {
        lost(&ws);
        ws.write("git/more.yaml", user("u-2", "acme", ""));
        ws.run(&["apply", "--yes"]).exits(0);
        let refused = ws.run(&["source", "rename", "erp", "git"]).exits(1);
        assert!(refused.stderr.contains("roster adopt --from erp --to git"));
        ws.run(&["adopt", "--from", "erp", "--to", "git", "--yes"])
            .exits(0);
        // What git does not declare stays with erp: with git it would be deactivated.
        let plan = ws.run(&["plan"]).exits(0);
        assert_eq!(plan.steps(), Vec::<String>::new(), "{}: {plan}", ws.engine);
        let rest = "source erp is no longer configured but still claims 1 resource, which no source changes or removes";
        assert_eq!(said(&plan), [rest]);
    }
}

#[test]
fn what_a_forgotten_source_claimed_stays_and_is_nobody_s() {
    for ws in each("forgotten") {
        lost(&ws);
        ws.run(&["source", "forget", "git"]).exits(64);
        ws.run(&["source", "forget", "erp"]).exits(0);
        let plan = ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert_eq!(said(&plan), Vec::<String>::new());
        assert_eq!(plan.plans()[0]["summary"]["unclaimed"], 2, "{plan}");
        ws.write("roster.yaml", ERP_ONLY);
        let back = ws.run(&["plan"]).exits(0);
        assert_eq!(back.steps(), ["adopt User/u-2", "adopt User/u-3"]);
    }
}
