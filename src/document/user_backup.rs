//! The JSON files in the backup of a user.

use crate::store::{StoredJob, UserBackup};
use serde::Serialize;

/// `user-profile.json`.
#[derive(Debug, Serialize)]
pub struct UserProfileDocument<'a> {
    name: String,
    email: Option<&'a str>,
    company: Option<&'a str>,
}

/// An entry of `jobs.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupJobDocument<'a> {
    id: &'a str,
    name: &'a str,
    status: &'a str,
    created_at: &'a str,
}

impl<'a> From<&'a UserBackup> for UserProfileDocument<'a> {
    fn from(backup: &'a UserBackup) -> Self {
        let name = format!("{} {}", backup.first_name, backup.last_name);
        Self {
            name: name.trim().to_owned(),
            email: backup.email.as_deref(),
            company: backup.company.as_deref(),
        }
    }
}

impl<'a> From<&'a StoredJob> for BackupJobDocument<'a> {
    fn from(job: &'a StoredJob) -> Self {
        Self {
            id: &job.external_id,
            name: &job.name,
            status: &job.status,
            created_at: &job.created_at,
        }
    }
}
