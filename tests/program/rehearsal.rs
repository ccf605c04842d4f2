//! `plan --rehearse` does what an apply would do, and takes it back.

use crate::support::workspace::{account, each, user, users};

#[test]
fn a_rehearsal_writes_everything_and_leaves_nothing() {
    for ws in each("rehearsed") {
        ws.tree(account("acme", "") + &users(0..4, "acme", ""));
        ws.settle(&[]);
        let tree =
            account("acme", "") + &users(0..3, "acme", "company: Acme") + &user("u-9", "acme", "");
        ws.tree(tree);
        let before = ws.fingerprint();
        let planned = ws.plan(&[]).exits(0);
        let rehearsed = ws.plan(&["--rehearse"]).exits(0);
        assert_eq!(rehearsed.stdout, planned.stdout, "{}", ws.engine);
        assert!(
            rehearsed
                .stderr
                .contains("Rehearsed: 5 resources written and taken back"),
            "{rehearsed}"
        );
        assert_eq!(ws.fingerprint(), before, "{}", ws.engine);
        ws.settle(&[]);
        // Nothing to do is nothing to rehearse.
        let nothing = ws.plan(&["--rehearse"]).exits(0);
        assert!(!nothing.stderr.contains("Rehearsed"), "{nothing}");
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn a_rehearsal_finds_what_a_plan_cannot_know() {
    for ws in each("rehearsed in vain") {
        ws.tree(account("acme", "") + &users(0..4, "acme", ""));
        ws.settle(&[]);
        ws.tree(account("acme", "") + &users(0..4, "acme", "company: Acme"));
        let refuse = if ws.engine == "sqlite" {
            "CREATE TRIGGER refuse BEFORE UPDATE ON users WHEN NEW.company = 'Acme' \
             BEGIN SELECT RAISE(ABORT, 'no company here'); END"
        } else {
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no company here'; END $$; \
             CREATE TRIGGER refuse BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse()"
        };
        ws.sql(refuse);
        ws.plan(&[]).exits(0);
        let before = ws.fingerprint();
        let failed = ws.plan(&["--rehearse"]).exits(1);
        assert!(
            failed
                .stderr
                .contains("the rehearsal failed, and nothing was written")
                && failed.stderr.contains("no company here"),
            "{failed}"
        );
        assert_eq!(ws.fingerprint(), before, "{}", ws.engine);
    }
}

#[test]
fn a_rehearsal_needs_a_database_and_one_source() {
    for ws in each("rehearsed alone") {
        ws.tree(account("acme", "") + &user("u-1", "acme", ""));
        let early = ws.plan(&["--rehearse"]);
        assert_eq!(early.code, Some(1), "{early}");
        for name in ["a", "b"] {
            let tree = account(name, "") + &user(&format!("u-{name}"), name, "");
            ws.write(&format!("{name}/all.yaml"), tree);
        }
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: a, directory: a}, {name: b, directory: b}]\n",
        );
        ws.run(&["migrate"]).exits(0);
        let both = ws.run(&["plan", "--rehearse"]).exits(64);
        assert!(both.stderr.contains("--source NAME"), "{both}");
        ws.run(&["plan", "--rehearse", "--source", "a"]).exits(0);
    }
}
