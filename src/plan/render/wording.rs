//! The words for values and changes, shared by the text and Markdown forms.
//!
//! Start with [`WordingOptions::lines`], which turns changes into lines. An operator approves what
//! these functions print, so a value must never read as another one: hidden characters are made
//! visible, and values that look like punctuation are quoted.

use super::PersonalData;
use super::delta::{self, FieldDelta, field_name};
pub(super) use crate::diagnostic::{plural, thousands, visible};
use crate::kinds::{self, BOOL, Kind};
use crate::model::{CompactText, FieldChange, KindId, Link, Value};
use anstyle::{AnsiColor, Style};
use std::borrow::Cow;
use std::fmt::Write;
use std::io;
use unicode_normalization::UnicodeNormalization;

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = PLAIN.bold();
pub(super) const DIM: Style = PLAIN.dimmed();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

/// The length in characters from which two texts are shown as a word diff.
const LONG: usize = 60;

/// The number of unchanged words beside a change in a word diff.
const DIFF_CONTEXT_WORDS: usize = 5;

/// The number of members of a list that are shown without `--detail full`.
pub(super) const MEMBERS: usize = 20;

/// How values and changes are worded.
#[derive(Clone, Copy)]
pub(super) struct WordingOptions<'a> {
    pub color: bool,
    /// Whether lists and long texts are shown whole.
    pub full: bool,
    pub personal: &'a PersonalData,
}

/// One changed field in words.
pub(super) struct ChangeLine {
    /// The name of the field, as in plans.
    pub name: String,
    /// Before and after, in words.
    pub text: String,
}

impl WordingOptions<'_> {
    pub fn paint<'t>(self, style: Style, text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
        let text = text.into();
        if self.color && style != PLAIN {
            Cow::Owned(format!("{style}{text}{style:#}"))
        } else {
            text
        }
    }

    /// Returns the changes of one resource, one line for each field.
    pub fn lines(self, kind: KindId, changes: &[FieldChange], created: bool) -> Vec<ChangeLine> {
        let lines = changes.iter().map(|change| ChangeLine {
            name: visible(&field_name(kind, &change.field)).into_owned(),
            text: self.change(kind, change, created),
        });
        lines.collect()
    }

    /// Returns one change in words.
    pub fn change(self, kind: KindId, change: &FieldChange, created: bool) -> String {
        if self.personal.hides(kind, &change.field) {
            let name = field_name(kind, &change.field);
            let [before, after] = [&change.before, &change.after]
                .map(|value| self.personal.masked(&name, value.as_ref()));
            return if created {
                after
            } else {
                format!("{before} → {after}")
            };
        }
        match FieldDelta::of(kind, change) {
            FieldDelta::Redacted => "(redacted)".to_owned(),
            // `(none) → …` for each field of a new resource would only be noise.
            FieldDelta::Scalar { after, .. } if created => display_value(after),
            FieldDelta::Scalar { before, after } => match (long_text(before), long_text(after)) {
                (Some(before), Some(after)) => self.word_diff(before, after),
                _ => format!(
                    "{} → {}{}",
                    display_value(before),
                    display_value(after),
                    invisible_difference(before, after)
                ),
            },
            FieldDelta::Set { added, removed } => {
                let added = added.into_iter().map(|m| self.added(member(m)));
                let removed = removed.into_iter().map(|m| self.removed(m));
                self.listed(added.chain(removed).collect())
            }
            FieldDelta::Links {
                attributes,
                added,
                removed,
                changed,
            } => {
                let added = added.into_iter().map(|l| self.added(link(attributes, l)));
                let removed = removed.into_iter().map(|l| self.removed(&l.target));
                let changed = changed.into_iter().map(|(before, after)| {
                    let text = format!("~ {}", changed_link(attributes, before, after));
                    self.paint(YELLOW, text).into_owned()
                });
                self.listed(added.chain(removed).chain(changed).collect())
            }
        }
    }

    fn added(self, member: impl AsRef<str>) -> String {
        self.paint(GREEN, format!("+ {}", member.as_ref()))
            .into_owned()
    }

    fn removed(self, text: &str) -> String {
        self.paint(RED, format!("- {}", member(text))).into_owned()
    }

    fn listed(self, mut parts: Vec<String>) -> String {
        let all = parts.len();
        if !self.full && all > MEMBERS {
            parts.truncate(MEMBERS);
            return format!("{} and {} more", parts.join(", "), thousands(all - MEMBERS));
        }
        if parts.is_empty() {
            "(none)".to_owned()
        } else {
            parts.join(", ")
        }
    }

    /// Returns a word diff of two long texts, in the notation of `git diff --word-diff`: `[-old-]`,
    /// `{+new+}`.
    pub fn word_diff(self, before: &str, after: &str) -> String {
        let diff = similar::TextDiff::from_words(before, after);
        // The diff has one change for each word. Joined into runs, a sentence gets one pair of
        // brackets.
        let mut runs: Vec<(similar::ChangeTag, String)> = Vec::new();
        for change in diff.iter_all_changes() {
            match runs.last_mut() {
                Some((tag, run)) if *tag == change.tag() => run.push_str(change.value()),
                _ => runs.push((change.tag(), change.value().to_owned())),
            }
        }
        let last = runs.len().saturating_sub(1);
        let runs = runs.iter().enumerate().map(|(at, (tag, run))| match tag {
            similar::ChangeTag::Equal if self.full => visible(run).into_owned(),
            similar::ChangeTag::Equal => visible(&shortened(run, at == 0, at == last)).into_owned(),
            similar::ChangeTag::Delete => {
                let text = format!("[-{}-]", visible(run));
                self.paint(RED, text).into_owned()
            }
            similar::ChangeTag::Insert => {
                let text = format!("{{+{}+}}", visible(run));
                self.paint(GREEN, text).into_owned()
            }
        });
        runs.collect()
    }
}

