//! The act that deletes a resource for good, in the transaction of the act: its row with its links,
//! the jobs that go along, and the id, which is never used again. The claims stay: they tell the
//! next pass that a document which still names the resource is to be ignored.

use super::act_request::{ActError, ActRefusal, ActRequest, ActWarning};
use super::connection::{BatchStatement, SqlTransaction};
use super::departed_users::forget_users;
use super::error::StoreError;
use super::jobs::{self, JobQuery, remove_later};
use super::sql_value::{self, SqlType, SqlValue};
use super::tables::{self, KindTable, LinkTable};
use super::{foreign_writes, migrate, read};
use crate::diagnostic::codes;
use crate::kinds::{ACCOUNT, POLICY, USER};
use crate::model::Key;

/// What an act deleted beside the resource itself.
#[derive(Debug, Default)]
pub(super) struct DeletionReport {
    /// The jobs, by external id.
    pub(super) jobs: Vec<String>,
    /// The resources whose lists the resource was in.
    pub(super) owners: Vec<ChangedOwner>,
    pub(super) warnings: Vec<ActWarning>,
}

/// A resource that lost a member of a list.
#[derive(Debug)]
pub(super) struct ChangedOwner {
    pub(super) key: Key,
    /// The name of the list.
    pub(super) field: &'static str,
    pub(super) member: String,
}

/// Deletes the resource of a request whose state was checked.
pub(super) async fn delete(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
) -> Result<DeletionReport, ActError> {
    let mut report = DeletionReport::default();
    for key in request.resources {
        if key.kind == USER {
            forget_users(tx, vec![vec![SqlValue::text(&key.id)]]).await?;
            delete_jobs(tx, &key.id, &mut report).await?;
        }
        warn_of_last(tx, key, &mut report).await?;
        delete_row(tx, key, &mut report).await?;
    }
    Ok(report)
}

/// Deletes the jobs of a user. One that somebody still works on stops everything.
async fn delete_jobs(
    tx: &mut SqlTransaction,
    user: &str,
    report: &mut DeletionReport,
) -> Result<(), ActError> {
    lock_jobs(tx, user).await?;
    let open = jobs::open_jobs(tx, user).await?;
    if !open.is_empty() {
        return Err(ActError::Refused(ActRefusal::JobsOpen(open)));
    }
    report.jobs.extend(delete_closed_jobs(tx, user).await?);
    Ok(())
}

/// Keeps the shop from moving a job on while its user is being deleted.
pub(super) async fn lock_jobs(tx: &mut SqlTransaction, user: &str) -> Result<(), StoreError> {
    let lock = tx.dialect().for_update;
    let sql = format!("SELECT external_id FROM jobs WHERE user_id = ?{lock}");
    tx.fetch(&sql, &[user.into()], &[SqlType::Id]).await?;
    Ok(())
}

/// Deletes the jobs of a user, none of which is open, and returns their ids.
pub(super) async fn delete_closed_jobs(
    tx: &mut SqlTransaction,
    user: &str,
) -> Result<Vec<String>, StoreError> {
    let query = JobQuery {
        user: Some(user),
        ..JobQuery::default()
    };
    let all = jobs::jobs(tx, &query).await?;
    for file in all.iter().flat_map(|job| &job.files) {
        remove_later(tx, &file.path, sql_value::now()).await?;
    }
    let of_user = "(SELECT external_id FROM jobs WHERE user_id = ?)";
    // SQLite cascades only where foreign keys are switched on.
    let sql = format!("DELETE FROM job_files WHERE job_id IN {of_user}");
    tx.run(&sql, &[user.into()]).await?;
    tx.run("DELETE FROM jobs WHERE user_id = ?", &[user.into()])
        .await?;
    Ok(all.into_iter().map(|job| job.external_id).collect())
}

/// Warns of accounts and policies for which this is the last active user.
async fn warn_of_last(
    tx: &mut SqlTransaction,
    key: &Key,
    report: &mut DeletionReport,
) -> Result<(), StoreError> {
    if key.kind != USER {
        return Ok(());
    }
    let last = |keeper: &str, links: &str, of: &str| {
        format!(
            "SELECT k.external_id FROM {keeper} AS k JOIN {links} AS l ON l.{of} = k.external_id \
             JOIN users AS gone ON gone.external_id = l.user_id AND gone.status = 'active' \
             WHERE l.user_id = ? AND k.status = 'active' AND NOT EXISTS \
             (SELECT 1 FROM {links} AS o JOIN users AS u ON u.external_id = o.user_id \
              WHERE o.{of} = k.external_id AND u.status = 'active' AND o.user_id <> l.user_id) \
             ORDER BY k.external_id"
        )
    };
    for (code, kind, sql, loss) in [
        (
            codes::LAST_USER,
            ACCOUNT,
            last("accounts", "user_accounts", "account_id"),
            "user",
        ),
        (
            codes::POLICY_APPROVERS,
            POLICY,
            last("policies", "policy_approvers", "policy_id"),
            "approver",
        ),
    ] {
        let found = tx
            .fetch(&sql, &[SqlValue::text(&key.id)], &[SqlType::Id])
            .await?;
        for mut cells in found {
            let keeper = Key::new(kind, cells[0].take_text());
            report.warnings.push(ActWarning {
                code: code.name().to_owned(),
                message: format!("{keeper} has no active {loss} any more"),
            });
        }
    }
    Ok(())
}

