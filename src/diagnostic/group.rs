//! Groups diagnostics that say the same, so that one cause is reported once with all its places. A
//! renamed field in 4,000 manifests is one mistake. Two rounds: first the same text apart from the
//! resource, then the same text apart from every value. Start reading at `group`.

use super::{Diagnostic, Origin, Severity, thousands, visible};
use crate::model::Key;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

/// From this number on, diagnostics with the same text are grouped.
const SAME: usize = 5;
/// From this number on, diagnostics that differ only in a value are grouped. Higher, because each
/// value may need a fix of its own.
const VALUES: usize = 10;
/// How many places, values or resources of a group are listed.
const NAMED: usize = 5;

/// One diagnostic, or a group with one cause.
#[derive(Clone, Debug)]
pub struct DiagnosticGroup<'d> {
    /// The text to show. A group is shown at the place of its first member.
    pub found: Cow<'d, Diagnostic>,
    /// The number of diagnostics that it stands for.
    pub count: usize,
}

/// A hash of the text without its resource and, in the second round, without values. Hashed,
/// because there may be millions.
type DiagnosticGroupKey = u64;

/// Groups diagnostics. A group takes the place of its first member.
pub fn group<'d>(found: impl IntoIterator<Item = &'d Diagnostic>) -> Vec<DiagnosticGroup<'d>> {
    // Random, so that nobody can prepare a file whose texts collide and hide each other.
    let hasher = RandomState::new();
    let same = collect(
        found.into_iter().map(|one| vec![one]),
        |one| group_key(&hasher, one, false),
        SAME,
    );
    let alike = collect(same, |one| group_key(&hasher, one, true), VALUES);
    let grouped = alike.into_iter().map(|group| match &group[..] {
        [one] => DiagnosticGroup {
            found: Cow::Borrowed(*one),
            count: 1,
        },
        all => DiagnosticGroup {
            found: Cow::Owned(merge_group(all)),
            count: all.len(),
        },
    });
    grouped.collect()
}

/// Joins the lists whose first diagnostics have the same key, if there are at least `least` of
/// them.
fn collect<'d>(
    lists: impl IntoIterator<Item = Vec<&'d Diagnostic>>,
    cause: impl Fn(&'d Diagnostic) -> DiagnosticGroupKey,
    least: usize,
) -> Vec<Vec<&'d Diagnostic>> {
    let mut lists: Vec<Vec<&Diagnostic>> = lists.into_iter().collect();
    let mut by_cause: HashMap<DiagnosticGroupKey, Vec<usize>> = HashMap::new();
    for (index, list) in lists.iter().enumerate() {
        by_cause.entry(cause(list[0])).or_default().push(index);
    }
    for indexes in by_cause.into_values().filter(|all| all.len() >= least) {
        // The first list keeps its position, which keeps the order of the output stable.
        for index in &indexes[1..] {
            let moved = std::mem::take(&mut lists[*index]);
            lists[indexes[0]].extend(moved);
        }
    }
    lists.retain(|list| !list.is_empty());
    lists
}

fn group_key(
    hasher: &RandomState,
    one: &Diagnostic,
    apart_from_values: bool,
) -> DiagnosticGroupKey {
    let words = |text: &str| {
        let text = without_key(text, one.key.as_ref());
        if apart_from_values {
            without_values(&text)
        } else {
            text
        }
    };
    // The name of an unknown field is a value as well: it differs from file to file.
    let field = one.field.as_deref();
    let field = field.filter(|field| !apart_from_values || !names(&one.message, field));
    let help = one.help.as_deref().map(words);
    hasher.hash_one((one.severity, one.code, field, words(&one.message), help))
}

/// Removes the resource from a text: `User/… is ..`.
fn without_key(text: &str, key: Option<&Key>) -> String {
    let Some(key) = key else {
        return text.to_owned();
    };
    let whole = visible(&key.to_string()).into_owned();
    // Messages quote the id with invisible characters written out, so it is searched in that form.
    let quoted = format!("`{}`", visible(&key.id));
    text.replace(&whole, &format!("{}/…", key.kind))
        .replace(&quoted, "`…`")
}

/// Returns whether a message names a field, or a custom field by its id.
fn names(message: &str, field: &str) -> bool {
    let last = field.strip_prefix("customFields.").unwrap_or(field);
    message.contains(&format!("`{last}`"))
}

