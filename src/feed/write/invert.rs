//! Inverts a mapped cell: given the text that reading must yield, which columns must hold what? In
//! go a cell and texts; out come the ways to write them, best first, each a list of columns with
//! alternatives. Conversions that lose information have no inverse and make the field a loss. Start
//! reading at `invert_cell`.

use super::draft::{CellAlternative, ColumnNeeds, RowDraft};
use super::loss::LossReason;
use crate::feed::mapping::{CellMapping, CellSource, ExportLocale, TemplatePart, TextTransform};

/// Returns the ways in which a cell yields these texts (one text, or the members of a list), best
/// first.
pub(super) fn invert_cell(
    cell: &CellMapping,
    texts: &[String],
    draft: &RowDraft,
    words: &ExportLocale,
) -> Result<Vec<ColumnNeeds>, LossReason> {
    let alts = match (texts, cell.list) {
        ([text], None) => sources(cell, text, words)?,
        (_, None) => return Err(LossReason::Several),
        (members, Some(_)) => vec![invert_list(cell, members, words)?],
    };
    invert_source(&cell.take, &alts, draft, words)
}

/// Joins the members of a list.
fn invert_list(
    cell: &CellMapping,
    members: &[String],
    words: &ExportLocale,
) -> Result<CellAlternative, LossReason> {
    let mut texts = Vec::with_capacity(members.len());
    for member in members {
        // The separator within a member would split it when it is read.
        if member.contains(&words.lists) {
            return Err(LossReason::Text);
        }
        let alts = sources(cell, member, words)?.into_iter();
        let alt = alts.into_iter().find(|alt| !alt.text.is_empty());
        texts.push(alt.ok_or_else(|| LossReason::NoWord(member.clone()))?.text);
    }
    Ok(CellAlternative::exact(texts.join(&words.lists)))
}

/// Returns the texts that `values` and the steps of a cell turn into this one.
fn sources(
    cell: &CellMapping,
    text: &str,
    words: &ExportLocale,
) -> Result<Vec<CellAlternative>, LossReason> {
    let blank = cell.values.get("").and_then(Option::as_deref) == Some(text);
    let mut alts = Vec::new();
    // If `values` gives blanks this meaning, a blank is the plainest way to write it.
    if blank {
        alts.push(CellAlternative::blank());
    }
    match invert_steps(&cell.steps, text, words) {
        Ok(before) => alts.extend(
            before
                .iter()
                .flat_map(|alt| invert_values(cell, alt, words)),
        ),
        // With `values: {"": active}` a blank is enough, even if no other text can be written.
        Err(why) if !blank => return Err(why),
        Err(_) => {}
    }
    if alts.is_empty() {
        return Err(LossReason::NoWord(text.to_owned()));
    }
    Ok(alts)
}

/// Returns what the `values` of a cell turn into a text.
fn invert_values(
    cell: &CellMapping,
    wanted: &CellAlternative,
    words: &ExportLocale,
) -> Vec<CellAlternative> {
    let stands = |text: &Option<String>| {
        text.as_deref()
            .is_some_and(|text| wanted.matches_text(text))
    };
    let known = cell.values.iter();
    let known = known.filter(|(word, text)| !word.is_empty() && stands(text));
    let mut alts: Vec<CellAlternative> = known
        .map(|(word, _)| CellAlternative::word(cell.spelled.get(word).unwrap_or(word)))
        .collect();
    match &cell.booleans {
        Some(booleans) => {
            let both = [false, true].into_iter().zip(booleans);
            let found = both.filter(|(_, text)| stands(text));
            alts.extend(found.map(|(value, _)| CellAlternative::word(words.write_boolean(value))));
        }
        // The text itself would be replaced when it is read.
        None if cell.rejects_unknown || cell.values.contains_key(&wanted.text.to_lowercase()) => {}
        None => alts.push(wanted.clone()),
    }
    alts
}

/// Returns what the steps turn into a text.
fn invert_steps(
    steps: &[TextTransform],
    text: &str,
    words: &ExportLocale,
) -> Result<Vec<CellAlternative>, LossReason> {
    let mut alts = vec![CellAlternative::exact(text)];
    // Backwards, since the last step yields the text.
    for step in steps.iter().rev() {
        alts = alts
            .into_iter()
            .flat_map(|alt| invert_step(step, alt, words))
            .collect();
    }
    if alts.is_empty() {
        return Err(LossReason::NoWord(text.to_owned()));
    }
    Ok(alts)
}

