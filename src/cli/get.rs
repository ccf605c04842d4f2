//! `roster get`: prints what is stored.

use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::diagnostic::visible;
use crate::document::{ResourceDocument, ResourceMeta};
use crate::kinds::{self, ACCOUNT, Kind};
use crate::manifest::write;
use crate::model::{FieldRef, Row, Value};
use crate::store::{SearchQuery, StoredResource, has_account};
use clap::Args;
use std::io::{self, Write};

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
}

/// Prints one resource, or all of a kind.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let (kind, key) = session::parse_resource(&options.kind, options.id.as_deref())?;
    if options.pending && (kind.id != ACCOUNT || key.is_some()) {
        return Err(CommandFailure::usage(
            "only accounts wait for an approval; use `roster get Account --pending`",
        ));
    }
    if options.account.is_some() && !has_account(kind.id) {
        let why = format!("{} does not belong to accounts", kind.name);
        return Err(CommandFailure::usage(why));
    }
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    let mut out = output::stdout();
    if let Some(key) = key {
        let Some(record) = store.record(&key).await? else {
            return Err(session::unknown_resource(&store, &key).await?);
        };
        if !list_output::write_one(global, &ResourceDocument::from(&record), &mut out)? {
            print_resource(kind, &record, &mut out)?;
        }
    } else {
        let records = if options.pending || options.account.is_some() {
            let wanted = SearchQuery {
                account: options.account.as_deref(),
                pending: options.pending,
                limit: 1000,
                ..SearchQuery::default()
            };
            store.search_all(kind.id, &wanted).await?
        } else {
            store.records(kind.id).await?
        };
        if !list_output::write(global, records.iter().map(ResourceDocument::from), &mut out)? {
            print_table(kind, options.pending, &records, &mut out)?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// Prints a resource as its manifest, followed by comments with what no manifest declares.
fn print_resource(
    kind: &'static Kind,
    record: &StoredResource,
    out: &mut dyn Write,
) -> io::Result<()> {
    let fields = stored(&record.row);
    let fields = fields.iter().map(|(field, value)| (field, *value));
    // The output can be used as a manifest as it is; everything else is a comment.
    out.write_all(write::document(kind, &record.row.key.id, fields).as_bytes())?;
    let meta = ResourceMeta::from(record);
    let facts = [
        ("version", Some(meta.version.to_string())),
        ("usable", meta.usable.map(|usable| usable.to_string())),
        ("approval", meta.approval),
        ("block", meta.block),
        ("access", meta.access),
        ("contactStatus", meta.contact_status.map(str::to_owned)),
        (
            "actions",
            (!meta.actions.is_empty()).then(|| meta.actions.join(", ")),
        ),
        ("login", meta.login.map(|names| names.join(", "))),
    ];
    let terms = meta.terms.iter().flatten();
    let terms = terms.map(|it| {
        let accepted = format!("{} {}, version {}", it.terms, it.at, it.version);
        ("terms", Some(accepted))
    });
    writeln!(out, "# meta")?;
    for (name, fact) in facts.into_iter().chain(terms) {
        if let Some(fact) = fact {
            writeln!(out, "#   {name}: {}", fact.replace('\n', " "))?;
        }
    }
    for claim in &record.claims {
        let (state, at) = (claim.state.word(), claim.position);
        let revision = super::history::short(&claim.revision);
        let place = format!("{}:{}:{}", visible(&claim.path), at.line, at.column);
        writeln!(
            out,
            "#   claim: {} ({state}) {place}, revision {revision}",
            claim.source
        )?;
    }
    Ok(())
}

pub fn stored(row: &Row) -> Vec<(FieldRef, &Value)> {
    let own = row.values.iter().enumerate();
    let own = own.filter_map(|(index, value)| Some((kinds::own_field(index), value.as_ref()?)));
    let custom = row.custom_values.iter();
    own.chain(custom.map(|(id, value)| (FieldRef::Custom(id.clone()), value)))
        .collect()
}

fn print_table(
    kind: &'static Kind,
    pending: bool,
    records: &[StoredResource],
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows: Vec<[String; 3]> = records.iter().map(|record| line(kind, record)).collect();
    if rows.is_empty() && pending {
        return writeln!(out, "No account waits for an approval.");
    }
    if rows.is_empty() {
        return writeln!(out, "No {} in the database.", kind.name);
    }
    list_output::write_table(["ID", "STATUS", "NAME"], &rows, out)
}

fn line(kind: &Kind, record: &StoredResource) -> [String; 3] {
    let row = &record.row;
    let (mut status, name) = status_and_name(kind, row);
    for fact in ["approval", "blocked"] {
        match row.facts.get(fact).map(compact_str::CompactString::as_str) {
            Some(_) if fact == "blocked" => status.push_str(", blocked"),
            Some("approved") | None => {}
            Some(approval) => status = format!("{status}, {approval}"),
        }
    }
    [row.key.id.to_string(), status, name]
}

/// The declared status and the name of a resource.
pub fn status_and_name(kind: &Kind, row: &Row) -> (String, String) {
    let text = |index: usize| row.values[index].as_ref().and_then(Value::as_text);
    let status = text(kind.status_index()).unwrap_or("-").to_owned();
    // The name of a resource is its first required name or title; a person has two.
    let fields = kind.fields.iter().enumerate();
    let named = |name: &str| name.to_lowercase().ends_with("name") || name == "title";
    let names = fields.filter(|(_, field)| field.required && named(field.name));
    let names = names
        .filter_map(|(index, _)| text(index))
        .take(if kind.personal_id { 2 } else { 1 });
    (status, names.collect::<Vec<_>>().join(" "))
}
