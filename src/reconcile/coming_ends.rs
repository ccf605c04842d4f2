//! Notes which access ends by its date within the next weeks, so that nobody is surprised on the day. A
//! file with a date is read in every pass, so every plan knows.

use crate::diagnostic::{Diagnostic, Origin, codes, plural};
use crate::kinds::effective::{self, DatedItem, EffectivePeriod};
use crate::kinds::{self, ACCOUNT, USER};
use crate::model::{DeclaredResource, Desired, FieldRef, Value};
use chrono::{NaiveDateTime, TimeDelta};
use std::collections::BTreeMap;

/// How far ahead.
const AHEAD: TimeDelta = TimeDelta::weeks(4);

/// How many ends are named.
const NAMED: usize = 5;

/// How moments are written.
const FORM: &str = "%Y-%m-%dT%H:%M:%SZ";

/// A note about what ends soon of what a source declares.
pub(super) fn note_coming_ends(desired: &Desired) -> Option<Diagnostic> {
    let now = NaiveDateTime::parse_from_str(&desired.as_of, FORM).ok()?;
    let horizon = now.checked_add_signed(AHEAD)?.format(FORM).to_string();
    let window = EndWindow {
        now: &desired.as_of,
        horizon: &horizon,
    };
    let resources = desired.resources.iter();
    // Sorted by moment, then by what ends.
    let ends: BTreeMap<(String, String), Origin> = resources
        .flat_map(|declared| {
            let ends = window.ends(declared).into_iter();
            ends.map(|end| ((end.until, end.what), end.origin))
        })
        .collect();
    let ((first, _), origin) = ends.first_key_value()?;
    let named = ends.keys().take(NAMED);
    let named: Vec<String> = named
        .map(|(until, what)| format!("{what} on {}", day(until)))
        .collect();
    let mut message = named.join("; ");
    let more = ends.len().saturating_sub(NAMED);
    if more > 0 {
        message = format!("{message}; and {}", plural(more, "more end"));
    }
    let help = format!("`roster plan --as-of {}` shows what that does", day(first));
    let note = Diagnostic::new(codes::ENDS_SOON, message).help(help);
    Some(note.at(origin.clone()))
}

/// What ends.
struct ComingEnd {
    /// The moment.
    until: String,
    /// In words.
    what: String,
    /// Where it is declared.
    origin: Origin,
}

/// The time in which an end comes soon.
struct EndWindow<'a> {
    now: &'a str,
    horizon: &'a str,
}

impl EndWindow<'_> {
    fn ends(&self, declared: &DeclaredResource) -> Vec<ComingEnd> {
        let kind = kinds::get(declared.key.kind);
        let own = EffectivePeriod::of_cells(kind, &declared.cells);
        let key = &declared.key;
        // What is out of use already loses nothing more.
        if !own.contains(self.now) || is_inactive(declared) {
            return Vec::new();
        }
        let what = if key.kind == USER {
            format!("{key} loses access")
        } else if key.kind == ACCOUNT {
            format!("{key} ends, and with it the access of its users")
        } else {
            format!("{key} ends")
        };
        let origin = |field: Option<&FieldRef>| {
            let field = field.filter(|field| declared.stated(field).is_some());
            field.map_or_else(
                || Origin::of_resource(declared),
                |field| Origin::of_field(declared, field),
            )
        };
        let whole = self.end(&own).map(|until| ComingEnd {
            until,
            what,
            origin: origin(kind.field_ref("effectiveUntil").as_ref()),
        });
        let field = effective::dated_items_field(kind);
        let value = field
            .as_ref()
            .and_then(|field| declared.stated(field)?.cell.value());
        let items: Vec<DatedItem> = effective::dated_items(kind, value).collect();
        let ended = items.iter().filter_map(|item| {
            let until = self.end(&item.period)?;
            let same = |other: &&DatedItem| other.list == item.list && other.member == item.member;
            // Another item of the same member goes on, with another level.
            let goes_on = items
                .iter()
                .filter(same)
                .any(|other| other.period.contains(&until));
            let (list, member) = (&item.list, &item.member);
            let what = if goes_on {
                format!("{key} changes {list} {member}")
            } else {
                format!("{key} loses {list} {member}")
            };
            let origin = origin(kind.field_ref(list).as_ref());
            Some(ComingEnd {
                until,
                what,
                origin,
            })
        });
        whole.into_iter().chain(ended).collect()
    }

    /// The end of a period that is in force, if it comes soon.
    fn end(&self, period: &EffectivePeriod) -> Option<String> {
        let until = period
            .until
            .as_deref()
            .filter(|_| period.contains(self.now))?;
        (until <= self.horizon).then(|| until.to_owned())
    }
}

fn is_inactive(declared: &DeclaredResource) -> bool {
    let status = kinds::own_field(kinds::get(declared.key.kind).status_index());
    let stated = declared.stated(&status);
    let status = stated.and_then(|stated| stated.cell.value());
    status.is_some_and(|status| *status != Value::text("active"))
}

/// A moment at the beginning of a day as the day.
fn day(moment: &str) -> &str {
    moment.strip_suffix("T00:00:00Z").unwrap_or(moment)
}
