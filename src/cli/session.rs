//! What most commands begin with: the configuration and the database.

use super::{CommandFailure, GlobalOptions, PlanScope};
use crate::config::Config;
use crate::diagnostic::did_you_mean;
use crate::kinds::{self, Kind};
use crate::model::{CompactText, Key};
use crate::reconcile::{self, PassRequest};
use crate::store::{MissingDirectory, Store};

/// The configuration for this run.
pub fn config(global: &GlobalOptions, scope: Option<&PlanScope>) -> Result<Config, CommandFailure> {
    let directory = std::env::current_dir()?;
    let paths = scope.map_or(&[][..], |scope| &scope.paths);
    let first = paths.first().map(std::path::PathBuf::as_path);
    let config = Config::load(&global.overrides(scope), &directory, first)?;
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

/// The database, opened for reading.
pub async fn reader(config: &Config) -> Result<Store, CommandFailure> {
    Ok(reconcile::reader(config).await?)
}

/// The database, opened for a plan; one that is not there yet is empty, which is said.
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

/// The database, opened for an apply; one that is not there yet is made, which is said.
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

/// Says what is not there yet, and when Roster creates it.
pub fn say_absent(global: &GlobalOptions, absent: &MissingDirectory, when: &str) {
    if !global.quiet {
        anstream::eprintln!("{}", absent_line(absent, when));
    }
}

/// The same as a sentence.
pub fn absent_line(absent: &MissingDirectory, when: &str) -> String {
    let text = absent.to_string();
    let (first, rest) = text.split_at(1);
    let it = if absent.is_file() { "it" } else { "them" };
    format!(
        "{}{rest} yet. Roster creates {it} {when}.",
        first.to_uppercase()
    )
}

/// The database, opened for writing.
pub async fn writer(config: &Config) -> Result<Store, CommandFailure> {
    Ok(reconcile::writer(config).await?)
}

/// What the scope asks for.
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

/// Reads `KIND/ID`.
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

/// The kind called so: `User`, `user` or `users`.
pub fn kind_named(name: &str) -> Result<&'static Kind, CommandFailure> {
    kinds::by_loose_name(name).ok_or_else(|| {
        let names: Vec<&str> = kinds::ALL.iter().map(|kind| kind.name).collect();
        CommandFailure::usage(format!(
            "no kind `{name}`; the kinds are {}",
            names.join(", ")
        ))
    })
}

/// A kind, and one resource of it where one is named: `users`, `user u-1` or `user/u-1`.
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

/// That nothing has this key, with the id that was probably meant.
pub async fn unknown_resource(store: &Store, key: &Key) -> Result<CommandFailure, CommandFailure> {
    let ids = store.ids(key.kind).await?;
    let meant = did_you_mean(&key.id, ids.iter().map(CompactText::as_str));
    let meant = meant
        .map(|id| format!("; did you mean `{id}`?"))
        .unwrap_or_default();
    Ok(CommandFailure::error(format!(
        "{key} does not exist{meant}"
    )))
}

/// Leaves what a command worked with to the end of the process, which is near: giving a million
/// resources back one by one takes longer.
pub fn forget_at_exit<T>(worked_with: T) {
    std::mem::forget(worked_with);
}

/// Who runs the command, for history.
pub fn actor() -> String {
    reconcile::actor().unwrap_or("unknown").to_owned()
}
