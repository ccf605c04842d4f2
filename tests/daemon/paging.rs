//! Lists that are read a page at a time, and what is looked for in the background.

use super::api::Api;
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, user};
use serde_json::Value;

const CONFIG: &str = "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests}]\n";

fn apply(ws: &Workspace, tree: String) {
    ws.tree(tree).write("roster.yaml", CONFIG);
    ws.run(&["apply", "--config", "roster.yaml", "--yes"])
        .exits(0);
}

fn serve(ws: &Workspace) -> (DaemonProcess, Api) {
    let mut served = DaemonProcess::start(ws, "");
    let api = Api {
        address: served.address(),
        token: None,
    };
    (served, api)
}

fn ids(items: &Value) -> Vec<i64> {
    let items = items.as_array().expect("items").iter();
    items
        .map(|run| run["id"].as_i64().expect("a run"))
        .collect()
}

#[test]
fn runs_come_in_pages_newest_first() {
    for ws in each("runs") {
        for name in ["One", "Two", "Three", "Four", "Five"] {
            let tree = account("acme", "") + &user("u-1", "acme", "").replacen("Karin", name, 1);
            apply(&ws, tree);
        }
        let (served, api) = serve(&ws);
        let (mut found, mut path) = (Vec::new(), "/api/v1/runs?limit=2".to_owned());
        loop {
            let page = api.document(&path);
            found.extend(ids(&page["items"]));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("/api/v1/runs?limit=2&before={next}");
        }
        assert_eq!(found, [5, 4, 3, 2, 1]);
        assert_eq!(api.get("/api/v1/runs?before=-1").0, 422);
        let page = api.get("/runs?before=3").1.to_string();
        assert!(
            page.contains("/runs/2") && !page.contains("/runs/3"),
            "{page}"
        );
        let history = ws.run(&[
            "history", "--before", "3", "--limit", "1", "--output", "ndjson",
        ]);
        let line: Value = serde_json::from_str(&history.exits(0).stdout).expect("one run");
        assert_eq!(line["id"], 2);
        // The first changes of the first run, and those after them.
        let first = api.document("/api/v1/runs/1/changes?limit=1");
        let rest = api.document(&format!("/api/v1/runs/1/changes?after={}", first["next"]));
        let keys = [&first, &rest].map(|page| {
            let items = page["items"].as_array().expect("items").iter();
            items.map(|it| it["externalId"].clone()).collect::<Vec<_>>()
        });
        let all: Vec<Value> = keys.concat();
        assert_eq!(keys[0].len(), 1);
        assert!(
            all.contains(&"acme".into()) && all.contains(&"u-1".into()),
            "{all:?}"
        );
        served.ends();
    }
}

#[test]
fn policies_that_nobody_can_act_on_are_found_among_many() {
    for ws in each("policies") {
        apply(&ws, account("acme", "") + &user("u-1", "acme", ""));
        ws.sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2001) \
             INSERT INTO policies (external_id, account_id, name) SELECT 'p-' || i, 'acme', 'Ask' FROM n",
        );
        let (served, api) = serve(&ws);
        let status = api.once("/api/v1/status", |status| {
            status["diagnostics"]
                .as_array()
                .is_some_and(|found| found.len() == 20)
        });
        let last = status["diagnostics"][19]["message"]
            .as_str()
            .expect("a message");
        assert!(last.contains("the same applies to 1981 more"), "{last}");
        served.ends();
    }
}
