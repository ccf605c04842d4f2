//! The entries of a plan: steps, and what a later pass needs to remember.

use super::change_reading::changes;
use super::{FieldChangeDocument, ImpactDocument, OriginDocument, UndoneChangeDocument};
use crate::diagnostic::Origin;
use crate::model::{CompactText, Digest, FieldDigests, HeldStep, Key, KindId, TakenLogin, digest};
use crate::plan::{
    ClaimDigests, RuntimeChanges, Step, StepBody, StepClaim, StepConsequence, StepReason, StepVerb,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A step: one change to one resource.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct StepDocument<'a> {
    /// What happens. The first that fits: delete, deactivate, create, adopt, reactivate, update.
    pub verb: StepVerb,
    /// The kind of the resource.
    pub kind: KindId,
    /// The external id of the resource.
    pub external_id: Cow<'a, str>,
    /// The version of the row that the plan saw. Absent for a create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Why it happens.
    pub reason: StepReason,
    /// Where the resource is declared or, for a removal, was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginDocument<'a>>,
    /// What the source claims afterwards. Absent if it no longer declares the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimDocument<'a>>,
    /// `pending` if the step creates an account that then waits for the approval of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<StepApproval>,
    /// For new content of a Terms document: the number of users whose acceptance it resets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets: Option<u64>,
    /// For a change of an address that several accounts have: the external ids of these accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Cow<'a, str>>,
    /// The changes, one per field.
    pub changes: Vec<FieldChangeDocument<'a>>,
    /// What else goes or changes because of it. Each of these is a step too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequences: Vec<ConsequenceDocument<'a>>,
    /// What the queries of `impact` say of what it takes out of use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub impact: Vec<ImpactDocument<'a>>,
    /// The recorded changes that it takes back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<UndoneChangeDocument<'a>>,
    /// Whether the plan of the base has it already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_on_base: bool,
}

/// What a step does to another resource.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct ConsequenceDocument<'a> {
    /// What happens to the resource.
    pub verb: StepVerb,
    /// The kind of the resource.
    pub kind: KindId,
    /// The external id of the resource.
    pub external_id: Cow<'a, str>,
}

impl<'a> ConsequenceDocument<'a> {
    pub(super) fn all(consequences: &'a [StepConsequence]) -> Vec<Self> {
        let all = consequences.iter().map(|consequence| Self {
            verb: consequence.verb,
            kind: consequence.key.kind,
            external_id: Cow::Borrowed(&*consequence.key.id),
        });
        all.collect()
    }

    pub(super) fn read(all: Vec<Self>) -> Box<[StepConsequence]> {
        let all = all.into_iter().map(|read| StepConsequence {
            verb: read.verb,
            key: Key::new(read.kind, read.external_id),
        });
        all.collect()
    }
}

/// The approval of a new account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepApproval {
    /// It waits for a person.
    Pending,
}

impl StepDocument<'_> {
    /// What the step does to runtime facts.
    pub fn runtime(&self) -> RuntimeChanges {
        RuntimeChanges {
            awaits_approval: self.approval == Some(StepApproval::Pending),
            resets: self.resets,
        }
    }
}

impl<'a> From<&'a Step> for StepDocument<'a> {
    fn from(step: &'a Step) -> Self {
        Self {
            verb: step.verb,
            kind: step.key.kind,
            external_id: Cow::Borrowed(&*step.key.id),
            version: step.version,
            reason: step.reason,
            origin: step.origin.as_ref().map(OriginDocument::from),
            claim: step.claim.as_ref().map(ClaimDocument::from),
            approval: step
                .runtime
                .awaits_approval
                .then_some(StepApproval::Pending),
            resets: step.runtime.resets,
            accounts: step
                .accounts
                .iter()
                .map(|id| Cow::Borrowed(id.as_str()))
                .collect(),
            changes: FieldChangeDocument::all(
                step.key.kind,
                step.verb == StepVerb::Create,
                step.borrowed_changes(),
            ),
            consequences: ConsequenceDocument::all(&step.consequences),
            impact: ImpactDocument::all(&step.impact),
            reverts: UndoneChangeDocument::all(&step.undoes),
            already_on_base: step.is_on_base,
        }
    }
}

