//! Jobs and their files, as a shop or the API records them. The files themselves are elsewhere; the
//! store knows their paths, and which ones have to be removed. Start at `Store::put_job`.

use super::act_request::OpenJob;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::retry::{TRIES, pause_before_retry};
use super::sql_value::{self, SqlType, SqlValue};
use super::submission::{self, SubmissionFacts};
use super::{Store, migrate};
use crate::kinds::job::{JobFileRole, goes_with_user};
use crate::kinds::{ACCOUNT, USER};
use crate::model::Key;

/// How long a file may take to arrive before its half-written copy is removed, in milliseconds.
const ARRIVAL: i64 = 24 * 3_600_000;

/// A job of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredJob {
    pub external_id: String,
    pub user: String,
    pub account: Option<String>,
    pub name: String,
    /// Free text; see `kinds::job`.
    pub status: String,
    /// ISO 8601 in UTC.
    pub created_at: String,
    pub files: Vec<JobFile>,
}

/// A file of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobFile {
    pub role: String,
    /// The name that the user gave it.
    pub name: String,
    /// Where it is, below the directory of job files.
    pub path: String,
    /// Whether somebody saved changes in it.
    pub edited: bool,
}

/// A job to create or to change.
#[derive(Clone, Copy, Debug)]
pub struct JobRequest<'a> {
    pub external_id: &'a str,
    pub user: &'a str,
    pub account: Option<&'a str>,
    pub name: &'a str,
    pub status: &'a str,
}

/// A file of a job to record.
#[derive(Clone, Copy, Debug)]
pub struct JobFileRequest<'a> {
    pub job: &'a str,
    pub role: JobFileRole,
    pub name: &'a str,
    /// The path, reserved before.
    pub path: &'a str,
    pub edited: bool,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobQuery<'a> {
    pub user: Option<&'a str>,
    pub account: Option<&'a str>,
    pub status: Option<&'a str>,
    /// Only ids after this one, for the next page.
    pub after: Option<&'a str>,
    pub limit: Option<u32>,
}

/// Why a job was not written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JobRefusal {
    /// These resources are not stored.
    NotFound(Vec<Key>),
    /// The user may not submit jobs.
    MayNotSubmit(SubmissionFacts),
    /// The user has no such account, or it is not usable.
    ForeignAccount,
}

