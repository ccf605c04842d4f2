//! A cell of a mapping turned round: what its columns have to hold for it to say a text.

use super::draft::Draft;
use super::lost::Why;
use crate::feed::mapping::{Cell, Column, Part, Step, Take, Words};

/// A text that a column may hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Alt {
    pub text: String,
    /// Whether it may be written in whatever case.
    pub any_case: bool,
}

/// Columns, each with the texts of which it has to hold one.
pub(super) type Needs = Vec<(Column, Vec<Alt>)>;

impl Alt {
    pub fn exact(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            any_case: false,
        }
    }

    pub fn word(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            any_case: true,
        }
    }

    pub fn blank() -> Self {
        Self::exact("")
    }

    fn is(&self, text: &str) -> bool {
        self.text == text || self.any_case && self.text.to_lowercase() == text.to_lowercase()
    }

    /// What is both.
    pub fn both(&self, other: &Self) -> Option<Self> {
        if !self.is(&other.text) && !other.is(&self.text) {
            return None;
        }
        Some(if self.any_case {
            other.clone()
        } else {
            self.clone()
        })
    }
}

/// The ways in which a cell comes to say these texts, the best first: one text, or the members of a
/// list.
pub(super) fn ways(
    cell: &Cell,
    texts: &[String],
    draft: &Draft,
    words: &Words,
) -> Result<Vec<Needs>, Why> {
    let alts = match (texts, cell.list) {
        ([text], None) => sources(cell, text, words)?,
        (_, None) => return Err(Why::Several),
        (members, Some(_)) => vec![listed(cell, members, words)?],
    };
    taken(&cell.take, &alts, draft, words)
}

/// A list in one text.
fn listed(cell: &Cell, members: &[String], words: &Words) -> Result<Alt, Why> {
    let mut texts = Vec::with_capacity(members.len());
    for member in members {
        if member.contains(&words.lists) {
            return Err(Why::Text);
        }
        let alts = sources(cell, member, words)?.into_iter();
        let alt = alts.into_iter().find(|alt| !alt.text.is_empty());
        texts.push(alt.ok_or_else(|| Why::NoWord(member.clone()))?.text);
    }
    Ok(Alt::exact(texts.join(&words.lists)))
}

/// What becomes a text by the values and steps of a cell.
fn sources(cell: &Cell, text: &str, words: &Words) -> Result<Vec<Alt>, Why> {
    let blank = cell.values.get("").and_then(Option::as_deref) == Some(text);
    let mut alts = Vec::new();
    if blank {
        alts.push(Alt::blank());
    }
    match undone(&cell.steps, text, words) {
        Ok(before) => alts.extend(before.iter().flat_map(|alt| meaning(cell, alt, words))),
        Err(why) if !blank => return Err(why),
        Err(_) => {}
    }
    if alts.is_empty() {
        return Err(Why::NoWord(text.to_owned()));
    }
    Ok(alts)
}

/// What stands for a text.
fn meaning(cell: &Cell, wanted: &Alt, words: &Words) -> Vec<Alt> {
    let stands = |text: &Option<String>| text.as_deref().is_some_and(|text| wanted.is(text));
    let known = cell.values.iter();
    let known = known.filter(|(word, text)| !word.is_empty() && stands(text));
    let mut alts: Vec<Alt> = known
        .map(|(word, _)| Alt::word(cell.spelled.get(word).unwrap_or(word)))
        .collect();
    match &cell.booleans {
        Some(booleans) => {
            let both = [false, true].into_iter().zip(booleans);
            let found = both.filter(|(_, text)| stands(text));
            alts.extend(found.map(|(value, _)| Alt::word(words.word(value))));
        }
        None if cell.closed || cell.values.contains_key(&wanted.text.to_lowercase()) => {}
        None => alts.push(wanted.clone()),
    }
    alts
}