/// Names the characters that differ between two texts that look the same.
pub(super) fn invisible_difference(before: Option<&Value>, after: Option<&Value>) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_text).map(str::to_owned);
    let (Some(before), Some(after)) = (text(before), text(after)) else {
        return String::new();
    };
    // An ERP may write `é` as two characters. Without a hint, `é → é` looks like a bug.
    if before == after || !before.nfc().eq(after.nfc()) {
        return String::new();
    }
    let points = |text: &str| {
        let odd = text.chars().filter(|c| !c.is_ascii());
        let odd: Vec<String> = odd.map(|c| format!("U+{:04X}", u32::from(c))).collect();
        odd.join(" ")
    };
    format!(
        " (looks the same, different characters: {} → {})",
        points(&before),
        points(&after)
    )
}

/// Shortens an unchanged run to the words next to the changes around it.
fn shortened(run: &str, first: bool, last: bool) -> String {
    let words: Vec<&str> = run.split_inclusive(char::is_whitespace).collect();
    let head = if first { 0 } else { DIFF_CONTEXT_WORDS };
    let tail = if last { 0 } else { DIFF_CONTEXT_WORDS };
    // Leaving out a single word saves nothing.
    if words.len() <= head + tail + 1 {
        return run.to_owned();
    }
    let (head, tail) = (&words[..head], &words[words.len() - tail..]);
    format!(
        "{}…{}{}",
        head.concat(),
        if tail.is_empty() { "" } else { " " },
        tail.concat()
    )
}

/// Returns the text if it is too long, or has too many lines, to be shown whole twice.
pub(super) fn long_text(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_text()?;
    (text.chars().count() > LONG || text.contains('\n')).then_some(text)
}

/// Returns a value as text, or `(none)`.
pub(super) fn display_value(value: Option<&Value>) -> String {
    match value {
        None => "(none)".to_owned(),
        Some(Value::Text(text)) => scalar(text),
        Some(Value::Number(text)) => scalar(text),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Int(value)) => value.to_string(),
        Some(list) => {
            let members: Vec<_> = list.members().map(|text| member(text)).collect();
            format!("[{}]", members.join(", "))
        }
    }
}

