//! Who sees more or less by a plan, in words. Users for whom the same changes are one entry.
//!
//! Text, Markdown, annotations and the page say it with [`entries`].

use super::text::{NAMED, TextWriter};
use super::wording::{BOLD, DIM, first_of, id, plural, thousands};
use crate::model::CompactText;
use crate::plan::visibility::{PlanVisibility, VisibilityDelta, VisibleIds};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The number of entries that a plan lists without `--detail full`.
const LISTED: usize = 20;

/// Users for whom the same changes.
#[derive(PartialEq, Eq, Debug)]
pub struct VisibilityEntry {
    /// `User/u1`, or `3 users: u1, u2, u3`.
    pub who: String,
    /// What they gain and lose, such as `loses organisation north; users u2, u3`.
    pub what: Vec<String>,
    /// The number of users.
    pub count: usize,
}

/// The users of an entry. `together` when each of them is also among what the others see.
struct SameChange<'p> {
    users: Vec<&'p CompactText>,
    gains: VisibilityDelta,
    loses: VisibilityDelta,
    together: bool,
}

/// Returns the entries in the order of their first users. `full` names every user and id that the
/// plan names.
#[must_use]
pub fn entries(visibility: &PlanVisibility, full: bool) -> Vec<VisibilityEntry> {
    let limit = if full { usize::MAX } else { NAMED };
    let all = same_changes(visibility).into_iter();
    all.map(|same| same.entry(limit)).collect()
}

/// Returns a sentence that counts the users.
#[must_use]
pub fn count_sentence(visibility: &PlanVisibility) -> String {
    let count = visibility.count();
    let verb = if count == 1 { "sees" } else { "see" };
    format!("{} {verb} more or less", plural(count, "user"))
}

/// Puts the users together for whom the same changes.
fn same_changes(visibility: &PlanVisibility) -> Vec<SameChange<'_>> {
    let mut equal: BTreeMap<(&VisibilityDelta, &VisibilityDelta), Vec<&CompactText>> =
        BTreeMap::new();
    for change in &visibility.changes {
        let users = equal.entry((&change.gains, &change.loses)).or_default();
        users.push(&change.user);
    }
    let mut same = Vec::new();
    // Users who see each other differ by themselves.
    let mut mutual: BTreeMap<(VisibilityDelta, VisibilityDelta), Vec<&CompactText>> =
        BTreeMap::new();
    for ((gains, loses), users) in equal {
        let [user] = users[..] else {
            same.push(SameChange::of(users, gains, loses));
            continue;
        };
        let (mut gains, mut loses) = (gains.clone(), loses.clone());
        let side = if loses.users.named.is_empty() {
            &mut gains
        } else {
            &mut loses
        };
        add(&mut side.users, user);
        mutual.entry((gains, loses)).or_default().push(user);
    }
    for ((gains, loses), users) in mutual {
        if let [user] = users[..] {
            let change = visibility.changes.iter().find(|it| it.user == *user);
            same.extend(change.map(|it| SameChange::of(vec![user], &it.gains, &it.loses)));
        } else {
            same.push(SameChange {
                users,
                gains,
                loses,
                together: true,
            });
        }
    }
    for one in &mut same {
        one.users.sort();
    }
    same.sort_by(|a, b| a.users[0].cmp(b.users[0]));
    same
}

/// Adds a user to a list, which keeps its length if it names only the first.
fn add(ids: &mut VisibleIds, user: &CompactText) {
    let length = ids.named.len();
    if length == 0 {
        return;
    }
    if let Err(at) = ids.named.binary_search(user) {
        ids.named.insert(at, user.clone());
    }
    if ids.omitted > 0 {
        ids.named.truncate(length);
    }
}

impl<'p> SameChange<'p> {
    fn of(users: Vec<&'p CompactText>, gains: &VisibilityDelta, loses: &VisibilityDelta) -> Self {
        Self {
            users,
            gains: gains.clone(),
            loses: loses.clone(),
            together: false,
        }
    }

