//! The groups of the page of a plan. People think in customers, so entries are grouped by account;
//! of very many entries, or on request, by kind and verb.

use super::link;
use super::names::ResourceNames;
use super::plan_entry::{PlanPageEntry, sign};
use crate::diagnostic::{thousands, visible};
use crate::http::Caller;
use crate::kinds;
use crate::model::{CompactText, Key};
use crate::store::{Store, StoreError};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// For how many entries the accounts are looked up.
pub(super) const MAX_LOOKED_UP: usize = 2000;

/// Entries that are shown together.
pub(super) struct PlanPageGroup<'p> {
    /// The id of its element.
    id: String,
    title: Markup,
    /// Where to go from it.
    link: Markup,
    pub entries: Vec<PlanPageEntry<'p>>,
}

/// Groups entries by account. Those of no account come last.
pub(super) async fn by_account<'p>(
    entries: &[PlanPageEntry<'p>],
    store: &Store,
    caller: &Caller,
) -> Result<Vec<PlanPageGroup<'p>>, StoreError> {
    let unnamed = entries
        .iter()
        .filter(|entry| entry.named_accounts().is_empty());
    let unnamed: BTreeSet<_> = unnamed.map(PlanPageEntry::key).collect();
    // A resource may belong to several sources, so only callers who see all of them see what is stored
    // of it.
    let sees_all = caller.sources.is_none();
    let stored = if sees_all {
        store.accounts_of(&unnamed).await?
    } else {
        BTreeMap::new()
    };
    let mut groups: BTreeMap<(bool, CompactText), (usize, Vec<PlanPageEntry<'p>>)> =
        BTreeMap::new();
    let mut declared: BTreeMap<Key, CompactText> = BTreeMap::new();
    for (address, account) in entries.iter().flat_map(PlanPageEntry::addresses) {
        declared.entry(address).or_insert(account);
    }
    for entry in entries {
        let named = entry.named_accounts().into_iter().map(CompactText::new);
        let mut accounts: Vec<CompactText> = named.collect();
        let key = entry.key();
        let known = declared.get(&key).into_iter();
        for id in known.chain(stored.get(&key).into_iter().flatten()) {
            if !accounts.contains(id) {
                accounts.push(id.clone());
            }
        }
        // Under the first: an entry that is shown twice would be read as two.
        let first = accounts.first().cloned();
        let group = groups.entry((first.is_none(), first.unwrap_or_default()));
        let (shared, listed) = group.or_default();
        *shared += usize::from(accounts.len() > 1);
        listed.push(*entry);
    }
    let ids = groups.keys().filter(|(none, _)| sees_all && !none);
    let ids: BTreeSet<CompactText> = ids.map(|(_, id)| id.clone()).collect();
    let mut names = store.account_names(&ids).await?;
    // A new account has no stored name yet.
    names.extend(entries.iter().filter_map(PlanPageEntry::account_name));
    let shown = groups.into_iter().map(|((none, id), (shared, mut entries))| {
        entries.sort_by_key(|entry| (entry.is_held(), entry.kind(), entry.verb()));
        PlanPageGroup {
            id: if none { "group-other".to_owned() } else { format!("account-{}", element_name(&id)) },
            title: html! {
                @if none { "Of no account" } @else { (account_title(&id, names.get(&id))) }
                " " span.small { (counts(&entries)) @if shared > 0 { ", " (shared) " of several accounts" } }
            },
            link: html! {
                @if !none { p.small { (link::search_link(caller, &format!("{}/{id}", kinds::get(kinds::ACCOUNT).name))) } }
            },
            entries,
        }
    });
    Ok(shown.collect())
}

fn account_title(id: &str, name: Option<&CompactText>) -> Markup {
    html! {
        @match name.filter(|name| name.as_str() != id) {
            Some(name) => { (visible(name)) " " span.key { (visible(id)) } },
            None => (visible(id)),
        }
    }
}

/// A name as part of the id of an element.
fn element_name(name: &str) -> String {
    link::percent_encode(name).replace('%', "-")
}

/// How many entries there are of each verb: `create 2, update 1, 1 held`.
fn counts(entries: &[PlanPageEntry<'_>]) -> String {
    let mut steps = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.is_held()) {
        *steps.entry(entry.verb()).or_insert(0_usize) += 1;
    }
    let held = entries.iter().filter(|entry| entry.is_held()).count();
    let steps = steps
        .iter()
        .map(|(verb, count)| format!("{verb} {}", thousands(count)));
    let held = (held > 0).then(|| format!("{} held", thousands(held)));
    steps.chain(held).collect::<Vec<_>>().join(", ")
}

/// Groups entries by kind and verb, steps before what is held.
pub(super) fn by_verb<'p>(entries: &[PlanPageEntry<'p>]) -> Vec<PlanPageGroup<'p>> {
    let mut groups: BTreeMap<_, Vec<PlanPageEntry<'p>>> = BTreeMap::new();
    for entry in entries {
        let group = (entry.is_held(), entry.kind(), entry.verb());
        groups.entry(group).or_default().push(*entry);
    }
    let shown = groups.into_iter().map(|((held, kind, verb), entries)| {
        let kind = kinds::get(kind).name;
        let state = if held { "-held" } else { "" };
        PlanPageGroup {
            id: format!("group-{kind}-{verb}{state}"),
            title: html! { (sign(verb, held)) " " (kind) ": " (verb) @if held { ", held" } " " (thousands(entries.len())) },
            link: html! {},
            entries,
        }
    });
    shown.collect()
}

/// The part of the groups that is on a page: at most `size` entries from the entry `from` on.
pub(super) fn page(
    groups: Vec<PlanPageGroup<'_>>,
    from: usize,
    size: usize,
) -> impl Iterator<Item = PlanPageGroup<'_>> {
    let (mut skip, mut room) = (from, size);
    groups.into_iter().filter_map(move |mut group| {
        let skipped = skip.min(group.entries.len());
        skip -= skipped;
        group.entries.drain(..skipped);
        let left = group.entries.len().saturating_sub(room);
        group.entries.truncate(room);
        room -= group.entries.len();
        if left > 0 {
            group.title = html! { (group.title) " " span.small { "(" (thousands(left)) " more on the next page)" } };
        }
        (!group.entries.is_empty()).then_some(group)
    })
}

impl PlanPageGroup<'_> {
    pub fn show(&self, open: bool, caller: &Caller, names: &ResourceNames) -> Markup {
        html! {
            // With an id, a group that somebody opened stays open when the script refreshes the
            // section.
            details.group id=(self.id) open[open] {
                summary { (self.title) }
                (self.link)
                ul.steps { @for entry in &self.entries { (entry.line(caller, names)) } }
            }
        }
    }
}
