//! Appends a run and its changes to the hash-chained history. Personal values go into a table of
//! their own, salted, so that they can be erased later without breaking the chain. Start at
//! `ApplyTransaction::record_history`; `hash_chain` says what is hashed, and `store/history.rs`
//! reads it all back.

use super::super::connection::SqlRow;
use super::super::error::StoreError;
use super::super::hash_chain::{
    ChainedChange, HashChain, RunHeader, SaltedDigest, id_digest, personal_digest,
};
use super::super::history_writer::{CHANGES, HistoryTip, VALUES, append_run, outcome_of};
use super::super::row_writer::RowWriter;
use super::super::sql_value::{self, SqlType, SqlValue, SqlValueRef};
use super::ApplyTransaction;
use crate::kinds::{self, Field, FieldType, Kind};
use crate::model::{FieldRef, Value};
use crate::plan::{BorrowedChange, Step, StepVerb};
use rand::RngCore;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};
use std::ops::Range;

/// How many steps are turned into rows at a time; bounds the memory of a large run.
const PART: usize = 4000;

impl ApplyTransaction<'_> {
    /// Appends the run, its changes and its use of the guards' budgets. A plan without steps leaves
    /// no run.
    pub(super) async fn record_history(&mut self) -> Result<Option<i64>, StoreError> {
        if self.apply.plan.steps.is_empty() {
            return Ok(None);
        }
        let end = HistoryTip::read(&mut self.tx).await?;
        let header = self.header(&end);
        let mut chain = HashChain::start(&end.head, &header);
        let last = self.record_changes(&end, &mut chain).await?;
        let head = chain.head().to_vec();
        append_run(&mut self.tx, &header, &end, last, &head).await?;
        self.record_budgets(&end).await?;
        self.record_cause(&end).await?;
        Ok(Some(end.run))
    }

    fn header(&self, end: &HistoryTip) -> RunHeader {
        let plan = self.apply.plan;
        let mut counts = Map::new();
        for verb in StepVerb::ALL {
            let count = plan.steps.iter().filter(|step| step.verb == verb).count();
            counts.insert(verb.word().to_owned(), count.into());
        }
        counts.insert("held".to_owned(), plan.summary.held.into());
        RunHeader {
            id: end.run,
            source: plan.source.name.to_string(),
            revision: plan.source.revision.to_string(),
            plan_id: self.apply.plan_id.to_owned(),
            actor: self.apply.actor.to_owned(),
            started_at: self.now,
            finished_at: sql_value::now(),
            counts: Json::Object(counts).to_string(),
            outcome: outcome_of(self.apply.reverts.map(|revert| revert.run)),
        }
    }

    async fn record_changes(
        &mut self,
        end: &HistoryTip,
        chain: &mut HashChain,
    ) -> Result<i64, StoreError> {
        // The salts come from one random key per run, so no salt has to be drawn from the system
        // per change.
        let salts = SaltGenerator::new();
        let (mut seq, run) = (end.seq, end.run);
        for steps in self.apply.plan.steps.chunks(PART) {
            let mut part = ChangeBatch::default();
            for step in steps {
                seq += 1;
                part.add(step, seq, &salts, chain);
            }
            let put = |change: &RecordedChange<'_>, out: &mut RowWriter<'_>| {
                part.write_row(change, run, out);
            };
            self.tx
                .load("changes", &CHANGES, &part.changes, put)
                .await?;
            let personal = part.changes.iter().filter_map(RecordedChange::personal);
            // Most kinds hold nothing personal; an empty COPY would still cost a round trip.
            let mut personal = personal.peekable();
            if personal.peek().is_some() {
                let put = |(seq, values): (i64, &PersonalValues), out: &mut RowWriter<'_>| {
                    out.put(seq);
                    out.put(SqlValueRef::Bytes(&values.salt));
                    out.put(SqlValueRef::Text(part.text(&values.fields)));
                };
                self.tx
                    .load("change_values", &VALUES, personal, put)
                    .await?;
            }
        }
        Ok(seq)
    }

    async fn record_cause(&mut self, end: &HistoryTip) -> Result<(), StoreError> {
        let Some(cause) = self.apply.cause else {
            return Ok(());
        };
        let sql = "INSERT INTO run_causes (run, source, at, document) VALUES (?, ?, ?, ?)";
        let source = SqlValue::text(&self.apply.plan.source.name);
        let params = [end.run.into(), source, self.now.into(), cause.into()];
        self.tx.run(sql, &params).await?;
        Ok(())
    }

    async fn record_budgets(&mut self, end: &HistoryTip) -> Result<(), StoreError> {
        let plan = self.apply.plan;
        let rows: Vec<SqlRow> = plan
            .budget_use
            .iter()
            .map(|(budget, count)| {
                vec![
                    end.run.into(),
                    SqlValue::text(&plan.source.name),
                    budget.as_str().into(),
                    SqlValue::Int(i64::try_from(*count).unwrap_or(i64::MAX)),
                    self.now.into(),
                ]
            })
            .collect();
        let sql = "INSERT INTO run_budgets (run, source, budget, count, at) {rows}";
        let types = [
            SqlType::Int,
            SqlType::Id,
            SqlType::Id,
            SqlType::Int,
            SqlType::Int,
        ];
        self.run_for_rows(sql, &types, rows).await?;
        Ok(())
    }
}

