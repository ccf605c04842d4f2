//! Takes one person out of the pushes that are kept. Only the mapping of a source says which records
//! are about whom: an id may be a number that stands in other columns too. So the mappings of the
//! configuration are used, and everybody else's records stay as they are. A push that cannot be
//! taken apart, such as a workbook, is deleted with a warning. Start at [`erase_bodies`].

use super::act_request::{ActWarning, SourceMappings};
use super::connection::SqlTransaction;
use super::erased_ids::{DroppedRecord, record_dropped};
use super::erased_texts;
use super::error::StoreError;
use super::person_words::PersonWords;
use super::sql_value::{self, SqlType, SqlValue};
use crate::diagnostic::codes;
use crate::feed::mapping::Mapping;
use crate::feed::{self, RecordKeys};
use crate::kinds::USER;
use crate::model::{Key, LineColumn, RowMatches};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

/// What a push that cannot be taken apart is answered.
const LOST: &str = "it named a user who was erased and could not be taken apart; send it again \
                    without that user";

/// What is left of the body of a push that names the person.
enum LeftBody {
    Bytes(Vec<u8>, Vec<DroppedRecord>),
    Nothing,
}

/// A push that is kept.
struct KeptPush {
    id: String,
    source: Arc<str>,
    name: Arc<str>,
    is_answered: bool,
}

/// Takes a person out of all kept pushes. Returns a warning for each that had to go.
pub(super) async fn erase_bodies(
    tx: &mut SqlTransaction,
    words: &PersonWords,
    mappings: &SourceMappings,
) -> Result<Vec<ActWarning>, StoreError> {
    let sql = "SELECT id, source, name, state FROM imports WHERE body IS NOT NULL ORDER BY nth";
    let types = [SqlType::Id, SqlType::Id, SqlType::Text, SqlType::Text];
    let mut warnings = Vec::new();
    for mut cells in tx.fetch(sql, &[], &types).await? {
        let push = KeptPush {
            id: cells[0].take_text().into(),
            source: cells[1].take_text().as_str().into(),
            name: cells[2].take_text().as_str().into(),
            is_answered: cells[3].as_text() == Some("done"),
        };
        // One by one, because a push may be large.
        let sql = "SELECT body FROM imports WHERE id = ?";
        let id = [push.id.as_str().into()];
        let Some(mut cells) = tx.first(sql, &id, &[SqlType::Bytes]).await? else {
            continue;
        };
        let body = cells[0].take_bytes();
        let left = match mappings.get(&push.source) {
            Some(mapping) => left_by_mapping(words, &body, &push, mapping),
            None => left_by_words(words, &body),
        };
        match left {
            None => {}
            Some(LeftBody::Bytes(left, dropped)) => {
                let sql = "UPDATE imports SET body = ? WHERE id = ?";
                tx.run(sql, &[SqlValue::Bytes(left), push.id.as_str().into()])
                    .await?;
                if !push.is_answered {
                    record_dropped(tx, &push.id, &dropped).await?;
                }
            }
            Some(LeftBody::Nothing) => {
                delete_body(tx, &push).await?;
                warnings.push(ActWarning {
                    code: codes::USER_ERASED.name().to_owned(),
                    message: format!(
                        "the push {} to the source `{}` named the person and could not be taken \
                         apart; it was deleted; have it sent again without the person",
                        push.id, push.source
                    ),
                });
            }
        }
    }
    Ok(warnings)
}

/// Deletes the content of a push. One that was not processed yet never will be, and says so.
async fn delete_body(tx: &mut SqlTransaction, push: &KeptPush) -> Result<(), StoreError> {
    let id: SqlValue = push.id.as_str().into();
    let sql = "UPDATE imports SET body = NULL, held = '[]' WHERE id = ?";
    tx.run(sql, std::slice::from_ref(&id)).await?;
    if push.is_answered {
        return Ok(());
    }
    let sql = "UPDATE imports SET state = 'lost', answer = ?, ended_at = ? WHERE id = ?";
    let params = [LOST.into(), sql_value::now().into(), id];
    tx.run(sql, &params).await?;
    Ok(())
}

/// What is left of a body whose mapping is known; `None` if it does not name the person.
fn left_by_mapping(
    words: &PersonWords,
    body: &[u8],
    push: &KeptPush,
    mapping: &Mapping,
) -> Option<LeftBody> {
    let mut matches = RowMatches::default();
    for term in feed::match_terms(Cursor::new(body), mapping) {
        if words.have(&term) {
            matches.add_erased(term);
        }
    }
    let (name, source) = (&push.name, &push.source);
    let (_, mut listed) =
        feed::read_with_keys(Cursor::new(body), name, source, mapping, Some(&matches));
    // A record that could not be read names nobody, so that its text has to say it.
    let ends: Vec<Option<LineColumn>> = listed
        .iter()
        .skip(1)
        .map(|next| Some(next.at))
        .chain([None])
        .collect();
    let text = String::from_utf8_lossy(body);
    let text = PlacedText::new(&text);
    for (record, end) in listed.iter_mut().zip(ends) {
        if record.keys.is_empty() && !record.fits_erased {
            record.fits_erased = words.are_in_record(text.between(record.at, end));
        }
    }
    let gone = BTreeSet::from([Key::new(USER, &words.id)]);
    let is_gone = |record: &RecordKeys| record.names_any(&gone);
    let dropped = listed.iter().enumerate().filter(|(_, it)| is_gone(it));
    let dropped: Vec<DroppedRecord> = dropped
        .map(|(position, record)| DroppedRecord {
            position,
            line: record.at.line,
        })
        .collect();
    if dropped.is_empty() {
        return None;
    }
    let names = (name, source);
    let left = feed::without_records(body, &listed, &gone, names, mapping, Some(&matches));
    Some(match left {
        Ok(left) => LeftBody::Bytes(left, dropped),
        Err(_) => LeftBody::Nothing,
    })
}

/// What is left of a body of which only the words can be looked for; `None` if it has none.
fn left_by_words(words: &PersonWords, body: &[u8]) -> Option<LeftBody> {
    // Nobody can see what a compressed body has in it.
    let is_packed = [&b"PK\x03\x04"[..], b"\x1f\x8b"];
    if let Ok(text) = str::from_utf8(body) {
        let left = erased_texts::without_records(words, text)?;
        return Some(LeftBody::Bytes(left.into_bytes(), Vec::new()));
    }
    let is_packed = is_packed.iter().any(|head| body.starts_with(head));
    (is_packed || words.may_be_in(body)).then_some(LeftBody::Nothing)
}

/// The text of a push by place.
struct PlacedText<'t> {
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'t> PlacedText<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = [0].into_iter().chain(ends).collect();
        Self { text, lines }
    }

    fn offset(&self, at: LineColumn) -> usize {
        let index = |number: u32| {
            usize::try_from(number)
                .unwrap_or_default()
                .saturating_sub(1)
        };
        let Some(begin) = self.lines.get(index(at.line)) else {
            return self.text.len();
        };
        let line = &self.text[*begin..];
        let inner = line.char_indices().nth(index(at.column));
        begin + inner.map_or(line.len(), |(at, _)| at)
    }

    fn between(&self, from: LineColumn, to: Option<LineColumn>) -> &'t str {
        let end = to.map_or(self.text.len(), |to| self.offset(to));
        self.text.get(self.offset(from)..end).unwrap_or_default()
    }
}
