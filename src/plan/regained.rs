//! Finds access that was taken away outside Roster since a source declared it. A claim tells what
//! the row had: what the claim says and the row lacks was changed by somebody else. An unchanged
//! declaration of it is then held, and the claim keeps recording it, whoever declares it from then
//! on.

use super::compare::{FieldVerdict, stored};
use super::context::PlanContext;
use super::rules::PeerSource;
use crate::kinds;
use crate::model::{
    Cell, Claim, ClaimState, CompactText, FieldChange, Key, Link, Row, StatedField, Value, digest,
};

/// The claims that tell what a row has had in a field.
pub(super) struct FieldWitnesses<'c> {
    name: &'c str,
    /// The claim of the source itself, if it says something of the field.
    own: Option<&'c Claim>,
    /// The claims that count: its own or, while it has said nothing of the field, all of them.
    claims: Vec<&'c Claim>,
    /// Whether the source is an export.
    export: bool,
}

impl<'c> FieldWitnesses<'c> {
    /// The witnesses of a field; `own` is the active claim of this source.
    pub fn of(
        context: &'c PlanContext<'_>,
        key: &Key,
        own: Option<&'c Claim>,
        name: &'c str,
    ) -> Self {
        let export = context.desired.partial;
        if let Some(claim) = own.filter(|claim| speaks_of(claim, name)) {
            return Self {
                name,
                own,
                claims: vec![claim],
                export,
            };
        }
        // A source that declares the field for the first time must not undo what was taken from
        // another one, so the claims of all sources are asked.
        let all = context.stored.claims.get(key).into_iter().flatten();
        Self {
            name,
            own: None,
            claims: all.collect(),
            export,
        }
    }

    /// Splits off the part of a change that would give back access somebody took away.
    pub fn split_regained_access(
        &self,
        change: &FieldChange,
        stated: &StatedField,
    ) -> Option<FieldVerdict> {
        let before = change.before.as_ref();
        match &change.after {
            Some(Value::List(after)) => {
                let has = |member: &str| {
                    let mut old = before.into_iter().flat_map(Value::members);
                    old.any(|old| old == member)
                };
                // Member by member: one group that was taken away does not keep new ones from being
                // added.
                let (gone, rest): (Vec<CompactText>, Vec<CompactText>) = after
                    .iter()
                    .cloned()
                    .partition(|member| !has(member) && self.names(member));
                let had = rest.iter().filter(|member| has(member)).cloned();
                let recorded = had.chain(gone.iter().cloned()).collect();
                let rest = Value::List(rest.into());
                (!gone.is_empty()).then(|| regain_verdict(change, &rest, recorded))
            }
            Some(Value::Links(after)) => {
                let old = before.map_or(&[][..], Value::as_links);
                let kept = |link: &Link| self.safe_part_of_link(link, &stated.cell, old);
                let rest: Vec<Link> = after.iter().filter_map(kept).collect();
                let recorded = after.iter().filter(|link| {
                    let stays = rest.iter().any(|kept| kept == *link);
                    !stays || old.contains(link)
                });
                let recorded = recorded.map(|link| link.target.clone()).collect();
                let rest_value = Value::Links(rest.clone().into());
                (rest != **after).then(|| regain_verdict(change, &rest_value, recorded))
            }
            Some(Value::Text(status)) if &**status == "active" => {
                self.deactivated(stated).then(|| FieldVerdict::Regain {
                    whole: change.clone(),
                    rest: None,
                    recorded: vec![CompactText::new("")],
                })
            }
            _ => None,
        }
    }

    fn names(&self, member: &str) -> bool {
        let mut claims = self.claims.iter();
        claims.any(|claim| claim.fields.member(self.name, member).is_some())
    }

    /// Whether a resource that is declared active was deactivated outside Roster.
    fn deactivated(&self, stated: &StatedField) -> bool {
        let said = digest::short_digest(&stated.cell);
        if let Some(own) = self.own.and_then(|own| own.fields.get(self.name)) {
            // An export only reactivates what it deactivated itself.
            return own == said || self.export && own != inactive();
        }
        let mut claims = self.claims.iter();
        if self.export {
            // Gone means that it was deactivated for its absence, so its return may reactivate it.
            return !claims.any(|claim| claim.state == ClaimState::Gone);
        }
        claims.any(|claim| {
            claim.state == ClaimState::Active && claim.fields.get(self.name) == Some(said)
        })
    }

