//! Takes one person out of the texts that Roster stores beside the directory: pushes, reports, plans
//! and states of the daemon, notices, reasons and answers. [`TEXTS`] says for each column what becomes
//! of a text that names the person. Start at [`erase_texts`].

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::person_words::PersonWords;
use super::sql_value::{SqlType, SqlValue};
use super::whole_words::ERASED_WORD;
use serde_json::Value as Json;

/// A column with texts that may name a person.
struct TextColumn {
    table: &'static str,
    /// The columns that identify a row.
    keys: &'static [(&'static str, SqlType)],
    column: (&'static str, SqlType),
    removal: TextRemoval,
}

/// What becomes of a text that names the person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TextRemoval {
    /// Its row goes. The next pass makes it anew, or nobody needs it.
    DeleteRow,
    /// It becomes NULL. The next pass makes it anew.
    Clear,
    /// It loses what is about the person.
    Redact,
    /// It loses the name of the person as somebody who acted. A bare id is no proof: operators and
    /// users are named independently.
    RedactActor,
    /// It loses what is about the person, and stays: without its answer, a request that is repeated
    /// would be performed again, and might make the person anew.
    RedactAnswer,
}

const SOURCE: &[(&str, SqlType)] = &[("source", SqlType::Id)];
const ID: &[(&str, SqlType)] = &[("id", SqlType::Id)];
const RUN: &[(&str, SqlType)] = &[("run", SqlType::Int)];
const AT_ID: &[(&str, SqlType)] = &[("at", SqlType::Int), ("id", SqlType::Int)];
const HOLD: &[(&str, SqlType)] = &[("hold", SqlType::Id), ("resource", SqlType::Id)];
const HELD: &[(&str, SqlType)] = &[
    ("source", SqlType::Id),
    ("kind", SqlType::Id),
    ("external_id", SqlType::Id),
    ("budget", SqlType::Id),
];
const ACT_KEY: &[(&str, SqlType)] = &[("actor", SqlType::Id), ("idem", SqlType::Id)];

const TEXTS: &[TextColumn] = &[
    text(
        "imports",
        ID,
        ("answer", SqlType::Text),
        TextRemoval::Redact,
    ),
    text("imports", ID, ("held", SqlType::Text), TextRemoval::Redact),
    text(
        "reports",
        SOURCE,
        ("report", SqlType::Bytes),
        TextRemoval::DeleteRow,
    ),
    text(
        "watched",
        SOURCE,
        ("plan", SqlType::Bytes),
        TextRemoval::Clear,
    ),
    text(
        "watched",
        SOURCE,
        ("state", SqlType::Text),
        TextRemoval::Redact,
    ),
    text(
        "passes",
        AT_ID,
        ("document", SqlType::Text),
        TextRemoval::Redact,
    ),
    text(
        "run_causes",
        RUN,
        ("document", SqlType::Text),
        TextRemoval::Redact,
    ),
    // Whoever wants the revert asks again.
    text(
        "revert_holds",
        RUN,
        ("held", SqlType::Text),
        TextRemoval::DeleteRow,
    ),
    text("outbox", ID, ("notice", SqlType::Text), TextRemoval::Redact),
    text("outbox", ID, ("error", SqlType::Text), TextRemoval::Redact),
    text(
        "act_keys",
        ACT_KEY,
        ("answer", SqlType::Text),
        TextRemoval::RedactAnswer,
    ),
    text(
        "held_steps",
        HELD,
        ("step", SqlType::Bytes),
        TextRemoval::DeleteRow,
    ),
    text(
        "held_steps",
        HELD,
        ("declared", SqlType::Bytes),
        TextRemoval::DeleteRow,
    ),
    text(
        "acts",
        AT_ID,
        ("actor", SqlType::Text),
        TextRemoval::RedactActor,
    ),
    text(
        "acts",
        AT_ID,
        ("subject", SqlType::Text),
        TextRemoval::Redact,
    ),
    text(
        "acts",
        AT_ID,
        ("reason", SqlType::Text),
        TextRemoval::Redact,
    ),
    text(
        "approvals",
        HOLD,
        ("approver", SqlType::Text),
        TextRemoval::RedactActor,
    ),
    // Whoever approved with that person approves again.
    text(
        "hold_approvers",
        HOLD,
        ("approver", SqlType::Id),
        TextRemoval::DeleteRow,
    ),
    text(
        "source_approvals",
        SOURCE,
        ("approver", SqlType::Text),
        TextRemoval::RedactActor,
    ),
    text(
        "suspensions",
        SOURCE,
        ("actor", SqlType::Text),
        TextRemoval::RedactActor,
    ),
    text(
        "approvals",
        HOLD,
        ("reason", SqlType::Text),
        TextRemoval::Redact,
    ),
    text(
        "source_approvals",
        SOURCE,
        ("reason", SqlType::Text),
        TextRemoval::Redact,
    ),
    text(
        "suspensions",
        SOURCE,
        ("reason", SqlType::Text),
        TextRemoval::Redact,
    ),
];