impl TryFrom<StepDocument<'_>> for Step {
    type Error = String;

    fn try_from(read: StepDocument<'_>) -> Result<Self, String> {
        let runtime = read.runtime();
        let key = Key::new(read.kind, read.external_id);
        Ok(Self {
            verb: read.verb,
            version: read.version,
            reason: read.reason,
            origin: read.origin.map(Origin::from),
            claim: read.claim.map(StepClaim::from),
            body: StepBody::Changes(changes(&key, read.changes)?),
            accounts: read.accounts.iter().map(CompactText::new).collect(),
            consequences: ConsequenceDocument::read(read.consequences),
            impact: ImpactDocument::read(read.impact)?,
            undoes: UndoneChangeDocument::read(&read.reverts),
            is_on_base: read.already_on_base,
            runtime,
            key,
        })
    }
}

/// The claim of a source on a resource: digests of what it declares.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct ClaimDocument<'a> {
    /// The digest of everything that it declares.
    #[schemars(with = "String")]
    pub digest: DigestDocument,
    /// The digest of each declared field, and of each member of a list.
    #[schemars(with = "BTreeMap<String, String>")]
    pub fields: FieldDigestsDocument<'a>,
}

impl<'a> From<&'a StepClaim> for ClaimDocument<'a> {
    fn from(claim: &'a StepClaim) -> Self {
        let (digest, fields) = match claim.digests() {
            Cow::Borrowed(claimed) => (claimed.digest, Cow::Borrowed(&claimed.fields)),
            Cow::Owned(claimed) => (claimed.digest, Cow::Owned(claimed.fields)),
        };
        Self {
            digest: DigestDocument(digest),
            fields: FieldDigestsDocument(fields),
        }
    }
}

impl From<ClaimDocument<'_>> for StepClaim {
    fn from(read: ClaimDocument<'_>) -> Self {
        Self::Digests(ClaimDigests {
            digest: read.digest.0,
            fields: read.fields.0.into_owned(),
        })
    }
}

/// A digest in hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct DigestDocument(Digest);

impl Serialize for DigestDocument {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(digest::hex(&self.0.0, &mut [0; 32]))
    }
}

impl<'de> Deserialize<'de> for DigestDocument {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let digest = Digest::parse(&text);
        digest.map(Self).ok_or_else(|| invalid_digest(&text))
    }
}

fn invalid_digest<E: serde::de::Error>(text: &str) -> E {
    E::custom(format!("`{text}` is not a digest"))
}

/// The short digests of fields by name.
#[derive(Clone, Debug)]
pub struct FieldDigestsDocument<'a>(Cow<'a, FieldDigests>);

impl Serialize for FieldDigestsDocument<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        struct HexDigest(u64);
        impl Serialize for HexDigest {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(digest::hex(&self.0.to_be_bytes(), &mut [0; 16]))
            }
        }
        to.collect_map(
            self.0
                .iter()
                .map(|(name, digest)| (name, HexDigest(digest))),
        )
    }
}

impl<'de> Deserialize<'de> for FieldDigestsDocument<'_> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = BTreeMap::<Cow<str>, Cow<str>>::deserialize(from)?;
        let fields = read.into_iter().map(|(name, text)| {
            let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let number = u64::from_str_radix(&text, 16).ok().filter(|_| hex);
            let number = number.ok_or_else(|| invalid_digest::<D::Error>(&text))?;
            Ok((name, number))
        });
        let fields: FieldDigests = fields.collect::<Result<_, D::Error>>()?;
        Ok(Self(Cow::Owned(fields)))
    }
}

/// A resource.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct KeyDocument<'a> {
    /// The kind.
    pub kind: KindId,
    /// The external id.
    pub external_id: Cow<'a, str>,
}

impl<'a> From<&'a Key> for KeyDocument<'a> {
    fn from(key: &'a Key) -> Self {
        Self {
            kind: key.kind,
            external_id: Cow::Borrowed(&*key.id),
        }
    }
}

