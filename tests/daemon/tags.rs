//! Offers that use a tag, as a shop records them: a tag in use stays, whoever wants it deleted.

use super::api::{Answer, Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, each};
use serde_json::json;

const TAGS: &str =
    "tags: [{externalId: premium, name: Premium}, {externalId: hotel, name: Hotel}]\n";

fn started(ws: &Workspace) -> (DaemonProcess, Api) {
    ws.tree(TAGS);
    let source = "{name: shop, directory: manifests, allowDelete: true}";
    let config = format!("apiVersion: roster/v1\nsources: [{source}]\n{}", serve(""));
    ws.write("roster.yaml", config);
    ws.run(&["apply", "--yes"]).exits(0);
    let token = token(ws, "shop", "operator", &[]);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &token);
    (served, api)
}

fn ask(api: &Api, method: &str, path: &str) -> Answer {
    api.ask(method, path, &[], "")
}

#[test]
fn a_tag_that_offers_use_is_not_deleted() {
    for ws in each("offers") {
        let (served, api) = started(&ws);
        let path = |offer: &str| format!("/api/v1/tags/premium/offers/{offer}");
        for offer in ["O-2", "O-1", "O-2"] {
            assert_eq!(ask(&api, "PUT", &path(offer)).0, 200, "{offer}");
        }
        let both = json!({"tag": "premium", "offers": ["O-1", "O-2"]});
        assert_eq!(api.document("/api/v1/tags/premium/offers"), both);
        let (status, problem) = ask(&api, "PUT", "/api/v1/tags/nobody/offers/O-1");
        assert_eq!((status, &problem["code"]), (404, &json!("not-found")));
        assert_eq!(ask(&api, "DELETE", "/api/v1/tags/nobody/offers/O-1").0, 404);
        assert_eq!(api.get("/api/v1/tags/nobody/offers").0, 404);

        let gone = TAGS.replace("name: Premium", "status: deleted");
        ws.tree(&gone);
        let refused = ws.run(&["plan"]).exits(1);
        let found = ["error in-use Tag/premium".to_owned()].into();
        assert_eq!(refused.findings(), found, "{refused}");
        assert!(refused.stdout.contains("O-1, O-2"), "{refused}");
        // The other tag is used by none.
        ws.tree(TAGS.replace("name: Hotel", "status: deleted"));
        ws.run(&["apply", "--yes"]).exits(0);

        assert_eq!(ask(&api, "DELETE", &path("O-1")).0, 200);
        let (status, left) = ask(&api, "DELETE", &path("O-1"));
        assert_eq!((status, &left["offers"]), (200, &json!(["O-2"])));
        ws.tree(gone.replace("name: Hotel", "status: deleted"));
        ws.run(&["plan"]).exits(1);
        assert_eq!(ask(&api, "DELETE", &path("O-2")).0, 200);
        // The second deletion within the window of the guards.
        let accepted = ["apply", "--yes", "--accept", "Tag.delete=1"];
        ws.run(&accepted).exits(0);
        let tags = ws.value("SELECT count(*) FROM tags");
        assert_eq!(tags.as_deref(), Some("0"), "{}", ws.engine);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        served.ends();
    }
}