/// Replaces everything in backticks and the ids of resources by `…`.
fn without_values(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| {
        if at % 2 == 1 {
            return Cow::Borrowed("…");
        }
        let words = part.split(' ').map(|word| match resource(word) {
            Some((kind, _, after)) => Cow::Owned(format!("{kind}/…{after}")),
            None => Cow::Borrowed(word),
        });
        Cow::Owned(words.collect::<Vec<_>>().join(" "))
    });
    parts.collect::<Vec<_>>().join("`")
}

/// Splits `Account/acme:` into kind, id and the punctuation after it.
fn resource(word: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = word.split_once('/')?;
    let is_kind = kind.starts_with(|c: char| c.is_ascii_uppercase())
        && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
    let id = rest.trim_end_matches([':', ',', ';', ')', '.']);
    (is_kind && !id.is_empty()).then(|| (kind, id, &rest[id.len()..]))
}

/// Returns the first value in backticks, or else the first resource.
fn value(text: &str) -> String {
    if let Some(value) = text.split('`').nth(1) {
        return format!("`{value}`");
    }
    let found = text.split(' ').find_map(resource);
    found.map_or_else(String::new, |(kind, id, _)| format!("{kind}/{id}"))
}

/// Builds one diagnostic for a group.
fn merge_group(all: &[&Diagnostic]) -> Diagnostic {
    let first = all[0];
    let message = match note_message(all) {
        Some(note) => note,
        None => format!(
            "{}: {} times: {}",
            words(all),
            thousands(all.len()),
            places(all)
        ),
    };
    Diagnostic {
        message,
        key: None,
        related: Vec::new(),
        ..first.clone()
    }
}

/// Builds `7 resources: z is gone (User/u0, User/u1 and 5 more)` for notes that begin with their
/// resource.
fn note_message(all: &[&Diagnostic]) -> Option<String> {
    let first = all[0];
    let key = first.key.as_ref()?;
    let rest = first.message.strip_prefix(&format!("{key}: "))?;
    if first.severity != Severity::Note {
        return None;
    }
    let keys = all.iter().filter_map(|one| one.key.as_ref());
    let keys: Vec<String> = keys
        .map(|key| visible(&key.to_string()).into_owned())
        .collect();
    let ids: Vec<Cow<'_, str>> = keys.iter().map(|key| Cow::Borrowed(&**key)).collect();
    Some(format!(
        "{} resources: {rest} ({})",
        thousands(all.len()),
        first_of(&ids)
    ))
}

/// The common text, with the values in parentheses where they differ.
fn words(all: &[&Diagnostic]) -> String {
    let first = all[0];
    let message = without_key(&first.message, first.key.as_ref());
    let same = all
        .iter()
        .all(|one| without_key(&one.message, one.key.as_ref()) == message);
    let message = if same {
        message
    } else {
        let mut values: Vec<String> = Vec::new();
        for one in all {
            let value = value(&without_key(&one.message, one.key.as_ref()));
            if values.len() < NAMED && !values.contains(&value) {
                values.push(value);
            }
        }
        format!("{} ({}, …)", without_values(&message), values.join(", "))
    };
    match (&first.key, &first.field) {
        (Some(key), Some(field)) if !message.contains(&**field) => {
            format!("{} {field}: {message}", key.kind)
        }
        _ => message,
    }
}

/// Lists the places: `a.yaml:2, 4, 9 and 60 more`. Without places, lists the resources.
fn places(all: &[&Diagnostic]) -> String {
    let origins: Vec<&Origin> = all.iter().filter_map(|one| one.origin.as_ref()).collect();
    if origins.is_empty() {
        let keys = all.iter().filter_map(|one| one.key.as_ref());
        let keys: Vec<Cow<'_, str>> = keys.map(|key| Cow::Owned(key.to_string())).collect();
        return first_of(&keys);
    }
    let mut text = String::new();
    let mut path = None;
    for origin in origins.iter().take(NAMED) {
        let lead = if text.is_empty() { "" } else { ", " };
        let line = origin.at.line;
        // The path is written only when it changes.
        if path == Some(&origin.path) && line > 0 {
            let _ = write!(text, "{lead}{line}");
        } else if line > 0 {
            let _ = write!(text, "{lead}{}:{line}", visible(&origin.path));
        } else {
            let _ = write!(text, "{lead}{}", visible(&origin.path));
        }
        path = Some(&origin.path);
    }
    match all.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {} more", thousands(more)),
    }
}