/// Quotes a text if it could be taken for something else: `(none)`, an arrow, or nothing at all.
fn scalar(text: &str) -> String {
    let odd = text.is_empty() || text.trim() != text || text.starts_with('(') || text.contains('→');
    quoted(text, odd)
}

/// Like [`scalar`], for a member of a list, which commas and brackets could end early.
pub(super) fn member(text: &str) -> String {
    let odd = text.is_empty() || text.trim() != text || text.contains([',', '(', '→', '[', ']']);
    quoted(text, odd)
}

fn quoted(text: &str, odd: bool) -> String {
    if odd || text.contains('"') {
        format!("\"{}\"", visible(&text.replace('"', "\\\"")))
    } else {
        visible(text).into_owned()
    }
}

pub(super) fn link(attributes: &'static [kinds::LinkAttribute], link: &Link) -> String {
    let words: Vec<_> = delta::words(attributes, link)
        .map(
            |(attribute, word)| match (attribute.choices == BOOL, word) {
                // `acme (administrator)`, but `hq (shipping, no billing)`: a yes or no needs its
                // name.
                (false, word) => word.to_owned(),
                (true, "true") => attribute.name.to_owned(),
                (true, _) => format!("no {}", attribute.name),
            },
        )
        .collect();
    if words.is_empty() {
        member(&link.target)
    } else {
        format!("{} ({})", member(&link.target), words.join(", "))
    }
}

pub(super) fn changed_link(
    attributes: &'static [kinds::LinkAttribute],
    before: &Link,
    after: &Link,
) -> String {
    let mut text = member(&before.target);
    for (at, attribute) in attributes.iter().enumerate() {
        let word = |link: &Link| {
            let choice = link.attributes[at].map(usize::from);
            let word = choice.and_then(|choice| attribute.choices.get(choice));
            match word {
                Some(&"true") => "yes",
                Some(&"false") => "no",
                Some(word) => word,
                None => "(none)",
            }
        };
        // Only what differs: a new level stands out only if the unchanged attributes are not
        // listed.
        if before.attributes[at] != after.attributes[at] {
            let _ = write!(
                text,
                " {} {} → {}",
                attribute.name,
                word(before),
                word(after)
            );
        }
    }
    text
}

/// Formats a count of a kind: `1 user`, `2 custom fields`.
#[must_use]
pub fn counted(number: usize, kind: &Kind) -> String {
    let words = if number == 1 {
        spaced(kind.singular)
    } else {
        spaced(kind.collection)
    };
    format!("{} {words}", thousands(number))
}

/// Formats the heading of a kind: `Users`, `Custom fields`.
pub(super) fn title(kind: &Kind) -> String {
    let words = spaced(kind.collection);
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Turns `customFields` or `custom_fields` into `custom fields`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            '_' => out.push(' '),
            c if c.is_ascii_uppercase() => {
                out.push(' ');
                out.push(c.to_ascii_lowercase());
            }
            c => out.push(c),
        }
    }
    out
}

/// Joins the first few texts, and says how many more there are.
pub(super) fn first_of<'t>(all: impl ExactSizeIterator<Item = Cow<'t, str>>, few: usize) -> String {
    let count = all.len();
    let first: Vec<_> = all.take(few).collect();
    joined(&first, count)
}

/// Joins texts that are the first of `count`, and says how many more there are.
#[must_use]
pub fn joined(first: &[impl AsRef<str>], count: usize) -> String {
    let texts: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
    let texts = texts.join(", ");
    match count.saturating_sub(first.len()) {
        0 => texts,
        more => format!("{texts} and {} more", thousands(more)),
    }
}

/// Writes the line of a field below its resource.
pub(super) fn write_line(out: &mut dyn io::Write, line: &ChangeLine) -> io::Result<()> {
    writeln!(out, "      {}: {}", line.name, line.text)
}

/// Returns an external id with hidden characters made visible.
pub(super) fn id(id: &CompactText) -> Cow<'_, str> {
    visible(id)
}
