//! Appending the run and its changes to the chained history.

use super::super::chain::{Chain, Chained, Header, Salted, id_digest, personal_digest};
use super::super::connection::Cells;
use super::super::error::StoreError;
use super::super::lent::{Lent, Out};
use super::super::param::{self, Param, Ty};
use super::Pass;
use super::values::{self, Given};
use crate::kinds::{self, Field, Kind, Type};
use crate::model::{FieldRef, Value};
use crate::plan::{Step, Verb};
use rand::RngCore;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};
use std::ops::Range;

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
const PART: usize = 4000;

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
        counts.insert("held".to_owned(), plan.summary.held.into());
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
        let salts = Salts::new();
        let (mut seq, run) = (end.seq, end.run);
        for steps in self.apply.plan.steps.chunks(PART) {
            let mut part = Part::default();
            for step in steps {
                seq += 1;
                part.add(step, seq, &salts, chain);
            }
            let put = |change: &Recorded<'_>, out: &mut Out<'_>| part.change(change, run, out);
            self.tx
                .load("changes", &CHANGES, &part.changes, put)
                .await?;
            let personal = part.changes.iter().filter_map(Recorded::personal);
            let mut personal = personal.peekable();
            if personal.peek().is_some() {
                let put = |(seq, values): (i64, &Personal), out: &mut Out<'_>| {
                    out.put(seq);
                    out.put(Lent::Bytes(&values.salt));
                    out.put(Lent::Text(part.text(&values.fields)));
                };
                self.tx
                    .load("change_values", &VALUES, personal, put)
                    .await?;
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

    fn of(&self, seq: i64) -> Salted {
        let hash = blake3::keyed_hash(&self.0, &seq.to_le_bytes());
        let mut salt = Salted::default();
        salt.copy_from_slice(&hash.as_bytes()[..16]);
        salt
    }
}

/// Some changes on their way into the history, and their texts one after the other.
#[derive(Default)]
struct Part<'s> {
    changes: Vec<Recorded<'s>>,
    text: Vec<u8>,
}

/// A change of the history.
struct Recorded<'s> {
    step: &'s Step,
    seq: i64,
    /// The values that say nothing about a person.
    open: Range<usize>,
    personal: Option<Personal>,
}

/// What can be erased of a change.
struct Personal {
    salt: Salted,
    fields: Range<usize>,
    digest: Salted,
    id_digest: Option<Salted>,
}

impl Recorded<'_> {
    fn personal(&self) -> Option<(i64, &Personal)> {
        Some((self.seq, self.personal.as_ref()?))
    }
}

impl<'s> Part<'s> {
    /// Turns a step into a change and adds it to the chain.
    fn add(&mut self, step: &'s Step, seq: i64, salts: &Salts, chain: &mut Chain) {
        let kind = kinds::get(step.key.kind);
        let (open, personal) = self.fields(kind, step);
        let salted = kind.personal_id || !personal.is_empty();
        let personal = salted.then(|| {
            let fields = if personal.is_empty() {
                self.write(|text| text.extend(b"{}"))
            } else {
                personal
            };
            let salt = salts.of(seq);
            Personal {
                salt,
                digest: personal_digest(&salt, self.text(&fields)),
                fields,
                id_digest: kind.personal_id.then(|| id_digest(&salt, &step.key.id)),
            }
        });
        let change = Recorded {
            step,
            seq,
            open,
            personal,
        };
        chain.add(&self.chained(&change));
        self.changes.push(change);
    }

    /// What the chain covers of a change.
    fn chained<'c>(&'c self, change: &'c Recorded<'_>) -> Chained<'c> {
        let (step, personal) = (change.step, change.personal.as_ref());
        let origin = step.origin.as_ref();
        let id_digest = personal.and_then(|personal| personal.id_digest.as_ref());
        Chained {
            seq: change.seq,
            kind: kinds::get(step.key.kind).name,
            id: &step.key.id,
            id_digest: id_digest.map(|digest| &digest[..]),
            verb: step.verb.word(),
            reason: step.reason.word(),
            fields: self.text(&change.open),
            personal_digest: personal.map(|personal| &personal.digest[..]),
            path: origin.map(|origin| &*origin.path),
            line: origin.map_or(0, |origin| origin.at.line.into()),
            column: origin.map_or(0, |origin| origin.at.column.into()),
        }
    }

    /// The values of a change in the order of the columns.
    fn change(&self, change: &Recorded<'_>, run: i64, out: &mut Out<'_>) {
        let (step, chained) = (change.step, self.chained(change));
        let path = step.origin.as_ref().map(|origin| &origin.path);
        let values: [Lent<'_>; CHANGES.len()] = [
            Lent::Int(chained.seq),
            Lent::Int(run),
            Lent::Word(kinds::get(step.key.kind).name),
            Lent::Text(chained.id),
            chained.id_digest.map(Lent::Bytes).into(),
            Lent::Word(step.verb.word()),
            Lent::Word(step.reason.word()),
            Lent::Text(chained.fields),
            chained.personal_digest.map(Lent::Bytes).into(),
            path.map(Lent::Shared).into(),
            Lent::Int(chained.line),
            Lent::Int(chained.column),
        ];
        values.into_iter().for_each(|value| out.put(value));
    }

    /// The changed fields as JSON: those that say nothing about a person, and those that do, of
    /// which there may be none.
    ///
    /// Of each field an array: what it became, or what it was and what it became. A deleted
    /// resource's values are not kept.
    fn fields(&mut self, kind: &'static Kind, step: &Step) -> (Range<usize>, Range<usize>) {
        if step.verb == Verb::Delete {
            return (self.write(|text| text.extend(b"{}")), 0..0);
        }
        let given = values::all(step);
        // Straight into text: a tree of every value of every new resource costs more than its row.
        let mut shown = |personal: bool| {
            let given = given.iter();
            let given = given.filter(|given| is_personal(kind, given.field) == personal);
            let mut given = given.peekable();
            if personal && given.peek().is_none() {
                return 0..0;
            }
            let create = step.verb == Verb::Create;
            let shown = given.map(|given| {
                (
                    Name(kind, given.field),
                    Shown {
                        kind,
                        create,
                        given,
                    },
                )
            });
            self.write(|text| {
                // Neither writing to memory nor these values can fail.
                let _ = serde_json::Serializer::new(text).collect_map(shown);
            })
        };
        (shown(false), shown(true))
    }

    /// Where a text comes to stand.
    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.text.len();
        write(&mut self.text);
        start..self.text.len()
    }

    fn text(&self, range: &Range<usize>) -> &str {
        let text = self.text.get(range.clone()).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }
}

/// The name of a field.
struct Name<'g>(&'static Kind, &'g FieldRef);

impl Serialize for Name<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.1.own() {
            Some(index) => to.serialize_str(self.0.fields[index].name),
            None => to.serialize_str(&self.0.field_name(self.1)),
        }
    }
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
struct Shown<'g> {
    kind: &'static Kind,
    create: bool,
    given: &'g Given<'g>,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let field = self.kind.field(self.given.field);
        let of = |value: Option<_>| value.map(|value| Said { field, value });
        let (before, after) = (self.given.before, self.given.after);
        if self.create {
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
