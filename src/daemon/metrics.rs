//! `/metrics` for Prometheus. Gauges of the sources are read from the database when asked, so every
//! replica reports the same; counters are those of this replica (`counters`).

use super::handle::DaemonHandle;
use crate::document::{DaemonStatus, PassOutcome, SourceView};
use crate::http::problem::HttpProblem;
use crate::http::{OperationBuilder, OperationOutput, Permission, Route};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use std::sync::atomic::AtomicU64;

/// How many errors of a source become metrics. Each one is a time series of its own.
const MAX_NAMED_ERRORS: usize = 5;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ErrorLabels {
    source: String,
    code: String,
    place: String,
}

/// Where the first errors of each source are, so that an alert can name file and line.
fn errors(status: &DaemonStatus, registry: &mut Registry) {
    let family = Family::<ErrorLabels, Gauge>::default();
    for source in &status.sources {
        let errors = source.state.findings.iter();
        let errors = errors.filter(|found| found.severity == "error");
        for found in errors.take(MAX_NAMED_ERRORS) {
            let labels = ErrorLabels {
                source: source.name.clone(),
                code: found.code.clone(),
                place: found.place.clone().unwrap_or_default(),
            };
            family.get_or_create(&labels).set(1);
        }
    }
    registry.register("source_error", "The first errors of a source", family);
}

/// A gauge of a source: its name, its help text, and its value at a time, if it has one.
type SourceGauge = (
    &'static str,
    &'static str,
    fn(&SourceView, DateTime<Utc>) -> Option<f64>,
);

/// The gauges of the stored state.
const GAUGES: &[SourceGauge] = &[
    (
        "source_failed",
        "1 while the source cannot be read, or its last pass failed or was refused",
        |source, _| {
            let outcome = source.state.outcome;
            Some(flag(matches!(
                outcome,
                PassOutcome::Failed | PassOutcome::Refused
            )))
        },
    ),
    (
        "source_suspended",
        "1 while the source is suspended",
        |source, _| Some(flag(source.suspended.is_some())),
    ),
    (
        "source_window_closed",
        "1 while the windows prevent applies",
        |source, _| Some(flag(source.window.is_some())),
    ),
    ("source_errors", "Errors in the source", |source, _| {
        Some(count(source.state.errors))
    }),
    (
        "source_holds_waiting",
        "Holds that need a decision",
        |source, _| Some(count(source.state.waiting().count())),
    ),
    (
        "source_drift",
        "Resources changed outside Roster",
        |source, _| Some(count(source.state.drift)),
    ),
    (
        "source_failures",
        "Consecutive failed passes",
        |source, _| Some(f64::from(source.state.failures)),
    ),
    (
        "source_last_pass_age_seconds",
        "Time since the last pass",
        |source, now| {
            let last = source.state.last_attempted.as_ref()?;
            Some((now - last.at).as_seconds_f64())
        },
    ),
    (
        "source_lag_seconds",
        "Time since the database last matched the source",
        |source, now| {
            let behind = source.state.behind_since;
            Some(behind.map_or(0.0, |since| (now - since).as_seconds_f64()))
        },
    ),
];

/// The gauges of the last export of a source.
const FEEDS: &[SourceGauge] = &[
    ("feed_rows", "Rows of the last export", |source, _| {
        let rows = source.state.feed.as_ref()?.rows;
        Some(count(usize::try_from(rows).unwrap_or(usize::MAX)))
    }),
    (
        "feed_whole",
        "1 unless the last export was rejected",
        |source, _| Some(flag(source.state.feed.as_ref()?.doubt.is_none())),
    ),
    (
        "feed_begun",
        "1 once the source is approved",
        |source, _| Some(flag(source.state.feed.as_ref()?.begun)),
    ),
    (
        "feed_age_seconds",
        "Time since the last export was written, if known",
        |source, now| {
            let written = source.state.feed.as_ref()?.written_at?;
            Some((now - written).as_seconds_f64())
        },
    ),
    (
        "feed_accepted_timestamp_seconds",
        "Time of the last accepted export, in seconds since 1970",
        |source, _| {
            let at = source.state.feed.as_ref()?.accepted_at?;
            Some((at - DateTime::UNIX_EPOCH).as_seconds_f64())
        },
    ),
    (
        "feed_missing",
        "Resources missing from the last accepted exports",
        |source, _| {
            let missing = source.state.feed.as_ref()?.missing.iter();
            Some(count(missing.map(|missing| missing.count).sum()))
        },
    ),
];

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

#[allow(clippy::cast_precision_loss)]
fn count(value: usize) -> f64 {
    value as f64
}

/// Registers the gauges of the sources.
fn state(status: &DaemonStatus, registry: &mut Registry) {
    for (name, help, value) in GAUGES.iter().chain(FEEDS) {
        let family = Family::<SourceLabels, Gauge<f64, AtomicU64>>::default();
        for source in &status.sources {
            if let Some(value) = value(source, status.time) {
                let labels = SourceLabels {
                    source: source.name.clone(),
                };
                family.get_or_create(&labels).set(value);
            }
        }
        registry.register(*name, *help, family);
    }
}

/// The metrics in OpenMetrics text.
#[derive(Debug)]
struct MetricsText(String);

impl IntoResponse for MetricsText {
    fn into_response(self) -> Response {
        let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, media)], self.0).into_response()
    }
}

impl OperationOutput for MetricsText {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = json!({"type": "string"});
        let media = "application/openmetrics-text";
        operation.add_response(axum::http::StatusCode::OK, "Metrics.", media, Some(schema));
    }
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/metrics", "metrics", Permission::Read, metrics).with_docs(
            "Get metrics for Prometheus",
            "Passes, durations of their phases, steps, holds, drift, lag and requests.",
        ),
    ]
}

async fn metrics(State(handle): State<DaemonHandle>) -> Result<MetricsText, HttpProblem> {
    let (status, leases, counted) = handle
        .query(async |daemon| {
            let status = daemon.board.status(|_| true).await?;
            let leases = daemon.store.leases().await?.len();
            Ok::<_, crate::store::StoreError>((status, leases, daemon.counters.clone()))
        })
        .await?;
    let refused = Gauge::<i64>::default();
    refused.set(i64::from(status.reload_error.is_some()));
    // Built for each request, so that a source which a reload removed leaves no gauge behind.
    let mut registry = Registry::with_prefix("roster");
    counted.register(&mut registry);
    state(&status, &mut registry);
    errors(&status, &mut registry);
    let notices = Gauge::<i64>::default();
    notices.set(i64::try_from(status.notices).unwrap_or(i64::MAX));
    registry.register("notices_waiting", "Unsent notices", notices);
    let held = Gauge::<i64>::default();
    held.set(i64::try_from(leases).unwrap_or(i64::MAX));
    registry.register("leases", "Leases currently held", held);
    registry.register(
        "reload_failed",
        "1 if the last reload of the configuration failed",
        refused,
    );
    let mut text = String::new();
    encode(&mut text, &registry).map_err(HttpProblem::internal)?;
    Ok(MetricsText(text))
}