fn invert_step(
    step: &TextTransform,
    alt: CellAlternative,
    words: &ExportLocale,
) -> Vec<CellAlternative> {
    let text = alt.text.as_str();
    let fits = match step {
        TextTransform::Lower => alt.any_case || text.to_lowercase() == text,
        TextTransform::Upper => alt.any_case || text.to_uppercase() == text,
        // A text that begins with the prefix would lose it, so it needs the prefix twice.
        TextTransform::Without(prefix) => {
            let with = CellAlternative {
                text: format!("{prefix}{text}"),
                ..alt
            };
            let plain = (!text.starts_with(prefix.as_str())).then_some(alt);
            return std::iter::once(with).chain(plain).collect();
        }
        // Padding and other removals are one-way: a text is its own inverse only if the step would
        // not change it.
        TextTransform::Pad(width) => text.chars().count() >= *width,
        TextTransform::Unpad => !text.starts_with('0') || text == "0",
        // The other parts are unknown, so only the first part can be written, alone.
        TextTransform::Part(separator, part) => *part == 0 && !text.contains(separator.as_str()),
        TextTransform::Number => return vec![CellAlternative::exact(words.write_number(text))],
        TextTransform::Date => {
            return words
                .write_date(text)
                .map(CellAlternative::exact)
                .into_iter()
                .collect();
        }
    };
    if !fits {
        return Vec::new();
    }
    match step {
        TextTransform::Lower | TextTransform::Upper => vec![CellAlternative::word(text)],
        _ => vec![alt],
    }
}

/// Returns how a source yields one of these texts.
fn invert_source(
    take: &CellSource,
    alts: &[CellAlternative],
    draft: &RowDraft,
    words: &ExportLocale,
) -> Result<Vec<ColumnNeeds>, LossReason> {
    let some =
        |ways: Vec<ColumnNeeds>, why: LossReason| if ways.is_empty() { Err(why) } else { Ok(ways) };
    let said = alts.iter().filter(|alt| !alt.text.is_empty());
    let no_word =
        || LossReason::NoWord(alts.last().map(|alt| alt.text.clone()).unwrap_or_default());
    match take {
        CellSource::Column(column) => Ok(vec![vec![(*column, alts.to_vec())]]),
        CellSource::Constant(text) => {
            // A constant yields its text without any column, or never.
            let same = alts.iter().any(|alt| alt.matches_text(text));
            some(same.then(Vec::new).into_iter().collect(), no_word())
        }
        CellSource::First(cells) => invert_first(cells, alts, draft, words),
        CellSource::Join(cells, with) => {
            let found = said.flat_map(|alt| invert_join(cells, with, &alt.text, draft, words));
            some(found.collect(), no_word())
        }
        CellSource::Template(parts) => {
            let found = said.filter_map(|alt| invert_template(parts, alt, draft));
            some(found.collect(), LossReason::Id)
        }
        // An expression cannot be solved for its columns.
        CellSource::Expression(_) => Err(LossReason::Expression),
    }
}

fn invert_first(
    cells: &[CellMapping],
    alts: &[CellAlternative],
    draft: &RowDraft,
    words: &ExportLocale,
) -> Result<Vec<ColumnNeeds>, LossReason> {
    let mut found = Vec::new();
    let mut why = LossReason::Expression;
    // For an alternative to be used, all alternatives before it must be blank.
    let mut before: ColumnNeeds = Vec::new();
    for cell in cells {
        for alt in alts.iter().filter(|alt| !alt.text.is_empty()) {
            match invert_cell(cell, std::slice::from_ref(&alt.text), draft, words) {
                Ok(more) => found.extend(more.into_iter().map(|needs| with(&before, needs))),
                Err(reason) => why = reason,
            }
        }
        match blanks(cell, words) {
            Some(blanks) => before = with(&before, blanks),
            // This alternative always has a text, so later ones never count.
            None => break,
        }
    }
    if found.is_empty() {
        Err(why)
    } else {
        Ok(found)
    }
}

