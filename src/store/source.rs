//! What the database remembers of itself and of sources.

use super::error::StoreError;
use super::param::Ty;
use super::{Store, migrate};

impl Store {
    /// The environment that the database belongs to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn environment(&self) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.reading("read the environment").await? else {
            return Ok(None);
        };
        Ok(migrate::meta(&mut tx)
            .await?
            .and_then(|meta| meta.environment))
    }

    /// The path that a source without a configuration was last applied from.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn source_path(&self, source: &str) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.reading_schema("read the sources").await? else {
            return Ok(None);
        };
        let sql = "SELECT path FROM sources WHERE name = ?";
        let found = tx.first(sql, &[source.into()], &[Ty::Text]).await?;
        Ok(found.map(|mut cells| cells[0].take_text().into()))
    }
}
