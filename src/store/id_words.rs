//! How a text names a user by the bare id, without the kind. Some ids are ordinary words or numbers,
//! such as `eva` or `1042`: in a text they may mean anything. [`id_words`] says which words mean the
//! user; a word after another kind, as in `Account/karin.ek`, means that resource.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::SqlValue;
use super::tables;
use super::whole_words::{without_some, word_places};
use crate::kinds::{self, USER, branch_name};

/// How many letters or digits alone make an id that is no ordinary word.
const LONG: usize = 9;
/// How many characters of several classes do.
const MIXED: usize = 3;

/// Returns the words that name a user by the id: the id if it can be no ordinary word, and what the
/// page makes of it as the name of a branch.
pub(super) async fn id_words(tx: &mut SqlTransaction, id: &str) -> Result<Vec<String>, StoreError> {
    let mut words = branch_words(id);
    if is_telling(id) && !is_of_others(tx, id).await? {
        words.push(id.to_owned());
    }
    Ok(words)
}

/// Whether a resource of another kind has the same id, which is then no proof.
async fn is_of_others(tx: &mut SqlTransaction, id: &str) -> Result<bool, StoreError> {
    for table in tables::ALL.iter().filter(|table| table.kind.id != USER) {
        let sql = format!("SELECT 1 FROM {} WHERE external_id = ?", table.kind.table);
        if tx.has_rows(&sql, &[SqlValue::text(id)]).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an id is no ordinary word or number: it has letters and something else, or is long.
fn is_telling(id: &str) -> bool {
    let has_letter = id.chars().any(char::is_alphabetic);
    let has_other = id.chars().any(|c| !c.is_alphabetic());
    let least = if has_letter && has_other { MIXED } else { LONG };
    id.chars().count() >= least
}

/// The name of the branch that proposes the user, and the part of it that is the id.
fn branch_words(id: &str) -> Vec<String> {
    let kind = kinds::get(USER);
    let branch = branch_name(kind, id);
    let name = branch.trim_start_matches("roster/");
    let own = name
        .trim_start_matches(kind.singular)
        .trim_start_matches('-');
    let mut words = Vec::new();
    if !own.is_empty() {
        words.push(name.to_owned());
    }
    if own != id && is_telling(own) {
        words.push(own.to_owned());
    }
    words
}

/// Whether a text has one of these words of a user.
pub fn has_id_word(text: &str, words: &[String]) -> bool {
    let mut words = words.iter();
    words.any(|word| {
        let mut places = word_places(text, word).into_iter();
        places.any(|at| !is_of_other_kind(text, at))
    })
}

/// A text without one of these words of a user.
pub(super) fn without_id_word(text: &str, word: &str) -> String {
    without_some(text, word, |at| !is_of_other_kind(text, at))
}

/// Whether the word here is the id of a resource of another kind: `Account/karin.ek`.
fn is_of_other_kind(text: &str, at: usize) -> bool {
    let Some(before) = text[..at].strip_suffix('/') else {
        return false;
    };
    let mut kinds = kinds::ALL.into_iter().filter(|kind| kind.id != USER);
    kinds.any(|kind| before.ends_with(kind.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_an_ordinary_word_or_a_number_names_nobody() {
        for (id, telling) in [
            ("olle.berg", true),
            ("u-1", true),
            ("eva7", true),
            ("olle@berg.example", true),
            ("oskarlindqvist", true),
            ("198112289874", true),
            ("olle", false),
            ("customer", false),
            ("1042", false),
            ("A4", false),
        ] {
            assert_eq!(is_telling(id), telling, "{id}");
        }
    }

    #[test]
    fn the_branch_of_a_user_is_known_also_of_an_ordinary_word() {
        assert_eq!(branch_words("sven.sahl"), ["user-sven-sahl", "sven-sahl"]);
        assert_eq!(branch_words("eva"), ["user-eva"]);
        assert_eq!(branch_words("u-1"), ["user-u-1"]);
        assert_eq!(branch_words("--"), Vec::<String>::new());
    }

    #[test]
    fn the_id_of_another_resource_stays() {
        for (text, left) in [
            ("told by olle.berg.", "told by (erased)."),
            ("(Olle.Berg)", "((erased))"),
            ("Account/olle.berg", "Account/olle.berg"),
            ("olle.berg@other.example", "olle.berg@other.example"),
            ("olle.bergman, a-olle.berg", "olle.bergman, a-olle.berg"),
            ("branch/olle.berg", "branch/(erased)"),
        ] {
            assert_eq!(without_id_word(text, "olle.berg"), left);
            let words = ["olle.berg".to_owned()];
            assert_eq!(has_id_word(text, &words), text != left, "{text}");
        }
    }
}