const fn text(
    table: &'static str,
    keys: &'static [(&'static str, SqlType)],
    column: (&'static str, SqlType),
    removal: TextRemoval,
) -> TextColumn {
    TextColumn {
        table,
        keys,
        column,
        removal,
    }
}

/// Takes a person out of all stored texts.
pub(super) async fn erase_texts(
    tx: &mut SqlTransaction,
    words: &PersonWords,
) -> Result<(), StoreError> {
    for of in TEXTS {
        let names: Vec<&str> = of.keys.iter().map(|(name, _)| *name).collect();
        let types: Vec<SqlType> = of.keys.iter().map(|(_, ty)| *ty).collect();
        let is_row: Vec<String> = names.iter().map(|name| format!("{name} = ?")).collect();
        let (table, column, is_row) = (of.table, of.column.0, is_row.join(" AND "));
        let sql = format!(
            "SELECT {} FROM {table} WHERE {column} IS NOT NULL",
            names.join(", ")
        );
        // One by one, because a push or a plan may be large.
        for keys in tx.fetch(&sql, &[], &types).await? {
            let sql = format!("SELECT {column} FROM {table} WHERE {is_row}");
            let Some(mut cells) = tx.first(&sql, &keys, &[of.column.1]).await? else {
                continue;
            };
            let content = match of.column.1 {
                SqlType::Bytes => cells[0].take_bytes(),
                _ => cells[0].take_text().as_bytes().to_vec(),
            };
            let Some(left) = remove(words, of.removal, &content) else {
                continue;
            };
            let (sql, left) = match (left, of.column.1) {
                (LeftText::NoRow, _) => (format!("DELETE FROM {table} WHERE {is_row}"), None),
                (LeftText::Nothing, _) => {
                    let sql = format!("UPDATE {table} SET {column} = NULL WHERE {is_row}");
                    (sql, None)
                }
                (LeftText::Text(left), ty) => {
                    let left = match ty {
                        SqlType::Bytes => SqlValue::Bytes(left.into_bytes()),
                        _ => SqlValue::text(left),
                    };
                    let sql = format!("UPDATE {table} SET {column} = ? WHERE {is_row}");
                    (sql, Some(left))
                }
            };
            let params: Vec<SqlValue> = left.into_iter().chain(keys).collect();
            tx.run(&sql, &params).await?;
        }
    }
    // With nothing held any more, the content of a push is personal data without a use.
    let sql = "UPDATE imports SET body = NULL WHERE state = 'done' AND held = '[]'";
    tx.run(sql, &[]).await?;
    Ok(())
}

/// What is left of a text.
enum LeftText {
    NoRow,
    Nothing,
    Text(String),
}

/// What is left of a text that names the person; `None` if it does not.
fn remove(words: &PersonWords, removal: TextRemoval, content: &[u8]) -> Option<LeftText> {
    if !words.may_be_in(content) {
        return None;
    }
    match removal {
        TextRemoval::DeleteRow => Some(LeftText::NoRow),
        TextRemoval::Clear => Some(LeftText::Nothing),
        TextRemoval::Redact => redacted(words, str::from_utf8(content).ok()?).map(LeftText::Text),
        TextRemoval::RedactActor => {
            let actor = str::from_utf8(content).ok()?;
            let left = (actor != words.id).then(|| words.redacted_value(actor));
            left.flatten().map(LeftText::Text)
        }
        TextRemoval::RedactAnswer => {
            redacted_answer(words, str::from_utf8(content).ok()?).map(LeftText::Text)
        }
    }
}

