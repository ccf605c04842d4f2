//! One moment of the database: everything asked of it is answered as of then.

use super::connection::{Batch, Cells, Tx};
use super::error::StoreError;
use super::migrate::{self, Meta};
use super::param::{Param, Ty};
use super::read::{self, Query};
use super::tables::{self, KindTable, LinkTable};
use super::{Store, claim, codec, held};
use crate::kinds::{self, Kind, Type};
use crate::model::{Ask, Digest, GuardBase, Key, KindId, Link, Row, Rows, Snapshot, Text};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One moment of a database with a schema.
pub struct Moment {
    pub(super) tx: Tx,
    meta: Meta,
}

/// The part of a claim that says whether it is current.
pub struct Claimed {
    /// The resource.
    pub key: Key,
    /// The source.
    pub source: Text,
    /// The digest of what it declared.
    pub digest: Digest,
    /// Whether it still declares it.
    pub active: bool,
    /// Whether the row is inactive.
    pub idle: bool,
}

/// More rows than this are not a part: reading everything is as fast.
const MANY: usize = 20_000;

impl Store {
    /// This moment of the database; `None` when there is none, or it has no schema.
    ///
    /// # Errors
    /// When the database cannot be read or its schema is not this release's.
    pub async fn moment(&self) -> Result<Option<Moment>, StoreError> {
        let Some(mut tx) = self.reading_schema("read a part of the directory").await? else {
            return Ok(None);
        };
        let meta = migrate::readable(&mut tx).await?;
        Ok(Some(Moment { tx, meta }))
    }
}

impl Moment {
    /// The identity of the database.
    pub fn database(&self) -> &str {
        &self.meta.identity
    }

    /// Its environment.
    pub fn environment(&self) -> Option<&str> {
        self.meta.environment.as_deref()
    }

