//! The act that erases a person: the deletion of the user, and of everything else that names the
//! person, in the transaction of the act. Only keyed hashes are left, of the id and of the
//! values by which rows are matched, which keep the person from coming back. After the commit, [`Store::clean_after_erasure`] overwrites what SQLite
//! leaves in its file.
//!
//! Start at [`erase`]. `erased_bodies` takes the person out of pushes, `erased_texts` out of other
//! texts, and `history_redaction` out of the history.

use super::act_deletion::{self, DeletionReport};
use super::act_history::ACT_REASON;
use super::act_request::{ActError, ActRefusal, ActRequest, ActWarning, ResourceStates};
use super::connection::SqlTransaction;
use super::erased_bodies::erase_bodies;
use super::erased_ids::{is_erased, is_retired, record_erasure};
use super::erased_texts::erase_texts;
use super::erasure_report::ErasureReport;
use super::error::StoreError;
use super::export_rows;
use super::foreign_writes;
use super::history_redaction::redact_history;
use super::id_words::id_words;
use super::incremental_tables::{APPROVERS, FOREIGN_WRITES, REVERTED_FIELDS};
use super::letter_case::lowered_forms;
use super::person_words::PersonWords;
use super::source::PackedKeys;
use super::sql_value::{SqlType, SqlValue};
use super::tables::{self, ColumnContent};
use crate::diagnostic::codes;
use crate::kinds::act::{DELETED, ERASED};
use crate::kinds::{self, BLOCKED, FieldType, USER};
use crate::model::{FieldDigests, Key};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// Adds the states of resources whose row is gone: those that were deleted, erased, or of which
/// something else is left.
pub(super) async fn add_departed(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    found: &mut ResourceStates,
) -> Result<(), StoreError> {
    for key in request.resources {
        if is_erased(tx, key).await? {
            found.insert(key.clone(), ERASED.to_owned());
        } else if !found.contains_key(key)
            && (is_retired(tx, key).await? || is_known(tx, key).await?)
        {
            found.insert(key.clone(), DELETED.to_owned());
        }
    }
    Ok(())
}

/// Whether anything says that somebody had this id.
async fn is_known(tx: &mut SqlTransaction, key: &Key) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM changes WHERE kind = ? AND external_id = ? \
               UNION ALL SELECT 1 FROM claims WHERE kind = ? AND external_id = ? \
               UNION ALL SELECT 1 FROM held_steps WHERE kind = ? AND external_id = ?";
    let [kind, id] = own(key);
    let params = [kind.clone(), id.clone(), kind.clone(), id.clone(), kind, id];
    tx.has_rows(sql, &params).await
}

/// Deletes and erases the user of a request whose state was checked.
pub(super) async fn erase(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    at: i64,
) -> Result<(DeletionReport, ErasureReport), ActError> {
    tx.overwrite_deleted().await?;
    // The confirmation takes one id.
    let Some(key) = request.resources.iter().next() else {
        return Err(ActError::Refused(ActRefusal::Unconfirmed));
    };
    let mut words = person_words(tx, key).await?;
    // The same refusals and warnings as a deletion. A user who was deleted before has nothing left to
    // delete.
    let mut deletion = act_deletion::delete(tx, request).await?;
    let shared = shared_words(tx, &mut words).await?;
    deletion.warnings.extend(shared);
    words.add_id_words(id_words(tx, &key.id).await?);
    for text in own_reasons(tx, key).await? {
        words.add_own_text(&text);
    }
    delete_rows(tx, key).await?;
    forget_members(tx, key).await?;
    forget_checkpoints(tx, key).await?;
    forget_orders(tx, key, &words).await?;
    let name = record_erasure(tx, key, &words, at).await?;
    // The entries of the acts before: who did what stays, to whom and why does not.
    let sql = "UPDATE acts SET subject = ?, reason = '' WHERE subject = ?";
    let params = [SqlValue::text(&name), SqlValue::text(key.to_string())];
    tx.run(sql, &params).await?;
    redact_blocks(tx, &words).await?;
    let lost = erase_bodies(tx, &words, request.mappings).await?;
    deletion.warnings.extend(lost);
    forget_sender(tx, &words).await?;
    erase_texts(tx, &words).await?;
    let reseal = redact_history(tx, &words).await?;
    if let Some((run, what)) = &reseal.broken {
        deletion.warnings.push(ActWarning {
            code: codes::USER_ERASED.name().to_owned(),
            message: format!("the history was broken before, at run {run}: {what}"),
        });
    }
    let report = ErasureReport {
        name,
        reason: words.redacted_own_text(request.reason),
        reseal,
    };
    Ok((deletion, report))
}