fn first_of(names: &[Cow<'_, str>]) -> String {
    let few = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => few,
        more => format!("{few} and {} more", thousands(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;
    use crate::kinds::USER;
    use crate::model::LineColumn;

    fn note(id: &str, rest: &str) -> Diagnostic {
        let key = Key::new(USER, id);
        Diagnostic::new(codes::FIELD_RELEASED, format!("{key}: {rest}")).for_resource(&key)
    }

    fn at(line: u32, id: &str, message: &str) -> Diagnostic {
        let pos = LineColumn { line, column: 3 };
        let path = "users.yaml".into();
        Diagnostic::new(codes::ENUM, message)
            .for_resource(&Key::new(USER, id))
            .field("civility")
            .at(Origin { path, at: pos })
    }

    fn messages(found: &[Diagnostic]) -> Vec<String> {
        let grouped = group(found).into_iter();
        grouped.map(|one| one.found.message.clone()).collect()
    }

    #[test]
    fn many_alike_are_one_in_the_place_of_the_first_and_few_are_not() {
        let mut found = vec![note("a", "x is gone"), note("b", "y is gone")];
        found.extend((0..7).map(|n| note(&format!("u{n}"), "z is gone")));
        found.push(note("c", "x is gone"));
        let expected = [
            "User/a: x is gone",
            "User/b: y is gone",
            "7 resources: z is gone (User/u0, User/u1, User/u2, User/u3, User/u4 and 2 more)",
            "User/c: x is gone",
        ];
        assert_eq!(messages(&found), expected);
    }

    #[test]
    fn what_is_missing_is_a_value_and_so_is_a_custom_field() {
        let missing = |n: u32| {
            let message =
                format!("Account/a-{n} does not exist: it is neither declared nor stored");
            at(n + 1, &format!("u{n}"), &message)
        };
        let found: Vec<Diagnostic> = (0..12).map(missing).collect();
        let all = messages(&found);
        let [one] = &all[..] else { panic!("{all:?}") };
        assert!(
            one.contains("Account/… does not exist: it is neither declared nor stored (Account/a-0, Account/a-1,")
                && one.contains("12 times"),
            "{one}"
        );
        let custom = |n: u32| {
            let found = at(
                n + 1,
                "u",
                &format!("custom field `c{n}` is not defined for User"),
            );
            found.field(format!("customFields.c{n}"))
        };
        let found: Vec<Diagnostic> = (0..12).map(custom).collect();
        assert_eq!(group(&found).len(), 1);
    }

    #[test]
    fn a_group_has_its_count_and_its_places() {
        let words = "there is no Tag/Handwerk";
        let found: Vec<_> = (1..=1063).map(|n| at(n, &format!("u{n}"), words)).collect();
        let grouped = group(&found);
        assert_eq!((grouped.len(), grouped[0].count), (1, 1063));
        let expected = "User civility: there is no Tag/Handwerk: 1,063 times: users.yaml:1, 2, 3, 4, 5 and 1,058 more";
        assert_eq!(messages(&found), [expected]);
        assert_eq!(messages(&found[..4]), [words; 4]);
    }

    #[test]
    fn what_differs_in_the_resource_or_the_value_alone_is_one_cause() {
        let own: Vec<_> = (1..=6)
            .map(|n| at(n, &format!("u{n}"), &format!("User/u{n} is declared twice")))
            .collect();
        assert_eq!(
            messages(&own),
            [
                "User civility: User/… is declared twice: 6 times: users.yaml:1, 2, 3, 4, 5 and 1 more"
            ]
        );
        let value: Vec<_> = (1..=10)
            .map(|n| at(n, "u", &format!("`m{n}` is not one of MR, MRS")))
            .collect();
        assert_eq!(
            messages(&value),
            [
                "User civility: `…` is not one of MR, MRS (`m1`, `m2`, `m3`, `m4`, `m5`, …): 10 times: users.yaml:1, 2, 3, 4, 5 and 5 more"
            ]
        );
        assert_eq!(messages(&value[..9]).len(), 9);
    }
}
