//! Appending the run and its changes to the chained history.

use super::super::chain::{Chain, Chained, Header, id_digest, personal_digest};
use super::super::connection::Cells;
use super::super::error::StoreError;
use super::super::param::{self, Param, Ty};
use super::{Pass, versions};
use crate::kinds::{self, Field, Kind, Type};
use crate::model::Change;
use crate::model::{FieldRef, Value};
use crate::plan::{Step, Verb};
use rand::RngCore;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

const CHANGES: [(&str, Ty); 12] = [
    ("seq", Ty::Int),
    ("run", Ty::Int),
    ("kind", Ty::Id),
    ("external_id", Ty::Id),
    ("id_digest", Ty::Bytes),
    ("verb", Ty::Text),
    ("reason", Ty::Text),
    ("fields", Ty::Text),
    ("personal_digest", Ty::Bytes),
    ("path", Ty::Text),
    ("line", Ty::Int),
    ("col", Ty::Int),
];

const VALUES: [(&str, Ty); 3] = [("seq", Ty::Int), ("salt", Ty::Bytes), ("fields", Ty::Text)];

/// How many steps are turned into rows at a time.
const PART: usize = 20_000;

/// Where the history stands.
struct End {
    seq: i64,
    run: i64,
    head: Vec<u8>,
}

impl Pass<'_> {
    /// Appends the run, its changes and what it used of the guards' budgets; nothing when there
    /// were no steps.
    pub(super) async fn record(&mut self) -> Result<Option<i64>, StoreError> {
        if self.apply.plan.steps.is_empty() {
            return Ok(None);
        }
        let sql = "SELECT last_seq, last_run, head FROM write WHERE id = 1";
        let types = [Ty::Int, Ty::Int, Ty::Bytes];
        let Some(mut cells) = self.tx.first(sql, &[], &types).await? else {
            return Err(self.tx.corrupt("the table `write` is empty"));
        };
        let end = End {
            seq: cells[0].int(),
            run: cells[1].int() + 1,
            head: cells[2].take_bytes(),
        };
        let header = self.header(&end);
        let mut chain = Chain::start(&end.head, &header);
        let last = self.record_changes(&end, &mut chain).await?;
        let head = chain.head().to_vec();
        self.record_run(&header, &end, &head).await?;
        self.record_budgets(&end).await?;
        let sql = "UPDATE write SET last_seq = ?, last_run = ?, head = ? WHERE id = 1";
        let params = [last.into(), end.run.into(), Param::Bytes(head)];
        self.tx.run(sql, &params).await?;
        Ok(Some(end.run))
    }

    fn header(&self, end: &End) -> Header {
        let plan = self.apply.plan;
        let mut counts = Map::new();
        for verb in Verb::ALL {
            let count = plan.steps.iter().filter(|step| step.verb == verb).count();
            counts.insert(verb.word().to_owned(), count.into());
        }
        counts.insert("held".to_owned(), plan.held.len().into());
        Header {
            id: end.run,
            source: plan.source.name.to_string(),
            revision: plan.source.revision.to_string(),
            plan_id: self.apply.plan_id.to_owned(),
            actor: self.apply.actor.to_owned(),
            started_at: self.now,
            finished_at: param::now(),
            counts: Json::Object(counts).to_string(),
            outcome: "applied".to_owned(),
        }
    }

    async fn record_changes(&mut self, end: &End, chain: &mut Chain) -> Result<i64, StoreError> {
        let mut salts = Salts::new();
        let mut seq = end.seq;
        for part in self.apply.plan.steps.chunks(PART) {
            let (mut changes, mut values) = (Vec::new(), Vec::new());
            for step in part {
                seq += 1;
                let (change, value) = rows(step, end.run, seq, &mut salts, chain);
                changes.push(change);
                values.extend(value);
            }
            self.tx.insert("changes", &CHANGES, changes).await?;
            if !values.is_empty() {
                self.tx.insert("change_values", &VALUES, values).await?;
            }
        }
        Ok(seq)
    }

    async fn record_run(
        &mut self,
        header: &Header,
        end: &End,
        head: &[u8],
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO runs (id, source, revision, plan_id, actor, started_at, \
                   finished_at, counts, outcome, head_before, head) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let params = [
            header.id.into(),
            header.source.as_str().into(),
            header.revision.as_str().into(),
            header.plan_id.as_str().into(),
            header.actor.as_str().into(),
            header.started_at.into(),
            header.finished_at.into(),
            header.counts.as_str().into(),
            header.outcome.as_str().into(),
            Param::Bytes(end.head.clone()),
            Param::Bytes(head.to_vec()),
        ];
        self.tx.run(sql, &params).await?;
        Ok(())
    }

    async fn record_budgets(&mut self, end: &End) -> Result<(), StoreError> {
        let plan = self.apply.plan;
        let rows: Vec<Cells> = plan
            .spent
            .iter()
            .map(|(budget, count)| {
                vec![
                    end.run.into(),
                    Param::text(&plan.source.name),
                    budget.as_str().into(),
                    Param::Int(i64::try_from(*count).unwrap_or(i64::MAX)),
                    self.now.into(),
                ]
            })
            .collect();
        let sql = "INSERT INTO run_budgets (run, source, budget, count, at) {rows}";
        let types = [Ty::Int, Ty::Id, Ty::Id, Ty::Int, Ty::Int];
        self.each(sql, &types, rows).await?;
        Ok(())
    }
}

