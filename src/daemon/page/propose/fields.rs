//! The inputs of a form, made from the table of kinds: what a kind has, the form offers, with the
//! required fields first.

use crate::daemon::page::forms::FormFields;
use crate::daemon::page::value;
use crate::kinds::{self, BOOL, Field, FieldType, Kind, LinkAttribute};
use crate::store::StoredResource;
use maud::{Markup, html};
use serde_json::Value;

/// The fields of one kind in a form.
pub(super) struct FormSection {
    pub title: &'static str,
    pub kind: &'static Kind,
    /// The field that follows from another section.
    pub left_out: Option<&'static str>,
    pub custom: Vec<CustomInput>,
}

/// A custom field in a form.
#[derive(Clone)]
pub(super) struct CustomInput {
    pub id: String,
    /// The kind that has it, as in `appliesTo`.
    applies_to: String,
    label: String,
    pub ty: String,
    options: Vec<String>,
    required: bool,
}

impl CustomInput {
    /// The input for a stored custom field, if it is active.
    pub fn of(record: &StoredResource) -> Option<Self> {
        let fields = kinds::json::resource(&record.row);
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let options = fields.get("options").and_then(Value::as_array);
        let options = options.into_iter().flatten().filter_map(Value::as_str);
        Some(Self {
            id: record.row.key.id.to_string(),
            applies_to: text("appliesTo")?,
            label: text("name")?,
            ty: text("type")?,
            options: options.map(str::to_owned).collect(),
            required: fields.get("required") == Some(&Value::Bool(true)),
        })
        .filter(|_| text("status").as_deref() == Some("active"))
    }

    pub fn is_for(&self, kind: &Kind) -> bool {
        kind.applies_to_word == Some(&*self.applies_to)
    }

    /// The name of its input within a section.
    pub fn name(&self) -> String {
        format!("customFields.{}", self.id)
    }
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
    }

    pub fn fields(&self, filled: &FormFields) -> Markup {
        // A member of a group is required only where the group is filled in.
        let is_required = |field: &&Field| field.required && !field.name.contains('.');
        let (required, others): (Vec<_>, Vec<_>) = self.offered().partition(is_required);
        let free: Vec<&CustomInput> = self.custom.iter().filter(|it| !it.required).collect();
        let names = others.iter().map(|field| field.name.to_owned());
        let mut names = names.chain(free.iter().map(|custom| custom.name()));
        let open = names.any(|name| !self.value(filled, &name).is_empty());
        html! {
            fieldset {
                legend { (self.title) }
                div.fields {
                    (self.text_input("externalId", "External id", true, filled))
                    @for field in required { (self.one(field, true, filled)) }
                    @for (field, attribute) in self.asked_attributes() {
                        (self.choice(&attribute_name(field, attribute), attribute.choices, attribute.doc, false, filled))
                    }
                    @for custom in self.custom.iter().filter(|it| it.required) { (self.custom_input(custom, filled)) }
                }
                @if !others.is_empty() || !free.is_empty() {
                    details open[open] {
                        summary { "More fields" }
                        div.fields {
                            @for field in others { (self.one(field, false, filled)) }
                            @for custom in free { (self.custom_input(custom, filled)) }
                        }
                    }
                }
            }
        }
    }

    fn one(&self, field: &Field, required: bool, filled: &FormFields) -> Markup {
        match field.ty {
            FieldType::Enum(words) => self.choice(field.name, words, field.doc, required, filled),
            FieldType::Bool => self.choice(field.name, BOOL, field.doc, required, filled),
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

    fn custom_input(&self, custom: &CustomInput, filled: &FormFields) -> Markup {
        let (name, label, required) = (custom.name(), &custom.label, custom.required);
        let options: Vec<&str> = custom.options.iter().map(String::as_str).collect();
        match &*custom.ty {
            "list" => self.choice(&name, &options, label, required, filled),
            "boolean" => self.choice(&name, BOOL, label, required, filled),
            _ => self.text_input(&name, label, required, filled),
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
                p.small id={ (input) "-about" } { (value::prose(doc)) }
            }
        }
    }

    fn choice(
        &self,
        name: &str,
        words: &[&str],
        doc: &str,
        required: bool,
        filled: &FormFields,
    ) -> Markup {
        let input = self.input(name);
        let chosen = self.value(filled, name);
        html! {
            div {
                label for=(input) { (name) @if required { " (required)" } }
                select id=(input) name=(input) aria-describedby={ (input) "-about" } {
                    option value="" { "not stated" }
                    @for word in words { option value=(word) selected[*word == chosen] { (word) } }
                }
                p.small id={ (input) "-about" } { (value::prose(doc)) }
            }
        }
    }
}

/// The name of an attribute in a form, such as `accounts.level`.
pub(super) fn attribute_name(field: &Field, attribute: &LinkAttribute) -> String {
    format!("{}.{}", field.name, attribute.name)
}