/// What becomes a text by some steps.
fn undone(steps: &[Step], text: &str, words: &Words) -> Result<Vec<Alt>, Why> {
    let mut alts = vec![Alt::exact(text)];
    for step in steps.iter().rev() {
        alts = alts
            .into_iter()
            .flat_map(|alt| before(step, alt, words))
            .collect();
    }
    if alts.is_empty() {
        return Err(Why::NoWord(text.to_owned()));
    }
    Ok(alts)
}

fn before(step: &Step, alt: Alt, words: &Words) -> Vec<Alt> {
    let text = alt.text.as_str();
    let fits = match step {
        Step::Lower => alt.any_case || text.to_lowercase() == text,
        Step::Upper => alt.any_case || text.to_uppercase() == text,
        Step::Without(prefix) => {
            let with = Alt {
                text: format!("{prefix}{text}"),
                ..alt
            };
            let plain = (!text.starts_with(prefix.as_str())).then_some(alt);
            return std::iter::once(with).chain(plain).collect();
        }
        Step::Pad(width) => text.chars().count() >= *width,
        Step::Unpad => !text.starts_with('0') || text == "0",
        Step::Part(separator, part) => *part == 0 && !text.contains(separator.as_str()),
        Step::Number => return vec![Alt::exact(words.write_number(text))],
        Step::Date => return words.write_date(text).map(Alt::exact).into_iter().collect(),
    };
    if !fits {
        return Vec::new();
    }
    match step {
        Step::Lower | Step::Upper => vec![Alt::word(text)],
        _ => vec![alt],
    }
}

/// How one of some texts comes to be taken.
fn taken(take: &Take, alts: &[Alt], draft: &Draft, words: &Words) -> Result<Vec<Needs>, Why> {
    let some = |ways: Vec<Needs>, why: Why| if ways.is_empty() { Err(why) } else { Ok(ways) };
    let said = alts.iter().filter(|alt| !alt.text.is_empty());
    let no_word = || Why::NoWord(alts.last().map(|alt| alt.text.clone()).unwrap_or_default());
    match take {
        Take::Column(column) => Ok(vec![vec![(*column, alts.to_vec())]]),
        Take::Constant(text) => {
            let same = alts.iter().any(|alt| alt.is(text));
            some(same.then(Vec::new).into_iter().collect(), no_word())
        }
        Take::First(cells) => first(cells, alts, draft, words),
        Take::Join(cells, with) => {
            let found = said.flat_map(|alt| joined(cells, with, &alt.text, draft, words));
            some(found.collect(), no_word())
        }
        Take::Template(parts) => {
            let found = said.filter_map(|alt| filled(parts, alt, draft));
            some(found.collect(), Why::Id)
        }
        Take::Expression(_) => Err(Why::Expression),
    }
}

fn first(cells: &[Cell], alts: &[Alt], draft: &Draft, words: &Words) -> Result<Vec<Needs>, Why> {
    let mut found = Vec::new();
    let mut why = Why::Expression;
    let mut before: Needs = Vec::new();
    for cell in cells {
        for alt in alts.iter().filter(|alt| !alt.text.is_empty()) {
            match ways(cell, std::slice::from_ref(&alt.text), draft, words) {
                Ok(more) => found.extend(more.into_iter().map(|needs| with(&before, needs))),
                Err(reason) => why = reason,
            }
        }
        match blanks(cell, words) {
            Some(blanks) => before = with(&before, blanks),
            // It always says something, and what follows never counts.
            None => break,
        }
    }
    if found.is_empty() {
        Err(why)
    } else {
        Ok(found)
    }
}

/// Needs after those of what comes first: the more important ones first.
fn with(before: &Needs, needs: Needs) -> Needs {
    needs.into_iter().chain(before.iter().cloned()).collect()
}