/// A kept answer without the person. That of self-service is about one user.
fn redacted_answer(words: &PersonWords, text: &str) -> Option<String> {
    let mut json: Json = serde_json::from_str(text).ok()?;
    if let Some(Json::Object(user)) = json.get_mut("user")
        && user.get("external_id").and_then(Json::as_str) == Some(&words.id)
    {
        user.insert("external_id".to_owned(), ERASED_WORD.into());
        user.insert("details".to_owned(), Json::Object(serde_json::Map::new()));
        user.insert("login".to_owned(), Json::Null);
        words.redact(&mut json);
        return Some(json.to_string());
    }
    words.redact(&mut json).then(|| json.to_string())
}

fn redacted(words: &PersonWords, text: &str) -> Option<String> {
    match serde_json::from_str::<Json>(text) {
        Ok(mut json @ (Json::Object(_) | Json::Array(_))) => {
            words.redact(&mut json).then(|| json.to_string())
        }
        _ => words.redacted_text(text),
    }
}

/// The body of a push with the records about the person emptied, if its mapping is not known. An
/// empty record says nothing, and the records after it keep their places.
pub(super) fn without_records(words: &PersonWords, text: &str) -> Option<String> {
    let bare = text.trim_start_matches('\u{feff}');
    if let Ok(mut json) = serde_json::from_str::<Json>(bare) {
        return empty_objects(words, &mut json).then(|| json.to_string());
    }
    let mut left = String::with_capacity(text.len());
    let mut changed = false;
    for row in rows(text) {
        let cells = row.split([',', ';', '\t', '|']);
        let mut cells = cells.map(|cell| cell.trim().trim_matches('"').trim());
        if words.are_in(row) || cells.any(|cell| words.are_all_of(cell)) {
            changed = true;
            left.extend(row.chars().filter(|c| "\r\n".contains(*c)));
        } else {
            left.push_str(row);
        }
    }
    changed.then_some(left)
}

/// Empties the smallest list members that name the person; returns whether there is one.
fn empty_objects(words: &PersonWords, value: &mut Json) -> bool {
    match value {
        Json::Array(members) => {
            let changed = members.iter_mut().map(|member| {
                if !member.is_object() {
                    return empty_objects(words, member);
                }
                let names = has_cell(words, member);
                if names {
                    *member = Json::Object(serde_json::Map::new());
                }
                names
            });
            changed.fold(false, |any, it| any | it)
        }
        Json::Object(object) => {
            let changed = object.values_mut();
            let changed = changed.map(|member| empty_objects(words, member));
            changed.fold(false, |any, it| any | it)
        }
        _ => false,
    }
}

/// Whether a record has a text that names the person.
fn has_cell(words: &PersonWords, record: &Json) -> bool {
    match record {
        Json::String(text) => words.are_all_of(text) || words.are_in(text),
        Json::Number(number) => number.to_string() == words.id,
        Json::Array(members) => members.iter().any(|member| has_cell(words, member)),
        Json::Object(object) => object.values().any(|member| has_cell(words, member)),
        _ => false,
    }
}

/// The rows of a table, each with its line end. A quoted cell may have line ends in it.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut before) = (false, '\n');
    text.split_inclusive(move |c| {
        // A quote counts only at the beginning of a cell; inches in a text are not quotes.
        is_quoted ^= c == '"' && (is_quoted || ",;\t|\r\n".contains(before));
        before = c;
        c == '\n' && !is_quoted
    })
}

/// The tables with such texts.
#[cfg(test)]
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().map(|of| of.table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words() -> PersonWords {
        let mut words = PersonWords::new("u-1");
        let fields = json!({"email": ["karin@roster.example"]});
        words.add_fields(fields.as_object().expect("an object"));
        words
    }

    #[test]
    fn records_about_the_person_are_emptied_and_the_others_keep_their_places() {
        let json = r#"[{"id":"u-1","name":"Karin"},{"id":"u-2","name":"Karin"}]"#;
        let left = without_records(&words(), json);
        assert_eq!(left.as_deref(), Some(r#"[{},{"id":"u-2","name":"Karin"}]"#));
        let csv = "id;mail\r\nu-1;x\r\nu-10;\"a\nb\"\r\nx;KARIN@roster.example\n";
        let left = without_records(&words(), csv);
        assert_eq!(left.as_deref(), Some("id;mail\r\n\r\nu-10;\"a\nb\"\r\n\n"));
        assert_eq!(without_records(&words(), "id\nu-10\n"), None);
    }
}
