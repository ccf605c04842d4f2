//! The inputs of a plan beside the two states. [`PlanRules`] is made from the configuration, the
//! command line and the other sources: authorities, limits of guards, and the overrides given for
//! this plan.

use super::account_folders::AccountFolders;
use super::commit_approvals::CommitAccept;
use super::effect_budget::EffectBudget;
use super::effects::EffectName;
use super::impact::ImpactAnswer;
use crate::diagnostic::{Code, Severity};
use crate::kinds::{self, Kind};
use crate::model::{Desired, Digest, FieldRef, Key, KindId};
use crate::stop_flag::StopFlag;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that decides a plan besides what is desired and what is stored.
#[derive(Clone, Debug, Default)]
pub struct PlanRules {
    /// Whether a resource that disappears from the source is deactivated.
    pub prune: bool,
    /// Whether a faulty resource is held, instead of refusing the whole plan.
    pub hold_errors: bool,
    /// The rules whose severity is another one here.
    pub severities: BTreeMap<Code, Severity>,
    /// The folders that belong to one account each.
    pub folders: AccountFolders,
    /// Whether drift is only reported.
    pub report_drift: bool,
    /// Whether deletes may be applied.
    pub allow_delete: bool,
    /// The fields that this source may write.
    pub authority: SourceAuthority,
    /// The fields that the shop writes: seeds at most, and never drift.
    pub shop: SourceAuthority,
    /// The other configured sources.
    pub peers: Vec<PeerSource>,
    /// Other sources that are asked only whether they declare what is missing.
    pub witnesses: Vec<PeerSource>,
    /// The names of the peers that deactivate what disappears from them.
    pub pruning_peers: BTreeSet<Arc<str>>,
    /// The names of sources. Where two enforce one field, the first one wins.
    pub order: Vec<Arc<str>>,
    /// How much may change at once.
    pub guards: GuardLimits,
    /// The fields whose changes are effects.
    pub effect_fields: BTreeSet<(KindId, FieldRef)>,
    /// How many people have to approve a hold with such an effect; one for all others.
    pub approvals: BTreeMap<EffectName, u32>,
    /// The overrides given for this plan.
    pub accepts: Vec<AcceptOverride>,
    /// What the operator's queries say of the resources that the plan takes out of use.
    pub impact: Vec<ImpactAnswer>,
    /// The overrides that people gave in signed commits.
    pub commit_accepts: Vec<CommitAccept>,
    /// The only resources of a partial plan. Nothing else is removed, and errors elsewhere do not
    /// refuse it.
    pub only: Option<BTreeSet<Key>>,
    /// Which of the resources that the source claims and does not declare may be missing.
    pub undeclared: UndeclaredKeys,
    /// How many accepted exports in a row have to leave a resource out before it counts as gone.
    /// `None` means never for an export, and at once for any other source.
    pub absent_after: Option<u32>,
    /// Whether this export was not seen before. Then what it leaves out counts once more.
    pub is_new_export: bool,
    /// Why everything is held, if the export as a whole is in doubt.
    pub doubt: Option<(Code, String)>,
    /// Whether the doubt also holds an export that would write nothing, since accepting it counts.
    pub doubt_holds: bool,
    /// Fields whose values are in doubt, and why.
    pub doubtful_fields: Vec<DoubtfulField>,
    /// Whether to list every stored field that nothing declares.
    pub exact: bool,
    /// Whether to compare every field, whatever digests and versions say.
    pub scrub: bool,
    /// The identity of the database, which goes into the ids of holds.
    pub salt: String,
    /// Stops planning before it is complete.
    pub stop: StopFlag,
}

impl PlanRules {
    /// What a claim depends on besides what was declared: under other authorities, what was left
    /// alone may have to be written.
    pub(super) fn fingerprint(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for authority in [&self.authority, &self.shop] {
            for ((kind, field), mode) in &authority.fields {
                hasher.update(&[kind.0, *mode as u8]);
                hasher.update(field.as_bytes());
            }
            hasher.update(&[u8::MAX]);
        }
        Digest::from_hasher(&hasher)
    }
}

/// Which of the resources that a source claims, and that are not among the declared ones, may be
/// missing from it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum UndeclaredKeys {
    /// All of them: everything that it declares is there.
    #[default]
    All,
    /// None: only some files were read, and these still declare all that they did.
    None,
    /// These, of which it is known that no row names them. The others are declared in rows that were
    /// not read.
    Only(BTreeSet<Key>),
}

impl UndeclaredKeys {
    /// Whether a resource that is not among the declared ones is known not to be declared.
    pub(super) fn contains(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(keys) => keys.contains(key),
        }
    }
}

/// A field that an export fills for far fewer resources than before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DoubtfulField {
    pub kind: KindId,
    pub field: FieldRef,
    /// How many have lost their value.
    pub count: u64,
    /// How many had one.
    pub total: u64,
    /// How many may lose it.
    pub limit: u64,
    /// What is wrong, in words.
    pub message: String,
}

