//! What another program changed: reported, or repaired without taking more than it gives.

use crate::support::workspace::{account, each, users};

#[test]
fn what_is_reported_is_not_written_and_no_required_list_is_emptied() {
    for (drift, held) in [("report", 0), ("repair", 1)] {
        for ws in each(&format!("drift {drift}")) {
            ws.write(
                "roster.yaml",
                format!("apiVersion: roster/v1\nsources: [{{name: shop, directory: manifests, drift: {drift}}}]\n"),
            );
            ws.tree(account("acme", "") + &users(0..4, "acme", ""));
            ws.run(&["apply", "--yes"]).exits(0);
            let groups = || ws.column("SELECT value FROM user_groups WHERE user_id = 'u-0'");
            ws.sql("UPDATE user_groups SET value = 'FOC_Webmaster' WHERE user_id = 'u-0'");
            let plan = ws.run(&["plan"]);
            assert_eq!(plan.steps(), [""; 0], "{}: {plan}", ws.engine);
            assert_eq!(plan.count("held"), held, "{}: {plan}", ws.engine);
            ws.run(&["apply", "--yes"]);
            assert_eq!(
                groups(),
                [Some("FOC_Webmaster".to_owned())],
                "{}",
                ws.engine
            );
        }
    }
}
