//! Words that stand alone in a text, and how they are taken out.

/// What stands in a text in place of a word that was taken out.
pub(super) const ERASED_WORD: &str = "(erased)";

/// Whether a text contains a word that is no part of a longer one: `User/u-1` is not in `User/u-10`.
pub fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| is_whole(text, word, at))
}

/// Whether a word that stands here is no part of a longer one.
fn is_whole(text: &str, word: &str, at: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || "-_".contains(c);
    let before = text[..at].chars().next_back();
    let mut after = text[at + word.len()..].chars();
    let ends = match after.next() {
        // The end of a sentence, unless a letter follows.
        Some('.' | '@' | '/') => !after.next().is_some_and(joins),
        Some(next) => !joins(next),
        None => true,
    };
    ends && !before.is_some_and(|before| joins(before) || ".+".contains(before))
}

/// A text with a word replaced wherever it stands alone, whatever the letter case.
pub(super) fn without_word(text: &str, word: &str) -> String {
    without_some(text, word, |_| true)
}

/// A text with a word replaced where it stands alone and `is_meant` of the place.
pub(super) fn without_some(text: &str, word: &str, is_meant: impl Fn(usize) -> bool) -> String {
    let mut left = String::with_capacity(text.len());
    let mut from = 0;
    for at in word_places(text, word)
        .into_iter()
        .filter(|at| is_meant(*at))
    {
        left.push_str(&text[from..at]);
        left.push_str(ERASED_WORD);
        from = at + word.len();
    }
    left.push_str(&text[from..]);
    left
}

/// Where a word stands alone in a text, whatever the letter case.
pub(super) fn word_places(text: &str, word: &str) -> Vec<usize> {
    let (lower, lower_word) = (text.to_lowercase(), word.to_lowercase());
    // Some letters are longer in lower case, which would move the places.
    let is_same = lower.len() == text.len() && lower_word.len() == word.len();
    let (searched, word) = if is_same {
        (lower.as_str(), lower_word.as_str())
    } else {
        (text, word)
    };
    let places = searched.match_indices(word).map(|(at, _)| at);
    let is_boundary =
        |at: usize| text.is_char_boundary(at) && text.is_char_boundary(at + word.len());
    let places = places.filter(|at| is_boundary(*at) && is_whole(searched, word, *at));
    places.collect()
}
