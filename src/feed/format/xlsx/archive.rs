//! What a spreadsheet becomes when it is unpacked, looked at before any of it is kept.

use std::io::{BufReader, Read, Seek};
use zip::ZipArchive;
use zip::read::ZipFile;

/// More parts than any workbook has.
const MOST_PARTS: usize = 10_000;
/// The most bytes of one part that is kept as a whole: the texts that cells share.
const MOST_SHARED: u64 = 256 << 20;
/// The most bytes between two tags, which are kept at once.
const MOST_BETWEEN: usize = 1 << 20;

/// How the elements of formulas begin or end, whatever stands before their names.
const FORMULAS: [&[u8]; 6] = [b"</f>", b":f>", b"<f ", b":f ", b"<f/>", b":f/>"];

/// What was seen.
#[derive(Default)]
pub(super) struct WorkbookFeatures {
    /// Whether cells are merged.
    pub merged: bool,
    /// Whether cells have formulas.
    pub formulas: bool,
}

/// Whether an archive has parts of a spreadsheet, of Excel's or another one; what cannot be read may be a
/// damaged one.
pub(super) fn is_workbook(input: impl Read + Seek) -> bool {
    let Ok(archive) = ZipArchive::new(BufReader::new(input)) else {
        return true;
    };
    let is_part = |name: &str| name.starts_with("xl/") || name == "mimetype";
    let mut names = archive.file_names();
    names.any(|name| name.is_ok_and(|name| is_part(&name)))
}

/// Unpacks all parts and keeps none.
pub(super) fn scan_archive(input: impl Read + Seek, most: u64) -> Result<WorkbookFeatures, String> {
    let mut archive = ZipArchive::new(BufReader::new(input))
        .map_err(|error| format!("not a readable archive: {error}"))?;
    if archive.len() > MOST_PARTS {
        return Err(format!("an archive of {} parts", archive.len()));
    }
    let (mut seen, mut left) = (WorkbookFeatures::default(), most);
    for index in 0..archive.len() {
        let part = archive
            .by_index(index)
            .map_err(|error| format!("not a readable archive: {error}"))?;
        let name = part.name().map(std::borrow::Cow::into_owned);
        let name = name.map_err(|error| format!("not a readable archive: {error}"))?;
        let kept = !name.contains("worksheets/");
        let allowed = if kept { left.min(MOST_SHARED) } else { left };
        left = left.saturating_sub(scan_part(part, &name, allowed, &mut seen)?);
    }
    Ok(seen)
}

/// Unpacks one part; says how many bytes it has.
fn scan_part<R: Read + ?Sized>(
    mut part: ZipFile<'_, R>,
    name: &str,
    allowed: u64,
    seen: &mut WorkbookFeatures,
) -> Result<u64, String> {
    let xml = [".xml", ".rels"].into_iter().any(|end| name.ends_with(end));
    let (mut chunk, mut length, mut between) = (vec![0; 64 * 1024], 0, 0);
    let mut last = Vec::new();
    loop {
        let read = part
            .read(&mut chunk)
            .map_err(|error| format!("damaged: {error}"))?;
        if read == 0 {
            return Ok(length);
        }
        length += read as u64;
        if length > allowed {
            return Err(format!("more than {allowed} bytes after unpacking"));
        }
        if xml {
            // A word may be cut by the end of a chunk.
            last.extend_from_slice(&chunk[..read]);
            between = check_tags(&last, between)?;
            seen.merged |= contains_any(&last, &[b"mergeCell "]);
            seen.formulas |= contains_any(&last, &FORMULAS);
            last.drain(..last.len().saturating_sub(16));
        }
    }
}

fn contains_any(piece: &[u8], words: &[&[u8]]) -> bool {
    let mut words = words.iter();
    words.any(|word| memchr::memmem::find(piece, word).is_some())
}

/// Looks at the tags of a piece; says how many bytes follow the last of them.
fn check_tags(piece: &[u8], before: usize) -> Result<usize, String> {
    let (mut start, mut between) = (0, before);
    for at in memchr::memchr_iter(b'<', piece) {
        between += at - start;
        if between > MOST_BETWEEN {
            break;
        }
        // Entities and comments can hold anything, and no spreadsheet has them.
        if piece.get(at + 1) == Some(&b'!') {
            return Err("a spreadsheet with comments or entities in its XML".to_owned());
        }
        (start, between) = (at, 0);
    }
    if between <= MOST_BETWEEN {
        between += piece.len() - start;
    }
    if between > MOST_BETWEEN {
        return Err(format!(
            "a spreadsheet with a cell of more than {MOST_BETWEEN} bytes"
        ));
    }
    Ok(between)
}