    fn entry(&self, limit: usize) -> VisibilityEntry {
        let (who, verbs) = match &self.users[..] {
            [user] => (format!("User/{}", id(user)), ["gains", "loses"]),
            users => {
                let ids = users.iter().map(|user| id(user));
                let who = format!("{}: {}", plural(users.len(), "user"), first_of(ids, limit));
                (who, ["gain", "lose"])
            }
        };
        // The users themselves are on one side only.
        let loses_each_other = self.together && !self.loses.users.named.is_empty();
        let gains_each_other = self.together && !loses_each_other;
        let sides = [
            (verbs[0], &self.gains, gains_each_other),
            (verbs[1], &self.loses, loses_each_other),
        ];
        let what = sides.into_iter().filter(|(_, delta, _)| !delta.is_empty());
        let what = what.map(|(verb, delta, each_other)| {
            format!("{verb} {}", self.delta(delta, each_other, limit))
        });
        VisibilityEntry {
            who,
            what: what.collect(),
            count: self.users.len(),
        }
    }

    fn delta(&self, delta: &VisibilityDelta, each_other: bool, limit: usize) -> String {
        let mut parts = Vec::new();
        for (word, ids) in [
            ("account", &delta.accounts),
            ("organisation", &delta.organisations),
        ] {
            parts.extend(named(word, ids, limit));
        }
        parts.extend(if each_other {
            Some(self.each_other(&delta.users, limit))
        } else {
            named("user", &delta.users, limit)
        });
        parts.join("; ")
    }

    /// The users of the entry, who are all in the list, and the others in it.
    fn each_other(&self, ids: &VisibleIds, limit: usize) -> String {
        if ids.omitted > 0 {
            // Each of them is one of those, so the list of each is shorter by one.
            let few: Vec<_> = ids.named.iter().take(NAMED).map(id).collect();
            let count = thousands(ids.named.len() + usize::try_from(ids.omitted).unwrap_or(0));
            return format!("{count} other users, such as {}", few.join(", "));
        }
        let others = ids.named.iter().filter(|it| !self.users.contains(it));
        let others = VisibleIds {
            named: others.cloned().collect(),
            omitted: 0,
        };
        match named("user", &others, limit) {
            Some(others) => format!("each other; {others}"),
            None => "each other".to_owned(),
        }
    }
}

/// Returns `user u1`, or `users u1, u2 and 3 more`.
fn named(word: &str, ids: &VisibleIds, limit: usize) -> Option<String> {
    let few: Vec<_> = ids.named.iter().take(limit).map(id).collect();
    let omitted = usize::try_from(ids.omitted).unwrap_or(usize::MAX);
    let more = (ids.named.len() - few.len()).saturating_add(omitted);
    let few = few.join(", ");
    match (ids.named.len(), more) {
        (0, _) => None,
        (1, 0) => Some(format!("{word} {few}")),
        (_, 0) => Some(format!("{word}s {few}")),
        (_, more) => Some(format!("{word}s {few} and {} more", thousands(more))),
    }
}

impl TextWriter<'_> {
    /// Writes who sees more or less.
    pub fn visibility(&self, out: &mut dyn Write) -> io::Result<()> {
        let visibility = &self.plan.visibility;
        if visibility.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", self.wording.paint(BOLD, "Visibility"))?;
        if self.only_counts() {
            writeln!(out, "  {}", count_sentence(visibility))?;
            return writeln!(out);
        }
        let entries = entries(visibility, self.wording.full);
        let listed = if self.wording.full {
            entries.len()
        } else {
            LISTED
        };
        for entry in entries.iter().take(listed) {
            writeln!(out, "  {}", entry.who)?;
            for what in &entry.what {
                writeln!(out, "      {what}")?;
            }
        }
        let hidden: usize = entries.iter().skip(listed).map(|entry| entry.count).sum();
        let omitted = usize::try_from(visibility.omitted).unwrap_or(usize::MAX);
        let more = hidden.saturating_add(omitted);
        if more > 0 {
            let more = format!("and {}", plural(more, "more user"));
            writeln!(out, "  {}", self.wording.paint(DIM, more))?;
        }
        writeln!(out)
    }
}

#[cfg(test)]
#[path = "visibility_tests.rs"]
mod tests;
