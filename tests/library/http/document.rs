//! The OpenAPI document is true to the routes.

use super::scene::routes;
use roster::http::{RouteAudience, RouteSpec};
use roster::http::{complete, document};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn every_route_stands_in_it_with_its_parameters_and_problems() {
    let (all, document) = complete(routes());
    let mut ids = BTreeSet::new();
    for route in &all {
        let RouteSpec { method, path, .. } = &route.spec;
        let drawn = &document["paths"][path][method.as_str().to_lowercase()];
        if route.spec.audience == RouteAudience::Person {
            assert!(drawn.is_null(), "{path}");
            continue;
        }
        assert!(ids.insert(drawn["operationId"].as_str()), "{drawn:#}");
        let of_path = |parameter: &&Value| parameter["in"] == "path";
        let parameters = drawn["parameters"].as_array();
        let named: BTreeSet<&str> = parameters
            .into_iter()
            .flatten()
            .filter(of_path)
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let written: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(named, written, "{path}");
        assert!(drawn["responses"].get("default").is_some(), "{path}");
    }
}

#[test]
fn what_handlers_take_and_give_is_told() {
    let document = document(routes());
    let read = &document["paths"]["/api/v1/read"]["get"];
    let limit = &read["parameters"][0];
    assert_eq!(limit["name"], "limit");
    assert_eq!(limit["required"], false);
    assert_eq!(limit["description"], "At most so many.");
    assert_eq!(limit["schema"]["type"], "integer");
    assert_eq!(read["security"][0]["token"], serde_json::json!([]));
    assert!(read["responses"]["401"].is_object());
    let act = &document["paths"]["/api/v1/operate"]["post"];
    let body = &act["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/Reason");
    let names = act["parameters"].as_array().expect("parameters");
    assert_eq!(names[0]["name"], "Idempotency-Key");
    let good = &act["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(good["$ref"], "#/components/schemas/Said");
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').expect("of this document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "$ref" => vec![text.as_str()],
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
