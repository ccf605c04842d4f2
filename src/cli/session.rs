//! What most commands begin with: the configuration, the database, and keys from the command line.

use super::{CommandFailure, GlobalOptions, HoldOverrides, PlanScope};
use crate::config::Config;
use crate::diagnostic::did_you_mean;
use crate::kinds::{self, Kind};
use crate::model::{CompactText, Key};
use crate::plan::Plan;
use crate::plan::render::PseudonymKey;
use crate::reconcile::{self, PassRequest};
use crate::store::{MissingDirectory, Store};

/// Loads the configuration of this run.
pub fn config(global: &GlobalOptions, scope: Option<&PlanScope>) -> Result<Config, CommandFailure> {
    let directory = std::env::current_dir()?;
    let paths = scope.map_or(&[][..], |scope| &scope.paths);
    let first = paths.first().map(std::path::PathBuf::as_path);
    let consent = scope.map(|scope| scope.consent.clone()).unwrap_or_default();
    let config = Config::load(&global.overrides(&consent), &directory, first)?;
    // Commands without a scope can work with the database alone.
    if config.path.is_none() && scope.is_some() {
        if paths.len() != 1 {
            return Err(CommandFailure::usage(
                "no roster.yaml found; pass exactly 1 PATH, the directory of manifests",
            ));
        }
        if global.environment.is_some() {
            return Err(CommandFailure::usage(
                "`--environment` needs a roster.yaml that names it",
            ));
        }
    }
    if let Some(path) = &config.path {
        tracing::info!("configuration {}", path.display());
    }
    Ok(config)
}

/// Loads the configuration for a command without a scope, with the overrides of this run.
pub fn config_with(
    global: &GlobalOptions,
    consent: &HoldOverrides,
) -> Result<Config, CommandFailure> {
    let directory = std::env::current_dir()?;
    Ok(Config::load(&global.overrides(consent), &directory, None)?)
}

/// Opens the database for reading.
pub async fn reader(config: &Config) -> Result<Store, CommandFailure> {
    Ok(reconcile::reader(config).await?)
}

/// Opens the database for a plan; a missing one counts as empty, and a message says so.
pub async fn reader_or_none(
    global: &GlobalOptions,
    config: &Config,
) -> Result<Store, CommandFailure> {
    let opened = reconcile::reader_or_none(config).await?;
    if let Some(absent) = &opened.absent {
        say_absent(global, absent, "on apply");
    }
    Ok(opened.store)
}

/// Opens the database for an apply; a missing one is created, and a message says so.
pub async fn writer_or_new(
    global: &GlobalOptions,
    config: &Config,
) -> Result<Store, CommandFailure> {
    let opened = reconcile::writer_or_new(config).await?;
    if let Some(absent) = &opened.absent {
        say_absent(global, absent, "now");
    }
    Ok(opened.store)
}

/// Returns the key of pseudonyms in saved plans, if the configured database is the one that all of them
/// were made for. Without it, personal data is left out instead.
pub async fn pseudonym_key_of(global: &GlobalOptions, plans: &[&Plan]) -> Option<PseudonymKey> {
    let config = config_with(global, &HoldOverrides::default()).ok()?;
    let store = reconcile::reader(&config).await.ok()?;
    let identity = store.identity().await.ok()?;
    let is_same = plans.iter().all(|plan| plan.database == identity);
    let key = store.pseudonym_key().await.ok()?;
    store.close().await;
    key.filter(|_| is_same)
}

/// Says what does not exist yet, and when Roster creates it.
pub fn say_absent(global: &GlobalOptions, absent: &MissingDirectory, when: &str) {
    if !global.quiet {
        anstream::eprintln!("{}", absent_line(absent, when));
    }
}

/// The same as a sentence.
fn absent_line(absent: &MissingDirectory, when: &str) -> String {
    let text = absent.to_string();
    let (first, rest) = text.split_at(1);
    let it = if absent.is_file() { "it" } else { "them" };
    format!(
        "{}{rest} yet. Roster creates {it} {when}.",
        first.to_uppercase()
    )
}

/// Opens the database for writing.
pub async fn writer(config: &Config) -> Result<Store, CommandFailure> {
    Ok(reconcile::writer(config).await?)
}

/// The request for a scope.
pub fn request(
    config: &Config,
    scope: &PlanScope,
    exact: bool,
) -> Result<PassRequest, CommandFailure> {
    let targets = scope
        .target
        .iter()
        .map(|text| key(text))
        .collect::<Result<_, _>>()?;
    // Without a configuration, the path is the source itself and not a part of one.
    let paths = if config.path.is_some() {
        scope.paths.clone()
    } else {
        Vec::new()
    };
    Ok(PassRequest {
        source: scope.source.clone(),
        paths,
        targets,
        exact,
        ..PassRequest::default()
    })
}

/// Parses `KIND/ID`.
pub fn key(text: &str) -> Result<Key, CommandFailure> {
    let wrong = || {
        CommandFailure::usage(format!(
            "`{text}` is not a resource; use KIND/ID, such as `User/u-1`"
        ))
    };
    let (kind, id) = text.split_once('/').ok_or_else(wrong)?;
    let kind = kind_named(kind)?;
    if id.is_empty() {
        Err(wrong())
    } else {
        Ok(Key::new(kind.id, id))
    }
}

/// Finds a kind by name: `User`, `user` or `users`.
pub fn kind_named(name: &str) -> Result<&'static Kind, CommandFailure> {
    kinds::by_loose_name(name).ok_or_else(|| {
        let names: Vec<&str> = kinds::ALL.iter().map(|kind| kind.name).collect();
        CommandFailure::usage(format!(
            "no kind `{name}`; the kinds are {}",
            names.join(", ")
        ))
    })
}

/// Parses a kind and, optionally, one resource of it: `users`, `user u-1` or `user/u-1`.
pub fn parse_resource(
    kind: &str,
    id: Option<&str>,
) -> Result<(&'static Kind, Option<Key>), CommandFailure> {
    let (kind, id) = match (kind.split_once('/'), id) {
        (None, id) => (kind, id),
        (Some((kind, id)), None) => (kind, Some(id)),
        (Some(_), Some(_)) => {
            return Err(CommandFailure::usage(
                "pass `KIND ID` or `KIND/ID`, not both",
            ));
        }
    };
    let kind = kind_named(kind)?;
    if id.is_some_and(str::is_empty) {
        return Err(CommandFailure::usage("the id is empty"));
    }
    let key = id.or(kind.singleton).map(|id| Key::new(kind.id, id));
    Ok((kind, key))
}

/// The failure for a key that does not exist, with the id that was probably meant.
pub async fn unknown_resource(store: &Store, key: &Key) -> Result<CommandFailure, CommandFailure> {
    let ids = store.similar_ids(key).await?;
    let meant = did_you_mean(&key.id, ids.iter().map(CompactText::as_str));
    let meant = meant
        .map(|id| format!("; did you mean `{id}`?"))
        .unwrap_or_default();
    Ok(CommandFailure::error(format!(
        "{key} does not exist{meant}"
    )))
}

/// Leaves memory to the end of the process, which is near: freeing a million resources one by one
/// takes longer.
pub fn forget_at_exit<T>(worked_with: T) {
    std::mem::forget(worked_with);
}

/// The name in the history of whoever runs the command.
pub fn actor() -> String {
    reconcile::actor().unwrap_or("unknown").to_owned()
}
