//! Reads resources the way people want to see them: with claims, login names and whether they are
//! usable. Used by `get`, the API and the dashboard; plans use `read` instead.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::some_rows::{WantedResources, some_rows};
use super::sql_value::{SqlType, SqlValue};
use super::terms_acceptances::{self, TermsAcceptance};
use super::{Store, claim, read, row_pages, tables};
use crate::kinds::act::{ACTS, ActInput, ResourceAct};
use crate::kinds::{self, ACCOUNT, USER};
use crate::model::{Claim, CompactText, Key, KeyedList, KindId, Row, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A stored resource with everything the database knows about it.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredResource {
    pub row: Row,
    /// Every source's claim on it.
    pub claims: Vec<Claim>,
    /// The names with which it can log in; `None` for kinds without a login.
    pub login: Option<Vec<CompactText>>,
    /// Whether it is usable now; `None` for kinds where that has no meaning.
    pub usable: Option<bool>,
    /// The terms that it has accepted; `None` for kinds that accept none.
    pub terms: Option<Vec<TermsAcceptance>>,
}

impl StoredResource {
    /// The value of a runtime fact, by its name.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.row.facts.get(name).map(CompactText::as_str)
    }

    /// The acts that are possible on it now. Accepting terms is not among them: it depends on the
    /// terms. Nor is an erasure, as in `act::possible`.
    pub fn possible_acts(&self) -> impl Iterator<Item = &'static ResourceAct> {
        let kind = kinds::get(self.row.key.kind);
        let acts = ACTS
            .into_iter()
            .filter(|act| act.is_for(kind) && act.input != ActInput::Terms && !act.erases);
        acts.filter(|act| act.from.contains(&act.state(self.fact(act.fact))))
    }
}

/// How many ids are compared with one that is not stored.
const SIMILAR: usize = 5000;

/// Which resources are usable.
const USABLE: [(KindId, &str); 2] = [(ACCOUNT, "usable_accounts"), (USER, "usable_users")];

impl Store {
    /// Returns one resource with everything known about it, as of one moment.
    pub async fn record(&self, key: &Key) -> Result<Option<StoredResource>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read a resource").await? else {
            return Ok(None);
        };
        read(&mut tx, key).await
    }

    /// Returns the claims of a source on some resources.
    pub async fn claims_of(
        &self,
        source: &str,
        keys: &BTreeSet<Key>,
    ) -> Result<BTreeMap<Key, Claim>, StoreError> {
        let mut found = BTreeMap::new();
        let Some(mut tx) = self.begin_schema_read("read claims").await? else {
            return Ok(found);
        };
        for kind in kinds::ALL {
            let of_kind = keys.iter().filter(|key| key.kind == kind.id);
            let ids: Vec<&CompactText> = of_kind.map(|key| &key.id).collect();
            if ids.is_empty() {
                continue;
            }
            let read = claims(&mut tx, kind.id, WantedResources::Some(&ids)).await?;
            for (id, claims) in read {
                let mut claims = claims.into_iter();
                if let Some(claim) = claims.find(|claim| *claim.source == *source) {
                    found.insert(Key { kind: kind.id, id }, claim);
                }
            }
        }
        Ok(found)
    }

    /// Returns all resources of a kind with everything known about them, sorted by external id.
    pub async fn records(&self, kind: KindId) -> Result<Vec<StoredResource>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the resources").await? else {
            return Ok(Vec::new());
        };
        let rows = read::rows(&mut tx, tables::for_kind(kind)).await?;
        let mut beside = ResourceDetails::read(&mut tx, kind, WantedResources::All).await?;
        Ok(rows.into_iter().map(|row| beside.record(row)).collect())
    }

    /// Returns every resource, sorted by key, as of one moment.
    pub async fn rows(&self) -> Result<KeyedList<Row>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the directory").await? else {
            return Ok(KeyedList::default());
        };
        let mut all = KeyedList::default();
        for table in tables::ALL.iter() {
            for row in read::rows(&mut tx, table).await? {
                // The primary key keeps keys distinct.
                let _ = all.insert(row);
            }
        }
        Ok(all)
    }

    /// Returns external ids of a kind that may have been meant by another one: all of a few, of many
    /// those that begin like it.
    pub async fn similar_ids(&self, key: &Key) -> Result<Vec<CompactText>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the ids").await? else {
            return Ok(Vec::new());
        };
        let table = kinds::get(key.kind).table;
        let first_half: String = key.id.chars().take(key.id.chars().count() / 2).collect();
        let mut found = Vec::new();
        for prefix in ["", &first_half] {
            let sql = format!(
                "SELECT external_id FROM {table} WHERE external_id >= ? AND external_id < ? \
                 ORDER BY external_id LIMIT {SIMILAR}"
            );
            let end = SqlValue::text(format!("{prefix}\u{10ffff}"));
            found = tx
                .fetch(&sql, &[prefix.into(), end], &[SqlType::Id])
                .await?;
            if found.len() < SIMILAR {
                break;
            }
        }
        let ids = found.into_iter().map(|mut cells| cells[0].take_text());
        Ok(ids.collect())
    }

    /// Returns the content of a stored document by its SHA-256 in hexadecimal.
    pub async fn file_content(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read a document").await? else {
            return Ok(None);
        };
        let sql = "SELECT content FROM file_contents WHERE sha256 = ?";
        let found = tx.first(sql, &[sha256.into()], &[SqlType::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }

    /// Returns the SHA-256, in hexadecimal, of every document whose content is stored.
    pub async fn stored_contents(&self) -> Result<BTreeSet<CompactText>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the documents").await? else {
            return Ok(BTreeSet::new());
        };
        let sql = "SELECT sha256 FROM file_contents";
        let found = tx.fetch(sql, &[], &[SqlType::Text]).await?.into_iter();
        Ok(found.map(|mut cells| cells[0].take_text()).collect())
    }
}

