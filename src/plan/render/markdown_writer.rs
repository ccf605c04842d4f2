//! Writes Markdown in blocks, as long as they fit.

use super::wording::plural;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The bytes kept free for closing what is open, and for saying what was left out.
const RESERVE: usize = 512;

/// Writes blocks as long as they fit, and counts those that do not.
pub(super) struct MarkdownWriter<'a> {
    out: &'a mut dyn Write,
    room: usize,
    section: Option<MarkdownSection>,
    left_out: BTreeMap<BlockTopic, usize>,
}

/// A heading or a fold around blocks. It is written with the first one that fits.
struct MarkdownSection {
    opening: String,
    closing: &'static str,
    is_open: bool,
}

/// What a block is about, in the order in which the last line names what was left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum BlockTopic {
    Table,
    Effect,
    Account,
    Hold,
    Removal,
    Access,
    Error,
    Warning,
    HeldChange,
    Change,
    Waiting,
    Notes,
}

impl BlockTopic {
    /// Returns a count of it in words.
    fn counted(self, many: usize) -> String {
        match self {
            Self::Table => "the table".to_owned(),
            Self::Effect => format!("the effects on {}", plural(many, "resource")),
            Self::Account => format!("the list of {}", plural(many, "account")),
            Self::Hold => plural(many, "hold"),
            Self::Removal => format!("{} of removals", plural(many, "list")),
            Self::Access => format!("{} about access", plural(many, "line")),
            Self::Error => plural(many, "error"),
            Self::Warning => plural(many, "warning"),
            Self::HeldChange => plural(many, "held change"),
            Self::Change => format!("the changes of {}", plural(many, "resource")),
            Self::Waiting => format!(
                "the changes of {} that wait at the base",
                plural(many, "resource")
            ),
            Self::Notes => "the notes".to_owned(),
        }
    }
}

impl<'a> MarkdownWriter<'a> {
    pub fn new(out: &'a mut dyn Write, max_bytes: usize) -> Self {
        Self {
            out,
            room: max_bytes.saturating_sub(RESERVE),
            section: None,
            left_out: BTreeMap::new(),
        }
    }

    /// Writes a text even if it does not fit.
    pub fn write_always(&mut self, text: &str) -> io::Result<()> {
        self.room = self.room.saturating_sub(text.len());
        self.out.write_all(text.as_bytes())
    }

    /// Begins a section. Nothing of it is written unless a block of it fits.
    pub fn begin(&mut self, opening: impl Into<String>, closing: &'static str) {
        self.section = Some(MarkdownSection {
            opening: opening.into(),
            closing,
            is_open: false,
        });
    }

    /// Writes a block about `many` things if it fits.
    pub fn block(&mut self, (what, many): (BlockTopic, usize), block: &str) -> io::Result<()> {
        let opening = match &self.section {
            Some(section) if !section.is_open => section.opening.clone(),
            _ => String::new(),
        };
        // Later blocks are still tried, because a shorter one may fit.
        if self.room < block.len() + opening.len() {
            self.leave_out((what, many));
            return Ok(());
        }
        if let Some(section) = &mut self.section {
            section.is_open = true;
        }
        self.write_always(&opening)?;
        self.write_always(block)
    }

    /// How many bytes are left.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Counts what is not tried.
    pub fn leave_out(&mut self, (what, many): (BlockTopic, usize)) {
        if many > 0 {
            *self.left_out.entry(what).or_default() += many;
        }
    }

    /// Writes a text if it fits. Leaving it out is not counted.
    pub fn block_if_room(&mut self, text: &str) -> io::Result<()> {
        if self.room < text.len() {
            return Ok(());
        }
        self.write_always(text)
    }

    /// Ends the section. `RESERVE` has room for it.
    pub fn end_section(&mut self) -> io::Result<()> {
        match self.section.take() {
            Some(section) if section.is_open => self.write_always(section.closing),
            _ => Ok(()),
        }
    }

    /// Names what was left out.
    pub fn end(self) -> io::Result<()> {
        if self.left_out.is_empty() {
            return Ok(());
        }
        let left_out = self.left_out.into_iter();
        let left_out: Vec<String> = left_out.map(|(what, many)| what.counted(many)).collect();
        writeln!(
            self.out,
            "**Left out** because the comment would be too long: {}. Run `roster plan` to see everything, or `roster show PLAN.json` for a saved plan.",
            left_out.join(", ")
        )
    }
}
