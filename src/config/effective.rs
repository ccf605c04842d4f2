//! The configuration for one run: defaults filled in, variables expanded, paths resolved.
//! Everything outside of `config` works with this.

use super::approval_keys::ApprovalKey;
use super::impact::ImpactQuery;
use super::invitations::InvitationsConfig;
use super::notices::NoticesSpec;
use super::scopes::FolderScope;
use super::serve::ServeConfig;
use super::source::Source;
use crate::diagnostic::{Code, Severity, none_called};
use crate::model::{FieldRef, FolderPattern, KindId};
use crate::plan::{AcceptOverride, EffectName, GuardLimits, SourceAuthority};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The configuration as it holds for one run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// The database URL, environment variables expanded.
    pub database: String,
    /// The chosen environment.
    pub environment: Option<String>,
    /// The sources, in the order of the file.
    pub sources: Vec<Source>,
    /// Names of sources. If two enforce a field, the first one wins.
    pub order: Vec<Arc<str>>,
    /// The fields that other programs write.
    pub shop: SourceAuthority,
    /// How much may change at once.
    pub guards: GuardLimits,
    /// The fields whose changes are effects.
    pub effect_fields: BTreeSet<(KindId, FieldRef)>,
    /// How many people have to approve a hold with such an effect.
    pub approvals: BTreeMap<EffectName, u32>,
    /// The rules whose severity is another one here.
    pub severities: BTreeMap<Code, Severity>,
    /// The scopes, in the order of the file.
    pub scopes: Vec<FolderScope>,
    /// The window in which the guards count.
    pub window: Duration,
    /// The queries about what a plan takes out of use.
    pub impact: Vec<ImpactQuery>,
    /// The people who may approve holds. If empty, everyone with the `approve` right may.
    pub approvers: Vec<String>,
    /// The keys that people sign commits with by which they approve.
    pub approval_keys: Vec<ApprovalKey>,
    /// How long an approval lasts.
    pub approval_ttl: Duration,
    /// Where password files are looked for.
    pub secrets: Option<PathBuf>,
    /// Where the files of jobs are kept.
    pub files: PathBuf,
    /// How the daemon is reached, and by whom.
    pub serve: ServeConfig,
    /// The targets of notices. Addresses and secrets are expanded only where notices are sent.
    pub notices: NoticesSpec,
    /// How invitations are made.
    pub invitations: InvitationsConfig,
    /// Where the mirrors of git repositories are kept.
    pub cache: PathBuf,
    /// The overrides given for this run.
    pub accepts: Vec<AcceptOverride>,
    /// Whether deletes are allowed for this run, whatever the source says.
    pub allow_delete: bool,
    /// The moment for which this run judges dates, such as `2026-12-31T00:00:00Z`; now if none is
    /// given.
    pub as_of: Option<Arc<str>>,
}

impl Config {
    /// The moment at which dates of manifests are judged.
    #[must_use]
    pub fn as_of(&self) -> Arc<str> {
        self.as_of.clone().unwrap_or_else(|| moment(Utc::now()))
    }

    /// The source of this name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| *source.name == *name)
    }

    /// A message that no source has this name, with the known ones.
    #[must_use]
    pub fn no_source(&self, name: &str) -> String {
        let known = self.sources.iter().map(|source| &*source.name);
        none_called("source", name, known)
    }

    /// The folders that belong to one account each.
    #[must_use]
    pub fn account_folders(&self) -> Arc<[FolderPattern]> {
        let scopes = self.scopes.iter().map(|scope| &scope.path);
        scopes.filter(|path| path.has_account()).cloned().collect()
    }

    /// The folder in which new folders of accounts are created, as the scopes say.
    #[must_use]
    pub fn folder_of_accounts(&self) -> Option<String> {
        let mut scopes = self.scopes.iter();
        scopes.find_map(|scope| scope.path.folder_of_accounts())
    }

    /// Fails if `approvers` is set and does not contain this name.
    pub fn may_approve(&self, name: &str) -> Result<(), String> {
        // An empty list does not mean nobody: then the role alone decides.
        if self.approvers.is_empty() || self.approvers.iter().any(|known| known == name) {
            return Ok(());
        }
        let known = self.approvers.join(", ");
        Err(format!("{name} is not one of the `approvers`: {known}"))
    }
}

/// A moment as the dates of manifests are stored, so that they compare as text.
#[must_use]
pub fn moment(at: DateTime<Utc>) -> Arc<str> {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}
