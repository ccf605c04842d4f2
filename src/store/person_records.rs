//! Everything that the database keeps about one user, read at one moment: the row and the rows of
//! Roster's own tables that name the user, whether or not the user is still stored. Texts that may
//! quote the user, such as pushes, plans and notices, are passed on one by one, because together they
//! may be large. Start at `Store::person_records`.
//!
//! A test holds the list of tables against the schema, so that a new table is decided about.

use super::approval::Approval;
use super::connection::SqlTransaction;
use super::daemon_state::ActRecord;
use super::error::StoreError;
use super::export_rows;
use super::history::ChangeRecord;
use super::id_words::id_words;
use super::jobs::{self, JobQuery, StoredJob};
use super::orders::{self, StoredOrder};
use super::person_history::{self, ListChange};
use super::person_reasons::visit_reasons;
use super::person_texts::{PersonText, visit_texts};
use super::some_rows::WantedResources;
use super::source::PackedKeys;
use super::sql_value::{SqlType, SqlValue, escape_like};
use super::stored_resource::{self, StoredResource};
use super::tables;
use super::terms_acceptances::{TermsAcceptance, TermsVersion};
use super::{Store, migrate};
use crate::kinds::{self, USER};
use crate::model::{Claim, Key};

/// What the database keeps about a user.
#[derive(Clone, Debug, Default)]
pub struct PersonRecords {
    pub external_id: String,
    /// The stored user; `None` if there is none any more.
    pub user: Option<StoredResource>,
    /// When the row was created and updated, as ISO 8601 in UTC.
    pub row_times: Option<[String; 2]>,
    pub login_names: Vec<LoginName>,
    pub lists: Vec<ListMembership>,
    pub claims: Vec<Claim>,
    /// The files that declare the user: source and path.
    pub files: Vec<(String, String)>,
    pub invitations: Vec<InvitationRecord>,
    pub terms: Vec<TermsAcceptance>,
    pub jobs: Vec<StoredJob>,
    pub orders: Vec<StoredOrder>,
    /// The changes of the user, oldest first.
    pub history: Vec<ChangeRecord>,
    /// The changes of other resources in whose lists the user was, oldest first.
    pub list_changes: Vec<ListChange>,
    /// The changes of others that the user made as a customer, oldest first.
    pub made_changes: Vec<ChangeRecord>,
    /// The entries of the audit log, oldest first.
    pub acts: Vec<ActRecord>,
    pub held_steps: Vec<HeldStepRecord>,
    pub approvals: Vec<Approval>,
    /// For each source, in how many exports in a row the user was missing.
    pub missed_exports: Vec<(String, i64)>,
    /// The words that name the user by the id in what people say.
    pub id_words: Vec<String>,
}

/// A name with which a user logs in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginName {
    pub account: String,
    pub number: i64,
    pub name: String,
}

/// A list of another resource that the user is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListMembership {
    pub owner: Key,
    /// The name of the list.
    pub field: &'static str,
}

/// An invitation without anything of its link. Times are milliseconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvitationRecord {
    pub id: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub voided_at: Option<i64>,
    pub used_at: Option<i64>,
    /// The mail, while it waits in the outbox: the attempts, and why the last one failed.
    pub mail: Option<(i64, Option<String>)>,
}

/// A step that a guard holds until somebody decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldStepRecord {
    pub source: String,
    pub hold: String,
    pub verb: String,
    pub budget: String,
    pub field: String,
}

impl PersonRecords {
    /// Whether nothing at all is stored about the user.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let counts = [
            self.login_names.len(),
            self.lists.len(),
            self.claims.len(),
            self.files.len(),
            self.invitations.len(),
            self.terms.len(),
            self.jobs.len(),
            self.orders.len(),
            self.history.len(),
            self.list_changes.len(),
            self.made_changes.len(),
            self.acts.len(),
            self.held_steps.len(),
            self.approvals.len(),
            self.missed_exports.len(),
        ];
        self.user.is_none() && counts.iter().all(|count| *count == 0)
    }
}

