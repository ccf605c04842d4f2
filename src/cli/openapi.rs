//! `roster openapi`: prints the OpenAPI document of the daemon.

use super::{CommandResult, print::print};
use crate::daemon::api;
use crate::http;

/// Prints the OpenAPI 3.1 document.
pub fn run() -> CommandResult {
    print(format!("{:#}\n", http::document(api::routes())))
}
