//! Builds the OpenAPI 3.1 document from the table of routes.

use super::operation::{OperationBuilder, add_number_bounds};
use super::problem::{self, MEDIA_TYPE, ProblemDetails, ProblemKind};
use super::role::Role;
use super::route::Route;
use super::route_spec::{AccessRequirement, RouteAudience, RouteSpec};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SCHEMAS: &str = "/components/schemas";

/// The document for these routes.
pub fn document<S>(routes: &[Route<S>]) -> Value {
    // Two generators: a field with a default is optional in a request and always present in a
    // response.
    let inputs = SchemaSettings::draft2020_12().for_deserialize();
    let mut inputs = generator(inputs.with_transform(RecursiveTransform(add_number_bounds)));
    let mut outputs = generator(SchemaSettings::draft2020_12().for_serialize());
    let mut paths: Map<String, Value> = Map::new();
    let programs = routes
        .iter()
        .filter(|route| route.spec.audience == RouteAudience::Program);
    for Route { spec: about, .. } in programs {
        let drawn = operation(about, &mut inputs, &mut outputs);
        let path = paths.entry(about.path).or_insert_with(|| json!({}));
        path[about.method.as_str().to_lowercase()] = drawn;
    }
    let problem = outputs.subschema_for::<ProblemDetails>().to_value();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Roster",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The API of `roster serve`. Every failure is a problem (RFC 9457) with a stable `code`.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas(inputs, outputs),
            "responses": responses(&problem),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token from `roster token create`.",
                },
                "customer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of a customer, from `POST /api/v1/login`.",
                },
            },
        },
    })
}

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings
        .with(|settings| settings.definitions_path = SCHEMAS.into())
        .into_generator()
}

fn operation(
    about: &RouteSpec,
    inputs: &mut SchemaGenerator,
    outputs: &mut SchemaGenerator,
) -> Value {
    let mut drawn = OperationBuilder {
        parameters: Vec::new(),
        body: None,
        responses: BTreeMap::new(),
        problems: about.problems.clone(),
        inputs,
        outputs,
    };
    (about.describe)(&mut drawn);
    // Every act takes the key in the same way, so the document adds it here and no handler declares
    // it.
    if about.takes_key() {
        drawn.parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "If you send the same key and body again, you get the first answer, and the act is not repeated.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
        }));
        drawn
            .problems
            .extend([problem::KEY_REUSED, problem::IN_PROGRESS]);
    }
    drawn.problems.extend(gate_problems(about));
    examples(&mut drawn, about);
    operation_json(about, drawn)
}

/// The problems that the checks before the handler can answer with.
fn gate_problems(about: &RouteSpec) -> Vec<&'static ProblemKind> {
    let mut kinds = vec![problem::BAD_REQUEST];
    if !about.exempt_from_limits {
        kinds.extend([problem::TOO_LARGE, problem::TOO_MANY, problem::UNAVAILABLE]);
    }
    match about.needs {
        AccessRequirement::Public => {}
        AccessRequirement::Customer => kinds.push(problem::UNAUTHORIZED),
        AccessRequirement::Authenticated | AccessRequirement::Permission(_) => {
            kinds.extend([problem::UNAUTHORIZED, problem::MISDIRECTED]);
        }
    }
    if matches!(about.needs, AccessRequirement::Permission(_)) || !about.method.is_safe() {
        kinds.push(problem::NO_PERMISSION);
    }
    if !about.method.is_safe() {
        kinds.push(problem::TIMEOUT);
    }
    kinds
}

fn examples(drawn: &mut OperationBuilder<'_>, about: &RouteSpec) {
    if let (Some(body), Some(example)) = (&mut drawn.body, &about.example_body) {
        body["content"]["application/json"]["example"] = example.clone();
    }
    let good = drawn.responses.values_mut().next();
    if let (Some(response), Some(example)) = (good, &about.example) {
        response["content"]["application/json"]["example"] = example.clone();
    }
}

fn operation_json(about: &RouteSpec, drawn: OperationBuilder<'_>) -> Value {
    let mut by_status: BTreeMap<u16, Vec<&ProblemKind>> = BTreeMap::new();
    for kind in drawn.problems {
        let kinds = by_status.entry(kind.status.as_u16()).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut responses: BTreeMap<String, Value> = drawn
        .responses
        .into_iter()
        .map(|(status, response)| (status.to_string(), response))
        .collect();
    // A route may document a status itself; its text then says more than the titles of the
    // problems.
    for (status, kinds) in by_status {
        responses
            .entry(status.to_string())
            .or_insert_with(|| problem_response(&kinds));
    }
    responses.insert(
        "default".to_owned(),
        json!({"$ref": "#/components/responses/Problem"}),
    );
    let mut operation = json!({
        "operationId": about.id,
        "summary": about.summary,
        "description": described(about),
        "responses": responses,
        "security": security(about),
    });
    if !drawn.parameters.is_empty() {
        operation["parameters"] = drawn.parameters.into();
    }
    if let Some(body) = drawn.body {
        operation["requestBody"] = body;
    }
    operation
}

fn described(about: &RouteSpec) -> String {
    let AccessRequirement::Permission(permission) = about.needs else {
        return about.description.to_owned();
    };
    let roles: Vec<&str> = Role::ALL
        .iter()
        .filter(|role| role.may(permission))
        .map(|role| role.name())
        .collect();
    let space = if about.description.is_empty() {
        ""
    } else {
        " "
    };
    format!(
        "{}{space}Needs the permission `{permission}`: {}.",
        about.description,
        roles.join(", ")
    )
}

fn security(about: &RouteSpec) -> Value {
    match about.needs {
        AccessRequirement::Public => json!([]),
        AccessRequirement::Customer => json!([{"customer": []}]),
        _ => json!([{"token": []}]),
    }
}

fn problem_response(kinds: &[&ProblemKind]) -> Value {
    let titles: Vec<String> = kinds
        .iter()
        .map(|kind| format!("`{}`: {}.", kind.code, kind.title))
        .collect();
    json!({
        "description": titles.join(" "),
        "content": {MEDIA_TYPE: {"schema": {"$ref": format!("#{SCHEMAS}/Problem")}}},
    })
}

fn responses(schema: &Value) -> Value {
    json!({
        "Problem": {
            "description": "Any other failure.",
            "content": {MEDIA_TYPE: {
                "schema": schema,
                "example": {
                    "type": "urn:roster:problem:suspended",
                    "code": "suspended",
                    "title": problem::SUSPENDED.title,
                    "status": 409,
                    "detail": "directory is suspended by eva since 2027-01-31: migration",
                    "requestId": "9f86d081884c7d65",
                },
            }},
        },
    })
}

/// A type with different forms for reading and writing gets two names. A test makes sure that there
/// is none.
fn schemas(mut inputs: SchemaGenerator, mut outputs: SchemaGenerator) -> Value {
    let mut all: BTreeMap<String, Value> = outputs.take_definitions(true).into_iter().collect();
    for (name, schema) in inputs.take_definitions(true) {
        match all.get(&name) {
            Some(other) if *other != schema => {
                all.insert(format!("{name}AsRead"), schema);
            }
            _ => {
                all.insert(name, schema);
            }
        }
    }
    json!(all)
}