impl Store {
    /// Reads what is stored about a user. `each_text` then gets every stored text that may quote the
    /// user.
    pub async fn person_records(
        &self,
        id: &str,
        mut each_text: impl FnMut(&PersonRecords, &PersonText) + Send,
    ) -> Result<PersonRecords, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the data of a user").await? else {
            return Ok(PersonRecords::default());
        };
        // Of a table that is not there yet, nothing would be said.
        migrate::require_current(&mut tx).await?;
        let key = Key::new(USER, id);
        let user = stored_resource::read(&mut tx, &key).await?;
        let claims =
            stored_resource::claims(&mut tx, USER, WantedResources::Some(&[&key.id])).await?;
        let of_user = JobQuery {
            user: Some(id),
            ..JobQuery::default()
        };
        let email = kinds::own_field(kinds::get(USER).expect_index("email"));
        let email = user.as_ref().and_then(|user| user.row.value(&email));
        let email = email.and_then(|email| Some(email.as_text()?.to_owned()));
        let mut records = PersonRecords {
            external_id: id.to_owned(),
            row_times: row_times(&mut tx, id).await?,
            user,
            login_names: login_names(&mut tx, id).await?,
            lists: list_memberships(&mut tx, &key).await?,
            claims: claims.into_values().flatten().collect(),
            files: declaring_files(&mut tx, &key).await?,
            invitations: invitations(&mut tx, id).await?,
            terms: accepted_terms(&mut tx, id).await?,
            jobs: jobs::jobs(&mut tx, &of_user).await?,
            orders: orders::of_user(&mut tx, id, email.as_deref()).await?,
            history: person_history::own_history(&mut tx, id).await?,
            list_changes: person_history::list_changes(&mut tx, id).await?,
            made_changes: person_history::made_changes(&mut tx, id).await?,
            ..PersonRecords::default()
        };
        records.acts = acts(&mut tx, &key).await?;
        records.held_steps = held_steps(&mut tx, id).await?;
        records.approvals = approvals(&mut tx, &key).await?;
        records.missed_exports = missed_exports(&mut tx, id).await?;
        records.id_words = id_words(&mut tx, id).await?;
        visit_texts(&mut tx, |text| each_text(&records, text)).await?;
        visit_reasons(&mut tx, &key, |text| each_text(&records, text)).await?;
        Ok(records)
    }
}

async fn row_times(tx: &mut SqlTransaction, id: &str) -> Result<Option<[String; 2]>, StoreError> {
    let [created, updated] = ["created_at", "updated_at"].map(|name| tx.dialect().iso_text(name));
    let sql = format!("SELECT {created}, {updated} FROM users WHERE external_id = ?");
    let found = tx.first(&sql, &[id.into()], &[SqlType::Text; 2]).await?;
    Ok(found.map(|mut cells| [0, 1].map(|at| cells[at].take_text().into())))
}

async fn login_names(tx: &mut SqlTransaction, id: &str) -> Result<Vec<LoginName>, StoreError> {
    let sql =
        "SELECT account_id, number, name FROM user_logins WHERE user_id = ? ORDER BY account_id";
    let types = [SqlType::Id, SqlType::Int, SqlType::Id];
    let found = tx.fetch(sql, &[id.into()], &types).await?;
    let names = found.into_iter().map(|mut cells| LoginName {
        account: cells[0].take_text().into(),
        number: cells[1].int(),
        name: cells[2].take_text().into(),
    });
    Ok(names.collect())
}

/// The lists of other resources that a resource is in.
async fn list_memberships(
    tx: &mut SqlTransaction,
    key: &Key,
) -> Result<Vec<ListMembership>, StoreError> {
    let mut lists = Vec::new();
    for table in tables::ALL.iter() {
        for link in table
            .links
            .iter()
            .filter(|link| link.target == Some(key.kind))
        {
            let (links, owner, member) = (&link.name, &link.owner, &link.member);
            let sql = format!("SELECT {owner} FROM {links} WHERE {member} = ? ORDER BY {owner}");
            let found = tx
                .fetch(&sql, &[SqlValue::text(&key.id)], &[SqlType::Id])
                .await?;
            lists.extend(found.into_iter().map(|mut cells| ListMembership {
                owner: Key::new(table.kind.id, cells[0].take_text()),
                field: table.kind.fields[link.field].name,
            }));
        }
    }
    Ok(lists)
}

