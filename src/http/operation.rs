//! What a handler takes and returns, for the OpenAPI document; derived from its signature, so that
//! the document cannot fall behind the code.

use super::access::Caller;
use super::peer_address::PeerAddress;
use super::problem::{self, HttpProblem, ProblemKind};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;

/// An operation of the document while it is built.
#[derive(Debug)]
pub struct OperationBuilder<'a> {
    /// Parameter objects.
    pub parameters: Vec<Value>,
    pub body: Option<Value>,
    pub responses: BTreeMap<u16, Value>,
    /// The problems that its inputs can cause.
    pub problems: Vec<&'static ProblemKind>,
    /// Generates the schemas of inputs.
    pub inputs: &'a mut SchemaGenerator,
    /// Generates the schemas of outputs.
    pub outputs: &'a mut SchemaGenerator,
}

/// Adds the bounds of a number's type to its schema; a number outside them is rejected.
pub(super) fn add_number_bounds(schema: &mut Schema) {
    let format = schema.get("format").and_then(Value::as_str);
    let (least, most) = match format.unwrap_or_default() {
        "uint8" => (json!(0), json!(u8::MAX)),
        "uint16" => (json!(0), json!(u16::MAX)),
        "uint32" => (json!(0), json!(u32::MAX)),
        "uint" | "uint64" => (json!(0), json!(u64::MAX)),
        "int32" => (json!(i32::MIN), json!(i32::MAX)),
        "int" | "int64" => (json!(i64::MIN), json!(i64::MAX)),
        _ => return,
    };
    for (name, bound) in [("minimum", least), ("maximum", most)] {
        if schema.get(name).is_none() {
            schema.insert(name.to_owned(), bound);
        }
    }
}

impl OperationBuilder<'_> {
    /// Adds each field of `T` as a parameter.
    fn parameters<T: JsonSchema>(&mut self, place: &str) {
        let mut schema = T::json_schema(self.inputs);
        RecursiveTransform(add_number_bounds).transform(&mut schema);
        let schema = schema.to_value();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        for (name, schema) in properties {
            let mut schema = schema.clone();
            let described = schema
                .as_object_mut()
                .and_then(|it| it.remove("description"));
            // A parameter is absent or has a value, never null.
            if let Some(types) = schema["type"].as_array() {
                let types: Vec<&Value> = types.iter().filter(|it| *it != "null").collect();
                schema["type"] = json!(types[0]);
            }
            let mut parameter = json!({
                "name": name,
                "in": place,
                "required": place == "path" || required.iter().any(|it| it == name),
                "schema": schema,
            });
            if let Some(text) = described {
                parameter["description"] = text;
            }
            self.parameters.push(parameter);
        }
    }

    /// Adds a response in one media type; `schema` may be absent.
    pub fn add_response(
        &mut self,
        status: StatusCode,
        what: &str,
        media: &str,
        schema: Option<Value>,
    ) {
        let mut response = json!({"description": what});
        if !media.is_empty() {
            let content = schema.map_or(json!({}), |schema| json!({"schema": schema}));
            response["content"] = json!({ media: content });
        }
        self.responses.insert(status.as_u16(), response);
    }
}