    /// What every plan needs to know: a part with the settings and custom fields.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn part(&mut self, query: &Query<'_>) -> Result<Snapshot, StoreError> {
        let tx = &mut self.tx;
        let mut snapshot = Snapshot {
            database: Some(self.meta.identity.clone()),
            environment: self.meta.environment.clone(),
            retired: read::retired(tx, &self.meta.key, &query.declared).await?,
            approved: held::approved(tx, query.approved_since).await?,
            spent: read::spent(tx, query).await?,
            held: held::read(tx, query.source).await?,
            ..Snapshot::default()
        };
        snapshot.rows = Rows::part();
        let mut definitions = Vec::new();
        for kind in kinds::JUDGES {
            definitions.extend(read::rows(tx, tables::of(kind)).await?);
        }
        let settings = Key::new(kinds::SETTINGS, "settings");
        let keys = definitions.iter().map(|row| row.key.clone());
        let keys: BTreeSet<Key> = keys.chain([settings.clone()]).collect();
        self.claims(&keys, &mut snapshot).await?;
        for row in definitions {
            // The primary key keeps keys distinct.
            let _ = snapshot.rows.insert(row);
        }
        snapshot.rows.know([Ask::Row(settings)].into());
        Ok(snapshot)
    }

    /// Reads what was asked beyond a part; says no when that is too much to be a part.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn answer(
        &mut self,
        snapshot: &mut Snapshot,
        asks: BTreeSet<Ask>,
    ) -> Result<bool, StoreError> {
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        let mut by_field: BTreeMap<(KindId, usize), Vec<&Key>> = BTreeMap::new();
        let mut alike: BTreeMap<(KindId, Option<usize>), Vec<&Text>> = BTreeMap::new();
        for ask in &asks {
            match ask {
                Ask::Row(key) => _ = keys.insert(key.clone()),
                Ask::Referrers(kind, field, key) => {
                    by_field.entry((*kind, *field)).or_default().push(key);
                }
                Ask::Alike(kind, field, text) => {
                    alike.entry((*kind, *field)).or_default().push(text);
                }
                Ask::CustomerNumber(number) => self.customer_number(snapshot, number).await?,
                Ask::Base(base) => {
                    let Some(sql) = base_sql(base) else {
                        return Ok(false);
                    };
                    let count = self.count(sql).await?;
                    snapshot.bases.insert(base.clone(), count);
                }
                Ask::Everything => return Ok(false),
            }
        }
        for ((kind, field), targets) in by_field {
            keys.extend(self.referrers(kind, field, &targets).await?);
        }
        for ((kind, field), texts) in alike {
            keys.extend(self.alike(kind, field, &texts).await?);
        }
        keys.retain(|key| !snapshot.rows.has_read(key));
        if snapshot.rows.len() + keys.len() >= MANY {
            return Ok(false);
        }
        for table in tables::ALL.iter() {
            let ids = ids_of(&keys, table.kind.id);
            if !ids.is_empty() {
                for row in self.rows(table, &ids).await? {
                    let _ = snapshot.rows.insert(row);
                }
            }
        }
        self.claims(&keys, snapshot).await?;
        snapshot.rows.know(asks);
        Ok(true)
    }

    /// The claims on some keys, as far as it takes to see who has which and whether it is current.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn claims_on<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k Key>,
    ) -> Result<Vec<Claimed>, StoreError> {
        let keys: BTreeSet<Key> = keys.cloned().collect();
        let mut found = Vec::new();
        for kind in kinds::ALL {
            let (status, table) = (if kind.status { "r.status" } else { "''" }, kind.table);
            let sql = format!(
                "SELECT c.external_id, c.source, c.declared_digest, c.state, {status} \
                 FROM claims c LEFT JOIN {table} r ON r.external_id = c.external_id \
                 WHERE c.kind = '{}' AND c.external_id IN ({{rows}})",
                kind.name
            );
            let types = [Ty::Id, Ty::Id, Ty::Bytes, Ty::Text, Ty::Text];
            let claims = self.look_up(&sql, &ids_of(&keys, kind.id), &types).await?;
            found.extend(claims.into_iter().map(|mut cells| Claimed {
                key: Key {
                    kind: kind.id,
                    id: cells[0].take_text(),
                },
                source: cells[1].take_text(),
                digest: Digest(cells[2].take_bytes().try_into().unwrap_or_default()),
                active: cells[3].as_text() == Some("active"),
                idle: cells[4].as_text() == Some("inactive"),
            }));
        }
        Ok(found)
    }

    async fn count(&mut self, (sql, param): (String, &Text)) -> Result<u64, StoreError> {
        let found = self.tx.first(&sql, &[param.into()], &[Ty::Int]).await?;
        let count = found.map_or(0, |cells| cells[0].int());
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn customer_number(
        &mut self,
        snapshot: &mut Snapshot,
        number: &Text,
    ) -> Result<(), StoreError> {
        let account = "SELECT account_id FROM customer_numbers WHERE number = ?";
        let found = self.tx.first(account, &[number.into()], &[Ty::Id]).await?;
        if let Some(mut cells) = found {
            let account = cells[0].take_text();
            snapshot.customer_numbers.insert(number.clone(), account);
        }
        let next = "SELECT next FROM login_counters WHERE customer_number = ?";
        if let Some(cells) = self.tx.first(next, &[number.into()], &[Ty::Int]).await? {
            let given = u32::try_from(cells[0].int() - 1).unwrap_or_default();
            snapshot.logins.insert(number.clone(), given);
        }
        Ok(())
    }

    /// Who refers to some keys by a field of a kind.
    async fn referrers(
        &mut self,
        kind: KindId,
        field: usize,
        targets: &[&Key],
    ) -> Result<Vec<Key>, StoreError> {
        let table = tables::of(kind);
        let (name, owner, member) = match (table.link(field), &table.kind.fields[field].ty) {
            (Some(link), _) => (
                link.name.as_str(),
                link.owner.as_str(),
                link.member.as_str(),
            ),
            (None, Type::Ref(_)) => (
                table.kind.table,
                "external_id",
                table.kind.fields[field].column,
            ),
            (None, _) => return Ok(Vec::new()),
        };
        let sql = format!("SELECT {owner} FROM {name} WHERE {member} IN ({{rows}}) LIMIT {MANY}");
        let ids: Vec<&Text> = targets.iter().map(|key| &key.id).collect();
        self.ids(kind, &sql, &ids).await
    }

    /// Whose text in a column is one of some, in whatever case; the texts are in lower case.
    async fn alike(
        &mut self,
        kind: KindId,
        field: Option<usize>,
        texts: &[&Text],
    ) -> Result<Vec<Key>, StoreError> {
        let kind_of = kinds::get(kind);
        let column = field.map_or("external_id", |field| kind_of.fields[field].column);
        let sql = format!(
            "SELECT external_id FROM {} WHERE lower({column}) IN ({{rows}}) LIMIT {MANY}",
            kind_of.table
        );
        self.ids(kind, &sql, texts).await
    }

    async fn ids(
        &mut self,
        kind: KindId,
        sql: &str,
        texts: &[&Text],
    ) -> Result<Vec<Key>, StoreError> {
        let found = self.look_up(sql, texts, &[Ty::Id]).await?;
        let ids = found.into_iter();
        Ok(ids
            .map(|mut cells| Key {
                kind,
                id: cells[0].take_text(),
            })
            .collect())
    }

    /// Some rows of a kind with their lists.
    async fn rows(&mut self, table: &KindTable, ids: &[&Text]) -> Result<Vec<Row>, StoreError> {
        let (names, types) = read::split(&table.shape());
        let sql = format!(
            "SELECT {names} FROM {} WHERE external_id IN ({{rows}})",
            table.kind.table
        );
        let mut rows: Vec<Row> = Vec::with_capacity(ids.len());
        for mut cells in self.look_up(&sql, ids, &types).await? {
            rows.push(codec::row(table, &mut cells));
        }
        for link in &table.links {
            self.lists(link, ids, &mut rows).await?;
        }
        Ok(rows)
    }

    /// Fills one list of some rows.
    async fn lists(
        &mut self,
        link: &LinkTable,
        ids: &[&Text],
        rows: &mut [Row],
    ) -> Result<(), StoreError> {
        let (names, types) = read::split(&link.shape());
        let sql = format!(
            "SELECT {names} FROM {} WHERE {} IN ({{rows}}) ORDER BY {}, {}",
            link.name, link.owner, link.owner, link.member
        );
        let mut lists: HashMap<Text, Vec<Link>> = HashMap::new();
        for mut cells in self.look_up(&sql, ids, &types).await? {
            let member = codec::link(link, &mut cells[1..]);
            lists.entry(cells[0].take_text()).or_default().push(member);
        }
        for row in rows {
            if let Some(list) = lists.remove(&row.key.id) {
                row.values[link.field] = Some(codec::members(link, list));
            }
        }
        Ok(())
    }

    /// Adds every source's claims on some keys, stored or not.
    async fn claims(
        &mut self,
        keys: &BTreeSet<Key>,
        snapshot: &mut Snapshot,
    ) -> Result<(), StoreError> {
        let (names, types) = read::split(&claim::COLUMNS);
        let mut reader = claim::Reader::default();
        for kind in kinds::ALL {
            let ids = ids_of(keys, kind.id);
            if ids.is_empty() {
                continue;
            }
            let sql = format!(
                "SELECT {names} FROM claims WHERE kind = '{}' AND external_id IN ({{rows}}) \
                 ORDER BY external_id, source",
                kind.name
            );
            for mut cells in self.look_up(&sql, &ids, &types).await? {
                if let Some((key, claim)) = reader.read(&mut cells) {
                    snapshot.claims.entry(key).or_default().push(claim);
                }
            }
        }
        Ok(())
    }

    /// What a query finds for some texts, which stand for `{rows}`.
    async fn look_up(
        &mut self,
        sql: &str,
        texts: &[&Text],
        types: &[Ty],
    ) -> Result<Vec<Cells>, StoreError> {
        let batch = Batch {
            sql,
            types: &[Ty::Id],
        };
        let rows = texts.iter().map(|text| vec![Param::from(*text)]);
        self.tx.batch_fetch(&batch, rows, types).await
    }
}

