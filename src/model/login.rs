//! Login names that an export brings along: people keep the names with which they have logged in so
//! far. The rules decide which of them can be taken over (`check::logins`).

use super::{CompactText, Key, LineColumn};
use std::collections::HashMap;
use std::sync::Arc;

/// The login name in a row of an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowLogin {
    /// The user of the row.
    pub user: Key,
    /// The accounts of the row. The customer number in the name says which one is meant.
    pub accounts: Vec<CompactText>,
    pub name: CompactText,
    pub path: Arc<str>,
    pub position: LineColumn,
}

/// A login name to store with a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenLogin {
    pub user: CompactText,
    pub account: CompactText,
    /// The name: customer number, dash, running number.
    pub name: CompactText,
}

/// The parts of a login name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoginParts<'a> {
    pub customer_number: &'a str,
    pub running_number: i64,
}

impl<'a> LoginParts<'a> {
    /// Splits a name at its last dash, since customer numbers may have dashes too. `None` unless a
    /// running number from 1 without zeros in front follows.
    #[must_use]
    pub fn of(name: &'a str) -> Option<Self> {
        let (customer_number, number) = name.rsplit_once('-')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        if customer_number.is_empty() || !is_number || number.starts_with('0') {
            return None;
        }
        // As many digits as any customer can use up, so that the next number always fits.
        let running_number = number.parse().ok().filter(|n| *n < i64::from(u32::MAX))?;
        Some(Self {
            customer_number,
            running_number,
        })
    }
}

/// What the database knows of the login names that an export brings along.
#[derive(Clone, Debug, Default)]
pub struct StoredLogins {
    /// The links by the name that they have: user and account.
    pub links: HashMap<CompactText, (CompactText, CompactText)>,
    /// The names of the users that the export names, by user and account.
    pub names: HashMap<(CompactText, CompactText), CompactText>,
    /// The next running number of each customer number. All below were given before.
    pub next: HashMap<CompactText, i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_name_is_a_customer_number_and_a_running_number() {
        let parts = |name| LoginParts::of(name).map(|it| (it.customer_number, it.running_number));
        assert_eq!(parts("1042-3"), Some(("1042", 3)));
        assert_eq!(parts("SE-1042-12"), Some(("SE-1042", 12)));
        for wrong in [
            "1042",
            "-3",
            "1042-",
            "1042-0",
            "1042-03",
            "1042-x",
            "1042-+1",
            "1042-99999999999",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