/// Reads one resource with everything known about it.
pub(super) async fn read(
    tx: &mut SqlTransaction,
    key: &Key,
) -> Result<Option<StoredResource>, StoreError> {
    let found = read_some(tx, key.kind, std::slice::from_ref(&key.id)).await?;
    Ok(found.into_iter().next())
}

/// Reads resources of a kind with everything known about them, in the order of the ids. An id that
/// is not stored is left out.
pub(super) async fn read_some(
    tx: &mut SqlTransaction,
    kind: KindId,
    ids: &[CompactText],
) -> Result<Vec<StoredResource>, StoreError> {
    let wanted: Vec<&CompactText> = ids.iter().collect();
    let rows = some_rows(tx, tables::for_kind(kind), &wanted).await?;
    let mut beside = ResourceDetails::read(tx, kind, WantedResources::Some(&wanted)).await?;
    let rows = rows.into_iter().map(|row| (row.key.id.clone(), row));
    let mut rows: HashMap<CompactText, Row> = rows.collect();
    let rows = ids.iter().filter_map(|id| rows.remove(id));
    Ok(rows.map(|row| beside.record(row)).collect())
}

/// Reads the next resources of a kind after an id with everything known about them, sorted by
/// external id.
pub(super) async fn read_page(
    tx: &mut SqlTransaction,
    kind: KindId,
    after: Option<&CompactText>,
    limit: usize,
) -> Result<Vec<StoredResource>, StoreError> {
    let rows = row_pages::page(tx, tables::for_kind(kind), after, limit).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(Vec::new());
    };
    let wanted = WantedResources::Between(&first.key.id, &last.key.id);
    let mut beside = ResourceDetails::read(tx, kind, wanted).await?;
    Ok(rows.into_iter().map(|row| beside.record(row)).collect())
}

/// What the database knows about the resources of a kind beside their rows, by external id.
struct ResourceDetails {
    claims: HashMap<CompactText, Vec<Claim>>,
    usable: Option<HashSet<CompactText>>,
    names: Option<LoginNames>,
    terms: Option<HashMap<CompactText, Vec<TermsAcceptance>>>,
}