/// Kind and id of a resource, as parameters.
fn own(key: &Key) -> [SqlValue; 2] {
    [kinds::get(key.kind).name.into(), SqlValue::text(&key.id)]
}

/// The words that name a user, from the row and from the history.
async fn person_words(tx: &mut SqlTransaction, key: &Key) -> Result<PersonWords, StoreError> {
    let mut words = PersonWords::new(&key.id);
    let sql = "SELECT email, phone, first_name, last_name, custom_fields FROM users \
               WHERE external_id = ?";
    let id = [SqlValue::text(&key.id)];
    for mut cells in tx.fetch(sql, &id, &[SqlType::Text; 5]).await? {
        let custom: Map<String, Json> =
            serde_json::from_str(&cells[4].take_text()).unwrap_or_default();
        let custom = custom.into_iter();
        let mut fields: Map<String, Json> = custom
            .map(|(id, value)| (format!("customFields.{id}"), value))
            .collect();
        for (at, name) in ["email", "phone", "firstName", "lastName"]
            .into_iter()
            .enumerate()
        {
            if let Some(value) = cells[at].take_optional_text() {
                fields.insert(name.to_owned(), value.as_str().into());
            }
        }
        words.add_fields(&fields);
    }
    let sql = "SELECT v.fields FROM changes AS c JOIN change_values AS v ON v.seq = c.seq \
               WHERE c.kind = ? AND c.external_id = ?";
    for mut cells in tx.fetch(sql, &own(key), &[SqlType::Text]).await? {
        if let Ok(fields) = serde_json::from_str(&cells[0].take_text()) {
            words.add_fields(&fields);
        }
    }
    Ok(words)
}

/// What people said when they decided about a user.
async fn own_reasons(tx: &mut SqlTransaction, key: &Key) -> Result<BTreeSet<String>, StoreError> {
    let mut reasons = BTreeSet::new();
    let sql = "SELECT reason FROM acts WHERE subject = ? \
               UNION SELECT reason FROM approvals WHERE resource = ?";
    let name = SqlValue::text(key.to_string());
    let params = [name.clone(), name];
    let found = tx.fetch(sql, &params, &[SqlType::Text]).await?;
    let found = found.into_iter();
    reasons.extend(found.map(|mut cells| String::from(cells[0].take_text())));
    let sql = "SELECT v.fields FROM changes AS c JOIN change_values AS v ON v.seq = c.seq \
               WHERE c.kind = ? AND c.external_id = ? AND c.reason = ?";
    let [kind, id] = own(key);
    let params = [kind, id, ACT_REASON.into()];
    for cells in tx.fetch(sql, &params, &[SqlType::Text]).await? {
        let fields: Json =
            serde_json::from_str(cells[0].as_text().unwrap_or_default()).unwrap_or_default();
        let reason = fields.get("reason").and_then(Json::as_str);
        reasons.extend(reason.map(str::to_owned));
    }
    Ok(reasons)
}

/// Leaves out words that stored resources have too, such as the telephone number of a company, with
/// a warning for each: they are data of these resources.
async fn shared_words(
    tx: &mut SqlTransaction,
    words: &mut PersonWords,
) -> Result<Vec<ActWarning>, StoreError> {
    let mut shared: BTreeMap<String, BTreeSet<Key>> = BTreeMap::new();
    for table in tables::ALL.iter() {
        let columns = table
            .columns
            .iter()
            .filter_map(|column| match column.content {
                ColumnContent::Field(at) => {
                    let is_text = matches!(
                        table.kind.fields[at].ty,
                        FieldType::Text(_) | FieldType::Email | FieldType::Phone
                    );
                    is_text.then_some(&*column.name)
                }
                _ => None,
            });
        let columns: Vec<&str> = columns.collect();
        if columns.is_empty() {
            continue;
        }
        let mut is_word: Vec<String> = columns
            .iter()
            .map(|it| format!("lower({it}) = ?"))
            .collect();
        if table.kind.id == USER {
            is_word.push("lower(first_name || ' ' || last_name) = ?".to_owned());
        }
        let sql = format!(
            "SELECT external_id FROM {} WHERE {} ORDER BY external_id",
            table.kind.table,
            is_word.join(" OR ")
        );
        let forms = words.words().flat_map(|word| {
            let forms = lowered_forms(word).into_iter();
            forms.map(move |form| (word, form))
        });
        for (word, form) in forms {
            let params = vec![SqlValue::text(form); is_word.len()];
            for mut cells in tx.fetch(&sql, &params, &[SqlType::Id]).await? {
                let owner = Key::new(table.kind.id, cells[0].take_text());
                shared.entry(word.to_owned()).or_default().insert(owner);
            }
        }
    }
    let mut warnings = Vec::new();
    for (word, owners) in shared {
        words.forget_word(&word);
        // The word itself stays out of the answer, which is stored for a repetition.
        warnings.extend(owners.iter().map(|owner| ActWarning {
            code: codes::USER_ERASED.name().to_owned(),
            message: format!(
                "{owner} has an address, a number or a name of the person too; it was left as it is"
            ),
        }));
    }
    warnings.dedup();
    Ok(warnings)
}

