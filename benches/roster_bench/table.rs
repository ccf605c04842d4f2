//! The table of what was measured, for people and as JSON.

use super::measure::Cost;
use serde_json::{Value, json};

/// One line of the table.
pub struct Line {
    engine: &'static str,
    work: String,
    figure: Figure,
}

/// What a line says.
enum Figure {
    /// Work beside its floor.
    Ratio {
        cost: Cost,
        floor: Cost,
        target: Option<f64>,
    },
    /// A number of something.
    Amount {
        value: f64,
        unit: &'static str,
        target: Option<f64>,
    },
}

/// What is measured of one size.
pub struct Table {
    /// The size, and what the corpus came to.
    pub corpus: Value,
    lines: Vec<Line>,
}

impl Table {
    /// A table without lines.
    pub fn new(corpus: Value) -> Self {
        Self {
            corpus,
            lines: Vec::new(),
        }
    }

    /// Work beside its floor; judged by CPU.
    pub fn ratio(
        &mut self,
        engine: &'static str,
        work: impl Into<String>,
        cost: Cost,
        floor: Cost,
        target: Option<f64>,
    ) {
        self.push(
            engine,
            work,
            Figure::Ratio {
                cost,
                floor,
                target,
            },
        );
    }

    /// A number of something.
    pub fn amount(
        &mut self,
        engine: &'static str,
        work: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Option<f64>,
    ) {
        self.push(
            engine,
            work,
            Figure::Amount {
                value,
                unit,
                target,
            },
        );
    }

    fn push(&mut self, engine: &'static str, work: impl Into<String>, figure: Figure) {
        let line = Line {
            engine,
            work: work.into(),
            figure,
        };
        eprintln!("{}", line.text());
        self.lines.push(line);
    }

    /// The CPU of a work by name, for growth.
    pub fn cpu(&self, engine: &str, work: &str) -> Option<f64> {
        let mut lines = self
            .lines
            .iter()
            .filter(|line| line.engine == engine && line.work == work);
        match lines.next()?.figure {
            Figure::Ratio { cost, .. } => Some(cost.cpu),
            Figure::Amount { .. } => None,
        }
    }

    /// For people.
    pub fn print(&self) {
        println!("\n{}", self.corpus);
        println!("{HEAD}");
        for line in &self.lines {
            println!("{}", line.text());
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let lines: Vec<Value> = self.lines.iter().map(Line::to_json).collect();
        json!({"corpus": self.corpus, "lines": lines})
    }
}

const HEAD: &str = "engine    work                                           CPU s    wall s  peak MB | floor CPU  floor wall |  ratio  target";

impl Figure {
    fn ratio(&self) -> f64 {
        match self {
            Self::Ratio { cost, floor, .. } => cost.cpu / floor.cpu,
            Self::Amount { value, .. } => *value,
        }
    }

    fn target(&self) -> Option<f64> {
        match self {
            Self::Ratio { target, .. } | Self::Amount { target, .. } => *target,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.target() {
            None => "",
            Some(target) if self.ratio() <= target => "ok",
            Some(_) => "OVER",
        }
    }
}

impl Line {
    fn text(&self) -> String {
        let target = self
            .figure
            .target()
            .map_or_else(String::new, |target| format!("{target:7.2}"));
        let (engine, work, verdict) = (self.engine, &self.work, self.figure.verdict());
        let ratio = self.figure.ratio();
        match &self.figure {
            Figure::Ratio { cost, floor, .. } => {
                let peak = cost.peak as f64 / 1e6;
                format!(
                    "{engine:9} {work:44} {:8.2}  {:8.2} {peak:8.1} |  {:8.2}    {:8.2} | {ratio:6.2} {target} {verdict}",
                    cost.cpu, cost.wall, floor.cpu, floor.wall
                )
            }
            Figure::Amount { unit, .. } => format!(
                "{engine:9} {work:44} {ratio:8.2}  {unit:17} | {:22} | {:6} {target} {verdict}",
                "", ""
            ),
        }
    }

    fn to_json(&self) -> Value {
        let (target, verdict) = (self.figure.target(), self.figure.verdict());
        let cost = |cost: &Cost| json!({"cpu": cost.cpu, "wall": cost.wall, "peak": cost.peak});
        let mut line = match &self.figure {
            Figure::Ratio {
                cost: of, floor, ..
            } => json!({"cost": cost(of), "floor": cost(floor), "ratio": self.figure.ratio()}),
            Figure::Amount { value, unit, .. } => json!({"value": value, "unit": unit}),
        };
        line["engine"] = json!(self.engine);
        line["work"] = json!(self.work);
        line["target"] = json!(target);
        line["verdict"] = json!(verdict);
        line
    }
}
