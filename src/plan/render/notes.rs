//! The notes at the end of a text plan, about resources that the plan leaves unchanged.
//!
//! The Markdown form shows the same notes, folded. The number of diagnostics is written here too.

use super::text::{NAMED, TextWriter, key, resources};
use super::wording::{BOLD, first_of, plural, visible};
use crate::diagnostic::Severity;
use crate::model::Key;
use std::borrow::Cow;
use std::io::{self, Write};

impl TextWriter<'_> {
    pub fn notes(&self, out: &mut dyn Write) -> io::Result<()> {
        let plan = self.plan;
        let limit = if self.wording.full { usize::MAX } else { NAMED };
        let mut notes = Vec::new();
        // One line for each note. A plan with 10,000 undeclared resources must stay readable.
        let mut note = |all: Vec<Cow<'_, str>>, what: &str| {
            if !all.is_empty() {
                let count = resources(all.len());
                let what = what.replace("{}", if all.len() == 1 { "it" } else { "them" });
                notes.push(format!(
                    "{count} {what}: {}",
                    first_of(all.into_iter(), limit)
                ));
            }
        };
        let keys = |keys: &[Key]| keys.iter().map(|k| Cow::Owned(key(k))).collect();
        note(
            keys(&plan.orphans),
            "no longer declared; left unchanged (write `status: deleted` to remove {})",
        );
        note(
            keys(&plan.released),
            "released by this source; another source still declares {}",
        );
        if !plan.logins.is_empty() {
            let logins = plan.logins.iter();
            let all = logins.map(|login| {
                Cow::Owned(visible(&self.wording.personal.login(&login.name)).into_owned())
            });
            let count = plural(plan.logins.len(), "login name");
            notes.push(format!("{count} taken over: {}", first_of(all, limit)));
        }
        if plan.summary.unclaimed > 0 {
            let count = usize::try_from(plan.summary.unclaimed).unwrap_or(usize::MAX);
            notes.push(format!(
                "{} not declared by any source; Roster leaves {} unchanged",
                resources(count),
                if count == 1 { "it" } else { "them" }
            ));
        }
        if !plan.accepted.is_empty() {
            let used = plan.accepted.iter().map(|used| visible(used));
            notes.push(format!("Approved by: {}", first_of(used, usize::MAX)));
        }
        self.undeclared(out)?;
        for note in &notes {
            writeln!(out, "{note}")?;
        }
        if notes.is_empty() {
            Ok(())
        } else {
            writeln!(out)
        }
    }

    /// Lists the fields that `--exact` asks for. That option exists to see all of them, so none is
    /// cut.
    fn undeclared(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.plan.undeclared.is_empty() {
            return Ok(());
        }
        let heading = "Stored fields that no source declares";
        writeln!(out, "{}", self.wording.paint(BOLD, heading))?;
        for (of, field) in &self.plan.undeclared {
            writeln!(out, "  {}  {}", key(of), visible(field))?;
        }
        writeln!(out)
    }

    /// Writes the number of diagnostics. They are printed apart from the plan.
    pub fn write_diagnostic_counts(&self, out: &mut dyn Write) -> io::Result<()> {
        let counts: Vec<_> = [Severity::Error, Severity::Warning, Severity::Note]
            .into_iter()
            // The last line of a refused plan counts its errors already.
            .filter(|severity| !(self.plan.errored && *severity == Severity::Error))
            .map(|severity| (self.plan.count(severity), severity))
            .filter(|(count, _)| *count > 0)
            .map(|(count, severity)| plural(count, severity.word()))
            .collect();
        if counts.is_empty() {
            return Ok(());
        }
        writeln!(out, "Found: {}.", counts.join(", "))
    }
}
