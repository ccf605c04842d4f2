//! What a rule found, and how it is put.

use super::fields::settings_key;
use super::{PlannedState, unread};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::kinds;
use crate::model::{CompactText, FieldRef, Key};

/// What a rule found, and whose doing it may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleDiagnostic {
    /// What to tell.
    pub diagnostic: Diagnostic,
    /// What the fault is where the message says more than that, such as what would be right.
    pub identifying_text: Option<String>,
    /// The other resources without whose change the fault would not be there: when one of them is
    /// held, what has the fault depends on it.
    pub involves: Vec<Key>,
    /// What could not be read and without which there may be no fault.
    pub unread: Option<String>,
    /// The setting without which there may be no fault.
    pub setting: Option<&'static str>,
}

impl RuleDiagnostic {
    /// A finding about a field of `key`, where the source states that field.
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
        }
    }

    /// The same about one of the kind's own fields, by index.
    pub fn at_own_field(
        world: &PlannedState<'_>,
        code: Code,
        key: &Key,
        field: usize,
        message: impl Into<String>,
    ) -> Self {
        Self::at_field(world, code, key, &kinds::own_field(field), message)
    }

    /// The same with the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }

    /// The same, recognised by this and not by its message.
    #[must_use]
    pub fn identified_by(mut self, fault: impl Into<String>) -> Self {
        self.identifying_text = Some(fault.into());
        self
    }

    /// The same, a fault only if what could not be read does not say otherwise.
    #[must_use]
    pub(super) fn unless_unread(mut self, unread: Option<String>) -> Self {
        self.unread = self.unread.or(unread);
        self
    }

    /// The same, a fault only by this setting.
    #[must_use]
    pub(super) fn set_by(mut self, world: &PlannedState<'_>, setting: &'static str) -> Self {
        self.setting = Some(setting);
        let settings = settings_key();
        let field = kinds::get(settings.kind).expect_index(setting);
        self.unless_unread(unread::faulty(world, &settings, field))
    }

    /// The same about one member of the list.
    #[must_use]
    pub fn member(mut self, member: &str) -> Self {
        self.diagnostic.member = Some(CompactText::new(member));
        self
    }

    /// The same with another severity than the rule's own.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.diagnostic.severity = severity;
        self
    }

    /// The same with another resource that has a part in it.
    #[must_use]
    pub fn involving(mut self, world: &PlannedState<'_>, key: &Key) -> Self {
        self.diagnostic.related.extend(world.origin(key));
        self.involves.push(key.clone());
        self
    }

    /// The same, with a part in it for the settings if the plan changes this one.
    #[must_use]
    pub fn involving_setting(self, world: &PlannedState<'_>, setting: &'static str) -> Self {
        let found = self.set_by(world, setting);
        if world.changes_setting(setting) {
            found.involving(world, &settings_key())
        } else {
            found
        }
    }

    /// The same with another resource that has a part in it by one of its fields.
    #[must_use]
    pub fn involving_field(mut self, world: &PlannedState<'_>, key: &Key, field: usize) -> Self {
        let origin = world.field_origin(key, &kinds::own_field(field));
        self.diagnostic.related.extend(origin);
        self.involves.push(key.clone());
        self
    }

    /// What tells whether this is a fault that was there before the plan.
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

    /// The same at a place: where it has none, at that of the first resource that has a part in it.
    pub(super) fn ensure_origin(&mut self) {
        let diagnostic = &mut self.diagnostic;
        if diagnostic.origin.is_none() && !diagnostic.related.is_empty() {
            diagnostic.origin = Some(diagnostic.related.remove(0));
        }
    }

    /// What makes two findings one, in the order in which they are reported.
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

/// `Account/a, Account/b and 3 more`.
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