/// Derives a salt per change from one random key, which is dropped after the run.
struct SaltGenerator([u8; 32]);

impl SaltGenerator {
    fn new() -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self(key)
    }

    fn salt_for(&self, seq: i64) -> SaltedDigest {
        let hash = blake3::keyed_hash(&self.0, &seq.to_le_bytes());
        let mut salt = SaltedDigest::default();
        salt.copy_from_slice(&hash.as_bytes()[..16]);
        salt
    }
}

/// A group of changes on its way into the history; their texts share one buffer.
#[derive(Default)]
struct ChangeBatch<'s> {
    changes: Vec<RecordedChange<'s>>,
    text: Vec<u8>,
}

struct RecordedChange<'s> {
    step: &'s Step,
    seq: i64,
    /// The range of the JSON with the values that are not personal.
    public_values: Range<usize>,
    personal: Option<PersonalValues>,
}

/// The part of a change that can be erased.
struct PersonalValues {
    salt: SaltedDigest,
    fields: Range<usize>,
    digest: SaltedDigest,
    id_digest: Option<SaltedDigest>,
}

impl RecordedChange<'_> {
    fn personal(&self) -> Option<(i64, &PersonalValues)> {
        Some((self.seq, self.personal.as_ref()?))
    }
}

impl<'s> ChangeBatch<'s> {
    /// Turns a step into a change and adds it to the chain.
    fn add(&mut self, step: &'s Step, seq: i64, salts: &SaltGenerator, chain: &mut HashChain) {
        let kind = kinds::get(step.key.kind);
        let (open, personal) = self.fields(kind, step);
        // A user's id is itself personal, so even a change without personal values needs a salt and
        // an entry that can be erased.
        let salted = kind.personal_id || !personal.is_empty();
        let personal = salted.then(|| {
            let fields = if personal.is_empty() {
                self.append_text(|text| text.extend(b"{}"))
            } else {
                personal
            };
            let salt = salts.salt_for(seq);
            PersonalValues {
                salt,
                digest: personal_digest(&salt, self.text(&fields)),
                fields,
                id_digest: kind.personal_id.then(|| id_digest(&salt, &step.key.id)),
            }
        });
        let change = RecordedChange {
            step,
            seq,
            public_values: open,
            personal,
        };
        chain.add(&self.chained(&change));
        self.changes.push(change);
    }

