//! Checks that a mapping leaves no doubt about who is inactive. TRUE means inactive in one export
//! and active in the next; a mapping that is read the wrong way round deactivates every active
//! customer.

use super::cell::{CellMapping, CellSource};
use crate::kinds::Kind;

/// Rejects a mapping that still lists undecided columns.
pub(super) fn check_decided(undecided: &[String]) -> Result<(), String> {
    if undecided.is_empty() {
        return Ok(());
    }
    Err(format!(
        "undecided: polarity-unpinned: these columns may show who is inactive: {}; map each as `status`, or move it to `ignore:`",
        undecided.join(", ")
    ))
}

/// Rejects a status that comes from a column without saying what its values mean.
pub(super) fn check_pinned(kind: &Kind, index: usize, cell: &CellMapping) -> Result<(), String> {
    if index != kind.status_index() {
        return Ok(());
    }
    // Constants and expressions say what they mean themselves.
    let open = |cell: &&CellMapping| {
        let takes = matches!(
            cell.take,
            CellSource::Column(_) | CellSource::Join(..) | CellSource::Template(_)
        );
        takes && cell.values.is_empty() && cell.booleans.is_none()
    };
    let found = match &cell.take {
        CellSource::First(cells) => cells.iter().any(|cell| open(&cell)),
        _ => open(&cell),
    };
    if found {
        return Err(
            "polarity-unpinned: TRUE means active in one export and inactive in another; set its \
             meaning: `values: {true: inactive, false: active}`"
                .to_owned(),
        );
    }
    Ok(())
}
