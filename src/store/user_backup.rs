//! What a backup of a user holds, read at one moment: the profile and the jobs. Nothing of anybody
//! else is in it.

use super::Store;
use super::error::StoreError;
use super::jobs::{self, JobQuery, StoredJob};
use super::sql_value::SqlType;

/// The profile of a user and the user's jobs with their files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserBackup {
    pub external_id: String,
    pub first_name: String,
    pub last_name: String,
    pub email: Option<String>,
    pub company: Option<String>,
    pub jobs: Vec<StoredJob>,
}

impl Store {
    /// Reads what a backup holds; `None` for an unknown user.
    pub async fn user_backup(&self, id: &str) -> Result<Option<UserBackup>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the data of a user").await? else {
            return Ok(None);
        };
        let sql = "SELECT first_name, last_name, email, company FROM users WHERE external_id = ?";
        let found = tx.first(sql, &[id.into()], &[SqlType::Text; 4]).await?;
        let Some(mut cells) = found else {
            return Ok(None);
        };
        let query = JobQuery {
            user: Some(id),
            ..JobQuery::default()
        };
        Ok(Some(UserBackup {
            external_id: id.to_owned(),
            first_name: cells[0].take_text().into(),
            last_name: cells[1].take_text().into(),
            email: cells[2].take_optional_text().map(Into::into),
            company: cells[3].take_optional_text().map(Into::into),
            jobs: jobs::jobs(&mut tx, &query).await?,
        }))
    }
}