impl ResourceDetails {
    async fn read(
        tx: &mut SqlTransaction,
        kind: KindId,
        wanted: WantedResources<'_>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            claims: claims(tx, kind, wanted).await?,
            usable: usable(tx, kind, wanted).await?,
            names: match kind {
                USER => Some(LoginNames::read(tx, wanted).await?),
                _ => None,
            },
            terms: match kind {
                USER => Some(terms_acceptances::valid(tx, wanted).await?),
                _ => None,
            },
        })
    }

    fn record(&mut self, row: Row) -> StoredResource {
        let id = &row.key.id;
        StoredResource {
            claims: self.claims.remove(id).unwrap_or_default(),
            usable: self.usable.as_ref().map(|usable| usable.contains(id)),
            login: self.names.as_mut().map(|names| names.login_names(&row)),
            terms: self
                .terms
                .as_mut()
                .map(|terms| terms.remove(id).unwrap_or_default()),
            row,
        }
    }
}

/// The login names of users: the assigned ones and, depending on the settings, the e-mail address.
struct LoginNames {
    email: bool,
    assigned: HashMap<CompactText, Vec<CompactText>>,
}

impl LoginNames {
    async fn read(
        tx: &mut SqlTransaction,
        wanted: WantedResources<'_>,
    ) -> Result<Self, StoreError> {
        let key = kinds::settings_key();
        let kind = kinds::get(key.kind);
        let at = kind.expect_index("loginMode");
        let stored = read::read_row(tx, &key)
            .await?
            .and_then(|row| row.values[at].clone());
        let mode = stored.or_else(|| kind.fields[at].default.value());
        let mode = mode.as_ref().and_then(Value::as_text).unwrap_or_default();
        let mut names = Self {
            email: mode != "customer-number",
            assigned: HashMap::new(),
        };
        // With e-mail logins, names assigned before the switch no longer work and must not be
        // shown.
        if mode == "email" {
            return Ok(names);
        }
        let sql = "SELECT n.user_id, n.name FROM user_logins AS n JOIN user_accounts AS l \
                   ON l.user_id = n.user_id AND l.account_id = n.account_id {of} \
                   ORDER BY n.user_id, n.account_id";
        let of = ("WHERE", "n.user_id");
        let types = [SqlType::Id, SqlType::Id];
        for mut cells in wanted.fetch(tx, sql, of, &types).await? {
            let (user, name) = (cells[0].take_text(), cells[1].take_text());
            names.assigned.entry(user).or_default().push(name);
        }
        Ok(names)
    }

    fn login_names(&mut self, row: &Row) -> Vec<CompactText> {
        let email = row.values[kinds::get(USER).expect_index("email")].as_ref();
        let email = email.and_then(Value::as_text).filter(|_| self.email);
        let given = self.assigned.remove(&row.key.id).unwrap_or_default();
        email
            .map(CompactText::new)
            .into_iter()
            .chain(given)
            .collect()
    }
}

async fn usable(
    tx: &mut SqlTransaction,
    kind: KindId,
    wanted: WantedResources<'_>,
) -> Result<Option<HashSet<CompactText>>, StoreError> {
    let Some((_, view)) = USABLE.iter().find(|(of, _)| *of == kind) else {
        return Ok(None);
    };
    let sql = format!("SELECT external_id FROM {view} {{of}}");
    let of = ("WHERE", "external_id");
    let found = wanted.fetch(tx, &sql, of, &[SqlType::Id]).await?;
    let ids = found.into_iter().map(|mut cells| cells[0].take_text());
    Ok(Some(ids.collect()))
}

/// Returns the claims by external id.
pub(super) async fn claims(
    tx: &mut SqlTransaction,
    kind: KindId,
    wanted: WantedResources<'_>,
) -> Result<HashMap<CompactText, Vec<Claim>>, StoreError> {
    let names = claim::COLUMNS.map(|(name, _)| name).join(", ");
    let types = claim::COLUMNS.map(|(_, ty)| ty);
    let sql = format!(
        "SELECT {names} FROM claims WHERE kind = '{}' {{of}} ORDER BY external_id, source",
        kinds::get(kind).name
    );
    let mut reader = claim::ClaimReader::default();
    let mut claims: HashMap<CompactText, Vec<Claim>> = HashMap::new();
    for mut cells in wanted
        .fetch(tx, &sql, ("AND", "external_id"), &types)
        .await?
    {
        if let Some((key, claim)) = reader.read(&mut cells) {
            claims.entry(key.id).or_default().push(claim);
        }
    }
    Ok(claims)
}