/// The files of checkpoints that declare a resource. A file whose claim is not stored is among them,
/// such as one with a resource that is held.
async fn declaring_files(
    tx: &mut SqlTransaction,
    key: &Key,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT source, path, keys FROM files ORDER BY source, path";
    let types = [SqlType::Id, SqlType::Id, SqlType::Bytes];
    let found = tx.fetch(sql, &[], &types).await?;
    let exports = export_rows::sources_naming(tx, key).await?;
    let files = found.into_iter().filter_map(|mut cells| {
        let keys = cells[2].take_bytes();
        let declares = PackedKeys::contain(&keys, key) || exports.contains(cells[0].as_text()?);
        declares.then(|| (cells[0].take_text().into(), cells[1].take_text().into()))
    });
    Ok(files.collect())
}

async fn invitations(
    tx: &mut SqlTransaction,
    id: &str,
) -> Result<Vec<InvitationRecord>, StoreError> {
    let sql = "SELECT i.id, i.created_at, i.expires_at, i.voided_at, i.used_at, o.attempts, o.error \
               FROM invitations AS i LEFT JOIN outbox AS o ON o.id = i.id \
               WHERE i.user_id = ? ORDER BY i.created_at, i.id";
    let (int, text) = (SqlType::Int, SqlType::Text);
    let types = [SqlType::Id, int, int, int, int, int, text];
    let found = tx.fetch(sql, &[id.into()], &types).await?;
    let invitations = found.into_iter().map(|mut cells| InvitationRecord {
        id: cells[0].take_text().into(),
        created_at: cells[1].int(),
        expires_at: cells[2].as_int(),
        voided_at: cells[3].as_int(),
        used_at: cells[4].as_int(),
        mail: cells[5].as_int().map(|attempts| {
            let error = cells[6].take_optional_text();
            (attempts, error.map(Into::into))
        }),
    });
    Ok(invitations.collect())
}

/// The accepted terms, in whatever version.
async fn accepted_terms(
    tx: &mut SqlTransaction,
    id: &str,
) -> Result<Vec<TermsAcceptance>, StoreError> {
    let at = tx.dialect().iso_text("at");
    let sql = format!(
        "SELECT terms_id, version, {at} FROM terms_acceptances WHERE user_id = ? ORDER BY terms_id"
    );
    let types = [SqlType::Id, SqlType::Text, SqlType::Text];
    let found = tx.fetch(&sql, &[id.into()], &types).await?;
    let accepted = found.into_iter().map(|mut cells| TermsAcceptance {
        accepted: TermsVersion {
            terms: cells[0].take_text().into(),
            version: cells[1].take_text().into(),
        },
        at: cells[2].take_text().into(),
    });
    Ok(accepted.collect())
}

async fn acts(tx: &mut SqlTransaction, key: &Key) -> Result<Vec<ActRecord>, StoreError> {
    // An approval within a hold has the hold first: `a1b2c3 User/u-1`.
    let sql = "SELECT at, actor, act, subject, reason, id FROM acts \
               WHERE subject = ? OR subject LIKE ? ESCAPE '!' ORDER BY at, id";
    let text = SqlType::Text;
    let name = key.to_string();
    let within = SqlValue::text(format!("% {}", escape_like(&name)));
    let params = [SqlValue::text(&name), within];
    let types = [SqlType::Int, text, text, text, text, SqlType::Int];
    let found = tx.fetch(sql, &params, &types).await?;
    let acts = found.into_iter().map(|mut cells| ActRecord {
        at: cells[0].int(),
        actor: cells[1].take_text().into(),
        act: cells[2].take_text().into(),
        subject: cells[3].take_text().into(),
        reason: cells[4].take_text().into(),
        id: cells[5].int(),
    });
    // LIKE does not tell letter case apart on SQLite.
    let is_about = |subject: &str| {
        let hold = subject.strip_suffix(&name);
        hold.is_some_and(|hold| hold.is_empty() || hold.ends_with(' '))
    };
    Ok(acts.filter(|act| is_about(&act.subject)).collect())
}

