//! The severity of a diagnostic.

use std::fmt;

/// How much a diagnostic matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Refuses the plan of the source, or holds the resource.
    Error,
    /// Holds nothing, but somebody should look at it.
    Warning,
    /// For information.
    Note,
    /// Holds steps until somebody decides.
    Hold,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Error, Self::Warning, Self::Note, Self::Hold];

    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.word() == word)
    }

    /// The word in outputs and documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Hold => "hold",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