/// A part of a request that a handler takes.
pub trait OperationInput {
    /// Adds what it takes to the operation.
    fn describe(operation: &mut OperationBuilder<'_>);
}

/// What a handler returns.
pub trait OperationOutput {
    /// Adds what it returns to the operation.
    fn describe(operation: &mut OperationBuilder<'_>);
}

/// A handler whose signature says what it takes and returns.
pub trait OperationHandler<D> {
    /// Adds its inputs and outputs to the operation.
    fn describe(operation: &mut OperationBuilder<'_>);
}

macro_rules! described {
    ($($part:ident)*) => {
        impl<F, Fut, R, $($part,)*> OperationHandler<($($part,)*)> for F
        where
            F: FnOnce($($part),*) -> Fut,
            Fut: Future<Output = Result<R, HttpProblem>>,
            R: OperationOutput,
            $($part: OperationInput,)*
        {
            fn describe(operation: &mut OperationBuilder<'_>) {
                $($part::describe(operation);)*
                R::describe(operation);
            }
        }
    };
}

described!();
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);
described!(A B C D E G);

impl<S> OperationInput for State<S> {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

impl OperationInput for HeaderMap {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

/// A body of any bytes; the description says what it must be.
impl OperationInput for Bytes {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.body = Some(json!({
            "required": true,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }));
        operation.problems.push(problem::TOO_LARGE);
    }
}

impl OperationInput for Caller {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

impl OperationInput for Option<Caller> {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

impl OperationInput for PeerAddress {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

/// The parameters in the path, by name.
#[derive(Clone, Copy, Debug)]
pub struct PathParams<T>(pub T);

impl<T: JsonSchema> OperationInput for PathParams<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.parameters::<T>("path");
        operation.problems.push(problem::NOT_FOUND);
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParams<T> {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpProblem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        match path {
            Ok(path) => Ok(Self(path.0)),
            // A path that does not parse is the client's mistake; anything else is a route declared
            // wrongly.
            Err(error) if error.status().is_client_error() => {
                Err(HttpProblem::bad_request(error.body_text()))
            }
            Err(error) => Err(HttpProblem::internal(error)),
        }
    }
}

/// The parameters after the question mark. With `deny_unknown_fields`, a misspelt one is a problem.
#[derive(Clone, Copy, Debug)]
pub struct QueryParams<T>(pub T);

impl<T: JsonSchema> OperationInput for QueryParams<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.parameters::<T>("query");
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpProblem> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|error| HttpProblem::bad_request(error.body_text()))
    }
}

#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: JsonSchema> OperationInput for JsonBody<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = operation.inputs.subschema_for::<T>().to_value();
        operation.body = Some(json!({
            "required": true,
            "content": {"application/json": {"schema": schema}},
        }));
        operation
            .problems
            .extend([problem::TOO_LARGE, problem::MEDIA, problem::INVALID]);
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = HttpProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpProblem> {
        let media = request.headers().get(header::CONTENT_TYPE);
        // A page of another site can post `text/plain` without a preflight request, and JSON cannot.
        let media = media.and_then(|value| value.to_str().ok()).unwrap_or("");
        let media = media.split(';').next().unwrap_or("").trim();
        if !media.eq_ignore_ascii_case("application/json") {
            return Err(HttpProblem::new(
                problem::MEDIA,
                "expected application/json",
            ));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| HttpProblem::bad_request(error.body_text()))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let kind = match error.classify() {
                // Valid JSON with wrong contents gets another code than text that is not JSON.
                serde_json::error::Category::Data => problem::INVALID,
                _ => problem::BAD_REQUEST,
            };
            HttpProblem::new(kind, error.to_string())
        })
    }
}

impl<T: JsonSchema> OperationOutput for Json<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        json_answer::<T>(operation, StatusCode::OK, "Done.");
    }
}

/// Something was created.
#[derive(Clone, Copy, Debug)]
pub struct CreatedResponse<T>(pub T);

impl<T: Serialize> IntoResponse for CreatedResponse<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for CreatedResponse<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        json_answer::<T>(operation, StatusCode::CREATED, "Made.");
    }
}

/// The request was accepted and will be carried out.
#[derive(Clone, Copy, Debug)]
pub struct AcceptedResponse<T>(pub T);

impl<T: Serialize> IntoResponse for AcceptedResponse<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for AcceptedResponse<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        json_answer::<T>(operation, StatusCode::ACCEPTED, "Accepted.");
    }
}

/// The request was carried out, and there is nothing to return.
#[derive(Clone, Copy, Debug)]
pub struct NoContentResponse;

impl IntoResponse for NoContentResponse {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl OperationOutput for NoContentResponse {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.add_response(StatusCode::NO_CONTENT, "Done.", "", None);
    }
}

impl OperationOutput for String {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = json!({"type": "string"});
        operation.add_response(StatusCode::OK, "Text.", "text/plain", Some(schema));
    }
}

fn json_answer<T: JsonSchema>(
    operation: &mut OperationBuilder<'_>,
    status: StatusCode,
    what: &str,
) {
    let schema = operation.outputs.subschema_for::<T>().to_value();
    operation.add_response(status, what, "application/json", Some(schema));
}