async fn held_steps(tx: &mut SqlTransaction, id: &str) -> Result<Vec<HeldStepRecord>, StoreError> {
    let sql = "SELECT source, hold, verb, budget, field FROM held_steps \
               WHERE kind = ? AND external_id = ? ORDER BY source, budget";
    let params = [kinds::get(USER).name.into(), id.into()];
    let found = tx.fetch(sql, &params, &[SqlType::Text; 5]).await?;
    let steps = found.into_iter().map(|mut cells| HeldStepRecord {
        source: cells[0].take_text().into(),
        hold: cells[1].take_text().into(),
        verb: cells[2].take_text().into(),
        budget: cells[3].take_text().into(),
        field: cells[4].take_text().into(),
    });
    Ok(steps.collect())
}

/// The approvals of single resources, also those that an apply has used.
async fn approvals(tx: &mut SqlTransaction, key: &Key) -> Result<Vec<Approval>, StoreError> {
    let sql = "SELECT hold, resource, approver, reason, approved_at FROM approvals \
               WHERE resource = ? ORDER BY approved_at, hold";
    let (id, text) = (SqlType::Id, SqlType::Text);
    let types = [id, id, text, text, SqlType::Int];
    let found = tx
        .fetch(sql, &[SqlValue::text(key.to_string())], &types)
        .await?;
    let approvals = found.into_iter().map(|mut cells| Approval {
        hold: cells[0].take_text().into(),
        resource: cells[1].take_text().into(),
        approver: cells[2].take_text().into(),
        reason: cells[3].take_text().into(),
        at: cells[4].int(),
    });
    Ok(approvals.collect())
}

async fn missed_exports(
    tx: &mut SqlTransaction,
    id: &str,
) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT source, missed FROM absences WHERE kind = ? AND external_id = ? \
               ORDER BY source";
    let params = [kinds::get(USER).name.into(), id.into()];
    let found = tx.fetch(sql, &params, &[SqlType::Id, SqlType::Int]).await?;
    let missed = found.into_iter();
    Ok(missed
        .map(|mut cells| (cells[0].take_text().into(), cells[1].int()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::person_texts;
    use super::super::schema_versions;
    /// The tables that are read above by the id of the user.
    const READ: &[&str] = &[
        "absences",
        "acts",
        "approvals",
        "change_values",
        "changes",
        "claims",
        "export_rows",
        "files",
        "held_steps",
        "invitations",
        "job_files",
        "jobs",
        "orders",
        "source_approvals",
        "suspensions",
        "terms_acceptances",
        "user_logins",
    ];
    /// The tables that say nothing about a person, or nothing more.
    const NOTHING_PERSONAL: &[(&str, &str)] = &[
        ("approval_notices", "accounts"),
        ("customer_numbers", "accounts"),
        ("dropped_records", "places of records"),
        ("erased_ids", "keyed hashes"),
        ("export_row_sets", "counts and names of columns"),
        ("feeds", "counts and names of columns"),
        ("file_contents", "documents of terms and the like"),
        ("foreign_writes", "ids that rows or claims have too"),
        ("hold_approvers", "approvals that `approvals` has too"),
        ("leases", "processes"),
        ("import_holds", "digests of steps"),
        ("login_counters", "counters"),
        ("meta", "the database itself"),
        ("removed_files", "names that Roster gave to files of jobs"),
        ("retired_ids", "keyed hashes"),
        ("reverted_fields", "ids that rows or claims have too"),
        ("row_counts", "counts"),
        ("run_budgets", "counts"),
        ("runs", "who applied a plan"),
        (
            "sources",
            "counts, and keys of kinds that are never removed",
        ),
        (
            "customer_tokens",
            "hashes of tokens, which end by themselves",
        ),
        ("tag_offers", "offers of the shop"),
        ("unnamed_links", "links that the row has too"),
        ("used_approvals", "approvals that `approvals` has too"),
        ("write", "the end of the history"),
        ("writing", "the guard of the triggers"),
    ];

    #[test]
    fn every_own_table_is_read_or_says_nothing_of_people() {
        let own: Vec<&str> = schema_versions::all().map(|table| table.name).collect();
        let nothing = NOTHING_PERSONAL.iter().map(|(table, _)| *table);
        let known: Vec<&str> = nothing
            .chain(READ.iter().copied())
            .chain(person_texts::tables())
            .collect();
        for table in &own {
            let decided = known.contains(table);
            assert!(decided, "{table}: decide whether a dossier has to show it");
        }
        for table in known {
            assert!(own.contains(&table), "{table} does not exist");
        }
    }
}
