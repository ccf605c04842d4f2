//! `roster get`: prints what is stored, once or whenever it changes.

use super::follow::ChangeWaiter;
use super::options::ShortOutput;
use super::resource_output::{GoneReason, ResourceForm, ResourceWriter, print_resource};
use super::{CommandFailure, CommandResult, GlobalOptions, output, session};
use crate::config::Config;
use crate::document::ResourceDocument;
use crate::kinds::{self, ACCOUNT, FieldType, Kind};
use crate::model::{CompactText, Key};
use crate::store::{ChangeRecord, ResourcePages, SearchQuery, Store, StoredResource, has_account};
use clap::Args;
use std::collections::BTreeSet;
use std::io::Write;

/// How many resources a query returns at a time.
const PAGE_SIZE: u32 = 1000;
/// How many changes are read at a time.
const BATCH_SIZE: u32 = 2_000;

/// Options of `roster get`.
#[derive(Debug, Args)]
pub struct Options {
    /// The kind: `User`, `user` or `users`. Or one resource: `user/u-1`.
    #[arg(value_name = "KIND")]
    kind: String,
    /// The externalId of one resource. Default: all resources of the kind.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Only accounts that wait for an approval.
    #[arg(long, conflicts_with = "id")]
    pending: bool,
    /// Only what belongs to this account: its users, organisations, policies, addresses and tags.
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    account: Option<String>,
    /// Only resources with this status: `active` or `inactive`.
    #[arg(long, value_name = "STATUS", conflicts_with = "id")]
    status: Option<String>,
    /// Only resources that this source claims.
    #[arg(long, value_name = "NAME", conflicts_with = "id")]
    source: Option<String>,
    /// Print again whatever changes, as it is committed, until interrupted.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    _output: ShortOutput,
}

/// Prints one resource, or all of a kind.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let (kind, key) = session::parse_resource(&options.kind, options.id.as_deref())?;
    options.check(kind, key.as_ref())?;
    let form = ResourceForm::requested(global, key.is_some() && !options.watch);
    if options.watch && form == Some(ResourceForm::Json) {
        return Err(CommandFailure::usage(
            "`--watch` never ends, so it cannot write one JSON document; use `--output ndjson`",
        ));
    }
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    if let Some(id) = &options.account {
        // A list without anything in it would look as if the account had nothing.
        let account = Key::new(ACCOUNT, id.as_str());
        if store.record(&account).await?.is_none() {
            return Err(session::unknown_resource(&store, &account).await?);
        }
    }
    let selection = ResourceSelection {
        global,
        options,
        store,
        kind,
        key,
    };
    match form {
        Some(form) if options.watch => match selection.watch(form).await {
            // `get --watch | head` got what it wanted.
            Err(failure) if failure.message.is_empty() => Ok(0),
            watched => watched.map(|()| 0),
        },
        form => selection.print(&config, form).await.map(|()| 0),
    }
}

impl Options {
    /// Fails if a filter does not fit the kind.
    fn check(&self, kind: &Kind, key: Option<&Key>) -> Result<(), CommandFailure> {
        if self.pending && (kind.id != ACCOUNT || key.is_some()) {
            return Err(CommandFailure::usage(
                "only accounts wait for an approval; use `roster get Account --pending`",
            ));
        }
        if key.is_some() && self.has_filters() {
            return Err(CommandFailure::usage(
                "`--account`, `--status` and `--source` choose among many; leave them out for one resource",
            ));
        }
        if self.account.is_some() && !has_account(kind.id) {
            let why = format!("{} does not belong to accounts", kind.name);
            return Err(CommandFailure::usage(why));
        }
        let Some(status) = &self.status else {
            return Ok(());
        };
        if !kind.has_status {
            let why = format!("{} has no status; leave out `--status`", kind.name);
            return Err(CommandFailure::usage(why));
        }
        let FieldType::Enum(words) = kind.fields[kind.status_index()].ty else {
            return Ok(());
        };
        // What is deleted is not stored.
        let stored = words.iter().filter(|word| **word != "deleted");
        let stored: Vec<String> = stored.map(|word| format!("`{word}`")).collect();
        if stored.contains(&format!("`{status}`")) {
            return Ok(());
        }
        Err(CommandFailure::usage(format!(
            "no status `{status}`; use {}",
            stored.join(" or ")
        )))
    }