/// Takes the user out of the reasons of blocks of others.
async fn redact_blocks(tx: &mut SqlTransaction, words: &PersonWords) -> Result<(), StoreError> {
    let column = BLOCKED.column;
    for table in tables::ALL.iter().filter(|table| table.kind.has_status) {
        let table = table.kind.table;
        let sql = format!("SELECT external_id, {column} FROM {table} WHERE {column} IS NOT NULL");
        let types = [SqlType::Id, SqlType::Text];
        for mut cells in tx.fetch(&sql, &[], &types).await? {
            let Some(left) = words.redacted_text(&cells[1].take_text()) else {
                continue;
            };
            let sql = format!("UPDATE {table} SET {column} = ? WHERE external_id = ?");
            tx.run_guarded(&sql, &[SqlValue::text(left), cells[0].clone()])
                .await?;
        }
    }
    Ok(())
}

/// Deletes the rows that are about the user.
async fn delete_rows(tx: &mut SqlTransaction, key: &Key) -> Result<(), StoreError> {
    // What these sources claim is then no longer what their checkpoints describe.
    let sql = "UPDATE sources SET fingerprint = ? WHERE name IN \
               (SELECT source FROM claims WHERE kind = ? AND external_id = ?)";
    let [kind, id] = own(key);
    tx.run(sql, &[SqlValue::Bytes(Vec::new()), kind, id])
        .await?;
    foreign_writes::forget_unclaimed(tx).await?;
    let of_resource = [
        "claims",
        "absences",
        "held_steps",
        FOREIGN_WRITES,
        REVERTED_FIELDS,
    ];
    for table in of_resource {
        let sql = format!("DELETE FROM {table} WHERE kind = ? AND external_id = ?");
        tx.run(&sql, &own(key)).await?;
    }
    let name = SqlValue::text(key.to_string());
    for table in ["approvals", APPROVERS, "used_approvals"] {
        let sql = format!("DELETE FROM {table} WHERE resource = ?");
        tx.run(&sql, std::slice::from_ref(&name)).await?;
    }
    // What the person sent with a key, as a customer.
    tx.run("DELETE FROM act_keys WHERE actor = ?", &[name])
        .await?;
    for table in ["unnamed_links", "user_logins"] {
        let sql = format!("DELETE FROM {table} WHERE user_id = ?");
        tx.run(&sql, &[SqlValue::text(&key.id)]).await?;
    }
    Ok(())
}

/// Takes the user out of what claims remember of the lists of other resources.
async fn forget_members(tx: &mut SqlTransaction, key: &Key) -> Result<(), StoreError> {
    for table in tables::ALL.iter() {
        let links = table.links.iter();
        let lists = links.filter(|link| link.target == Some(key.kind));
        let members =
            lists.map(|link| format!("{}={}", table.kind.fields[link.field].name, key.id));
        let members: Vec<String> = members.collect();
        if members.is_empty() {
            continue;
        }
        let kind = SqlValue::text(table.kind.name);
        let sql = "SELECT source, external_id, fields FROM claims WHERE kind = ?";
        let types = [SqlType::Id, SqlType::Id, SqlType::Bytes];
        let found = tx.fetch(sql, std::slice::from_ref(&kind), &types).await?;
        for mut cells in found {
            let fields = FieldDigests::from_packed(cells[2].take_bytes());
            let is_member = |name: &str| members.iter().any(|member| member == name);
            if !fields.iter().any(|(name, _)| is_member(name)) {
                continue;
            }
            let left = fields.iter().filter(|(name, _)| !is_member(name));
            let left: FieldDigests = left.collect();
            let sql = "UPDATE claims SET fields = ? \
                       WHERE source = ? AND kind = ? AND external_id = ?";
            let params = [
                SqlValue::Bytes(left.as_packed().to_vec()),
                cells[0].clone(),
                kind.clone(),
                cells[1].clone(),
            ];
            tx.run(sql, &params).await?;
        }
    }
    Ok(())
}

