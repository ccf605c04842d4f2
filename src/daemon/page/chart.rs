//! Small charts, drawn here as SVG, for what people look at rather than read: how many steps were
//! applied each day, and how a source went over its last passes.

use crate::diagnostic::{plural, span};
use crate::document::{PassOutcome, SourceState};
use crate::plan::StepVerb;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Days, NaiveDate, Utc};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The number of days in a chart.
const DAYS: u64 = 30;
/// How many runs are counted. With more in this time, the chart begins later.
const MAX_RUNS: u32 = 1000;
/// The size of a chart in its own units.
const WIDTH: u64 = 600;
const HEIGHT: u64 = 60;
/// For how many bars there is room at least.
const MIN_BARS: usize = 30;
/// The lowest bar that can be seen.
const MIN_BAR: u64 = 2;

/// A bar: its height, and its tooltip.
struct ChartBar {
    value: u64,
    tip: String,
    class: &'static str,
}

/// The number of steps that were applied on each day, oldest first.
pub(super) type DaySteps = Vec<(NaiveDate, u64)>;

/// Counts the steps of the latest runs by day, of the sources for which `sees` returns true.
pub(super) async fn steps_by_day(
    store: &Store,
    sees: impl Fn(&str) -> bool,
) -> Result<DaySteps, StoreError> {
    let runs = store.runs(MAX_RUNS).await?;
    let day = |at: i64| {
        let at = DateTime::<Utc>::from_timestamp_millis(at).unwrap_or_default();
        at.date_naive()
    };
    let today = Utc::now().date_naive();
    let mut first = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
    // The oldest run that was read may not be the first one of its day.
    if let Some(oldest) = runs.last().filter(|_| runs.len() == MAX_RUNS as usize) {
        let complete = day(oldest.finished_at).checked_add_days(Days::new(1));
        first = first.max(complete.unwrap_or(today)).min(today);
    }
    let days = first.iter_days().take_while(|day| *day <= today);
    let mut counted: BTreeMap<NaiveDate, u64> = days.map(|day| (day, 0)).collect();
    for run in runs.iter().filter(|run| sees(&run.source)) {
        let verbs = run.counts.as_object().into_iter().flatten();
        // The counts also have what was held.
        let steps = verbs.filter(|(verb, _)| StepVerb::by_word(verb).is_some());
        let steps: u64 = steps.filter_map(|(_, count)| count.as_u64()).sum();
        if let Some(counted) = counted.get_mut(&day(run.finished_at)) {
            *counted += steps;
        }
    }
    Ok(counted.into_iter().collect())
}

/// The chart of the steps of each day; nothing if there were none.
pub(super) fn steps_section(days: &DaySteps) -> Markup {
    let all: u64 = days.iter().map(|(_, steps)| steps).sum();
    let bars = days.iter().map(|(day, steps)| ChartBar {
        value: *steps,
        tip: format!("{day}: {}", plural(*steps, "step")),
        class: "bar",
    });
    let bars: Vec<ChartBar> = bars.collect();
    html! {
        @if all > 0 {
            section #days data-live aria-label="Steps a day" { (figure(&format!("Steps a day, last {} days: {}", days.len(), plural(all, "step")), &bars)) }
        }
    }
}

/// How a source went over its last passes: how many holds waited, how much was changed outside
/// Roster, and how far it was behind.
/// `passes` are sorted newest first.
pub(super) fn passes_section(passes: &[SourceState]) -> Markup {
    let oldest_first = || passes.iter().rev();
    let when = |pass: &SourceState| {
        let at = pass.last_attempted.as_ref().map(|mark| mark.at);
        at.map_or_else(String::new, |at| {
            at.format("%Y-%m-%d %H:%M UTC: ").to_string()
        })
    };
    let holds = oldest_first().map(|pass| {
        let waiting = pass.waiting().count();
        ChartBar {
            value: waiting as u64,
            tip: format!("{}{}", when(pass), plural(waiting, "hold")),
            class: "bar waits",
        }
    });
    let lag = oldest_first().map(|pass| {
        let begun = pass.behind_since.zip(pass.last_attempted.as_ref());
        let lag = begun.map(|(since, mark)| mark.at - since);
        let failed = matches!(pass.outcome, PassOutcome::Failed | PassOutcome::Refused);
        ChartBar {
            value: lag.map_or(0, |lag| lag.num_seconds().unsigned_abs()),
            tip: format!(
                "{}{}",
                when(pass),
                lag.map_or("no lag".to_owned(), |lag| format!("{} behind", span(lag)))
            ),
            class: if failed { "bar bad" } else { "bar" },
        }
    });
    let drift = oldest_first().map(|pass| ChartBar {
        value: pass.drift as u64,
        tip: format!(
            "{}{} changed outside Roster",
            when(pass),
            plural(pass.drift, "resource")
        ),
        class: "bar waits",
    });
    let drift: Vec<ChartBar> = drift.collect();
    let (holds, lag): (Vec<ChartBar>, Vec<ChartBar>) = (holds.collect(), lag.collect());
    let passes = format!("{} passes", passes.len());
    html! {
        div.charts {
            @if holds.iter().any(|bar| bar.value > 0) { (figure(&format!("Holds that waited, last {passes}"), &holds)) }
            @if drift.iter().any(|bar| bar.value > 0) { (figure(&format!("Drift, last {passes}"), &drift)) }
            @if lag.iter().any(|bar| bar.value > 0) { (figure(&format!("Lag, last {passes}"), &lag)) }
        }
    }
}

/// A chart of bars, with its name and its highest value in words.
fn figure(name: &str, bars: &[ChartBar]) -> Markup {
    let most = bars
        .iter()
        .map(|bar| bar.value)
        .max()
        .unwrap_or_default()
        .max(1);
    // A few bars stay narrow: a chart of one pass is not one block.
    let step = (WIDTH / (bars.len().max(MIN_BARS) as u64)).max(1);
    let width = step * bars.len().max(MIN_BARS) as u64;
    let height = |value: u64| match value {
        0 => 0,
        value => (value * HEIGHT / most).max(MIN_BAR),
    };
    let highest = bars.iter().max_by_key(|bar| bar.value);
    html! {
        figure.chart {
            figcaption { (name) @if let Some(highest) = highest { span.small { " · most: " (highest.tip) } } }
            svg viewBox={ "0 0 " (width) " " (HEIGHT) } role="img" aria-label=(name) preserveAspectRatio="none" {
                @for (at, bar) in bars.iter().enumerate() {
                    g {
                        title { (bar.tip) }
                        rect.space x=(at as u64 * step) y="0" width=(step) height=(HEIGHT) {}
                        rect class=(bar.class) x=(at as u64 * step + 1) y=(HEIGHT - height(bar.value)) width=(step.saturating_sub(2).max(1)) height=(height(bar.value)) {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_fills_the_chart_and_the_lowest_can_be_seen() {
        let bar = |value| ChartBar {
            value,
            tip: format!("{value} <steps>"),
            class: "bar",
        };
        let drawn = figure("Steps", &[bar(0), bar(1), bar(1000)]).into_string();
        for words in [
            "height=\"0\"",
            "height=\"2\"",
            "height=\"60\"",
            "1000 &lt;steps&gt;",
        ] {
            assert!(drawn.contains(words), "{words}: {drawn}");
        }
    }
}
