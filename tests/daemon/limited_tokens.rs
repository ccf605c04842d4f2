//! Tokens for some sources see nothing of what is stored about people of the others, whatever they
//! send.

use super::api::{Api, token};
use super::proposals::{begin, propose};
use crate::support::workspace::{each, user};
use serde_json::json;

#[test]
fn stored_values_of_other_sources_are_left_out_of_plans_and_proposals() {
    for ws in each("limited-tokens") {
        let narrow = token(&ws, "pia", "operator", &["--sources", "shop"]);
        let viewer = token(&ws, "vera", "viewer", &["--sources", "shop"]);
        let (_remote, served, api) = begin(&ws);
        // `erp-1` belongs to another source.
        let more =
            "firstName: Luc\nlastName: Petit\nemail: luc@beta.example\nphone: \"+33142345678\"";
        let theirs = user("erp-1", "beta", more);
        let stored = ["info@beta.example", "Karin", "+4663123456"];
        let proposal = json!({"source": "shop", "manifest": theirs});
        let plan = json!({"source": "shop", "files": {"x.yaml": theirs}, "format": "text", "detail": "full"});
        let pia = Api::new(&api.address, &narrow);
        let vera = Api::new(&api.address, &viewer);
        for (asker, path, request, sees) in [
            (&api, "/api/v1/proposals", &proposal, true),
            (&pia, "/api/v1/proposals", &proposal, false),
            (&api, "/api/v1/plan", &plan, true),
            (&pia, "/api/v1/plan", &plan, false),
            (&vera, "/api/v1/plan", &plan, false),
        ] {
            let (status, reply) = asker.post(path, request);
            assert_eq!(status, 200, "{reply}");
            let reply = reply.to_string();
            assert!(reply.contains("luc@beta.example"), "{reply}");
            for value in stored {
                assert_eq!(reply.contains(value), sees, "{path} {value}: {reply}");
            }
            assert_eq!(reply.contains("•••"), !sees, "{reply}");
        }
        // Nor who has an e-mail, in a manifest or in the row of an export.
        let taken = user("new", "acme", "email: INFO@beta.example");
        let rows = "User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account Ids\n\
                    new;MR;Luc;Petit;INFO@beta.example;+33142345678;FOC_User;acme\n";
        let content = json!({"preset": "djust-users", "content": rows});
        for (path, request) in [
            (
                "/api/v1/proposals",
                json!({"source": "shop", "manifest": taken}),
            ),
            (
                "/api/v1/proposals",
                json!({"source": "shop", "export": content}),
            ),
            (
                "/api/v1/plan",
                json!({"source": "shop", "files": {"x.yaml": taken}}),
            ),
        ] {
            for (asker, sees) in [(&api, true), (&pia, false)] {
                let (status, reply) = asker.post(path, &request);
                assert_eq!(status, 200, "{reply}");
                let reply = reply.to_string();
                assert!(reply.contains("email-duplicate"), "{reply}");
                assert_eq!(reply.contains("erp-1"), sees, "{path}: {reply}");
            }
        }
        // What the own source claims is shown.
        let rows = "User External Id;Email\nu-1;karl@acme.example\n";
        let request =
            json!({"source": "shop", "export": {"preset": "djust-users", "content": rows}});
        let reply = propose(&pia, &request);
        let plan = reply["plan"].as_str().expect("a plan");
        assert!(plan.contains("u-1@roster.example"), "{reply}");
        served.ends();
    }
}