/// Deletes the list of files of every source that declares the user. Its next pass reads everything,
/// leaves the user out, and writes the list anew.
async fn forget_checkpoints(tx: &mut SqlTransaction, key: &Key) -> Result<(), StoreError> {
    let sql = "SELECT source, keys FROM files";
    let found = tx.fetch(sql, &[], &[SqlType::Id, SqlType::Bytes]).await?;
    let declaring = found.into_iter().filter_map(|mut cells| {
        let keys = cells[1].take_bytes();
        PackedKeys::contain(&keys, key).then(|| cells[0].take_text())
    });
    let mut declaring: BTreeSet<_> = declaring.collect();
    declaring.extend(export_rows::sources_naming(tx, key).await?);
    for source in declaring {
        export_rows::forget_rows(tx, &source).await?;
        tx.run(
            "DELETE FROM files WHERE source = ?",
            &[SqlValue::Text(source)],
        )
        .await?;
    }
    Ok(())
}

/// Takes the name of the person out of pushes that the person sent as an operator. They lose their
/// keys, which belong to whoever sent them.
async fn forget_sender(tx: &mut SqlTransaction, words: &PersonWords) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT actor FROM imports";
    for mut cells in tx.fetch(sql, &[], &[SqlType::Id]).await? {
        let actor = cells[0].take_text();
        // A bare id is no proof: operators and users are named independently.
        let left = words.redacted_value(&actor);
        if let Some(left) = left.filter(|_| actor.as_str() != words.id) {
            let sql = "UPDATE imports SET actor = ?, idem = NULL WHERE actor = ?";
            tx.run(sql, &[SqlValue::text(left), SqlValue::Text(actor)])
                .await?;
        }
    }
    Ok(())
}

/// Takes the user out of orders, which stay. So does a login name that is a number.
async fn forget_orders(
    tx: &mut SqlTransaction,
    key: &Key,
    words: &PersonWords,
) -> Result<(), StoreError> {
    // Shops write this table too, so that an order may have the login alone.
    let sql = "SELECT external_id, login_name, user_id FROM orders \
               WHERE user_id = ? OR login_name LIKE '%@%'";
    let types = [SqlType::Id, SqlType::Text, SqlType::Id];
    for mut cells in tx.fetch(sql, &[SqlValue::text(&key.id)], &types).await? {
        let login = cells[1].take_optional_text();
        let is_own = cells[2].as_text() == Some(&key.id);
        let is_word = login
            .as_ref()
            .is_some_and(|login| login.as_str() != words.id && words.are_all_of(login));
        if !is_own && !is_word {
            continue;
        }
        let is_number = |login: &str| !login.contains('@') && !words.are_all_of(login);
        let login = login.filter(|login| is_number(login));
        let sql = if is_own {
            "UPDATE orders SET user_id = NULL, login_name = ? WHERE external_id = ?"
        } else {
            "UPDATE orders SET login_name = ? WHERE external_id = ?"
        };
        let params = [
            SqlValue::text_or_null(login),
            SqlValue::Text(cells[0].take_text()),
        ];
        tx.run(sql, &params).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{erased_texts, schema_versions};

    /// The tables from which rows of the user are deleted or changed.
    const ROWS: &[&str] = &[
        "absences",
        "approvals",
        "change_values",
        "changes",
        "claims",
        "customer_tokens",
        "export_rows",
        "files",
        "foreign_writes",
        "held_steps",
        "hold_approvers",
        "invitations",
        "job_files",
        "jobs",
        "orders",
        "outbox",
        "reverted_fields",
        "runs",
        "terms_acceptances",
        "unnamed_links",
        "used_approvals",
        "user_logins",
        "write",
    ];
    /// The tables that never name a person.
    const NO_PERSON: &[&str] = &[
        "approval_notices",
        "customer_numbers",
        "dropped_records",
        "erased_ids",
        "export_row_sets",
        "feeds",
        "file_contents",
        "import_holds",
        "leases",
        "login_counters",
        "meta",
        "removed_files",
        "retired_ids",
        "row_counts",
        "run_budgets",
        "sources",
        "tag_offers",
        "writing",
    ];

    #[test]
    fn every_own_table_is_erased_or_names_nobody() {
        let own: Vec<&str> = schema_versions::all().map(|table| table.name).collect();
        let texts: Vec<&str> = erased_texts::tables().collect();
        let known: Vec<&str> = [ROWS, NO_PERSON, &texts].concat();
        for table in &own {
            let is_known = known.contains(table);
            assert!(is_known, "{table}: decide what an erasure does with it");
        }
        for table in known {
            assert!(own.contains(&table), "{table} does not exist");
        }
    }
}
