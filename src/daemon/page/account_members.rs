//! What belongs to an account, on its page: the users with the names that they log in with, the
//! organisations and the buying policies.

use super::{link, resource_acts};
use crate::http::Caller;
use crate::kinds::{self, ACCOUNT, ORGANISATION, POLICY, USER};
use crate::model::{Key, KindId, Value};
use crate::store::{SearchQuery, Store, StoreError, StoredResource};
use maud::{Markup, html};

/// The most of a kind that are listed. The search lists all.
const LISTED: u32 = 50;

/// The members of an account, by kind.
#[derive(Debug, Default)]
pub(super) struct AccountMembers(Vec<(KindId, Vec<StoredResource>)>);

impl AccountMembers {
    /// Reads them; of another kind there are none.
    pub async fn read(store: &Store, key: &Key) -> Result<Self, StoreError> {
        let mut members = Self::default();
        if key.kind != ACCOUNT {
            return Ok(members);
        }
        for kind in [USER, ORGANISATION, POLICY] {
            let wanted = SearchQuery {
                account: Some(&key.id),
                limit: LISTED + 1,
                ..SearchQuery::default()
            };
            members
                .0
                .push((kind, store.search(kind, &wanted).await?.found));
        }
        Ok(members)
    }

    pub fn sections(&self, key: &Key, caller: &Caller) -> Markup {
        html! {
            @for (kind, records) in &self.0 {
                @if !records.is_empty() { (section(*kind, records, key, caller)) }
            }
        }
    }
}

fn section(kind: KindId, records: &[StoredResource], key: &Key, caller: &Caller) -> Markup {
    let of = kinds::get(kind);
    let users = kind == USER;
    let all = format!(
        "/resources?kind={}&account={}",
        of.name,
        link::percent_encode(&key.id)
    );
    html! {
        section id=(of.collection) {
            h2 { a href=(all) { (resource_acts::capitalised(of.collection)) } }
            table {
                thead { tr {
                    th scope="col" { (of.name) } th scope="col" { "Name" }
                    @if users { th scope="col" { "Logs in as" } th scope="col" { "Level" } }
                    th scope="col" { "Status" }
                } }
                tbody {
                    @for record in records.iter().take(LISTED as usize) { (row(record, key, caller, users)) }
                }
            }
            @if records.len() > LISTED as usize { p.small { "And more: " a href=(all) { "list all" } "." } }
        }
    }
}

fn row(record: &StoredResource, key: &Key, caller: &Caller, users: bool) -> Markup {
    let kind = kinds::get(record.row.key.kind);
    let fields = kinds::json::resource(&record.row);
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(|it| it.as_str())
            .unwrap_or_default()
    };
    let name = if users {
        format!("{} {}", text("firstName"), text("lastName"))
    } else {
        text("name").to_owned()
    };
    let logins = record.login.iter().flatten();
    let logins: Vec<&str> = logins.map(compact_str::CompactString::as_str).collect();
    html! {
        tr {
            td data-label=(kind.name) { (link::resource(caller, kind.name, &record.row.key.id)) }
            td data-label="Name" { (name) }
            @if users {
                td data-label="Logs in as" { (logins.join(", ")) }
                td data-label="Level" { (level(record, key)) }
            }
            td data-label="Status" {
                (text("status"))
                @if record.usable == Some(false) { " (not usable)" }
            }
        }
    }
}

/// The level of a user in the account.
fn level(record: &StoredResource, account: &Key) -> &'static str {
    let kind = kinds::get(record.row.key.kind);
    let Some(index) = kind.account_fields().next() else {
        return "";
    };
    let links = record.row.values[index]
        .as_ref()
        .map_or(&[][..], Value::as_links);
    let link = links.iter().find(|link| link.target == account.id);
    let chosen = link.and_then(|link| link.attributes[0]);
    let attribute = kind.fields[index].ty.attributes().first();
    let word = attribute
        .zip(chosen)
        .and_then(|(attribute, chosen)| attribute.choices.get(usize::from(chosen)));
    word.copied().unwrap_or_default()
}