async fn delete_row(
    tx: &mut SqlTransaction,
    key: &Key,
    report: &mut DeletionReport,
) -> Result<(), StoreError> {
    let dialect = tx.dialect();
    tx.script(dialect.guard_on).await?;
    for table in tables::ALL.iter() {
        for link in &table.links {
            if link.target == Some(key.kind) {
                leave_list(tx, table, link, key, report).await?;
            }
        }
    }
    // The own links go by cascade where foreign keys are switched on.
    let table = tables::for_kind(key.kind);
    let id = [SqlValue::text(&key.id)];
    for link in &table.links {
        let sql = format!("DELETE FROM {} WHERE {} = ?", link.name, link.owner);
        tx.run(&sql, &id).await?;
    }
    if key.kind == USER {
        tx.run("DELETE FROM user_logins WHERE user_id = ?", &id)
            .await?;
    }
    let sql = format!("DELETE FROM {} WHERE external_id = ?", table.kind.table);
    tx.run(&sql, &id).await?;
    tx.script(dialect.guard_off).await?;
    // Under the guard the triggers record nothing, and the claims have seen the row.
    let owners = report.owners.iter().map(|owner| owner.key.clone());
    let changed: Vec<Key> = owners.chain([key.clone()]).collect();
    foreign_writes::record(tx, &changed).await?;
    retire(tx, key).await
}

/// Takes a resource out of the lists of others, which get a new version.
async fn leave_list(
    tx: &mut SqlTransaction,
    table: &KindTable,
    link: &LinkTable,
    key: &Key,
    report: &mut DeletionReport,
) -> Result<(), StoreError> {
    let (links, owner, member) = (&link.name, &link.owner, &link.member);
    let id = [SqlValue::text(&key.id)];
    let sql = format!("SELECT {owner} FROM {links} WHERE {member} = ? ORDER BY {owner}");
    let owners = tx.fetch(&sql, &id, &[SqlType::Id]).await?;
    if owners.is_empty() {
        return Ok(());
    }
    let sql = format!("DELETE FROM {links} WHERE {member} = ?");
    tx.run(&sql, &id).await?;
    let sql = format!(
        "WITH v(id) AS MATERIALIZED ({{rows}}) UPDATE {0} SET updated_at = {1}, version = \
         CASE WHEN version > 0 THEN version + 1 ELSE 1 - version % 4503599627370496 END \
         FROM v WHERE {0}.external_id = v.id",
        table.kind.table,
        tx.dialect().now
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id],
    };
    let rows = owners.iter().map(|cells| vec![cells[0].clone()]);
    tx.batch(&batch, rows).await?;
    let field = table.kind.fields[link.field].name;
    report
        .owners
        .extend(owners.into_iter().map(|mut cells| ChangedOwner {
            key: Key::new(table.kind.id, cells[0].take_text()),
            field,
            member: key.id.to_string(),
        }));
    Ok(())
}

/// Records that an id is never used again, as a keyed hash that does not reveal it.
async fn retire(tx: &mut SqlTransaction, key: &Key) -> Result<(), StoreError> {
    let meta = migrate::require_current(tx).await?;
    let (kind, hash) = read::retired_hash(&meta.key, key);
    let sql = "INSERT INTO retired_ids (kind, id_hash) VALUES (?, ?) ON CONFLICT DO NOTHING";
    tx.run(sql, &[SqlValue::Text(kind), SqlValue::Text(hash)])
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::kinds::act::ACTS;
    use crate::kinds::{self, FieldType};

    #[test]
    fn only_lists_refer_to_what_an_act_deletes() {
        let deleted = ACTS.iter().filter(|act| act.is_final);
        for kind in deleted.filter_map(|act| act.kind) {
            for referrer in kinds::ALL {
                for field in referrer.fields {
                    let refers = matches!(field.ty, FieldType::Ref(target) if target == kind);
                    assert!(!refers, "{}.{}", referrer.name, field.name);
                }
            }
        }
    }
}
