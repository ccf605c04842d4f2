//! The forms in which a text may stand in a column that SQLite has put into lower case: it changes
//! the case of ASCII only, PostgreSQL that of every letter. What is found by them is compared exactly
//! afterwards.

use std::collections::BTreeSet;

/// What `lower(column)` may be for a text that is equal to this one but for the case of its letters:
/// all in lower case, all in upper case, or with capitals where words begin.
pub(super) fn lowered_forms(text: &str) -> BTreeSet<String> {
    let folded = text.to_lowercase();
    BTreeSet::from([
        text.to_ascii_lowercase(),
        folded.to_uppercase().to_ascii_lowercase(),
        with_capitals(&folded).to_ascii_lowercase(),
        folded,
    ])
}

/// A word of a search as it may be spelled: names are written with ß or ss.
pub(super) fn spellings(word: &str) -> BTreeSet<String> {
    let folded = word.to_lowercase();
    BTreeSet::from([
        word.to_owned(),
        folded.replace("ss", "ß"),
        folded.replace('ß', "ss"),
    ])
}

/// The forms in which an id may be written that is equal to this text but for the case of its
/// letters: as given, all in lower case, all in upper case, or with capitals where words begin.
pub(super) fn written_forms(text: &str) -> BTreeSet<String> {
    let folded = text.to_lowercase();
    BTreeSet::from([
        text.to_owned(),
        folded.to_uppercase(),
        with_capitals(&folded),
        folded,
    ])
}

/// A text in which every word begins with a capital, as names do.
fn with_capitals(text: &str) -> String {
    let mut begins = true;
    let mut capitals = String::with_capacity(text.len());
    for letter in text.chars() {
        if begins {
            capitals.extend(letter.to_uppercase());
        } else {
            capitals.push(letter);
        }
        begins = !letter.is_alphanumeric();
    }
    capitals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_as_sqlite_lowers_it() {
        for (text, stored) in [
            ("åsa öst", "Åsa Öst"),
            ("åsa öst", "ÅSA ÖST"),
            ("ÅSA ÖST", "åsa öst"),
            ("Anna Ek", "ANNA ek"),
            ("håkan", "HÅKAN"),
        ] {
            let forms = lowered_forms(text);
            assert!(
                forms.contains(&stored.to_ascii_lowercase()),
                "{text} {stored}"
            );
            assert!(forms.contains(&stored.to_lowercase()), "{text} {stored}");
        }
    }
}
