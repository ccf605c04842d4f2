//! An entry of the page of a plan: a step, or a part of a hold, with what a reader needs to know of
//! it, and the line that shows it.

use super::names::{self, ResourceNames};
use super::{link, value};
use crate::document::{
    ConsequenceDocument, FieldChangeDocument, HoldDocument, ImpactDocument, MemberDocument,
    OriginDocument, StepDocument, ValueDocument,
};
use crate::http::Caller;
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{CompactText, Key, KindId};
use crate::plan::{RuntimeChanges, StepVerb, UndoneChange, shared_by};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// A step, or an entry of a hold.
#[derive(Clone, Copy)]
pub(super) enum PlanPageEntry<'p> {
    Step(&'p StepDocument<'p>),
    Held(&'p HoldDocument<'p>),
}

impl<'p> PlanPageEntry<'p> {
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    pub fn verb(&self) -> StepVerb {
        match self {
            Self::Step(step) => step.verb,
            Self::Held(held) => held.verb,
        }
    }

    pub fn kind(&self) -> KindId {
        match self {
            Self::Step(step) => step.kind,
            Self::Held(held) => held.kind,
        }
    }

    pub fn external_id(&self) -> &'p str {
        match self {
            Self::Step(step) => &step.external_id,
            Self::Held(held) => &held.external_id,
        }
    }

    /// The reason of a step, or the code of a hold.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Step(step) => step.reason.word(),
            Self::Held(held) => held.code.name(),
        }
    }

    /// What it does to runtime facts.
    pub fn runtime(&self) -> RuntimeChanges {
        match self {
            Self::Step(step) => step.runtime(),
            Self::Held(_) => RuntimeChanges::default(),
        }
    }

    /// What else a reader has to know of it, in words.
    pub fn side_effects(&self) -> Vec<String> {
        let (shared, reverts) = match self {
            Self::Step(step) => (shared_by(&step.accounts), &step.reverts),
            Self::Held(held) => (None, &held.reverts),
        };
        let impact = match self {
            Self::Step(step) => &step.impact,
            Self::Held(held) => &held.impact,
        };
        let undone: Vec<_> = reverts.iter().map(UndoneChange::from).collect();
        let undone = UndoneChange::all_words(&undone, self.changes().len());
        let effects = self.runtime().effect().into_iter().chain(shared);
        let impact = impact.iter().map(ImpactDocument::words);
        effects.chain(impact).chain(undone).collect()
    }

    pub fn origin(&self) -> Option<&'p OriginDocument<'p>> {
        match self {
            Self::Step(step) => step.origin.as_ref(),
            Self::Held(held) => held.origin.as_ref(),
        }
    }

    pub fn changes(&self) -> &'p [FieldChangeDocument<'p>] {
        match self {
            Self::Step(step) => &step.changes,
            Self::Held(held) => &held.changes,
        }
    }

    pub fn consequences(&self) -> &'p [ConsequenceDocument<'p>] {
        match self {
            Self::Step(step) => &step.consequences,
            Self::Held(held) => &held.consequences,
        }
    }

    /// The text in which a search looks. It does not contain the message of a hold.
    pub fn searched_text(&self) -> String {
        let kind = kinds::get(self.kind()).name;
        let (id, verb, cause) = (self.external_id(), self.verb(), self.cause());
        let path = self.origin().map_or("", |origin| &origin.path);
        let changes = serde_json::to_string(self.changes()).unwrap_or_default();
        let runtime = self.runtime();
        let waits = if runtime.awaits_approval {
            "pending approval"
        } else {
            ""
        };
        let effect = self.side_effects().join(" ");
        format!("{kind} {id} {verb} {cause} {path} {changes} {waits} {effect}").to_lowercase()
    }

    /// The resources that its line names.
    pub fn named_resources(&self) -> impl Iterator<Item = Key> + use<'p> {
        let with_it = self.consequences().iter();
        let with_it = with_it.map(|it| Key::new(it.kind, &*it.external_id));
        std::iter::once(self.key()).chain(with_it)
    }

    pub fn key(&self) -> Key {
        Key::new(self.kind(), self.external_id())
    }

    /// The accounts that it names itself.
    pub fn named_accounts(&self) -> BTreeSet<&'p str> {
        let mut named = BTreeSet::new();
        if self.kind() == ACCOUNT {
            named.insert(self.external_id());
        }
        if let Self::Step(step) = self {
            named.extend(step.accounts.iter().map(|id| &**id));
        }
        let kind = kinds::get(self.kind());
        let fields: Vec<&str> = kind
            .account_fields()
            .map(|index| kind.fields[index].name)
            .collect();
        for change in self
            .changes()
            .iter()
            .filter(|it| fields.contains(&&*it.field))
        {
            let values = change.before.iter().chain(&change.after);
            named.extend(values.filter_map(|value| match value {
                ValueDocument::Text(id) => Some(&**id),
                _ => None,
            }));
            named.extend(change.added.iter().flatten().map(|member| match member {
                MemberDocument::Id(id) => &**id,
                MemberDocument::Link(link) => &*link.member,
            }));
            named.extend(change.removed.iter().flatten().map(|id| &**id));
            named.extend(change.changed.iter().flatten().map(|link| &*link.member));
        }
        named
    }

    /// The addresses that an account gets or changes, each with the account.
    pub fn addresses(&self) -> Vec<(Key, CompactText)> {
        if self.kind() != ACCOUNT {
            return Vec::new();
        }
        let fields = kinds::get(ACCOUNT).fields.iter();
        let fields = fields.filter(|field| field.ty.target() == Some(ADDRESS));
        let fields: Vec<&str> = fields.map(|field| field.name).collect();
        let changes = self.changes().iter();
        let changes = changes.filter(|change| fields.contains(&&*change.field));
        let members = changes.flat_map(|change| {
            let added = change.added.iter().flatten().map(|member| match member {
                MemberDocument::Id(id) => &**id,
                MemberDocument::Link(link) => &*link.member,
            });
            added.chain(change.removed.iter().flatten().map(|id| &**id))
        });
        let account = CompactText::new(self.external_id());
        members
            .map(|id| (Key::new(ADDRESS, id), account.clone()))
            .collect()
    }

    /// The new name of an account, with its id.
    pub fn account_name(&self) -> Option<(CompactText, CompactText)> {
        let mut changes = self.changes().iter();
        let change = changes.find(|change| self.kind() == ACCOUNT && change.field == "name")?;
        match &change.after {
            Some(ValueDocument::Text(name)) => {
                Some((CompactText::new(self.external_id()), CompactText::new(name)))
            }
            _ => None,
        }
    }

    /// Shows it in a list.
    pub fn line(&self, caller: &Caller, known: &ResourceNames) -> Markup {
        let (kind, id, verb) = (
            kinds::get(self.kind()).name,
            self.external_id(),
            self.verb(),
        );
        let runtime = self.runtime();
        let key = self.key();
        let name = known.get(&key).map(str::to_owned);
        let name = name.or_else(|| match verb {
            StepVerb::Create => names::of_planned(self.changes()),
            _ => None,
        });
        let target = match verb {
            // It may not be stored yet, or no longer, so its page may not exist. A search always works.
            StepVerb::Create | StepVerb::Delete => {
                link::search_link(caller, &format!("{kind}/{id}"))
            }
            _ => link::resource(caller, kind, id),
        };
        html! {
            li {
                p {
                    (sign(verb, self.is_held())) " " (verb) @if runtime.awaits_approval { ", pending approval" } " " (target) (names::beside(name.as_deref()))
                    " " span.small { @if self.is_held() { "held: " } (self.cause()) } " "
                    @if let Some(origin) = self.origin() { (value::place(origin)) }
                }
                (value::plan_changes(self.changes()))
                @if !self.consequences().is_empty() {
                    p { "What goes or changes with it:" }
                    ul { @for it in self.consequences() {
                        li { (it.verb) " " (link::search_link(caller, &format!("{}/{}", kinds::get(it.kind).name, it.external_id))) (known.beside(&Key::new(it.kind, &*it.external_id))) }
                    } }
                }
                @for effect in self.side_effects() { p { (effect) } }
            }
        }
    }
}

/// The sign of a verb, or of a hold.
pub(super) fn sign(verb: StepVerb, held: bool) -> Markup {
    html! {
        @if held { span.verb.held aria-hidden="true" { "!" } }
        @else { span class={ "verb " (verb) } aria-hidden="true" { (verb.sign()) } }
    }
}
