//! Chooses the sheet of a workbook. A wrong sheet may look like an export with few rows, so Roster
//! takes one only if there is no doubt: the mapping names it, or it is the only visible sheet with
//! data. Start reading at `choose`.

use super::super::SheetSelector;
use super::super::not_data;
use crate::diagnostic::Diagnostic;
use crate::kinds::read::{is_blank, quoted};
use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::io::{Read, Seek};

/// How names of sheets begin that explain the others. Compared without case, spaces and signs.
const EXPLAINING: [&str; 14] = [
    "instruction",
    "instruktion",
    "anleitung",
    "anweisung",
    "hinweis",
    "readme",
    "liesmich",
    "läsmig",
    "lisezmoi",
    "howto",
    "explanation",
    "erläuterung",
    "förklaring",
    "modedemploi",
];
/// The same, for names that are exactly one word.
const EXPLAINING_NAMES: [&str; 12] = [
    "help",
    "hilfe",
    "hjälp",
    "aide",
    "info",
    "information",
    "notes",
    "about",
    "cover",
    "deckblatt",
    "intro",
    "guide",
];

struct SheetCandidate {
    name: String,
    hidden: bool,
}

impl SheetCandidate {
    fn is_explanation(&self) -> bool {
        let folded: String = self
            .name
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric())
            .collect();
        EXPLAINING.iter().any(|word| folded.starts_with(word))
            || EXPLAINING_NAMES.contains(&&*folded)
    }
}

/// Returns the name of the sheet to read, or why there is none. Without a declared sheet, only one
/// may hold data, and the first one must be visible and not explain the others.
pub(super) fn choose<I: Read + Seek>(
    book: &mut Xlsx<I>,
    declared: Option<&SheetSelector>,
) -> Result<Result<String, Diagnostic>, XlsxError> {
    let all: Vec<SheetCandidate> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(candidate)
        .collect();
    // Hidden sheets and sheets of any name may be declared; then somebody looked.
    if let Some(declared) = declared {
        return Ok(find_sheet(&all, declared).ok_or_else(|| missing_sheet(&all, declared)));
    }
    let Some(first) = all.first() else {
        return Ok(Err(not_data::not_data(
            "a workbook without a sheet",
            "check the program that wrote it",
        )));
    };
    // Elsewhere "the first sheet" is the convention. If the first one is not data, whoever set up
    // the export expects another rule, so the mapping has to say which.
    if all.len() > 1 && (first.hidden || first.is_explanation()) {
        let what = if first.hidden {
            "is hidden"
        } else {
            "explains the other sheets"
        };
        let what = format!(
            "a workbook whose first sheet, {}, {what}",
            quoted(&first.name)
        );
        return Ok(Err(not_data::not_data(&what, &say_which(&all))));
    }
    let mut filled = Vec::new();
    for sheet in all
        .iter()
        // A single sheet is taken whatever it is called.
        .filter(|sheet| all.len() == 1 || !sheet.hidden && !sheet.is_explanation())
    {
        if has_data(book, &sheet.name)? {
            filled.push(&sheet.name);
        }
    }
    Ok(match filled.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(not_data::not_data(
            "a workbook without a cell",
            "even an export without rows has a header; check the program that wrote it",
        )),
        several => {
            let what = format!("a workbook with {} sheets that hold data", several.len());
            Err(not_data::not_data(&what, &say_which(&all)))
        }
    })
}

fn candidate(sheet: &calamine::Sheet) -> SheetCandidate {
    SheetCandidate {
        name: sheet.name.clone(),
        hidden: sheet.visible != SheetVisible::Visible,
    }
}

fn find_sheet(all: &[SheetCandidate], declared: &SheetSelector) -> Option<String> {
    let found = match declared {
        SheetSelector::Name(name) => all.iter().find(|sheet| sheet.name == *name),
        SheetSelector::Number(number) => number.checked_sub(1).and_then(|at| all.get(at)),
    };
    found.map(|sheet| sheet.name.clone())
}

fn missing_sheet(all: &[SheetCandidate], declared: &SheetSelector) -> Diagnostic {
    let what = match declared {
        SheetSelector::Name(name) => format!("a workbook without the sheet {}", quoted(name)),
        SheetSelector::Number(number) => format!("a workbook without a sheet {number}"),
    };
    not_data::not_data(&what, &format!("the sheets are {}", listed(all)))
}

fn say_which(all: &[SheetCandidate]) -> String {
    format!(
        "add `sheet: NAME` to the mapping, or write one with `roster feed map FILE --sheet NAME`; the sheets are {}",
        listed(all)
    )
}

fn listed(all: &[SheetCandidate]) -> String {
    let names = all.iter().map(|sheet| {
        let hidden = if sheet.hidden { " (hidden)" } else { "" };
        format!("{}{hidden}", quoted(&sheet.name))
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Returns whether a sheet has a cell that is not blank.
fn has_data<I: Read + Seek>(book: &mut Xlsx<I>, name: &str) -> Result<bool, XlsxError> {
    let mut cells = book.worksheet_cells_reader(name)?;
    while let Some(cell) = cells.next_cell()? {
        let blank = match cell.get_value() {
            DataRef::Empty => true,
            DataRef::String(text) => is_blank(text),
            DataRef::SharedString(text) => is_blank(text),
            _ => false,
        };
        // Stops at the first one, as sheets may be large.
        if !blank {
            return Ok(true);
        }
    }
    Ok(false)
}
