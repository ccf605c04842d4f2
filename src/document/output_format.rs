//! The table of the formats in which results are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A format of a result.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// For a terminal.
    #[default]
    Text,
    /// One JSON document. Of a plan, it is also the saved plan.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// A comment on a pull request.
    Markdown,
    /// Annotations of a GitHub workflow run.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// One searchable web page.
    Html,
}

/// What holds for a format.
struct FormatEntry {
    format: OutputFormat,
    /// The word on the command line and in the API.
    word: &'static str,
    /// What the help says.
    about: &'static str,
    /// Whether only the commands that check or plan write it.
    is_report: bool,
    /// Whether it is made to be published, so that personal data is masked in it.
    is_published: bool,
}

/// All formats, in the order of the variants.
#[rustfmt::skip]
const TABLE: [FormatEntry; 9] = [
    entry(OutputFormat::Text, "text", "Text for people", false, false),
    entry(OutputFormat::Json, "json", "One JSON document", false, false),
    entry(OutputFormat::Ndjson, "ndjson", "One JSON object per line", false, false),
    entry(OutputFormat::Markdown, "markdown", "Markdown for a pull-request comment", false, true),
    entry(OutputFormat::Github, "github", "GitHub workflow annotations", false, false),
    entry(OutputFormat::Sarif, "sarif", "SARIF 2.1.0 for code scanning", true, true),
    entry(OutputFormat::Junit, "junit", "JUnit XML for test reports", true, true),
    entry(OutputFormat::Gitlab, "gitlab", "GitLab Code Quality", true, true),
    entry(OutputFormat::Html, "html", "One searchable web page", true, true),
];

const fn entry(
    format: OutputFormat,
    word: &'static str,
    about: &'static str,
    is_report: bool,
    is_published: bool,
) -> FormatEntry {
    FormatEntry {
        format,
        word,
        about,
        is_report,
        is_published,
    }
}

impl OutputFormat {
    /// Returns every format.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|entry| entry.format)
    }

    /// Returns the format called `word`.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::all().find(|format| format.word() == word)
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        self.entry().word
    }

    /// Returns what the help says about it.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.entry().about
    }

    /// Whether only the commands that check or plan write it.
    #[must_use]
    pub fn is_report(self) -> bool {
        self.entry().is_report
    }

    /// Whether several sources have to be one document, which is written when all are done.
    #[must_use]
    pub fn is_one_document(self) -> bool {
        self == Self::Json || self.is_report()
    }

    /// Whether it is made to be published, so that personal data is masked in it.
    #[must_use]
    pub fn is_published(self) -> bool {
        self.entry().is_published
    }

    fn entry(self) -> &'static FormatEntry {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_format_at_its_place() {
        for (at, entry) in TABLE.iter().enumerate() {
            assert_eq!(entry.format as usize, at);
            assert_eq!(OutputFormat::by_word(entry.word), Some(entry.format));
            let written = serde_json::to_value(entry.format).expect("a word");
            assert_eq!(written, entry.word);
        }
        assert_eq!(OutputFormat::by_word("pdf"), None);
    }
}