    /// The part of a link that gives nothing back: as declared, as stored, or none.
    fn safe_part_of_link(&self, link: &Link, cell: &Cell, old: &[Link]) -> Option<Link> {
        let mut declared = cell.value().map_or(&[][..], Value::as_links).iter();
        let Some(declared) = declared.find(|said| said.target == link.target) else {
            // Stored, and not mentioned by the declaration.
            return Some(link.clone());
        };
        let said = digest::short_digest(&Cell::Value(Value::Links([declared.clone()].into())));
        let mut claims = self.claims.iter();
        if !claims.any(|claim| claim.fields.member(self.name, &link.target) == Some(said)) {
            return Some(link.clone());
        }
        let stored = old.iter().find(|stored| stored.target == link.target)?;
        // A level above the stored one was lowered by somebody; the stored one stays.
        Some(if link.attributes > stored.attributes {
            stored.clone()
        } else {
            link.clone()
        })
    }
}

/// Whether this claim is the only one that knows of access the row lost, while another source
/// declares the same. Released, that source would give the access back.
pub(super) fn is_only_witness(
    context: &PlanContext<'_>,
    row: &Row,
    claim: &Claim,
    peer: &PeerSource,
) -> bool {
    let kind = kinds::get(row.key.kind);
    let theirs = context.stored.claim(&peer.name, &row.key);
    let theirs = theirs.filter(|claim| claim.state == ClaimState::Active);
    let declared = peer.desired.as_ref();
    let Some(declared) = declared.and_then(|desired| desired.resources.get(&row.key)) else {
        return false;
    };
    let unseen = |name: &str| theirs.is_none_or(|theirs| !speaks_of(theirs, name));
    let grants = kind
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.grants_access);
    grants.into_iter().any(|(index, field)| {
        let said = declared.value(index);
        said.is_some()
            && unseen(field.name)
            && lacks_claimed_value(row.values[index].as_ref(), claim, field.name)
    })
}

/// Whether a value lacks something that a claim records.
fn lacks_claimed_value(stored: Option<&Value>, claim: &Claim, name: &str) -> bool {
    let as_stored = |value: Value| digest::short_digest(&Cell::Value(value));
    if let Some(Value::Text(_)) = stored {
        let now = stored.cloned().map(as_stored);
        return claim.fields.get(name).is_some_and(|said| Some(said) != now);
    }
    let links = stored.map_or(&[][..], Value::as_links);
    claim.fields.members(name).any(|member| {
        let is_there = stored.is_some_and(|value| value.members().any(|it| it == member));
        let said = claim.fields.member(name, member);
        let link = links.iter().find(|link| *link.target == *member);
        let is_said = |link| said.is_some_and(|said| link_as_stated(link, said).is_some());
        !is_there || link.is_some_and(|link| !is_said(link))
    })
}

fn speaks_of(claim: &Claim, name: &str) -> bool {
    claim.fields.get(name).is_some() || claim.fields.members(name).next().is_some()
}

/// The stored link with only the attributes that were stated, if its digest is the recorded one. A
/// claim digests those alone, so every combination is tried.
pub(super) fn link_as_stated(link: &Link, recorded: u64) -> Option<Link> {
    let [first, second] = link.attributes;
    let forms = [(first, second), (first, None), (None, second), (None, None)];
    let mut forms = forms.into_iter().map(|(first, second)| Link {
        attributes: [first, second],
        ..link.clone()
    });
    forms.find(|form| {
        let alone = Value::Links([form.clone()].into());
        digest::short_digest(&Cell::Value(alone)) == recorded
    })
}

pub(super) fn inactive() -> u64 {
    digest::short_digest(&Cell::Value(Value::text("inactive")))
}

fn regain_verdict(whole: &FieldChange, rest: &Value, recorded: Vec<CompactText>) -> FieldVerdict {
    let rest = FieldChange {
        field: whole.field.clone(),
        before: whole.before.clone(),
        after: stored(Some(rest)),
    };
    let rest = (rest.before != rest.after).then_some(rest);
    FieldVerdict::Regain {
        whole: whole.clone(),
        rest,
        recorded,
    }
}
