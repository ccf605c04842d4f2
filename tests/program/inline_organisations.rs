//! Organisations written inside their account behave like organisations with documents of their own: in plans, in
//! errors, when they go, and in every command that reads or writes manifests.

use crate::support::workspace::{Workspace, account, each, user};

const TREE: &str = "[{externalId: north, name: North, organisations: [{externalId: umea, name: Umeå}, {externalId: lulea, name: Luleå}]}, {externalId: south, name: South}]";

fn tree(ws: &Workspace, organisations: &str) {
    let more = format!("organisations: {organisations}");
    let yaml = account("acme", &more) + &user("u-1", "acme", "");
    ws.tree(yaml);
}

fn stored(ws: &Workspace) -> Vec<String> {
    let query = "SELECT external_id || ' ' || status || ' ' || account_id || ' ' || COALESCE(parent_id, '-') \
                 FROM organisations ORDER BY external_id";
    ws.column(query).into_iter().flatten().collect()
}

#[test]
fn each_entry_is_a_step_of_its_own() {
    for ws in each("inline-organisations") {
        tree(&ws, TREE);
        let plan = ws.plan(&[]).exits(0).plans()[0].clone();
        let steps = plan["steps"].as_array().expect("steps");
        let step = |id: &str| {
            let mut steps = steps.iter();
            steps.find(|step| step["externalId"] == id).expect("a step")
        };
        assert_eq!(step("umea")["verb"], "create");
        // Where the entry stands, not its account.
        let origin = &step("umea")["origin"];
        let (line, column) = (origin["line"].as_u64(), origin["column"].as_u64());
        let text = std::fs::read_to_string(ws.path("manifests/all.yaml")).expect("the manifest");
        let at = text.lines().position(|it| it.contains("umea")).expect("it");
        let of = text
            .lines()
            .nth(at)
            .and_then(|it| it.find("umea"))
            .expect("it");
        assert_eq!((line, column), (Some(at as u64 + 1), Some(of as u64 + 1)));
        ws.settle(&[]);
        assert_eq!(
            stored(&ws),
            [
                "lulea active acme north",
                "north active acme -",
                "south active acme -",
                "umea active acme north"
            ]
        );

        // Only an inline entry changes: one renamed, one moved up, one gone.
        let one = TREE.replace("name: Umeå", "name: Umeå hamn");
        tree(&ws, &one);
        assert_eq!(
            ws.plan(&[]).exits(0).changes(),
            ["update Organisation/umea: name"]
        );
        let logged = ws.plan(&["--scrub"]).exits(0).changes();
        assert_eq!(logged, ["update Organisation/umea: name"]);
        ws.settle(&[]);
        let up = "[{externalId: north, name: North, organisations: [{externalId: umea, name: Umeå hamn}]}, {externalId: lulea, name: Luleå}]";
        tree(&ws, up);
        assert_eq!(
            ws.plan(&[]).exits(0).steps(),
            ["update Organisation/lulea", "deactivate Organisation/south"]
        );
        ws.settle(&[]);
        assert_eq!(
            stored(&ws),
            [
                "lulea active acme -",
                "north active acme -",
                "south inactive acme -",
                "umea active acme north"
            ]
        );
    }
}

#[test]
fn an_error_is_at_the_entry_and_stops_removals() {
    for ws in each("inline-errors") {
        tree(&ws, TREE);
        ws.settle(&[]);
        tree(&ws, "[{externalId: north, nmae: North}]");
        let ran = ws
            .run(&["validate", "manifests", "--output", "json"])
            .exits(1);
        assert!(ran.stdout.contains("\"unknown-field\""), "{}", ran.stdout);
        assert!(
            ran.stdout.contains("Did you mean `name`?"),
            "{}",
            ran.stdout
        );
        let ran = ws.plan(&[]);
        assert!(
            !ran.stdout.contains("\"deactivate\",\"kind\""),
            "{}",
            ran.stdout
        );
        // One deeper than the settings allow, and a second one with the same id.
        let deep = TREE.replace(
            "name: Umeå",
            "name: Umeå, organisations: [{externalId: dock, name: Dock}]",
        );
        tree(&ws, &deep);
        assert!(ws.plan(&[]).codes("error").contains("organisation-depth"));
        let more = format!("organisations: {TREE}");
        let document = "---\nkind: Organisation\nexternalId: umea\nname: Umeå\naccount: acme\n";
        ws.tree(account("acme", &more) + &user("u-1", "acme", "") + document);
        let ran = ws
            .run(&["validate", "manifests", "--output", "json"])
            .exits(1);
        assert!(
            ran.stdout.contains("\"duplicate-resource\""),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn commands_that_read_and_write_manifests_know_them() {
    for ws in each("inline-commands") {
        tree(&ws, TREE);
        ws.settle(&[]);
        let why = ws
            .run(&["why", "Organisation/umea", "name"])
            .exits(0)
            .stdout;
        assert!(why.contains("\"line\": 8"), "{why}");
        let formatted = ws.run(&["fmt", "manifests"]).exits(0);
        assert_eq!(formatted.stderr, "");
        ws.settle(&[]);
        // What is exported declares the same, so that a plan of it has no steps.
        ws.run(&["export", "-o", "exported"]).exits(0);
        let read = ws.run(&["plan", "exported", "--output", "json"]).exits(0);
        assert_eq!(read.steps(), Vec::<String>::new());
        assert_eq!(read.count("unchanged"), 7);
    }
}
