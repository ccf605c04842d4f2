//! Addresses in numbered columns: `Address 1 Street`, `Address 2 Street`, which are no fields of one address.

use super::field_names::{FieldTarget, fields_for_name};
use crate::feed::format::ExportColumns;
use crate::kinds::ADDRESS;

/// How many fields the numbered columns have at least; two lines of a street are no two addresses.
const FIELDS: usize = 3;

/// The addresses that stand side by side in a row.
pub(super) struct NumberedAddresses {
    /// How many there are.
    pub count: usize,
    /// The columns of each field, with `{n}` for the number.
    pub columns: Vec<(&'static str, String)>,
    /// Where those columns are.
    pub taken: Vec<usize>,
}

impl NumberedAddresses {
    /// Finds them by the columns of the first and the second one.
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
            let at = |number: usize| columns.find(&format!("{before}{number}{after}"));
            let places: Vec<usize> = (1..).map_while(at).collect();
            let open = |target: &&FieldTarget| {
                let taken = found.columns.iter().any(|(field, _)| *field == target.1);
                target.0 == ADDRESS && !taken
            };
            let field = [after, before]
                .into_iter()
                .find_map(|part| fields_for_name(part).iter().find(open));
            if let (Some((_, field)), true) = (field, places.len() >= 2) {
                found.count = found.count.min(places.len());
                found.columns.push((field, format!("{before}{{n}}{after}")));
                found.taken.extend(places);
            }
        }
        (found.columns.len() >= FIELDS).then_some(found)
    }
}

/// What stands before and after the number in the column of the first address.
fn around_the_number(name: &str) -> Option<(&str, &str)> {
    let at = name.find(|c: char| c.is_ascii_digit())?;
    let (before, rest) = name.split_at(at);
    let after = rest.strip_prefix('1')?;
    (!after.contains(|c: char| c.is_ascii_digit())).then_some((before, after))
}
