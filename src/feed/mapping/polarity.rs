//! What a mapping has to say about who is inactive before it is read.

use super::cell::{CellMapping, CellSource};
use crate::kinds::Kind;

/// That nothing is left that may say who is inactive.
pub(super) fn check_decided(undecided: &[String]) -> Result<(), String> {
    if undecided.is_empty() {
        return Ok(());
    }
    Err(format!(
        "undecided: polarity-unpinned: these columns may show who is inactive: {}; map each as `status`, or move it to `ignore:`",
        undecided.join(", ")
    ))
}

/// That it is said which status a boolean column means.
pub(super) fn check_pinned(kind: &Kind, index: usize, cell: &CellMapping) -> Result<(), String> {
    if index != kind.status_index() {
        return Ok(());
    }
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
