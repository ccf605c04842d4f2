//! Recognises addresses in numbered columns: `Address 1 Street`, `Address 2 Street`. Taken as one
//! address, they would overwrite each other.

use super::field_names::{FieldTarget, fields_for_name};
use crate::feed::format::ExportColumns;
use crate::kinds::ADDRESS;

/// The least number of numbered fields. Two street lines (`Street 1`, `Street 2`) are not two
/// addresses.
const FIELDS: usize = 3;

/// Addresses in numbered columns.
pub(super) struct NumberedAddresses {
    pub count: usize,
    /// The column of each field, with `{n}` for the number.
    pub columns: Vec<(&'static str, String)>,
    /// The positions of all these columns.
    pub taken: Vec<usize>,
}

impl NumberedAddresses {
    /// Finds numbered addresses. `None` if the columns do not suggest any.
    pub fn find(columns: &ExportColumns) -> Option<Self> {
        let mut found = Self {
            count: usize::MAX,
            columns: Vec::new(),
            taken: Vec::new(),
        };
        for name in columns.names() {
            let Some((before, after)) = around_the_number(name) else {
                continue;
            };
            // Counted from 1, so that each family of columns is found once.
            let at = |number: usize| columns.find(&format!("{before}{number}{after}"));
            let places: Vec<usize> = (1..).map_while(at).collect();
            let open = |target: &&FieldTarget| {
                let taken = found.columns.iter().any(|(field, _)| *field == target.1);
                target.0 == ADDRESS && !taken
            };
            // `Street 1` has its field in front of the number, `Address 1 Street` behind it. The
            // part behind is tried first because it is the more specific.
            let field = [after, before]
                .into_iter()
                .find_map(|part| fields_for_name(part).iter().find(open));
            if let (Some((_, field)), true) = (field, places.len() >= 2) {
                // The smallest count: an address that lacks some fields in the export would be
                // incomplete.
                found.count = found.count.min(places.len());
                found.columns.push((field, format!("{before}{{n}}{after}")));
                found.taken.extend(places);
            }
        }
        (found.columns.len() >= FIELDS).then_some(found)
    }
}

/// Splits the column name of the first address around its number.
fn around_the_number(name: &str) -> Option<(&str, &str)> {
    let at = name.find(|c: char| c.is_ascii_digit())?;
    let (before, rest) = name.split_at(at);
    let after = rest.strip_prefix('1')?;
    // With a second number (`Address 1 Line 2`) the columns count something else as well.
    (!after.contains(|c: char| c.is_ascii_digit())).then_some((before, after))
}