/// A refusal, or a failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("the job was refused")]
    Refused(JobRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Creates a job, or changes it.
    pub async fn put_job(&self, request: &JobRequest<'_>) -> Result<StoredJob, JobError> {
        let mut tries = 1;
        loop {
            match self.try_put_job(request).await {
                Err(JobError::Store(error)) if error.transient() && tries < TRIES => {
                    pause_before_retry(tries).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn try_put_job(&self, request: &JobRequest<'_>) -> Result<StoredJob, JobError> {
        let mut tx = self.begin_write("write the job").await?;
        migrate::require_current(&mut tx).await?;
        let stored = job(&mut tx, request.external_id).await?;
        check(&mut tx, request, stored.as_ref()).await?;
        let sql = "INSERT INTO jobs (external_id, user_id, account_id, name, status) \
                   VALUES (?, ?, ?, ?, ?) ON CONFLICT (external_id) DO UPDATE SET \
                   user_id = excluded.user_id, account_id = excluded.account_id, \
                   name = excluded.name, status = excluded.status";
        let params = [
            request.external_id.into(),
            request.user.into(),
            SqlValue::text_or_null(request.account),
            request.name.into(),
            request.status.into(),
        ];
        tx.run(sql, &params).await?;
        let written = job(&mut tx, request.external_id).await?;
        let written = written.ok_or_else(|| tx.corrupt("the job is not there"))?;
        tx.commit().await?;
        Ok(written)
    }

    /// Returns a job with its files.
    pub async fn job(&self, id: &str) -> Result<Option<StoredJob>, StoreError> {
        match self.begin_schema_read("read a job").await? {
            Some(mut tx) => job(&mut tx, id).await,
            None => Ok(None),
        }
    }

    /// Returns jobs with their files, by external id.
    pub async fn jobs(&self, query: &JobQuery<'_>) -> Result<Vec<StoredJob>, StoreError> {
        match self.begin_schema_read("read the jobs").await? {
            Some(mut tx) => jobs(&mut tx, query).await,
            None => Ok(Vec::new()),
        }
    }

    /// Reserves a path for a file that arrives, so that it is removed if it never gets recorded.
    pub async fn reserve_file(&self, path: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_write("reserve a file").await?;
        migrate::require_current(&mut tx).await?;
        remove_later(&mut tx, path, sql_value::now() + ARRIVAL).await?;
        tx.commit().await
    }

    /// Records a file that has arrived; `None` if the job does not exist. An earlier file of the
    /// role is removed later.
    pub async fn put_job_file(
        &self,
        request: &JobFileRequest<'_>,
    ) -> Result<Option<StoredJob>, StoreError> {
        let mut tx = self.begin_write("record a file").await?;
        migrate::require_current(&mut tx).await?;
        // Locked: of two files of a role that arrive at once, the second must find the first, or
        // nobody would remove it.
        let lock = tx.dialect().for_update;
        let sql = format!("SELECT external_id FROM jobs WHERE external_id = ?{lock}");
        if !tx.has_rows(&sql, &[request.job.into()]).await? {
            return Ok(None);
        }
        let role = request.role.word();
        let sql = "SELECT path FROM job_files WHERE job_id = ? AND role = ?";
        let key = [request.job.into(), role.into()];
        if let Some(mut cells) = tx.first(sql, &key, &[SqlType::Id]).await? {
            remove_later(&mut tx, &cells[0].take_text(), sql_value::now()).await?;
        }
        let sql = "INSERT INTO job_files (job_id, role, name, path, edited) \
                   VALUES (?, ?, ?, ?, ?) ON CONFLICT (job_id, role) DO UPDATE SET \
                   name = excluded.name, path = excluded.path, edited = excluded.edited";
        let params = [
            request.job.into(),
            role.into(),
            request.name.into(),
            request.path.into(),
            SqlValue::Bool(request.edited),
        ];
        tx.run(sql, &params).await?;
        tx.run(FORGET, &[request.path.into()]).await?;
        let written = job(&mut tx, request.job).await?;
        tx.commit().await?;
        Ok(written)
    }

    /// Returns the paths of files that have to be removed by now and that no job refers to.
    pub async fn files_to_remove(&self) -> Result<Vec<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the files to remove").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT path FROM removed_files WHERE due_at <= ? AND NOT EXISTS \
                   (SELECT 1 FROM job_files AS f WHERE f.path = removed_files.path) ORDER BY path";
        let due = [sql_value::now().into()];
        let found = tx.fetch(sql, &due, &[SqlType::Id]).await?;
        let paths = found.into_iter().map(|mut cells| cells[0].take_text());
        Ok(paths.map(Into::into).collect())
    }

    /// Forgets a file that was removed.
    pub async fn forget_file(&self, path: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_write("forget a file").await?;
        migrate::require_current(&mut tx).await?;
        tx.run(FORGET, &[path.into()]).await?;
        tx.commit().await
    }
}

const FORGET: &str = "DELETE FROM removed_files WHERE path = ?";

pub(super) async fn remove_later(
    tx: &mut SqlTransaction,
    path: &str,
    due_at: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO removed_files (path, due_at) VALUES (?, ?) \
               ON CONFLICT (path) DO UPDATE SET due_at = excluded.due_at";
    tx.run(sql, &[path.into(), due_at.into()]).await?;
    Ok(())
}

/// Fails unless the user and the account are stored and, for a new job, the user may submit it.
async fn check(
    tx: &mut SqlTransaction,
    request: &JobRequest<'_>,
    stored: Option<&StoredJob>,
) -> Result<(), JobError> {
    let mut unknown = Vec::new();
    if !submission::is_stored(tx, "users", request.user).await? {
        unknown.push(Key::new(USER, request.user));
    }
    let same_user = stored.is_some_and(|job| job.user == request.user);
    let same_account =
        same_user && stored.and_then(|job| job.account.as_deref()) == request.account;
    if let Some(account) = request.account.filter(|_| !same_account)
        && !submission::is_stored(tx, "accounts", account).await?
    {
        unknown.push(Key::new(ACCOUNT, account));
    }
    if !unknown.is_empty() {
        return Err(JobError::Refused(JobRefusal::NotFound(unknown)));
    }
    // A job that was submitted goes on whatever becomes of its user, or it could never be
    // completed, and its user never be deleted.
    if !same_user
        && let Some(facts) = submission::read(tx, request.user).await?
        && !facts.may_submit
    {
        return Err(JobError::Refused(JobRefusal::MayNotSubmit(facts)));
    }
    if let Some(account) = request.account.filter(|_| !same_account)
        && !submission::has_usable_account(tx, request.user, account).await?
    {
        return Err(JobError::Refused(JobRefusal::ForeignAccount));
    }
    Ok(())
}

async fn job(tx: &mut SqlTransaction, id: &str) -> Result<Option<StoredJob>, StoreError> {
    let found = select(tx, "WHERE external_id = ?", &[id.into()]).await?;
    Ok(found.into_iter().next())
}

/// Reads jobs with their files, by external id.
pub(super) async fn jobs(
    tx: &mut SqlTransaction,
    query: &JobQuery<'_>,
) -> Result<Vec<StoredJob>, StoreError> {
    let mut params: Vec<SqlValue> = vec![query.after.unwrap_or_default().into()];
    let mut sql = "WHERE external_id > ?".to_owned();
    for (column, value) in [
        ("user_id", query.user),
        ("account_id", query.account),
        ("status", query.status),
    ] {
        if let Some(value) = value {
            sql.push_str(&format!(" AND {column} = ?"));
            params.push(value.into());
        }
    }
    sql.push_str(" ORDER BY external_id");
    if let Some(limit) = query.limit {
        sql.push_str(" LIMIT ?");
        params.push(i64::from(limit).into());
    }
    select(tx, &sql, &params).await
}

/// Whether there are jobs at all. Where there are none, users need not be looked up one by one.
pub(super) async fn exist(tx: &mut SqlTransaction) -> Result<bool, StoreError> {
    tx.has_rows("SELECT 1 FROM jobs LIMIT 1", &[]).await
}

/// Returns the jobs of a user that somebody still works on.
pub(super) async fn open_jobs(
    tx: &mut SqlTransaction,
    user: &str,
) -> Result<Vec<OpenJob>, StoreError> {
    let sql = "SELECT external_id, status FROM jobs WHERE user_id = ? ORDER BY external_id";
    let types = [SqlType::Id, SqlType::Text];
    let found = tx.fetch(sql, &[user.into()], &types).await?;
    let jobs = found.into_iter().map(|mut cells| OpenJob {
        id: cells[0].take_text().into(),
        status: cells[1].take_text().into(),
    });
    Ok(jobs.filter(|job| !goes_with_user(&job.status)).collect())
}

/// Reads the jobs that a condition selects.
async fn select(
    tx: &mut SqlTransaction,
    condition: &str,
    params: &[SqlValue],
) -> Result<Vec<StoredJob>, StoreError> {
    let columns = format!(
        "external_id, user_id, account_id, name, status, {}",
        tx.dialect().iso_text("created_at")
    );
    let sql = format!("SELECT {columns} FROM jobs {condition}");
    let (id, text) = (SqlType::Id, SqlType::Text);
    let found = tx
        .fetch(&sql, params, &[id, id, id, text, text, text])
        .await?;
    let mut all: Vec<StoredJob> = found
        .into_iter()
        .map(|mut cells| StoredJob {
            external_id: cells[0].take_text().into(),
            user: cells[1].take_text().into(),
            account: cells[2].take_optional_text().map(Into::into),
            name: cells[3].take_text().into(),
            status: cells[4].take_text().into(),
            created_at: cells[5].take_text().into(),
            files: Vec::new(),
        })
        .collect();
    // The files of all of them at once: one question per job would be slow for a user with many.
    let sql = format!(
        "SELECT job_id, role, name, path, edited FROM job_files \
         WHERE job_id IN (SELECT external_id FROM jobs {condition}) ORDER BY job_id, role"
    );
    let files = tx
        .fetch(&sql, params, &[id, id, text, id, SqlType::Bool])
        .await?;
    let mut files = files.into_iter().peekable();
    all.sort_by(|a, b| a.external_id.cmp(&b.external_id));
    for job in &mut all {
        let own = |cells: &Vec<SqlValue>| cells[0].as_text() == Some(&job.external_id);
        while let Some(mut cells) = files.next_if(own) {
            job.files.push(JobFile {
                role: cells[1].take_text().into(),
                name: cells[2].take_text().into(),
                path: cells[3].take_text().into(),
                edited: cells[4].as_int() == Some(1),
            });
        }
    }
    Ok(all)
}
