//! `impact:` as written: read-only queries of the operator about what a plan takes out of use, each
//! with its place in the file for error messages.

use super::values::parse_duration;
use crate::diagnostic::none_called;
use crate::kinds;
use crate::model::{KindId, LineColumn};
use crate::plan::ImpactNumber;
use granit_parser::{Event, Parser};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a query may take if the file does not say so.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a query may take. A pass waits for it.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(5);

/// A query about what a plan takes out of use.
#[derive(Clone, PartialEq, Debug)]
pub struct ImpactQuery {
    pub name: Arc<str>,
    pub kind: KindId,
    pub sql: String,
    /// The largest number with which a resource may go without a decision. `None` only shows it.
    pub hold_above: Option<ImpactNumber>,
    pub timeout: Duration,
    /// Where its SQL is in the file.
    pub place: LineColumn,
}

/// `impact: [{name: openOrders, kind: Account, sql: "select …", holdAbove: 0}]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ImpactSpec {
    /// What the number is, such as `openOrders`. Plans show it.
    name: String,
    /// The kind of the resources that it is about, such as `Account`.
    kind: String,
    /// A `SELECT` with two columns: external id and number. The table `deactivated(id)` has the
    /// resources that it is asked about.
    sql: String,
    /// The largest number with which a resource may be deactivated or deleted without a decision.
    /// Without it, the number is only shown.
    hold_above: Option<f64>,
    /// How long it may take, such as `30s`. The default is `10s`.
    timeout: Option<String>,
}

/// Checks the queries.
pub(super) fn resolve(
    written: Vec<ImpactSpec>,
    places: &ImpactPlaces,
) -> Result<Vec<ImpactQuery>, String> {
    let mut all: Vec<ImpactQuery> = Vec::with_capacity(written.len());
    for (index, spec) in written.into_iter().enumerate() {
        let place = places.0.get(&index).copied().unwrap_or_default();
        let name = spec.name.clone();
        let query = spec.resolve(place);
        let query = query.map_err(|why| format!("impact: `{name}`: {why}{}", at(place)))?;
        if all.iter().any(|other| other.name == query.name) {
            return Err(format!(
                "impact: two queries are named `{name}`{}",
                at(place)
            ));
        }
        all.push(query);
    }
    Ok(all)
}

fn at(place: LineColumn) -> String {
    match place.line {
        0 => String::new(),
        line => format!(" at line {line}, column {}", place.column),
    }
}

impl ImpactSpec {
    fn resolve(self, place: LineColumn) -> Result<ImpactQuery, String> {
        let starts = self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !starts || !self.name.chars().all(is_plain) {
            return Err("the name has to be a letter and then letters, digits, `-` and `_`".into());
        }
        let known = kinds::ALL.iter().filter(|kind| kind.singleton.is_none());
        let known: Vec<_> = known.collect();
        let kind = known.iter().find(|kind| kind.name == self.kind);
        let names = known.iter().map(|kind| kind.name);
        let kind = kind.ok_or_else(|| none_called("kind", &self.kind, names))?;
        if self.sql.trim().is_empty() {
            return Err("`sql` is empty; write a `SELECT`".to_owned());
        }
        let hold_above = match self.hold_above.map(ImpactNumber::new) {
            Some(None) => return Err("`holdAbove` has to be a number".to_owned()),
            Some(limit) => limit,
            None => None,
        };
        let timeout = self.timeout.as_deref().map(parse_duration);
        let timeout = timeout.transpose()?.unwrap_or(DEFAULT_TIMEOUT);
        if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
            return Err("`timeout` has to be from `1s` to `5m`".to_owned());
        }
        Ok(ImpactQuery {
            name: self.name.into(),
            kind: kind.id,
            sql: self.sql,
            hold_above,
            timeout,
            place,
        })
    }
}

/// Where the SQL of each query begins, by its number in the list.
#[derive(Debug, Default)]
pub(super) struct ImpactPlaces(BTreeMap<usize, LineColumn>);

