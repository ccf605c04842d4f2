//! The offers that use a tag, as a shop or the API records them: prices for the customers with the
//! tag depend on it, so a tag that an offer uses is not deleted.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::SqlType;
use super::submission::is_stored;
use super::{Store, migrate};

/// Whether an offer uses a tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfferUse {
    Used,
    Unused,
}

impl Store {
    /// Records whether an offer uses a tag. Returns all offers of the tag; `None` if it is not stored.
    pub async fn record_tag_offer(
        &self,
        tag: &str,
        offer: &str,
        used: OfferUse,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let sql = match used {
            OfferUse::Used => {
                "INSERT INTO tag_offers (tag_id, offer_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
            }
            OfferUse::Unused => "DELETE FROM tag_offers WHERE tag_id = ? AND offer_id = ?",
        };
        let mut tx = self.begin_write("record the offers of a tag").await?;
        migrate::require_current(&mut tx).await?;
        if !is_stored(&mut tx, "tags", tag).await? {
            return Ok(None);
        }
        tx.run(sql, &[tag.into(), offer.into()]).await?;
        let offers = tag_offers(&mut tx, tag).await?;
        tx.commit().await?;
        Ok(Some(offers))
    }

    /// Returns the offers that use a tag; `None` if it is not stored.
    pub async fn tag_offers(&self, tag: &str) -> Result<Option<Vec<String>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the offers of a tag").await? else {
            return Ok(None);
        };
        let sql = "SELECT 1 FROM tags WHERE external_id = ?";
        if !tx.has_rows(sql, &[tag.into()]).await? {
            return Ok(None);
        }
        tag_offers(&mut tx, tag).await.map(Some)
    }
}

/// The offers that use a tag, sorted.
pub(super) async fn tag_offers(
    tx: &mut SqlTransaction,
    tag: &str,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT offer_id FROM tag_offers WHERE tag_id = ?";
    let found = tx.fetch(sql, &[tag.into()], &[SqlType::Id]).await?;
    let ids = found.into_iter().map(|mut cells| cells[0].take_text());
    let mut ids: Vec<String> = ids.map(Into::into).collect();
    ids.sort();
    Ok(ids)
}
