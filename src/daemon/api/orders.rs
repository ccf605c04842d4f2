//! Orders and quotes with the login that placed them, as the shop records them.

use super::jobs::require_id;
use super::request::MAX_ID_LENGTH;
use super::{not_stored, require_max_length};
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::daemon::path_segment;
use crate::document::{OrderDocument, OrderKind, OrderSubmission, RECORD_ID};
use crate::http::problem::{self, HttpProblem};
use crate::http::{JsonBody, PathParams, Permission, QueryParams, Route};
use crate::store::{OrderError, OrderQuery, OrderRequest};
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order by id.
#[derive(Debug, Deserialize, JsonSchema)]
struct OrderParam {
    /// The external id. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_ID_LENGTH), regex(pattern = RECORD_ID))]
    order: String,
}

/// Which orders.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct OrderFilter {
    /// Only orders or only quotes.
    kind: Option<OrderKind>,
    /// Only those of this user.
    #[schemars(length(max = MAX_ID_LENGTH))]
    user: Option<String>,
    /// Only those of this account.
    #[schemars(length(max = MAX_ID_LENGTH))]
    account: Option<String>,
    /// Start after this id, the `next` of the previous page.
    #[schemars(length(max = MAX_ID_LENGTH))]
    after: Option<String>,
    /// The maximum number of items. Default: 50. Limit: 500.
    limit: Option<u32>,
}

/// A page of orders and quotes.
#[derive(Debug, Serialize, JsonSchema)]
struct OrderPage {
    /// The orders and quotes of the page, by id.
    items: Vec<OrderDocument>,
    /// The `after` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/api/v1/orders", "orders", Permission::Read, orders)
            .with_docs(
                "List orders and quotes",
                "Sorted by id, one page at a time.",
            )
            .problems(&[problem::INVALID]),
        Route::get("/api/v1/orders/{order}", "order", Permission::Read, order)
            .with_docs("Get an order or a quote", "With the login that placed it."),
        Route::new(
            Method::PUT,
            "/api/v1/orders/{order}",
            "putOrder",
            Permission::Operate,
            put_order,
        )
        .with_docs(
            "Record an order or a quote",
            "Creates it or changes it, in every state of the user. Roster adds the login name.",
        )
        .problems(&[problem::NOT_FOUND]),
    ]
}

async fn orders(
    State(handle): State<DaemonHandle>,
    QueryParams(filter): QueryParams<OrderFilter>,
) -> Result<Json<OrderPage>, HttpProblem> {
    for (name, text) in [
        ("user", &filter.user),
        ("account", &filter.account),
        ("after", &filter.after),
    ] {
        require_max_length(MAX_ID_LENGTH, name, text.as_deref().unwrap_or_default())?;
    }
    let limit = filter.limit.unwrap_or(50).clamp(1, 500);
    let found = handle
        .query_store(move |store| async move {
            let query = OrderQuery {
                kind: filter.kind.map(OrderKind::word),
                user: filter.user.as_deref(),
                account: filter.account.as_deref(),
                since: None,
                after: filter.after.as_deref(),
                limit: Some(limit),
            };
            store.orders(&query).await
        })
        .await?;
    let last = found.last().filter(|_| found.len() == limit as usize);
    Ok(Json(OrderPage {
        next: last.map(|order| order.external_id.clone()),
        items: found.into_iter().map(Into::into).collect(),
    }))
}

async fn order(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<OrderParam>,
) -> Result<Json<OrderDocument>, HttpProblem> {
    let missing = HttpProblem::not_found(format!("no order `{}`", of.order));
    let order = handle
        .query_store(move |store| async move { store.order(&of.order).await })
        .await?;
    Ok(Json(order.ok_or(missing)?.into()))
}

async fn put_order(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<OrderParam>,
    JsonBody(order): JsonBody<OrderSubmission>,
) -> Result<Json<OrderDocument>, HttpProblem> {
    require_id("order", &of.order)?;
    require_id("user", &order.user)?;
    if let Some(account) = &order.account {
        require_id("account", account)?;
    }
    let placed_at = order.placed_at().ok_or_else(|| {
        let detail = format!(
            "`placedAt`: `{}` is not a time; use a value such as `2026-03-31T09:30:00Z`",
            order.placed_at
        );
        HttpProblem::new(problem::INVALID, detail)
    })?;
    let written = handle
        .query_store(move |store| async move {
            let request = OrderRequest {
                external_id: &of.order,
                kind: order.kind.word(),
                user: &order.user,
                account: order.account.as_deref(),
                placed_at,
            };
            let written = store.put_order(&request).await;
            written.map_err(|error| match error {
                OrderError::NotFound(keys) => HandlerError::from(not_stored(&keys)),
                OrderError::Store(error) => error.into(),
            })
        })
        .await?;
    Ok(Json(written.into()))
}