/// A salt for every change, out of one random key that is forgotten.
struct Salts([u8; 32]);

impl Salts {
    fn new() -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self(key)
    }

    fn of(&self, seq: i64) -> Vec<u8> {
        blake3::keyed_hash(&self.0, &seq.to_le_bytes()).as_bytes()[..16].to_vec()
    }
}

/// The row of a change, and that of its personal values when there are any.
fn rows(
    step: &Step,
    run: i64,
    seq: i64,
    salts: &mut Salts,
    chain: &mut Chain,
) -> (Cells, Option<Cells>) {
    let kind = kinds::get(step.key.kind);
    let (open, personal) = fields(kind, step);
    let salted = kind.personal_id || personal.is_some();
    let salt = salted.then(|| salts.of(seq));
    let personal = salted.then(|| personal.unwrap_or_else(|| "{}".to_owned()));
    let ids = salt.as_ref().filter(|_| kind.personal_id);
    let id_digest = ids.map(|salt| id_digest(salt, &step.key.id));
    let digest = salt.as_ref().zip(personal.as_ref());
    let digest = digest.map(|(salt, personal)| personal_digest(salt, personal));
    let origin = step.origin.as_ref();
    let chained = Chained {
        seq,
        kind: kind.name,
        id: &step.key.id,
        id_digest: id_digest.as_deref(),
        verb: step.verb.word(),
        reason: step.reason.word(),
        fields: &open,
        personal_digest: digest.as_deref(),
        path: origin.map(|origin| &*origin.path),
        line: origin.map_or(0, |origin| origin.at.line.into()),
        column: origin.map_or(0, |origin| origin.at.column.into()),
    };
    chain.add(&chained);
    let bytes = |digest: Option<Vec<u8>>| digest.map_or(Param::Null, Param::Bytes);
    let path = Param::maybe(chained.path);
    let (line, column) = (chained.line, chained.column);
    let change = vec![
        seq.into(),
        run.into(),
        versions::kind_name(&step.key),
        (&step.key.id).into(),
        bytes(id_digest),
        step.verb.word().into(),
        step.reason.word().into(),
        Param::text(open),
        bytes(digest),
        path,
        line.into(),
        column.into(),
    ];
    let value = salt.zip(personal);
    let value = value.map(|(salt, text)| vec![seq.into(), Param::Bytes(salt), Param::text(text)]);
    (change, value)
}

/// The changed fields as JSON: those that say nothing about a person, and those that do.
///
/// Of each field an array: what it became, or what it was and what it became. A deleted
/// resource's values are not kept.
fn fields(kind: &'static Kind, step: &Step) -> (String, Option<String>) {
    if step.verb == Verb::Delete {
        return ("{}".to_owned(), None);
    }
    let changes = step.changes();
    let (personal, open): (Vec<&Change>, Vec<&Change>) = changes
        .iter()
        .partition(|change| is_personal(kind, &change.field));
    // Straight into text: a tree of every value of every new resource costs more than its row.
    let text = |changes: Vec<&Change>| {
        let shown = changes
            .into_iter()
            .map(|change| (kind.field_name(&change.field), Shown { kind, step, change }));
        let mut text = Vec::with_capacity(256);
        let mut to = serde_json::Serializer::new(&mut text);
        // Neither writing to memory nor these values can fail.
        let _ = to.collect_map(shown);
        String::from_utf8(text).unwrap_or_default()
    };
    let personal = (!personal.is_empty()).then(|| text(personal));
    (text(open), personal)
}

/// Whether the values of a field say something about a person: by the table, as the id of a
/// person, or as a custom field of one.
fn is_personal(kind: &Kind, field: &FieldRef) -> bool {
    match kind.field(field) {
        None => kind.personal_id,
        Some(field) => {
            let target = field.ty.target();
            field.personal || target.is_some_and(|target| kinds::get(target).personal_id)
        }
    }
}

/// What one field became, or what it was and what it became.
struct Shown<'a> {
    kind: &'static Kind,
    step: &'a Step,
    change: &'a Change,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let field = self.kind.field(&self.change.field);
        let of = |value| Option::as_ref(value).map(|value| Said { field, value });
        let (before, after) = (&self.change.before, &self.change.after);
        if self.step.verb == Verb::Create {
            [of(after)].serialize(to)
        } else {
            [of(before), of(after)].serialize(to)
        }
    }
}

/// A value of a field.
struct Said<'a> {
    field: Option<&'static Field>,
    value: &'a Value,
}

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self.field.map(|field| &field.ty), self.value) {
            (Some(Type::Secret), _) => to.collect_map([("redacted", true)]),
            // A file with the hash of its content: it is the version.
            (_, Value::Text(text)) => to.serialize_str(text),
            (_, Value::List(members)) => {
                to.collect_seq(members.iter().map(compact_str::CompactString::as_str))
            }
            (_, value) => kinds::json::value(self.field, value).serialize(to),
        }
    }
}
