//! What people and accounts gain and lose by a plan, in words: one sentence, and a line for all to
//! whom the same happens for the same reason. The most dangerous comes first.
//!
//! Text, Markdown, annotations and the page say it with [`sentence`] and [`lines`].

use super::text::{NAMED, TextWriter, key};
use super::wording::{BOLD, DIM, counted, id, joined, plural, thousands, visible};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{CompactText, Key, KindId};
use crate::plan::visibility::PlanVisibility;
use crate::plan::{EffectName, Plan, PlanEffect, PlanEffects};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// The number of lines without `--detail full`.
const LISTED: usize = 20;
/// The number of accounts without an administrator that the sentence names.
const ACCOUNTS: usize = 3;

/// How an effect is said of one and of several, in the sentence and in a line, where `{}` is what it
/// is about.
struct EffectPhrase {
    name: EffectName,
    sentence: [&'static str; 2],
    line: [&'static str; 2],
}

const fn phrase(
    name: EffectName,
    sentence: [&'static str; 2],
    line: [&'static str; 2],
) -> EffectPhrase {
    EffectPhrase {
        name,
        sentence,
        line,
    }
}

/// All effects, the most dangerous first.
const PHRASES: [EffectPhrase; 16] = [
    phrase(
        EffectName::AccessLost,
        ["loses access", "lose access"],
        ["loses access", "lose access"],
    ),
    phrase(
        EffectName::AdministratorLost,
        ["loses administrator rights", "lose administrator rights"],
        [
            "is no longer administrator of {}",
            "are no longer administrators of {}",
        ],
    ),
    phrase(
        EffectName::ApproverLost,
        [
            "can no longer approve orders",
            "can no longer approve orders",
        ],
        [
            "can no longer approve orders under {}",
            "can no longer approve orders under {}",
        ],
    ),
    phrase(
        EffectName::VisibilityWidened,
        ["sees more people", "see more people"],
        ["sees more people ({})", "see more people ({})"],
    ),
    phrase(
        EffectName::PriceChanged,
        ["changes its price tags", "change their price tags"],
        [
            "changes its price tags ({})",
            "change their price tags ({})",
        ],
    ),
    phrase(
        EffectName::AccessGained,
        ["gains access", "gain access"],
        ["gains access", "gain access"],
    ),
    phrase(
        EffectName::AdministratorGained,
        ["gains administrator rights", "gain administrator rights"],
        ["becomes administrator of {}", "become administrators of {}"],
    ),
    phrase(
        EffectName::ApproverGained,
        ["can approve orders", "can approve orders"],
        ["can approve orders under {}", "can approve orders under {}"],
    ),
    phrase(
        EffectName::BuyingLost,
        [
            "can no longer buy for an account",
            "can no longer buy for an account",
        ],
        ["can no longer buy for {}", "can no longer buy for {}"],
    ),
    phrase(
        EffectName::StoreLost,
        ["loses a store", "lose a store"],
        ["can no longer use {}", "can no longer use {}"],
    ),
    phrase(
        EffectName::ReviewedLost,
        ["leaves an approval policy", "leave an approval policy"],
        [
            "no longer needs approval under {}",
            "no longer need approval under {}",
        ],
    ),
    phrase(
        EffectName::BuyingGained,
        [
            "can buy for one more account",
            "can buy for one more account",
        ],
        ["can buy for {}", "can buy for {}"],
    ),
    phrase(
        EffectName::StoreGained,
        ["gains a store", "gain a store"],
        ["can use {}", "can use {}"],
    ),
    phrase(
        EffectName::ReviewedGained,
        [
            "comes under an approval policy",
            "come under an approval policy",
        ],
        ["needs approval under {}", "need approval under {}"],
    ),
    phrase(
        EffectName::VisibilityNarrowed,
        ["sees fewer people", "see fewer people"],
        ["sees fewer people ({})", "see fewer people ({})"],
    ),
    phrase(
        EffectName::FieldChanged,
        ["changes in a watched field", "change in a watched field"],
        ["changes in {}", "change in {}"],
    ),
];

/// All to whom the same happens for the same reason.
#[derive(Debug)]
pub struct EffectLine {
    /// `User/anna`, or `3 users`.
    pub who: String,
    /// The ids of the first of several.
    pub names: Vec<String>,
    /// What happens to them, such as `lose access`.
    pub what: String,
    /// How many they are.
    pub count: usize,
    /// The first other resources whose steps cause it; none if it is their own.
    pub because: Vec<String>,
    /// How many those are.
    pub causes: usize,
}

impl EffectLine {
    /// Whether it says more than the sentence.
    #[must_use]
    pub fn adds_to_sentence(&self) -> bool {
        let said = |phrase: &EffectPhrase| phrase.sentence[0] == self.what;
        self.count > 1 || self.causes > 0 || !PHRASES.iter().any(said)
    }

    /// Returns the line as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{} {}", self.who, self.what);
        if !self.names.is_empty() {
            text.extend([": ", &joined(&self.names, self.count)]);
        }
        if self.causes > 0 {
            text.extend(["  (because of ", &joined(&self.because, self.causes), ")"]);
        }
        text
    }
}

/// Returns one sentence about all effects. `alone` are the messages about accounts that lose their
/// last administrator. `quote` is applied to them and to names.
#[must_use]
pub fn sentence<'d>(
    effects: &PlanEffects,
    alone: impl Iterator<Item = &'d str>,
    quote: impl Fn(&str) -> String,
) -> Option<String> {
    let parts = parts(effects, alone, quote);
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// Returns the sentence within about so many bytes: the most dangerous effects, and how many others
/// there are.
pub(super) fn short_sentence<'d>(
    effects: &PlanEffects,
    alone: impl Iterator<Item = &'d str>,
    quote: impl Fn(&str) -> String,
    max_bytes: usize,
) -> Option<String> {
    let mut parts = parts(effects, alone, quote);
    let mut room = max_bytes;
    let fit = parts.iter().take_while(|part| {
        let fits = part.len() <= room;
        room = room.saturating_sub(part.len());
        fits
    });
    // The worst is said whatever its length.
    let fit = fit.count().max(1);
    let more = parts.len().saturating_sub(fit);
    parts.truncate(fit);
    if more > 0 {
        parts.push(plural(more, "more effect"));
    }
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// Returns what happens to whom, the most dangerous first.
fn parts<'d>(
    effects: &PlanEffects,
    alone: impl Iterator<Item = &'d str>,
    quote: impl Fn(&str) -> String,
) -> Vec<String> {
    let shown = shown(effects);
    let mut parts = Vec::new();
    let mut alone: Vec<String> = alone.map(&quote).collect();
    for phrase in &PHRASES {
        let of_name = shown.iter().filter(|it| it.name == phrase.name);
        let mut kinds: BTreeMap<_, BTreeSet<&CompactText>> = BTreeMap::new();
        for it in of_name {
            kinds.entry(it.key.kind).or_default().insert(&it.key.id);
        }
        let omitted = effects.omitted.get(phrase.name.word()).copied();
        for (kind, ids) in kinds {
            let who = match (ids.first(), omitted) {
                (Some(one), None) if ids.len() == 1 => {
                    quote(&format!("{}/{}", kinds::get(kind).name, id(one)))
                }
                _ => counted_who(kind, ids.len(), phrase.name, omitted),
            };
            parts.push(format!("{who} {}", of_number(phrase.sentence, ids.len())));
        }
        if phrase.name == EffectName::AdministratorLost {
            let more = alone.split_off(alone.len().min(ACCOUNTS)).len();
            parts.append(&mut alone);
            if more > 0 {
                let lose = if more == 1 { "loses its" } else { "lose their" };
                let accounts = plural(more, "more account");
                parts.push(format!("{accounts} {lose} last administrator"));
            }
        }
    }
    parts
}

/// Returns a name or a message as it stands in text.
#[must_use]
pub fn as_text(text: &str) -> String {
    visible(text).into_owned()
}

/// Returns the messages of a plan about accounts that lose their last administrator.
pub(super) fn left_alone(plan: &Plan) -> impl Iterator<Item = &str> {
    let found = plan.diagnostics.iter();
    let found = found.filter(|found| found.code == codes::LAST_ADMINISTRATOR);
    found.map(|found| &*found.message)
}

/// Returns the sentence about the steps of a plan.
#[must_use]
pub fn of_plan(plan: &Plan) -> Option<String> {
    sentence(&plan.effects, left_alone(plan), as_text)
}

/// Returns a line for all to whom the same happens for the same reason. Each names at most `limit`
/// of them. Who sees whom is among them unless the plan has a section on visibility, which says more.
#[must_use]
pub fn lines(effects: &PlanEffects, limit: usize, seen: &PlanVisibility) -> Vec<EffectLine> {
    let mut same: BTreeMap<_, Vec<&CompactText>> = BTreeMap::new();
    for it in shown(effects) {
        let rank = PHRASES.iter().position(|phrase| phrase.name == it.name);
        let because: Vec<&Key> = it.because.iter().filter(|key| **key != it.key).collect();
        let about = about(it, limit);
        if let Some(rank) = rank.filter(|_| seen.is_empty() || !it.name.is_sight()) {
            let ids = same.entry((rank, it.key.kind, about, because)).or_default();
            ids.push(&it.key.id);
        }
    }
    let lines = same.into_iter().map(|((rank, kind, about, because), ids)| {
        let kind = kinds::get(kind);
        let (who, names) = match &ids[..] {
            [one] => (format!("{}/{}", kind.name, id(one)), Vec::new()),
            ids => (
                counted(ids.len(), kind),
                ids.iter()
                    .take(limit)
                    .map(|it| id(it).into_owned())
                    .collect(),
            ),
        };
        EffectLine {
            who,
            names,
            what: of_number(PHRASES[rank].line, ids.len()).replace("{}", &about),
            count: ids.len(),
            because: because.iter().take(limit).map(|it| key(it)).collect(),
            causes: because.len(),
        }
    });
    lines.collect()
}

/// Leaves out what follows from another effect: somebody who loses access buys for no account.
fn shown(effects: &PlanEffects) -> Vec<&PlanEffect> {
    let all = effects.listed.iter();
    let with_access: BTreeSet<(bool, &Key)> = all
        .clone()
        .filter_map(|it| match it.name {
            EffectName::AccessLost => Some((false, &it.key)),
            EffectName::AccessGained => Some((true, &it.key)),
            _ => None,
        })
        .collect();
    let follows = |it: &&PlanEffect| match it.name {
        EffectName::BuyingLost | EffectName::ReviewedLost => {
            with_access.contains(&(false, &it.key))
        }
        EffectName::BuyingGained | EffectName::ReviewedGained => {
            with_access.contains(&(true, &it.key))
        }
        _ => false,
    };
    all.filter(|it| !follows(it)).collect()
}

/// What an effect is about: the account, the policy, the store, the field, the tags or the people.
fn about(it: &PlanEffect, limit: usize) -> String {
    let of = |kind: &str| format!("{kind}/{}", id(&it.object));
    match it.name {
        EffectName::AdministratorGained
        | EffectName::AdministratorLost
        | EffectName::BuyingGained
        | EffectName::BuyingLost => of("Account"),
        EffectName::ApproverGained
        | EffectName::ApproverLost
        | EffectName::ReviewedGained
        | EffectName::ReviewedLost => of("Policy"),
        EffectName::StoreGained | EffectName::StoreLost => of("Store"),
        EffectName::PriceChanged => {
            let other = |sign: &str, some: &[CompactText], others: &[CompactText]| {
                let some = some.iter().filter(|tag| !others.contains(tag));
                some.map(|tag| format!("{sign} {}", id(tag))).collect()
            };
            let parts: [Vec<String>; 2] = [
                other("+", &it.after, &it.before),
                other("-", &it.before, &it.after),
            ];
            parts.concat().join(", ")
        }
        EffectName::FieldChanged => id(&it.object).into_owned(),
        EffectName::VisibilityNarrowed | EffectName::VisibilityWidened => {
            let seen = it.before.iter().take(limit);
            let seen: Vec<String> = seen.map(|user| id(user).into_owned()).collect();
            let omitted = usize::try_from(it.omitted).unwrap_or(usize::MAX);
            joined(&seen, it.before.len().saturating_add(omitted))
        }
        EffectName::AccessGained | EffectName::AccessLost => String::new(),
    }
}

fn of_number(words: [&'static str; 2], number: usize) -> &'static str {
    words[usize::from(number != 1)]
}

/// Returns `3 users`. A plan lists the first effects only, and what it leaves out may be about users
/// who are counted already.
fn counted_who(kind: KindId, listed: usize, name: EffectName, omitted: Option<u64>) -> String {
    let kind = kinds::get(kind);
    let once_each = matches!(
        name,
        EffectName::AccessGained
            | EffectName::AccessLost
            | EffectName::PriceChanged
            | EffectName::VisibilityNarrowed
            | EffectName::VisibilityWidened
    );
    match omitted.and_then(|omitted| usize::try_from(omitted).ok()) {
        Some(omitted) if once_each => counted(listed + omitted, kind),
        Some(_) => format!("at least {}", counted(listed, kind)),
        None => counted(listed, kind),
    }
}

impl TextWriter<'_> {
    /// Writes what people and accounts gain and lose.
    pub fn effects(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(sentence) = of_plan(self.plan) else {
            return Ok(());
        };
        writeln!(out, "{}", self.wording.paint(BOLD, sentence))?;
        if !self.only_counts() {
            let full = self.wording.full;
            let named = if full { usize::MAX } else { NAMED };
            let mut lines = lines(&self.plan.effects, named, &self.plan.visibility);
            lines.retain(EffectLine::adds_to_sentence);
            let listed = if full { lines.len() } else { LISTED };
            for line in lines.iter().take(listed) {
                writeln!(out, "  {}", line.text())?;
            }
            let more: usize = lines.iter().skip(listed).map(|line| line.count).sum();
            if more > 0 {
                let more = format!("and {} more (--detail full lists them)", thousands(more));
                writeln!(out, "  {}", self.wording.paint(DIM, more))?;
            }
        }
        writeln!(out)
    }
}

#[cfg(test)]
#[path = "effects_tests.rs"]
mod tests;
