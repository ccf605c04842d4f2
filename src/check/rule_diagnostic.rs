//! The diagnostic of a rule, with what the planner needs to decide whom to hold.
//!
//! Rules build a [`RuleDiagnostic`] by chaining: [`RuleDiagnostic::at_own_field`], then `help`,
//! `member`, `involving` and so on. `plan` reads the parts that are not for people:
//! `involves` tells it what depends on what, and [`RuleDiagnostic::identity`] whether the fault was
//! stored before.

use super::{PlannedState, unread};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::kinds::{self, settings_key};
use crate::model::{CompactText, FieldRef, Key};

/// A diagnostic, and the resources and settings that caused it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleDiagnostic {
    pub diagnostic: Diagnostic,
    /// Replaces the message in `identity` where the message also lists what is allowed, which may
    /// differ before and after the plan.
    pub identifying_text: Option<String>,
    /// Other resources that take part in the fault. If one of them is held, the resource with the
    /// fault depends on it and is held too.
    pub involves: Vec<Key>,
    /// Something that could not be read. Had it been read, there might be no fault.
    pub unread: Option<String>,
    /// The setting that makes this a fault.
    pub setting: Option<&'static str>,
    /// Whether runtime facts cause it. Then no hold of this plan brought it about.
    pub at_run_time: bool,
    /// Whether a row of the export itself has the fault. Then it was not stored before the plan.
    pub of_row: bool,
}

impl RuleDiagnostic {
    /// A diagnostic about a field of `key`, placed where the source states that field.
    pub fn at_field(
        world: &PlannedState<'_>,
        code: Code,
        key: &Key,
        field: &FieldRef,
        message: impl Into<String>,
    ) -> Self {
        let name = kinds::get(key.kind).field_name(field);
        let mut diagnostic = Diagnostic::new(code, message).for_resource(key).field(name);
        diagnostic.origin = world.field_origin(key, field);
        Self {
            diagnostic,
            identifying_text: None,
            involves: Vec::new(),
            unread: None,
            setting: None,
            at_run_time: false,
            of_row: false,
        }
    }

    /// Like [`Self::at_field`], for one of the kind's own fields by index.
    pub fn at_own_field(
        world: &PlannedState<'_>,
        code: Code,
        key: &Key,
        field: usize,
        message: impl Into<String>,
    ) -> Self {
        Self::at_field(world, code, key, &kinds::own_field(field), message)
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }

    /// Sets the text that identifies the fault in place of the message.
    #[must_use]
    pub fn identified_by(mut self, fault: impl Into<String>) -> Self {
        self.identifying_text = Some(fault.into());
        self
    }

    /// Notes what could not be read and may show that there is no fault. The first one noted
    /// counts.
    #[must_use]
    pub(super) fn unless_unread(mut self, unread: Option<String>) -> Self {
        self.unread = self.unread.or(unread);
        self
    }

    /// Notes the setting that makes this a fault.
    #[must_use]
    pub(super) fn set_by(mut self, world: &PlannedState<'_>, setting: &'static str) -> Self {
        self.setting = Some(setting);
        let settings = settings_key();
        let field = kinds::get(settings.kind).expect_index(setting);
        // A setting with a typo falls back to its stored value or default. That would turn one
        // mistake into an error at every account.
        self.unless_unread(unread::faulty(world, &settings, field))
    }

    /// Notes that runtime facts cause it.
    #[must_use]
    pub(super) fn at_run_time(mut self) -> Self {
        self.at_run_time = true;
        self
    }

    /// Narrows the diagnostic to one member of a list.
    #[must_use]
    pub fn member(mut self, member: &str) -> Self {
        self.diagnostic.member = Some(CompactText::new(member));
        self
    }

    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.diagnostic.severity = severity;
        self
    }

    /// Adds another resource that takes part in the fault.
    #[must_use]
    pub fn involving(mut self, world: &PlannedState<'_>, key: &Key) -> Self {
        self.diagnostic.related.extend(world.origin(key));
        self.involves.push(key.clone());
        self
    }

    /// Notes the setting that makes this a fault. If the plan changes it, the settings take part in
    /// the fault.
    #[must_use]
    pub fn involving_setting(self, world: &PlannedState<'_>, setting: &'static str) -> Self {
        let found = self.set_by(world, setting);
        // An unchanged setting must stay out of `involves`: an unrelated hold on the settings would
        // otherwise hold this resource as well.
        if world.changes_setting(setting) {
            found.involving(world, &settings_key())
        } else {
            found
        }
    }

    /// Adds another resource that takes part in the fault through one of its fields.
    #[must_use]
    pub fn involving_field(mut self, world: &PlannedState<'_>, key: &Key, field: usize) -> Self {
        let origin = world.field_origin(key, &kinds::own_field(field));
        self.diagnostic.related.extend(origin);
        self.involves.push(key.clone());
        self
    }

    /// Identifies the fault across two runs of the rules. A fault with the same identity before the
    /// plan was stored already and is only a warning.
    pub(crate) fn identity(&self) -> (Code, Option<Key>, Option<String>, String) {
        let diagnostic = &self.diagnostic;
        let fault = self
            .identifying_text
            .as_ref()
            .unwrap_or(&diagnostic.message);
        (
            diagnostic.code,
            diagnostic.key.clone(),
            diagnostic.field.clone(),
            fault.clone(),
        )
    }

    /// Gives a diagnostic without an origin the one of the first resource that takes part in it.
    pub(super) fn ensure_origin(&mut self) {
        let diagnostic = &mut self.diagnostic;
        // A stored resource that no document declares has no origin. Taken out of `related`, so
        // that the same place is not printed twice.
        if diagnostic.origin.is_none() && !diagnostic.related.is_empty() {
            diagnostic.origin = Some(diagnostic.related.remove(0));
        }
    }

    /// The order of the report. Diagnostics with equal keys are reported once.
    pub(super) fn sort_key(&self) -> (&Option<Key>, Code, &Option<String>, &str) {
        let diagnostic = &self.diagnostic;
        (
            &diagnostic.key,
            diagnostic.code,
            &diagnostic.field,
            &diagnostic.message,
        )
    }
}

/// Formats keys as `Account/a, Account/b and 3 more`.
pub(super) fn list_keys<'k>(keys: impl IntoIterator<Item = &'k Key>, limit: usize) -> String {
    let keys: Vec<&Key> = keys.into_iter().collect();
    let mut text = String::new();
    for (index, key) in keys.iter().take(limit).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&key.to_string());
    }
    if keys.len() > limit {
        let more = format!(" and {} more", keys.len() - limit);
        text.push_str(&more);
    }
    text
}