/// What makes a cell blank.
pub(super) fn blanks(cell: &Cell, words: &Words) -> Option<Needs> {
    let speaks = cell.values.get("").is_some_and(Option::is_some);
    match &cell.take {
        Take::Column(column) => {
            let mut alts: Vec<Alt> = (!speaks).then(Alt::blank).into_iter().collect();
            let none = cell.values.iter();
            let none = none.filter(|(word, text)| !word.is_empty() && text.is_none());
            alts.extend(none.map(|(word, _)| Alt::word(cell.spelled.get(word).unwrap_or(word))));
            if let Some(booleans) = &cell.booleans {
                let both = [false, true].into_iter().zip(booleans);
                let none = both.filter(|(_, text)| text.is_none());
                alts.extend(none.map(|(value, _)| Alt::word(words.word(value))));
            }
            (!alts.is_empty()).then(|| vec![(*column, alts)])
        }
        _ if speaks => None,
        Take::First(cells) | Take::Join(cells, _) => {
            let all = cells.iter().map(|cell| blanks(cell, words));
            let all: Option<Vec<Needs>> = all.collect();
            Some(all?.into_iter().flatten().collect())
        }
        Take::Template(parts) => {
            let column = parts.iter().find_map(Part::column)?;
            Some(vec![(column, vec![Alt::blank()])])
        }
        Take::Constant(_) | Take::Expression(_) => None,
    }
}

/// The whole in the first that takes it, and the others blank; or each its part.
fn joined(cells: &[Cell], with: &str, text: &str, draft: &Draft, words: &Words) -> Vec<Needs> {
    let mut found = Vec::new();
    let say = |cell: &Cell, text: &str| ways(cell, &[text.to_owned()], draft, words).ok();
    for (at, cell) in cells.iter().enumerate() {
        let others = cells.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Option<Vec<Needs>> = others.map(|(_, cell)| blanks(cell, words)).collect();
        if let (Some(others), Some(all)) = (others, say(cell, text)) {
            let others: Needs = others.into_iter().flatten().collect();
            found.extend(all.into_iter().map(|needs| self::with(&others, needs)));
        }
    }
    if let [one, other] = cells
        && !with.is_empty()
    {
        for (at, _) in text.match_indices(with) {
            let (before, after) = (&text[..at], &text[at + with.len()..]);
            if let (Some(before), Some(after)) = (say(one, before), say(other, after)) {
                for needs in before {
                    found.extend(after.iter().map(|more| self::with(more, needs.clone())));
                }
            }
        }
    }
    found
}

/// The columns of a template, taken out of what it gave: those that are known stay as they are.
fn filled(parts: &[Part], wanted: &Alt, draft: &Draft) -> Option<Needs> {
    let mut rest = wanted.text.as_str();
    let mut needs = Needs::new();
    let begins = |rest: &str, text: &str| -> Option<usize> {
        let head = rest.get(..text.len())?;
        Alt {
            text: head.to_owned(),
            any_case: wanted.any_case,
        }
        .is(text)
        .then_some(text.len())
    };
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) => rest = &rest[begins(rest, text)?..],
            Part::Column(column) => {
                if let Some(known) = draft.known(*column) {
                    rest = &rest[begins(rest, known)?..];
                    needs.push((*column, vec![Alt::exact(known)]));
                    continue;
                }
                let end = match parts.get(at + 1) {
                    None => rest.len(),
                    Some(Part::Text(next)) => find(rest, next, wanted.any_case)?,
                    Some(Part::Column(_)) => return None,
                };
                if rest[..end].trim().is_empty() {
                    return None;
                }
                needs.push((
                    *column,
                    vec![Alt {
                        text: rest[..end].to_owned(),
                        any_case: wanted.any_case,
                    }],
                ));
                rest = &rest[end..];
            }
        }
    }
    rest.is_empty().then_some(needs)
}

fn find(text: &str, part: &str, any_case: bool) -> Option<usize> {
    if !any_case {
        return text.find(part);
    }
    let fits = |at: &usize| {
        let head = text.get(*at..*at + part.len());
        head.is_some_and(|head| head.to_lowercase() == part.to_lowercase())
    };
    text.char_indices().map(|(at, _)| at).find(fits)
}