/// Appends the needs of earlier columns. The more important ones come first.
fn with(before: &ColumnNeeds, needs: ColumnNeeds) -> ColumnNeeds {
    needs.into_iter().chain(before.iter().cloned()).collect()
}

/// Returns what makes a cell blank.
pub(super) fn blanks(cell: &CellMapping, words: &ExportLocale) -> Option<ColumnNeeds> {
    let speaks = cell.values.get("").is_some_and(Option::is_some);
    match &cell.take {
        CellSource::Column(column) => {
            let mut alts: Vec<CellAlternative> =
                (!speaks).then(CellAlternative::blank).into_iter().collect();
            let none = cell.values.iter();
            let none = none.filter(|(word, text)| !word.is_empty() && text.is_none());
            alts.extend(
                none.map(|(word, _)| CellAlternative::word(cell.spelled.get(word).unwrap_or(word))),
            );
            if let Some(booleans) = &cell.booleans {
                let both = [false, true].into_iter().zip(booleans);
                let none = both.filter(|(_, text)| text.is_none());
                alts.extend(
                    none.map(|(value, _)| CellAlternative::word(words.write_boolean(value))),
                );
            }
            (!alts.is_empty()).then(|| vec![(*column, alts)])
        }
        // With a value for blanks, the cell is never blank.
        _ if speaks => None,
        CellSource::First(cells) | CellSource::Join(cells, _) => {
            let all = cells.iter().map(|cell| blanks(cell, words));
            let all: Option<Vec<ColumnNeeds>> = all.collect();
            Some(all?.into_iter().flatten().collect())
        }
        // One blank column makes a template blank.
        CellSource::Template(parts) => {
            let column = parts.iter().find_map(TemplatePart::column)?;
            Some(vec![(column, vec![CellAlternative::blank()])])
        }
        CellSource::Constant(_) | CellSource::Expression(_) => None,
    }
}

/// Writes the whole text into one cell and leaves the others blank, or splits it between two.
fn invert_join(
    cells: &[CellMapping],
    with: &str,
    text: &str,
    draft: &RowDraft,
    words: &ExportLocale,
) -> Vec<ColumnNeeds> {
    let mut found = Vec::new();
    let say =
        |cell: &CellMapping, text: &str| invert_cell(cell, &[text.to_owned()], draft, words).ok();
    for (at, cell) in cells.iter().enumerate() {
        let others = cells.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Option<Vec<ColumnNeeds>> =
            others.map(|(_, cell)| blanks(cell, words)).collect();
        if let (Some(others), Some(all)) = (others, say(cell, text)) {
            let others: ColumnNeeds = others.into_iter().flatten().collect();
            found.extend(all.into_iter().map(|needs| self::with(&others, needs)));
        }
    }
    // More than two parts, or no separator, could be split in too many ways.
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

/// Splits a text into the columns of a template. Columns whose text is known keep it.
fn invert_template(
    parts: &[TemplatePart],
    wanted: &CellAlternative,
    draft: &RowDraft,
) -> Option<ColumnNeeds> {
    let mut rest = wanted.text.as_str();
    let mut needs = ColumnNeeds::new();
    let begins = |rest: &str, text: &str| -> Option<usize> {
        let head = rest.get(..text.len())?;
        CellAlternative {
            text: head.to_owned(),
            any_case: wanted.any_case,
        }
        .matches_text(text)
        .then_some(text.len())
    };
    for (at, part) in parts.iter().enumerate() {
        match part {
            TemplatePart::Text(text) => rest = &rest[begins(rest, text)?..],
            // A known column, such as the customer number in `{NUMBER}-main`, tells where the next
            // part begins, and makes sure that the id belongs to this row.
            TemplatePart::Column(column) => {
                if let Some(known) = draft.certain_text(*column) {
                    rest = &rest[begins(rest, known)?..];
                    needs.push((*column, vec![CellAlternative::exact(known)]));
                    continue;
                }
                let end = match parts.get(at + 1) {
                    None => rest.len(),
                    Some(TemplatePart::Text(next)) => find(rest, next, wanted.any_case)?,
                    // Two columns without text between them cannot be told apart.
                    Some(TemplatePart::Column(_)) => return None,
                };
                // A blank column would make the template blank when it is read.
                if rest[..end].trim().is_empty() {
                    return None;
                }
                needs.push((
                    *column,
                    vec![CellAlternative {
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
