//! Notes that say the same of many resources, said once.

use super::text::NAMED;
use super::words::{counted, first_of, id};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::kinds;
use crate::model::{Key, KindId};
use std::borrow::Cow;
use std::collections::HashMap;

/// From so many resources on, the same note is said once.
const SAME: usize = 5;

/// What a note says beside whom it is about.
type Said<'a> = (Code, KindId, &'a str, Option<&'a str>);

/// The findings with every note that says the same of many resources said once, in the place of
/// the first; they are named as far as anybody reads on.
#[must_use]
pub fn alike(found: &[Diagnostic]) -> Vec<Cow<'_, Diagnostic>> {
    let mut groups: HashMap<Said<'_>, Vec<&Diagnostic>> = HashMap::new();
    for (said, _, one) in found.iter().filter_map(said) {
        groups.entry(said).or_default().push(one);
    }
    groups.retain(|_, alike| alike.len() >= SAME);
    let kept = found.iter().filter_map(|one| {
        let Some((group, key)) =
            said(one).and_then(|(said, key, _)| Some((groups.get(&said)?, key)))
        else {
            return Some(Cow::Borrowed(one));
        };
        std::ptr::eq(group[0], one).then(|| Cow::Owned(once(one, key, group)))
    });
    kept.collect()
}

/// A note about one resource, apart from which it is.
fn said(one: &Diagnostic) -> Option<(Said<'_>, &Key, &Diagnostic)> {
    let key = one
        .key
        .as_ref()
        .filter(|_| one.severity == Severity::Note)?;
    let rest = one.message.strip_prefix(&format!("{key}: "))?;
    Some(((one.code, key.kind, rest, one.help.as_deref()), key, one))
}

/// The first of a group in the name of all.
fn once(first: &Diagnostic, key: &Key, group: &[&Diagnostic]) -> Diagnostic {
    let ids = group.iter().filter_map(|one| one.key.as_ref());
    let ids: Vec<_> = ids.map(|key| id(&key.id)).collect();
    let of = counted(group.len(), kinds::get(key.kind));
    let rest = first
        .message
        .get(key.to_string().len()..)
        .unwrap_or_default();
    Diagnostic {
        message: format!("{of}{rest} ({})", first_of(ids.into_iter(), NAMED)),
        key: None,
        ..first.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;

    fn note(id: &str, rest: &str) -> Diagnostic {
        let key = Key::new(kinds::USER, id);
        Diagnostic::new(codes::FIELD_RELEASED, format!("{key}: {rest}")).of(&key)
    }

    #[test]
    fn many_alike_are_one_in_the_place_of_the_first_and_few_are_not() {
        let mut found = vec![note("a", "x is gone"), note("b", "y is gone")];
        found.extend((0..7).map(|n| note(&format!("u{n}"), "z is gone")));
        found.push(note("c", "x is gone"));
        let said: Vec<String> = alike(&found)
            .iter()
            .map(|one| one.message.clone())
            .collect();
        let expected = [
            "User/a: x is gone",
            "User/b: y is gone",
            "7 users: z is gone (u0, u1, u2, u3, u4 and 2 more)",
            "User/c: x is gone",
        ];
        assert_eq!(said, expected);
    }
}