impl From<KeyDocument<'_>> for Key {
    fn from(read: KeyDocument<'_>) -> Self {
        Self::new(read.kind, read.external_id)
    }
}

/// A login name that a user brings along with an export and keeps.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct TakenLoginDocument<'a> {
    /// The external id of the user.
    pub user: Cow<'a, str>,
    /// The external id of the account.
    pub account: Cow<'a, str>,
    /// The name: customer number, dash, running number.
    pub login: Cow<'a, str>,
}

impl<'a> From<&'a TakenLogin> for TakenLoginDocument<'a> {
    fn from(login: &'a TakenLogin) -> Self {
        Self {
            user: Cow::Borrowed(&login.user),
            account: Cow::Borrowed(&login.account),
            login: Cow::Borrowed(&login.name),
        }
    }
}

impl From<TakenLoginDocument<'_>> for TakenLogin {
    fn from(read: TakenLoginDocument<'_>) -> Self {
        Self {
            user: CompactText::new(read.user),
            account: CompactText::new(read.account),
            name: CompactText::new(read.login),
        }
    }
}

/// A step that a guard held, as a later pass needs it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct RememberedStepDocument<'a> {
    /// The kind of the resource.
    pub kind: KindId,
    /// The external id of the resource.
    pub external_id: Cow<'a, str>,
    /// The budget that the step counts against.
    pub budget: Cow<'a, str>,
    /// The held field. Empty if the whole step is held.
    pub field: Cow<'a, str>,
    /// What would happen.
    pub verb: Cow<'a, str>,
    /// The id of the hold.
    pub hold: Cow<'a, str>,
    /// The number of steps that were held together.
    pub count: u64,
    /// The number of steps that the source had applied within the window before.
    pub earlier: u64,
    /// The number of resources that the steps are a share of.
    pub of: u64,
    /// The digest of what the source declared.
    #[schemars(with = "String")]
    pub declared: DigestDocument,
    /// The digest of the step with its values.
    #[schemars(with = "String")]
    pub step: DigestDocument,
}

impl<'a> From<&'a HeldStep> for RememberedStepDocument<'a> {
    fn from(step: &'a HeldStep) -> Self {
        Self {
            kind: step.key.kind,
            external_id: Cow::Borrowed(&*step.key.id),
            budget: Cow::Borrowed(&step.budget),
            field: Cow::Borrowed(&step.field),
            verb: Cow::Borrowed(&step.verb),
            hold: Cow::Borrowed(&step.hold),
            count: step.count,
            earlier: step.earlier,
            of: step.total,
            declared: DigestDocument(step.declared),
            step: DigestDocument(step.step),
        }
    }
}

impl RememberedStepDocument<'_> {
    /// The remembered step of `source`.
    pub(super) fn into_step(self, source: &Arc<str>) -> HeldStep {
        HeldStep {
            source: Arc::clone(source),
            key: Key::new(self.kind, self.external_id),
            budget: self.budget.into_owned(),
            field: self.field.into_owned(),
            verb: self.verb.into_owned(),
            hold: self.hold.into_owned(),
            count: self.count,
            earlier: self.earlier,
            total: self.of,
            declared: self.declared.0,
            step: self.step.0,
        }
    }
}

/// A stored field that no source declares.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct UndeclaredDocument<'a> {
    /// The kind of the resource.
    pub kind: KindId,
    /// The external id of the resource.
    pub external_id: Cow<'a, str>,
    /// The field.
    pub field: Cow<'a, str>,
}

impl<'a> From<&'a (Key, String)> for UndeclaredDocument<'a> {
    fn from((key, field): &'a (Key, String)) -> Self {
        Self {
            kind: key.kind,
            external_id: Cow::Borrowed(&*key.id),
            field: Cow::Borrowed(field),
        }
    }
}

impl From<UndeclaredDocument<'_>> for (Key, String) {
    fn from(read: UndeclaredDocument<'_>) -> Self {
        (
            Key::new(read.kind, read.external_id),
            read.field.into_owned(),
        )
    }
}