    fn has_filters(&self) -> bool {
        self.pending || self.account.is_some() || self.status.is_some() || self.source.is_some()
    }
}

/// The resources that were asked for.
struct ResourceSelection<'a> {
    global: &'a GlobalOptions,
    options: &'a Options,
    store: Store,
    kind: &'static Kind,
    /// The only resource.
    key: Option<Key>,
}

impl ResourceSelection<'_> {
    async fn print(
        &self,
        config: &Config,
        form: Option<ResourceForm>,
    ) -> Result<(), CommandFailure> {
        let mut out = output::stdout();
        if let Some(key) = &self.key {
            let Some(record) = self.store.record(key).await? else {
                return Err(session::unknown_resource(&self.store, key).await?);
            };
            match form {
                None => print_resource(self.kind, &record, &mut out)?,
                Some(ResourceForm::Json | ResourceForm::Ndjson) => {
                    let document = ResourceDocument::from(&record);
                    super::list_output::write_one(self.global, &document, &mut out)?;
                }
                Some(form) => {
                    let mut writer = ResourceWriter::new(self.kind, form);
                    writer.write_all(&[record], &mut out)?;
                }
            }
            return Ok(out.flush()?);
        }
        let mut pages = self.pages().await?;
        let first = pages.next().await?;
        let form = form.unwrap_or(ResourceForm::Table);
        let mut writer = ResourceWriter::new(self.kind, form);
        if !first.is_empty() {
            write_list(&mut writer, (&mut pages, first), &mut out, |_| {}).await?;
            return Ok(out.flush()?);
        }
        // Its transaction ends before the next one begins.
        drop(pages);
        self.require_known_source(config).await?;
        if form == ResourceForm::Table {
            writeln!(out, "{}", self.nothing_found())?;
        } else {
            writer.write_all(&[], &mut out)?;
        }
        Ok(out.flush()?)
    }

    /// The matching resources of the kind, page by page, as of one moment.
    async fn pages(&self) -> Result<ResourcePages<'_>, CommandFailure> {
        let wanted = self.options.has_filters().then(|| self.query(None));
        let pages = self.store.resource_pages(self.kind.id, wanted, PAGE_SIZE);
        Ok(pages.await?)
    }

    fn query<'q>(&'q self, id: Option<&'q str>) -> SearchQuery<'q> {
        SearchQuery {
            id,
            account: self.options.account.as_deref(),
            status: self.options.status.as_deref(),
            source: self.options.source.as_deref(),
            pending: self.options.pending,
            limit: PAGE_SIZE,
            ..SearchQuery::default()
        }
    }

    /// Fails if no source has the given name. A source that was removed may still claim something.
    async fn require_known_source(&self, config: &Config) -> Result<(), CommandFailure> {
        let Some(name) = &self.options.source else {
            return Ok(());
        };
        let is_known = config.path.is_none() || config.source(name).is_some();
        // With no name excluded, these are all sources that claim something.
        let claiming = self.store.unconfigured_claims(&[]).await?;
        if is_known || claiming.iter().any(|(source, _)| source == name) {
            return Ok(());
        }
        Err(CommandFailure::usage(config.no_source(name)))
    }

    fn nothing_found(&self) -> String {
        let options = self.options;
        if options.pending {
            "No account waits for an approval.".to_owned()
        } else if options.has_filters() {
            format!("No {} matches.", self.kind.name)
        } else {
            format!("No {} in the database.", self.kind.name)
        }
    }

    /// Prints the resources, and each one again whenever a change of it is committed.
    async fn watch(&self, form: ResourceForm) -> Result<(), CommandFailure> {
        // Before the resources are read: a change in between is printed twice rather than missed.
        let last = self.store.history_before(None, i64::MAX, 1).await?;
        let mut seq = last.first().map_or(0, |change| change.seq);
        let mut writer = ResourceWriter::new(self.kind, form);
        let mut shown: BTreeSet<CompactText> = BTreeSet::new();
        let mut out = output::stdout();
        if let Some(key) = &self.key {
            let records: Vec<_> = self.store.record(key).await?.into_iter().collect();
            shown.extend(records.iter().map(|it| it.row.key.id.clone()));
            writer.write_all(&records, &mut out)?;
        } else {
            let mut pages = self.pages().await?;
            let first = pages.next().await?;
            let note = |it: &StoredResource| _ = shown.insert(it.row.key.id.clone());
            write_list(&mut writer, (&mut pages, first), &mut out, note).await?;
        }
        out.flush()?;
        let mut waiter = ChangeWaiter::new();
        loop {
            let changes = self.store.changes_after(seq, BATCH_SIZE).await?;
            seq = changes.last().map_or(seq, |change| change.seq);
            for id in self.touched(&changes) {
                match self.matching(&id).await? {
                    Some(record) => {
                        writer.write(&record, &mut out)?;
                        shown.insert(id);
                    }
                    None if shown.remove(&id) => {
                        let key = Key::new(self.kind.id, id.clone());
                        let why = match self.store.row(&key).await? {
                            Some(_) => GoneReason::Unmatched,
                            None => GoneReason::Deleted,
                        };
                        writer.write_gone(&id, why, &mut out)?;
                    }
                    None => {}
                }
            }
            out.flush()?;
            if !waiter.wait(!changes.is_empty()).await? {
                return Ok(());
            }
        }
    }

    /// The resources that changes are about, each once.
    fn touched(&self, changes: &[ChangeRecord]) -> Vec<CompactText> {
        let mut seen = BTreeSet::new();
        let of_kind = changes.iter().filter(|change| {
            kinds::by_name(&change.kind).is_some_and(|kind| kind.id == self.kind.id)
        });
        // The id of somebody who was erased is not known any more.
        let ids = of_kind.filter_map(|change| change.external_id.as_deref());
        let wanted = ids.filter(|id| self.key.as_ref().is_none_or(|key| &*key.id == *id));
        let ids = wanted.map(CompactText::from);
        ids.filter(|id| seen.insert(id.clone())).collect()
    }

    /// The resource with an id, if it matches the filters.
    async fn matching(&self, id: &CompactText) -> Result<Option<StoredResource>, CommandFailure> {
        if !self.options.has_filters() {
            let key = Key::new(self.kind.id, id.clone());
            return Ok(self.store.record(&key).await?);
        }
        let wanted = self.query(Some(id.as_str()));
        let found = self.store.search_all(self.kind.id, &wanted).await?;
        Ok(found.into_iter().next())
    }
}

/// Writes a list page by page, and passes each resource to `each`. A table takes two passes, as the
/// widths of its columns depend on every resource; both see the same moment.
async fn write_list(
    writer: &mut ResourceWriter,
    (pages, first): (&mut ResourcePages<'_>, Vec<StoredResource>),
    out: &mut dyn Write,
    mut each: impl FnMut(&StoredResource),
) -> Result<(), CommandFailure> {
    let mut page = first;
    writer.fit(&page);
    if writer.needs_widths() && !pages.is_over() {
        loop {
            let next = pages.next().await?;
            if next.is_empty() {
                break;
            }
            writer.fit(&next);
        }
        pages.rewind();
        page = pages.next().await?;
    }
    writer.begin_list(out)?;
    while !page.is_empty() {
        for record in &page {
            writer.write(record, out)?;
            each(record);
        }
        page = pages.next().await?;
    }
    Ok(writer.end_list(out)?)
}
