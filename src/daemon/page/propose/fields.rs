//! The inputs of a form, made from the table of kinds: what a kind has, the form offers, with the
//! required fields first.

use crate::daemon::page::forms::FormFields;
use crate::kinds::{BOOL, Field, FieldType, Kind, LinkAttribute};
use maud::{Markup, html};

/// The fields of one kind in a form.
pub(super) struct FormSection {
    pub title: &'static str,
    pub kind: &'static Kind,
    /// The field that follows from another section.
    pub left_out: Option<&'static str>,
}

impl FormSection {
    /// The name of an input.
    fn input(&self, field: &str) -> String {
        format!("{}.{field}", self.kind.name)
    }

    /// What was filled in, without spaces around it.
    pub fn value<'f>(&self, filled: &'f FormFields, field: &str) -> &'f str {
        let input = self.input(field);
        let mut given = filled.pairs().filter(|(name, _)| *name == input);
        given.next().map_or("", |(_, value)| value.trim())
    }

    /// The fields that a form offers. Passwords and files have other ways in, and a new resource is
    /// active.
    pub fn offered(&self) -> impl Iterator<Item = &'static Field> {
        let left_out = self.left_out;
        let own = self.kind.fields.iter();
        own.filter(move |field| {
            let elsewhere = matches!(
                field.ty,
                FieldType::Secret | FieldType::File | FieldType::CustomDefault
            );
            let stated = matches!(field.name, "status" | "protect");
            !elsewhere && !stated && left_out != Some(field.name)
        })
    }

    /// The attributes of links that a form asks for, also of a field that follows from another
    /// section.
    pub fn asked_attributes(
        &self,
    ) -> impl Iterator<Item = (&'static Field, &'static LinkAttribute)> {
        let own = self.kind.fields.iter();
        own.flat_map(|field| {
            let attributes = field.ty.attributes().iter();
            attributes.map(move |attribute| (field, attribute))
        })
        .filter(|(_, attribute)| attribute.choices != BOOL)
    }

    pub fn fields(&self, filled: &FormFields) -> Markup {
        // A member of a group is required only where the group is filled in.
        let is_required = |field: &&Field| field.required && !field.name.contains('.');
        let (required, others): (Vec<_>, Vec<_>) = self.offered().partition(is_required);
        let open = others
            .iter()
            .any(|field| !self.value(filled, field.name).is_empty());
        html! {
            fieldset {
                legend { (self.title) }
                div.fields {
                    (self.text_input("externalId", "External id", true, filled))
                    @for field in required { (self.one(field, true, filled)) }
                    @for (field, attribute) in self.asked_attributes() {
                        (self.choice(&attribute_name(field, attribute), attribute.choices, attribute.doc, filled))
                    }
                }
                @if !others.is_empty() {
                    details open[open] {
                        summary { "More fields" }
                        div.fields { @for field in others { (self.one(field, false, filled)) } }
                    }
                }
            }
        }
    }

    fn one(&self, field: &Field, required: bool, filled: &FormFields) -> Markup {
        match field.ty {
            FieldType::Enum(words) => self.choice(field.name, words, field.doc, filled),
            FieldType::Bool => self.choice(field.name, BOOL, field.doc, filled),
            _ => {
                let list = if field.ty.is_list() {
                    " Separate several with commas."
                } else {
                    ""
                };
                self.text_input(
                    field.name,
                    &format!("{}{list}", field.doc),
                    required,
                    filled,
                )
            }
        }
    }

    fn text_input(&self, name: &str, doc: &str, required: bool, filled: &FormFields) -> Markup {
        let input = self.input(name);
        html! {
            div {
                label for=(input) { (name) @if required { " (required)" } }
                // Not `required`: the rules say what is missing, each time with the reason.
                input id=(input) type="text" name=(input) value=(self.value(filled, name)) autocomplete="off"
                    aria-describedby={ (input) "-about" };
                p.small id={ (input) "-about" } { (doc) }
            }
        }
    }

    fn choice(&self, name: &str, words: &[&str], doc: &str, filled: &FormFields) -> Markup {
        let input = self.input(name);
        let chosen = self.value(filled, name);
        html! {
            div {
                label for=(input) { (name) }
                select id=(input) name=(input) aria-describedby={ (input) "-about" } {
                    option value="" { "not stated" }
                    @for word in words { option value=(word) selected[*word == chosen] { (word) } }
                }
                p.small id={ (input) "-about" } { (doc) }
            }
        }
    }
}

/// The name of an attribute in a form, such as `accounts.level`.
pub(super) fn attribute_name(field: &Field, attribute: &LinkAttribute) -> String {
    format!("{}.{}", field.name, attribute.name)
}
