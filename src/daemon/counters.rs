//! The metrics that this replica counts itself: passes by result, the time of each phase, committed
//! steps, and HTTP responses. `metrics` adds what is read from the database and renders both.

use crate::document::{PassOutcome, SourceState};
use crate::http::gate::AnsweredRequest;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug)]
pub struct ReplicaCounters {
    passes: Family<PassLabels, Counter>,
    seconds: Family<PhaseLabels, Histogram>,
    steps: Family<StepLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PassLabels {
    source: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PhaseLabels {
    source: String,
    phase: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepLabels {
    source: String,
    verb: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

fn buckets() -> Histogram {
    // From 1 ms to about 4 minutes: a request for one row and the apply of a full export both fall
    // inside.
    Histogram::new(exponential_buckets(0.001, 4.0, 10))
}

impl Default for ReplicaCounters {
    fn default() -> Self {
        Self {
            passes: Family::default(),
            seconds: Family::new_with_constructor(buckets),
            steps: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(buckets),
        }
    }
}

impl ReplicaCounters {
    pub fn count_pass(&self, source: &str, state: &SourceState) {
        let source = || source.to_owned();
        self.passes
            .get_or_create(&PassLabels {
                source: source(),
                outcome: state.outcome.name().to_owned(),
            })
            .inc();
        for (phase, seconds) in &state.seconds {
            let labels = PhaseLabels {
                source: source(),
                phase: phase.clone(),
            };
            self.seconds.get_or_create(&labels).observe(*seconds);
        }
        // Only committed steps are counted. The summary of a pass that was refused or held lists
        // steps that were never written.
        if state.outcome == PassOutcome::Applied {
            let verbs = state
                .summary
                .iter()
                // The summary also counts held and unchanged resources, which are not steps.
                .filter(|(verb, _)| crate::plan::StepVerb::by_word(verb).is_some());
            for (verb, count) in verbs {
                let labels = StepLabels {
                    source: source(),
                    verb: verb.clone(),
                };
                self.steps.get_or_create(&labels).inc_by(*count);
            }
        }
    }

    pub fn count_request(&self, answered: &AnsweredRequest<'_>) {
        let route = answered.route.to_owned();
        let labels = RequestLabels {
            method: answered.method.to_owned(),
            route: route.clone(),
            status: answered.status,
        };
        self.requests.get_or_create(&labels).inc();
        let seconds = answered.elapsed.as_secs_f64();
        self.request_seconds
            .get_or_create(&RouteLabels { route })
            .observe(seconds);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("passes", "Passes by result", self.passes.clone());
        registry.register_with_unit(
            "pass_phase",
            "Duration of each phase of a pass",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register("steps", "Committed steps by verb", self.steps.clone());
        registry.register(
            "http_requests",
            "Responses of the API and the page",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "http_request",
            "Duration of responses",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
    }
}