/// A step of a path through the file.
#[derive(Clone, PartialEq, Eq, Debug)]
enum PathPart {
    Key(Option<String>),
    Item(usize),
}

impl ImpactPlaces {
    /// Finds them in the text of the file: in an environment if it has queries of its own.
    pub fn find(text: &str, environment: Option<&str>) -> Self {
        let (mut top, mut own) = (BTreeMap::new(), BTreeMap::new());
        let mut path: Vec<PathPart> = Vec::new();
        for event in Parser::new_from_str(text) {
            // The parser of the configuration reports errors in the file itself.
            let Ok((event, span)) = event else { break };
            match event {
                Event::MappingStart(..) => path.push(PathPart::Key(None)),
                Event::SequenceStart(..) => path.push(PathPart::Item(0)),
                Event::MappingEnd | Event::SequenceEnd => {
                    path.pop();
                    advance(&mut path);
                }
                Event::Scalar(scalar, ..) => {
                    if let Some(PathPart::Key(key @ None)) = path.last_mut() {
                        *key = Some(scalar.into_owned());
                        continue;
                    }
                    let start = span.start;
                    let place = LineColumn {
                        line: u32::try_from(start.line()).unwrap_or_default(),
                        column: u32::try_from(start.col() + 1).unwrap_or_default(),
                    };
                    match query_of(&path) {
                        Some((None, index)) => _ = top.insert(index, place),
                        Some((Some(name), index)) if Some(name) == environment => {
                            own.insert(index, place);
                        }
                        _ => {}
                    }
                    advance(&mut path);
                }
                Event::Alias(..) => advance(&mut path),
                _ => {}
            }
        }
        // Lists replace each other.
        Self(if own.is_empty() { top } else { own })
    }
}

fn advance(path: &mut [PathPart]) {
    match path.last_mut() {
        Some(PathPart::Key(key)) => *key = None,
        Some(PathPart::Item(index)) => *index += 1,
        None => {}
    }
}

/// The number of the query whose SQL is at a path, and the environment it is in.
fn query_of(path: &[PathPart]) -> Option<(Option<&str>, usize)> {
    let is = |part: &PathPart, name: &str| *part == PathPart::Key(Some(name.to_owned()));
    match path {
        [list, PathPart::Item(index), key] if is(list, "impact") && is(key, "sql") => {
            Some((None, *index))
        }
        [all, PathPart::Key(Some(name)), rest @ ..] if is(all, "environments") => {
            Some((Some(name), query_of(rest)?.1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_query_has_its_place() {
        let text = "impact:\n  - name: a\n    sql: select 1\n  - {name: b, sql: \"select 2\"}\nenvironments:\n  live: {}\n  test:\n    impact:\n      - sql: |\n          select 3\n";
        let places = |environment| {
            let found = ImpactPlaces::find(text, environment).0;
            let found = found.into_iter().map(|(at, it)| (at, it.line, it.column));
            found.collect::<Vec<_>>()
        };
        assert_eq!(places(None), [(0, 3, 10), (1, 4, 20)]);
        assert_eq!(places(Some("live")), places(None));
        assert_eq!(places(Some("test")).len(), 1);
        assert_eq!(places(Some("test"))[0].0, 0);
    }

    #[test]
    fn a_wrong_query_is_refused() {
        let read = |text: &str| {
            let spec: ImpactSpec = serde_json::from_str(text).expect("a query");
            resolve(vec![spec], &ImpactPlaces::default())
        };
        let fine =
            r#"{"name": "openOrders", "kind": "Account", "sql": "select 1", "holdAbove": 0}"#;
        assert_eq!(read(fine).map(|all| all.len()), Ok(1));
        for (from, to, why) in [
            ("openOrders", "open orders", "the name has to be"),
            ("Account", "Acount", "did you mean `Account`"),
            ("Account", "Settings", "kind"),
            ("select 1", " ", "`sql` is empty"),
        ] {
            let error = read(&fine.replace(from, to)).expect_err(to);
            assert!(error.contains(why), "{error}");
        }
    }
}