fn ids_of(keys: &BTreeSet<Key>, kind: KindId) -> Vec<&Text> {
    let of_kind = keys.iter().filter(|key| key.kind == kind);
    of_kind.map(|key| &key.id).collect()
}

/// What counts the base of a guard, and its parameter; `None` where no column says it.
fn base_sql(base: &GuardBase) -> Option<(String, &Text)> {
    let claimed = |kind: &Kind, which: &str| {
        format!(
            "SELECT count(*) FROM claims c JOIN {} r ON r.external_id = c.external_id \
             WHERE c.kind = '{}' AND c.source = ? AND c.state = 'active'{which}",
            kind.table, kind.name
        )
    };
    Some(match base {
        GuardBase::Live(source, kind) => {
            let kind = kinds::get(*kind);
            let live = " AND r.status <> 'inactive'";
            (claimed(kind, if kind.status { live } else { "" }), source)
        }
        GuardBase::Filled(source, kind, field) => {
            let table = tables::of(*kind);
            let filled = match table.link(*field) {
                Some(link) => format!(
                    " AND EXISTS (SELECT 1 FROM {} l WHERE l.{} = r.external_id)",
                    link.name, link.owner
                ),
                None => format!(" AND r.{} IS NOT NULL", table.of_field(*field).next()?.name),
            };
            (claimed(table.kind, &filled), source)
        }
        GuardBase::Users(account) => {
            let users = tables::of(kinds::USER);
            let link = users.link_named("accounts");
            let sql = format!(
                "SELECT count(*) FROM {} l JOIN {} r ON r.external_id = l.{} \
                 WHERE l.{} = ? AND r.status <> 'inactive'",
                link.name, users.kind.table, link.owner, link.member
            );
            (sql, account)
        }
    })
}