/// Who decides a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AuthorityMode {
    /// The declared value is written whenever the row differs.
    #[default]
    Enforce,
    /// The declared value is written on create, or where there is none.
    Seed,
    /// The declared value is only compared.
    Observe,
}

/// What a source may say, by kind and field; what is not listed it enforces.
#[derive(Clone, Debug, Default)]
pub struct SourceAuthority {
    /// Kinds of which the source does not decide whether they exist.
    pub undecided_kinds: BTreeSet<KindId>,
    /// Fields that are not enforced; `customFields` means all of them.
    pub fields: BTreeMap<(KindId, String), AuthorityMode>,
}

impl SourceAuthority {
    /// Who decides a field.
    pub fn mode(&self, kind: &Kind, field: &FieldRef) -> AuthorityMode {
        if self.fields.is_empty() {
            return AuthorityMode::Enforce;
        }
        let name = kind.field_name(field);
        let head = name.split('.').next().unwrap_or_default().to_owned();
        let found = self
            .fields
            .get(&(kind.id, name))
            .or_else(|| self.fields.get(&(kind.id, head)));
        found.copied().unwrap_or_default()
    }

    /// Whether the source decides about the existence of a kind's resources.
    pub fn decides_existence(&self, kind: KindId) -> bool {
        !self.undecided_kinds.contains(&kind)
    }
}

/// Another configured source.
#[derive(Clone, Debug, Default)]
pub struct PeerSource {
    pub name: Arc<str>,
    /// What it declares now, if its pass accepts that. With `None`, its claims count instead.
    pub desired: Option<Arc<Desired>>,
    /// Whether it is as it was when it was last applied, so that it declares what it claims and was
    /// not read again.
    pub is_unread: bool,
    /// The fields that it may write.
    pub authority: SourceAuthority,
    /// What it declares although its pass does not accept it. It decides no field, but nothing
    /// that it names is removed elsewhere.
    pub unaccepted: Option<Arc<Desired>>,
    /// Why its pass writes nothing, if it does not.
    pub idle: Option<IdleReason>,
    /// The kinds of which it may declare more than is known, and why.
    pub hidden_kinds: BTreeMap<KindId, String>,
    /// The resources that its pass holds whole: their claims stand.
    pub held: BTreeSet<Key>,
    /// The fields that its pass holds: their claims stand.
    pub held_fields: BTreeSet<(Key, FieldRef)>,
    /// The resources that its exports left out so often that it no longer decides about them.
    pub absent_keys: BTreeSet<Key>,
}

/// Why a source writes nothing now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdleReason {
    /// What is wrong, or what it waits for.
    pub why: String,
    /// The way out.
    pub help: String,
}

/// One limit: held when `n > floor` and `n > percent`, or `n > max`, or this plan alone has at least 2
/// and at least half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GuardLimit {
    /// Per cent of what there is.
    pub percent: u64,
    /// So many are always fine, up to half.
    pub floor: u64,
    /// More than so many never are.
    pub max: Option<u64>,
}

impl GuardLimit {
    /// A limit without a maximum.
    pub const fn new(percent: u64, floor: u64) -> Self {
        Self {
            percent,
            floor,
            max: None,
        }
    }

    /// Whether `now` of `of` is held, after `earlier` within the window.
    pub fn is_exceeded_by(self, now: u64, earlier: u64, of: u64) -> bool {
        let n = now + earlier;
        let share = n > self.floor && n * 100 > self.percent * of;
        let most = self.max.is_some_and(|max| n > max);
        // The floor alone would let a small directory lose most of its rows without a question.
        let half = now >= 2 && now * 2 >= of;
        share || most || half
    }

    /// The number that `n` of `of` may not pass.
    pub fn allowed(self, of: u64) -> u64 {
        let share = self.floor.max(self.percent * of / 100);
        let half = if of >= 3 { (of - 1) / 2 } else { 1 };
        share.min(self.max.unwrap_or(u64::MAX)).min(half.max(1))
    }
}

/// The limits, by what they count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardLimits {
    /// Deactivated resources, a kind.
    pub deactivate: GuardLimit,
    /// Deleted resources, a kind.
    pub delete: GuardLimit,
    /// Reactivated resources, a kind.
    pub reactivate: GuardLimit,
    /// Cleared values, a field.
    pub clear: GuardLimit,
    /// Members taken out, a list field.
    pub unlink: GuardLimit,
    /// Changed values, of the fields named (`User.email`; `User.accounts.level` is the attribute).
    pub change: BTreeMap<String, GuardLimit>,
    /// Users that one account loses.
    pub per_account: GuardLimit,
    /// Values that a column of an export has no longer.
    pub blank: GuardLimit,
    /// Users or accounts that gain or lose something, whatever the road.
    pub effects: BTreeMap<EffectBudget, GuardLimit>,
}

