//! A password as an export holds it, on its way from the row to its hash.

use super::CompactText;
use std::fmt;

/// A password in clear. It is never printed, stored or compared with anything but another one.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(CompactText);

impl SecretText {
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(CompactText::new(text))
    }

    /// The password itself, for whoever hashes it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}
