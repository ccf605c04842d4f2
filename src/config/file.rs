//! `roster.yaml` as written. It is strict: unknown keys are errors, and variables are expanded only
//! in the values that allow them. `ConfigFile::parse` reads the text, `resolve` makes a `Config` of
//! it.

use super::approval_keys::{self, KeySpec};
use super::effective::Config;
use super::feed::{self, AbsenceSpec, CompletenessSpec};
use super::git;
use super::impact::{self, ImpactPlaces, ImpactSpec};
use super::invitations::InvitationsSpec;
use super::notices::{MailSpec, NoticesSpec};
use super::rules::{self, AuthoritySpec, EffectsSpec, GuardsSpec};
use super::schedule::{TimingSpec, WindowSpec};
use super::schema_parts;
use super::scopes::{self, ScopeSpec};
use super::serve::ServeSpec;
use super::severity::SeveritySpec;
use super::source::{Source, SourceLocation};
use super::values::{DAY, expand_variables, parse_duration, told_without_value};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) const DEFAULT_DATABASE: &str = "sqlite:.roster/roster.db";
pub(super) const DEFAULT_CACHE: &str = ".roster/cache";
pub(super) const DEFAULT_FILES: &str = "files";

/// `roster.yaml` as written. It may contain secrets, so it has no `Debug`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConfigFile {
    /// The version of this file: `roster/v1`.
    #[schemars(extend("const" = "roster/v1"))]
    api_version: String,
    /// The releases of Roster that may read this file, such as `>=0.1`.
    requires: Option<String>,
    /// `sqlite:FILE` or `postgres://…`. `${NAME}` is read from the environment.
    database: Option<String>,
    /// The folder for mirrors of git repositories and fetched exports.
    cache: Option<PathBuf>,
    /// Where the desired state comes from.
    #[serde(default)]
    sources: Vec<SourceSpec>,
    /// The names of sources: of two that enforce a field, the first one wins.
    #[serde(default)]
    order: Vec<String>,
    /// The fields that people change in the shop.
    #[serde(default)]
    shop: ShopSpec,
    /// How much one plan may change before somebody has to approve it.
    #[serde(default)]
    guards: GuardsSpec,
    /// The fields whose changes count as effects.
    #[serde(default)]
    effects: EffectsSpec,
    /// The folders that belong to one account each, and the owners of files.
    #[serde(default)]
    scopes: Vec<ScopeSpec>,
    /// The severity of rules, where it is another one here.
    #[serde(default)]
    severity: SeveritySpec,
    /// What the shop knows of accounts and users that a plan would deactivate or delete.
    #[serde(default)]
    impact: Vec<ImpactSpec>,
    /// Where these queries are in the text.
    #[serde(skip)]
    impact_places: ImpactPlaces,
    /// The people who may approve holds. Without the key, everyone with the `approve` right.
    #[serde(default)]
    approvers: Vec<String>,
    /// How many people have to approve a hold, by its effect: `{access.lost: 2}`.
    #[serde(default)]
    approvals: BTreeMap<String, u32>,
    /// With which SSH keys people sign commits whose trailer `Roster-Accept` approves a hold: the
    /// line of a `.pub` file by name.
    #[serde(default)]
    approval_keys: BTreeMap<String, KeySpec>,
    /// How long an approval stays valid, such as `24h`.
    approval_ttl: Option<String>,
    /// Where the files of passwords are.
    #[serde(default)]
    secrets: SecretsSpec,
    /// Where the files of jobs are kept.
    #[serde(default)]
    files: FilesSpec,
    /// What is laid over the top level with `-e NAME`.
    #[serde(default)]
    environments: BTreeMap<String, Value>,
    /// The mail server and the sender. Without it no mail is sent.
    mail: Option<MailSpec>,
    /// How invitations are made.
    #[serde(default)]
    invitations: InvitationsSpec,
    /// Where the daemon listens, who may reach it and whom it notifies.
    #[serde(default)]
    serve: ServeSpec,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShopSpec {
    /// By kind, the fields that Roster writes once and leaves alone afterwards.
    #[serde(default)]
    #[schemars(schema_with = "schema_parts::by_kind::<Vec<String>>")]
    authority: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecretsSpec {
    dir: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FilesSpec {
    dir: Option<PathBuf>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SourceSpec {
    /// The name, by which claims are stored.
    name: String,
    /// The folder with the manifests.
    directory: Option<String>,
    /// The repository with the manifests.
    #[schemars(with = "Option<git::GitSpec>")]
    git: Option<Value>,
    /// The secret that webhooks of the repository are signed with.
    webhook_secret: Option<String>,
    /// Where the export of another system is, and how it is read.
    #[serde(default)]
    #[schemars(schema_with = "super::export::key_schema")]
    export: Option<Value>,
    /// When an export counts as complete.
    complete: Option<CompletenessSpec>,
    /// How old an export may be, such as `26h`.
    max_age: Option<String>,
    /// What happens to a resource that an export no longer names.
    absence: Option<AbsenceSpec>,
    /// Whether the daemon applies, or only plans.
    #[serde(default)]
    mode: ModeSpec,
    /// What happens to a resource that disappears from the source.
    prune: Option<PruneSpec>,
    /// What an error does: `refuse` refuses the whole plan, `hold` holds the resources with an error.
    on_error: Option<OnErrorSpec>,
    /// Whether changes by others are overwritten, or only reported.
    #[serde(default)]
    drift: DriftSpec,
    /// Whether `status: deleted` may be applied without `--allow-delete`.
    #[serde(default)]
    allow_delete: bool,
    /// The time between two passes of the daemon, such as `5m`.
    interval: Option<String>,
    /// When the daemon runs a pass: a cron line with five or six fields.
    schedule: Option<String>,
    /// The time zone of the schedule and the windows, such as `Europe/Stockholm`.
    timezone: Option<String>,
    /// When the daemon may apply, or may not.
    #[serde(default)]
    windows: Vec<WindowSpec>,
    /// By kind, which fields the source decides.
    #[serde(default)]
    #[schemars(schema_with = "schema_parts::by_kind::<AuthoritySpec>")]
    authority: BTreeMap<String, AuthoritySpec>,
}

#[derive(Debug, Default, Deserialize, PartialEq, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ModeSpec {
    #[default]
    Apply,
    Plan,
}

#[derive(Debug, Deserialize, PartialEq, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum PruneSpec {
    Deactivate,
    Ignore,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnErrorSpec {
    #[default]
    Refuse,
    Hold,
}

#[derive(Debug, Default, Deserialize, PartialEq, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DriftSpec {
    #[default]
    Repair,
    Report,
}

impl ConfigFile {
    /// Parses the text, with an environment merged over the top level.
    pub fn parse(text: &str, environment: Option<&str>) -> Result<Self, String> {
        // A snippet of the lines around an error may contain secrets.
        let told = |error: serde_saphyr::Error| {
            let text = error.without_snippet().to_string();
            let jargon = "invalid boolean (strict mode expects true/false)";
            text.replace(jargon, "expected `true` or `false`")
        };
        // Before the file is parsed: afterwards the number has already replaced the commit.
        super::git_ref::check(text)?;
        // As in manifests: only `true` and `false` are booleans. To YAML 1.1, a name such as `n` or
        // `on` would be one as well.
        let options = || serde_saphyr::options! { strict_booleans: true };
        let file: Self = serde_saphyr::from_str_with_options(text, options()).map_err(told)?;
        let Some(name) = environment else {
            // Running without a choice could change the wrong database.
            if let Some(first) = file.environments.keys().next() {
                return Err(format!(
                    "the file has environments; choose one with `-e {first}`"
                ));
            }
            return Ok(Self {
                impact_places: ImpactPlaces::find(text, None),
                ..file
            });
        };
        let Some(layer) = file.environments.get(name) else {
            let known: Vec<&str> = file.environments.keys().map(String::as_str).collect();
            return Err(format!(
                "no environment `{name}`; the environments are {}",
                known.join(", ")
            ));
        };
        // Merged as values and parsed again, so that unknown keys in an environment are errors too.
        let mut whole: Value =
            serde_saphyr::from_str_with_options(text, options()).map_err(told)?;
        merge(&mut whole, layer);
        let file: Self = serde_json::from_value(whole)
            .map_err(|error| format!("environment {name}: {}", told_without_value(&error)))?;
        Ok(Self {
            impact_places: ImpactPlaces::find(text, Some(name)),
            ..file
        })
    }

    /// Drops the secrets that only the daemon needs. A job that plans does not have their
    /// variables.
    pub(super) fn without_serve_secrets(mut self) -> Self {
        self.serve = self.serve.without_variables();
        for source in &mut self.sources {
            source.webhook_secret = None;
        }
        self
    }

    /// Resolves the file for a run, with paths relative to `base`.
    pub fn resolve(
        mut self,
        base: &Path,
        environment: Option<&str>,
        database_given: bool,
    ) -> Result<Config, String> {
        self.check()?;
        let sources: Vec<Source> = self
            .sources
            .into_iter()
            .map(|source| source.resolve(base))
            .collect::<Result<_, _>>()?;
        for (index, source) in sources.iter().enumerate() {
            // Claims, leases and state in the database go by the name.
            if sources[..index]
                .iter()
                .any(|other| other.name == source.name)
            {
                return Err(format!("two sources are named `{}`", source.name));
            }
        }
        // The variables of a database that is not used need not be set.
        let database = if database_given {
            String::new()
        } else {
            resolve_database(
                &expand_variables(self.database.as_deref().unwrap_or(DEFAULT_DATABASE))?,
                base,
            )
        };
        let (guards, window) = self.guards.resolve()?;
        Ok(Config {
            path: None,
            database,
            environment: environment.map(str::to_owned),
            order: self.order.iter().map(|name| name.as_str().into()).collect(),
            sources,
            shop: rules::shop(&self.shop.authority)?,
            guards,
            effect_fields: self.effects.resolve()?,
            approvals: rules::approvals(&self.approvals, &self.approvers)?,
            severities: self.severity.changed,
            approval_keys: approval_keys::resolve(self.approval_keys, &self.approvers)?,
            scopes: scopes::resolve(self.scopes)?,
            impact: impact::resolve(self.impact, &self.impact_places)?,
            window,
            approvers: self.approvers,
            approval_ttl: self
                .approval_ttl
                .map_or(Ok(DAY), |text| parse_duration(&text))?,
            secrets: self.secrets.dir.map(|dir| base.join(dir)),
            files: base.join(
                self.files
                    .dir
                    .as_deref()
                    .unwrap_or(Path::new(DEFAULT_FILES)),
            ),
            notices: NoticesSpec::new(self.serve.notices.take().unwrap_or_default(), self.mail)?,
            invitations: self.invitations.resolve(base),
            serve: self.serve.resolve(base)?,
            cache: base.join(self.cache.as_deref().unwrap_or(Path::new(DEFAULT_CACHE))),
            accepts: Vec::new(),
            allow_delete: false,
            as_of: None,
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.api_version != "roster/v1" {
            return Err(format!(
                "apiVersion is `{}`; expected `roster/v1`",
                self.api_version
            ));
        }
        let Some(requires) = &self.requires else {
            return Ok(());
        };
        let wanted = semver::VersionReq::parse(requires).map_err(|error| {
            format!("requires: `{requires}` is not a version requirement: {error}")
        })?;
        let have = semver::Version::parse(env!("CARGO_PKG_VERSION")).map_err(|e| e.to_string())?;
        if wanted.matches(&have) {
            Ok(())
        } else {
            Err(format!(
                "the file requires roster {requires}, but this is {have}"
            ))
        }
    }
}

impl SourceSpec {
    fn resolve(self, base: &Path) -> Result<Source, String> {
        let name = &self.name;
        let wrong = |error: String| format!("source {name}: {error}");
        let feed = (self.complete, self.max_age, self.absence);
        let (place, written) =
            source_location(self.directory, self.git, self.export, feed, base).map_err(wrong)?;
        let export = matches!(place, SourceLocation::Export(_));
        let absent = matches!(&place, SourceLocation::Export(feed) if feed.absence.is_some());
        let mut authority = crate::plan::SourceAuthority::default();
        for (kind, file) in &self.authority {
            file.resolve(kind, &mut authority).map_err(wrong)?;
        }
        let timing = TimingSpec {
            interval: self.interval,
            schedule: self.schedule,
            timezone: self.timezone,
            windows: self.windows,
        };
        let timing = timing
            .resolve()
            .map_err(|error| format!("source {name}: {error}"))?;
        // Absent unless this is the daemon, so its variable need not be set elsewhere.
        let secret = self.webhook_secret.as_deref().map(expand_variables);
        let secret = secret.transpose().map_err(wrong)?;
        Ok(Source {
            place,
            written,
            webhook_secret: secret.map(SecretString::from),
            prune: self
                .prune
                // An export deactivates only if `absence:` asks for it, because a row can be
                // missing by accident.
                .map_or(!export || absent, |prune| prune == PruneSpec::Deactivate),
            // In an export, one bad row does not stop the others.
            hold_errors: self
                .on_error
                .map_or(export, |on_error| on_error == OnErrorSpec::Hold),
            // The daemon then holds and the command line refuses; an export always holds.
            on_error_unset: self.on_error.is_none() && !export,
            report_drift: self.drift == DriftSpec::Report,
            allow_delete: self.allow_delete,
            apply: self.mode == ModeSpec::Apply,
            authority,
            timing,
            unnamed: false,
            name: self.name.as_str().into(),
        })
    }
}

/// The keys that only exports have.
type FeedSpec = (
    Option<CompletenessSpec>,
    Option<String>,
    Option<AbsenceSpec>,
);

/// Where a source is read from, and the text that shows it.
fn source_location(
    directory: Option<String>,
    git: Option<Value>,
    export: Option<Value>,
    feed: FeedSpec,
    base: &Path,
) -> Result<(SourceLocation, String), String> {
    let (complete, max_age, absence) = feed;
    let of_export = complete.is_some() || max_age.is_some() || absence.is_some();
    match (directory, git, export) {
        (None, None, Some(export)) => {
            let complete = complete.unwrap_or_default();
            let max_age = max_age.as_deref();
            let (feed, shown) = feed::resolve(&export, complete, max_age, absence.as_ref(), base)?;
            Ok((SourceLocation::Export(feed), shown))
        }
        // Silently ignored, these keys would promise a protection that a directory does not have.
        _ if of_export => Err("`complete:`, `maxAge:` and `absence:` need an `export:`".to_owned()),
        (Some(directory), None, None) => {
            let directory = expand_variables(&directory)?;
            Ok((SourceLocation::Directory(base.join(&directory)), directory))
        }
        (None, Some(git), None) => {
            let git = git::resolve(git, base)?;
            let shown = git.to_string();
            Ok((SourceLocation::Git(git), shown))
        }
        (None, None, None) => Err("`directory:`, `git:` or `export:` is missing".to_owned()),
        _ => Err("`directory:`, `git:` and `export:` exclude each other".to_owned()),
    }
}

/// Mappings merge, everything else replaces.
fn merge(base: &mut Value, layer: &Value) {
    match (base, layer) {
        (Value::Object(base), Value::Object(layer)) => {
            for (key, value) in layer {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, layer) => *base = layer.clone(),
    }
}

/// A relative SQLite path is relative to the file.
fn resolve_database(url: &str, base: &Path) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.starts_with('/') && path != ":memory:" => {
            let path = path.trim_start_matches("//");
            format!("sqlite:{}", base.join(path).display())
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str, environment: Option<&str>) -> Result<Config, String> {
        ConfigFile::parse(text, environment)?.resolve(Path::new("/base"), environment, false)
    }

    #[test]
    fn reads_sources_guards_and_paths_relative_to_the_file() {
        let text = "apiVersion: roster/v1\nsources:\n  - name: main\n    directory: manifests\n    onError: hold\n    authority: {Account: {existence: false, seed: [website]}}\nguards: {deactivate: {percent: 5, floor: 1, max: 20}}\n";
        let config = config(text, None).unwrap();
        assert_eq!(config.database, "sqlite:/base/.roster/roster.db");
        let SourceLocation::Directory(root) = &config.sources[0].place else {
            panic!("no directory");
        };
        assert_eq!(root, Path::new("/base/manifests"));
        assert_eq!(config.cache, Path::new("/base/.roster/cache"));
        assert!(config.sources[0].hold_errors);
        assert_eq!(config.guards.deactivate.max, Some(20));
        assert!(
            !config.sources[0]
                .authority
                .decides_existence(crate::kinds::ACCOUNT)
        );
    }

    #[test]
    fn an_environment_lies_over_the_top_level_and_none_chosen_is_an_error() {
        let text = "apiVersion: roster/v1\ndatabase: sqlite:/top.db\nenvironments:\n  staging: {database: 'sqlite:/staging.db'}\n";
        assert!(config(text, None).unwrap_err().contains("-e staging"));
        assert_eq!(
            config(text, Some("staging")).unwrap().database,
            "sqlite:/staging.db"
        );
        assert!(
            config(text, Some("prod"))
                .unwrap_err()
                .contains("the environments are staging")
        );
    }

    #[test]
    fn variables_of_the_daemon_are_none_of_anybody_else() {
        let text = "apiVersion: roster/v1\nsources: [{name: x, directory: d, webhookSecret: '${ROSTER_NOT_SET_HERE}'}]\nserve: {listen: '${ROSTER_NOT_SET_HERE}', tokens: '${ROSTER_NOT_SET_HERE}', url: 'https://${ROSTER_NOT_SET_HERE}', tls: {cert: '${ROSTER_NOT_SET_HERE}', key: k}}\n";
        assert!(config(text, None).is_err());
        let file = ConfigFile::parse(text, None)
            .unwrap()
            .without_serve_secrets();
        let known = file.resolve(Path::new("/base"), None, false).unwrap();
        assert!(known.serve.tokens.is_none() && known.sources[0].webhook_secret.is_none());
        let wrong = "apiVersion: roster/v1\nserve: {listen: here}\n";
        let file = ConfigFile::parse(wrong, None)
            .unwrap()
            .without_serve_secrets();
        assert!(file.resolve(Path::new("/base"), None, false).is_err());
    }

    #[test]
    fn names_that_yaml_1_1_takes_for_booleans_are_text_and_mistakes_have_a_place() {
        let with = |name: &str| {
            let text = format!(
                "apiVersion: roster/v1\nsources:\n  - {{name: {name}, git: {{url: 'https://git.example/c', ref: {name}}}}}\n  - {{name: x{name}, export: {{file: {name}, preset: djust-accounts}}}}\norder: [{name}, x{name}]\napprovers: [{name}]\nserve:\n  tokens: {name}\n  notices:\n    - {{name: {name}, webhook: 'https://a.example/'}}\nenvironments:\n  {name}: {{approvers: [{name}], serve: {{notices: [{{name: {name}, webhook: 'https://b.example/'}}]}}}}\n"
            );
            config(&text, Some(name))
        };
        for name in ["n", "y", "no", "yes", "on", "off", "No", "ON"] {
            let read = with(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(&*read.sources[0].name, name);
            assert_eq!(
                read.sources[0].git().unwrap().reference.as_deref(),
                Some(name)
            );
            assert!(
                read.sources[1].written.ends_with(name),
                "{}",
                read.sources[1].written
            );
            assert_eq!(read.approvers, [name]);
            assert_eq!(
                read.serve.tokens.as_deref(),
                Some(&*Path::new("/base").join(name))
            );
            assert_eq!(read.notices.resolve().unwrap()[0].name, name);
        }
        let notices = |notices: &str| {
            let text = format!("apiVersion: roster/v1\nserve:\n  notices: {notices}\n");
            config(&text, None)
        };
        for wrong in [
            "[{name: {}}]",
            "[{name: [a]}]",
            "{name: a}",
            "[{nam: a}]",
            "[{on: [n]}]",
        ] {
            let error = notices(wrong).unwrap_err();
            assert!(error.contains("line 3, column"), "{wrong}: {error}");
        }
        assert!(notices("").is_ok());
        // A switch is `true` or `false`, as in manifests.
        let source =
            "apiVersion: roster/v1\nsources:\n  - {name: a, directory: d, allowDelete: WORD}\n";
        assert!(
            config(&source.replace("WORD", "true"), None)
                .unwrap()
                .sources[0]
                .allow_delete
        );
        let error = config(&source.replace("WORD", "yes"), None).unwrap_err();
        assert_eq!(error, "expected `true` or `false` at line 3, column 42");
    }

    #[test]
    fn an_unknown_key_a_newer_version_and_an_unset_variable_are_said() {
        assert!(
            config("apiVersion: roster/v1\nsource: []\n", None)
                .unwrap_err()
                .contains("source")
        );
        let newer = "apiVersion: roster/v1\nrequires: '>=99'\n";
        assert!(config(newer, None).unwrap_err().contains(">=99"));
        let unset = "apiVersion: roster/v1\ndatabase: postgres://${ROSTER_NOT_SET_HERE}/x\n";
        assert!(
            config(unset, None)
                .unwrap_err()
                .contains("ROSTER_NOT_SET_HERE")
        );
    }

    #[test]
    fn a_source_is_a_directory_or_a_repository_and_no_secret_is_shown() {
        let source = |rest: &str| {
            let text = format!("apiVersion: roster/v1\nsources:\n  - name: x\n{rest}");
            config(&text, None)
        };
        let git = source("    git: {url: 'https://git.example/c.git', auth: hunter22}\n").unwrap();
        assert_eq!(git.sources[0].written, "https://git.example/c.git");
        assert!(!format!("{git:?}").contains("hunter22"));
        let beside = source("    git: {url: a, auth: hunter22}\n    unknown: 1\n").unwrap_err();
        assert!(
            beside.contains("unknown") && !beside.contains("hunter22"),
            "{beside}"
        );
        assert!(
            source("    prune: ignore\n")
                .unwrap_err()
                .contains("is missing")
        );
        let both = source("    directory: m\n    git: {url: a}\n");
        assert!(both.unwrap_err().contains("exclude"));
    }
}