impl Default for GuardLimits {
    fn default() -> Self {
        let changes = [
            ("User.email", GuardLimit::new(2, 3)),
            ("User.groups", GuardLimit::new(2, 3)),
            ("User.accounts.level", GuardLimit::new(2, 3)),
            ("Organisation.parent", GuardLimit::new(5, 3)),
        ];
        let effects = GuardLimit {
            percent: 10,
            floor: 3,
            max: Some(500),
        };
        Self {
            deactivate: GuardLimit {
                percent: 10,
                floor: 3,
                max: Some(500),
            },
            delete: GuardLimit {
                percent: 1,
                floor: 1,
                max: Some(10),
            },
            reactivate: GuardLimit {
                percent: 10,
                floor: 3,
                max: Some(500),
            },
            clear: GuardLimit::new(10, 3),
            unlink: GuardLimit::new(10, 3),
            change: changes
                .into_iter()
                .map(|(name, limit)| (name.to_owned(), limit))
                .collect(),
            per_account: GuardLimit::new(50, 3),
            blank: GuardLimit::new(30, 3),
            effects: EffectBudget::ALL
                .into_iter()
                .map(|budget| (budget, effects))
                .collect(),
        }
    }
}

/// An override for this plan: what it lets through, and exactly how many.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AcceptOverride {
    /// `User.deactivate=104`, `User.website.clear=7`, `User.deactivate@acme=4`: a guard's budget.
    Budget(String, u64),
    /// `empty=Policy`, `empty=all`.
    Empty(String),
    /// `rename=OLD`: that resource goes and another comes.
    Rename(String),
    /// `rename=400`: exactly so many renames.
    Renames(u64),
}

impl AcceptOverride {
    /// Reads the value of `--accept`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is not a valid override; use `User.deactivate=104`, `empty=Policy`, `empty=all` or `rename=OLD`"
            )
        };
        match text.split_once('=') {
            Some(("empty", kind)) if kind == "all" || kinds::by_name(kind).is_some() => {
                Ok(Self::Empty(kind.to_owned()))
            }
            Some(("rename", old)) if !old.is_empty() => Ok(old
                .parse()
                .map_or_else(|_| Self::Rename(old.to_owned()), Self::Renames)),
            Some((budget, count)) if is_budget(budget) => {
                let count = count.parse().map_err(|_| expected())?;
                Ok(Self::Budget(budget.to_owned(), count))
            }
            _ => Err(expected()),
        }
    }
}

/// Whether a budget is that of an effect, or has the name of a kind and ends with what guards count.
fn is_budget(budget: &str) -> bool {
    const COUNTED: [&str; 6] = [
        "deactivate",
        "delete",
        "reactivate",
        "clear",
        "unlink",
        "change",
    ];
    if EffectBudget::by_name(budget).is_some() || is_impact(budget) {
        return true;
    }
    let name = budget.split('@').next().unwrap_or_default();
    let parts = name.split_once('.').zip(name.rsplit_once('.'));
    parts.is_some_and(|((kind, _), (_, verb))| {
        kinds::by_name(kind).is_some() && COUNTED.contains(&verb)
    })
}

/// Whether a budget is that of a query. Only the configuration knows its name.
fn is_impact(budget: &str) -> bool {
    let name = budget.strip_prefix("impact.");
    name.is_some_and(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_a_share_above_the_floor_a_maximum_and_half_of_two() {
        let limit = GuardLimit {
            percent: 10,
            floor: 3,
            max: Some(500),
        };
        let cases = [
            (1, 2, false),
            (2, 4, true),
            (2, 5, false),
            (3, 100, false),
            (4, 30, true),
            (4, 40, false),
            (160, 400, true),
            (501, 100_000, true),
            (500, 100_000, false),
            (2, 0, true),
        ];
        for (n, of, held) in cases {
            assert_eq!(limit.is_exceeded_by(n, 0, of), held, "{n} of {of}");
        }
    }

    #[test]
    fn a_number_within_the_allowed_one_is_never_held() {
        let limit = GuardLimit {
            percent: 10,
            floor: 3,
            max: Some(50),
        };
        for of in 0..1_000 {
            let allowed = limit.allowed(of);
            assert!(!limit.is_exceeded_by(allowed, 0, of), "{allowed} of {of}");
            assert!(
                limit.is_exceeded_by(allowed + 1, 0, of),
                "{} of {of}",
                allowed + 1
            );
        }
    }

    #[test]
    fn overrides_read_back() {
        assert_eq!(
            AcceptOverride::parse("User.deactivate@acme=4"),
            Ok(AcceptOverride::Budget("User.deactivate@acme".into(), 4))
        );
        assert_eq!(
            AcceptOverride::parse("rename=u-1"),
            Ok(AcceptOverride::Rename("u-1".into()))
        );
        assert_eq!(
            AcceptOverride::parse("rename=400"),
            Ok(AcceptOverride::Renames(400))
        );
        assert!(AcceptOverride::parse("User.deactivate=many").is_err());
        for wrong in [
            "everything",
            "Usr.deactivate=10",
            "User.deactivated=10",
            "empty=Users",
        ] {
            assert!(AcceptOverride::parse(wrong).is_err(), "{wrong}");
        }
    }
}
