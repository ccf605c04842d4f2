//! Checks a workbook before any of it is kept in memory. An XLSX file is a ZIP archive of XML, and
//! the library that reads it unpacks whole parts, so a small file could fill the memory. All parts
//! are unpacked once and dropped. Start reading at `scan_archive`.

use std::io::{BufReader, Read, Seek};
use zip::ZipArchive;
use zip::read::ZipFile;

const MOST_PARTS: usize = 10_000;
/// The most bytes of a part that is kept whole, such as the shared texts of cells.
const MOST_SHARED: u64 = 256 << 20;
/// The most bytes between two tags, which the XML reader keeps at once.
const MOST_BETWEEN: usize = 1 << 20;

/// How elements of formulas begin or end, with any namespace prefix.
const FORMULAS: [&[u8]; 6] = [b"</f>", b":f>", b"<f ", b":f ", b"<f/>", b":f/>"];

/// What a workbook contains that costs extra passes.
#[derive(Default)]
pub(super) struct WorkbookFeatures {
    pub merged: bool,
    pub formulas: bool,
}

/// Returns whether an archive looks like a workbook of any program. An unreadable one may be a
/// damaged workbook, and is reported as such later.
pub(super) fn is_workbook(input: impl Read + Seek) -> bool {
    let Ok(archive) = ZipArchive::new(BufReader::new(input)) else {
        return true;
    };
    // `mimetype` is in OpenDocument files, which are then refused as unreadable workbooks and not
    // as archives.
    let is_part = |name: &str| name.starts_with("xl/") || name == "mimetype";
    let mut names = archive.file_names();
    names.any(|name| name.is_ok_and(|name| is_part(&name)))
}

/// Unpacks all parts without keeping them, and returns what the workbook contains.
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
        // Worksheets are read as a stream; every other part is kept whole.
        let kept = !name.contains("worksheets/");
        let allowed = if kept { left.min(MOST_SHARED) } else { left };
        left = left.saturating_sub(scan_part(part, &name, allowed, &mut seen)?);
    }
    Ok(seen)
}

/// Unpacks one part and returns its size.
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
            // The end of a chunk may cut a word, so the last bytes are looked at again with the
            // next chunk.
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

/// Checks the tags of a piece and returns how many bytes follow the last one.
fn check_tags(piece: &[u8], before: usize) -> Result<usize, String> {
    let (mut start, mut between) = (0, before);
    for at in memchr::memchr_iter(b'<', piece) {
        between += at - start;
        if between > MOST_BETWEEN {
            break;
        }
        // Entities can expand without bound, and comments can hide what is searched for. No
        // spreadsheet program writes either.
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
