//! Answers with personal data. None is kept to answer the same request again: the person may be
//! erased meanwhile, by another process as well. Start at [`PersonalResponse`].

use super::operation::{OperationBuilder, OperationOutput};
use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// An answer, with what is answered to the same request with the same key.
#[derive(Clone, Copy, Debug)]
pub struct PersonalResponse<T> {
    pub answer: T,
    /// Without one, the request is carried out again. Names nobody.
    pub repeated: Option<T>,
}

/// The body of the answer that is kept.
#[derive(Clone, Debug)]
pub(super) struct RepeatedBody(pub Bytes);

impl<T: Serialize> IntoResponse for PersonalResponse<T> {
    fn into_response(self) -> Response {
        let repeated = self.repeated.and_then(|it| serde_json::to_vec(&it).ok());
        let mut response = Json(self.answer).into_response();
        if let Some(repeated) = repeated {
            let kept = RepeatedBody(repeated.into());
            response.extensions_mut().insert(kept);
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for PersonalResponse<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        Json::<T>::describe(operation);
    }
}