    /// The part of a change that the chain covers.
    fn chained<'c>(&'c self, change: &'c RecordedChange<'_>) -> ChainedChange<'c> {
        let (step, personal) = (change.step, change.personal.as_ref());
        let origin = step.origin.as_ref();
        let id_digest = personal.and_then(|personal| personal.id_digest.as_ref());
        ChainedChange {
            seq: change.seq,
            kind: kinds::get(step.key.kind).name,
            id: &step.key.id,
            id_digest: id_digest.map(|digest| &digest[..]),
            verb: step.verb.word(),
            reason: step.reason.word(),
            fields: self.text(&change.public_values),
            personal_digest: personal.map(|personal| &personal.digest[..]),
            path: origin.map(|origin| &*origin.path),
            line: origin.map_or(0, |origin| origin.at.line.into()),
            column: origin.map_or(0, |origin| origin.at.column.into()),
        }
    }

    /// Writes a change in the order of its columns.
    fn write_row(&self, change: &RecordedChange<'_>, run: i64, out: &mut RowWriter<'_>) {
        let (step, chained) = (change.step, self.chained(change));
        let path = step.origin.as_ref().map(|origin| &origin.path);
        let values: [SqlValueRef<'_>; CHANGES.len()] = [
            SqlValueRef::Int(chained.seq),
            SqlValueRef::Int(run),
            SqlValueRef::Static(kinds::get(step.key.kind).name),
            SqlValueRef::Text(chained.id),
            chained.id_digest.map(SqlValueRef::Bytes).into(),
            SqlValueRef::Static(step.verb.word()),
            SqlValueRef::Static(step.reason.word()),
            SqlValueRef::Text(chained.fields),
            chained.personal_digest.map(SqlValueRef::Bytes).into(),
            path.map(SqlValueRef::Shared).into(),
            SqlValueRef::Int(chained.line),
            SqlValueRef::Int(chained.column),
        ];
        values.into_iter().for_each(|value| out.put(value));
    }

    /// Renders the changed fields as JSON, split into public and personal ones. The personal range
    /// is empty if there are none.
    ///
    /// Each field is an array: the new value, or the old and the new one. The values of a deleted
    /// resource are not kept.
    fn fields(&mut self, kind: &'static Kind, step: &Step) -> (Range<usize>, Range<usize>) {
        // Kept here, the values would outlive the resource they belonged to.
        if step.verb == StepVerb::Delete {
            return (self.append_text(|text| text.extend(b"{}")), 0..0);
        }
        let given = step.borrowed_changes();
        // Written straight into text: building a JSON tree for every value of every new resource
        // would cost more than inserting its row.
        let mut shown = |personal: bool| {
            let given = given.iter();
            let given = given.filter(|given| is_personal(kind, given.field) == personal);
            let mut given = given.peekable();
            if personal && given.peek().is_none() {
                return 0..0;
            }
            let create = step.verb == StepVerb::Create;
            let shown = given.map(|given| {
                (
                    FieldNameJson(kind, given.field),
                    FieldChangeJson {
                        kind,
                        create,
                        given,
                    },
                )
            });
            self.append_text(|text| {
                // Writing to memory cannot fail, and these values always serialise.
                let _ = serde_json::Serializer::new(text).collect_map(shown);
            })
        };
        (shown(false), shown(true))
    }

    /// Appends a text and returns its range.
    fn append_text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.text.len();
        write(&mut self.text);
        start..self.text.len()
    }

    fn text(&self, range: &Range<usize>) -> &str {
        let text = self.text.get(range.clone()).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }
}

struct FieldNameJson<'g>(&'static Kind, &'g FieldRef);

impl Serialize for FieldNameJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.1.own() {
            Some(index) => to.serialize_str(self.0.fields[index].name),
            None => to.serialize_str(&self.0.field_name(self.1)),
        }
    }
}

/// Whether the values of a field are personal: marked so in the table of kinds, the id of a person,
/// or any value of one. The company or the groups of a person say something about the person too.
fn is_personal(kind: &Kind, field: &FieldRef) -> bool {
    kind.personal_id
        || kind.field(field).is_some_and(|field| {
            let target = field.ty.target();
            field.personal || target.is_some_and(|target| kinds::get(target).personal_id)
        })
}

/// One field: the new value, or the old and the new one.
struct FieldChangeJson<'g> {
    kind: &'static Kind,
    create: bool,
    given: &'g BorrowedChange<'g>,
}

impl Serialize for FieldChangeJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let field = self.kind.field(self.given.field);
        let of = |value: Option<_>| value.map(|value| FieldValueJson { field, value });
        let (before, after) = (self.given.before, self.given.after);
        if self.create {
            [of(after)].serialize(to)
        } else {
            [of(before), of(after)].serialize(to)
        }
    }
}

struct FieldValueJson<'a> {
    field: Option<&'static Field>,
    value: &'a Value,
}

impl Serialize for FieldValueJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self.field.map(|field| &field.ty), self.value) {
            // A password reference or its hash must never reach the history.
            (Some(FieldType::Secret), _) => to.collect_map([("redacted", true)]),
            // A file is recorded as its path and the hash of its content, which identifies the
            // version.
            (_, Value::Text(text)) => to.serialize_str(text),
            (_, Value::List(members)) => {
                to.collect_seq(members.iter().map(compact_str::CompactString::as_str))
            }
            (_, value) => kinds::json::value(self.field, value).serialize(to),
        }
    }
}
