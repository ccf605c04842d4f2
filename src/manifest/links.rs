//! Reads lists of links that carry attributes, and resources written out inside such a list.

use super::dated::PeriodItem;
use super::document::{ManifestParser, ResourcePlace};
use super::entries::MappingEntries;
use super::keys;
use super::nodes::{DocumentError, NodeEvent};
use super::resource::ManifestDraft;
use crate::diagnostic::did_you_mean;
use crate::kinds::effective::{DATE_NAMES, EffectivePeriod};
use crate::kinds::read::{one_of, quoted};
use crate::kinds::{self, BOOL, Field, FieldType, Kind, LinkAttribute};
use crate::model::{CompactText, LineColumn, Link, Value};

/// An item of a link list while it is read.
struct LinkDraft {
    field: &'static Field,
    /// The key that names the target.
    key: &'static str,
    kind: &'static Kind,
    inline: bool,
    link: Link,
    period: EffectivePeriod,
    /// The target, if referred to, and its position.
    target: Option<(CompactText, LineColumn)>,
    /// Whether fields of the target itself are written.
    has_target_fields: bool,
    valid: bool,
}

impl<'a> ManifestParser<'a, '_> {
    /// Reads the items of a list of links that has begun; `None` if one of them is faulty.
    pub(super) fn links(
        &mut self,
        field: &'static Field,
        list_at: LineColumn,
    ) -> Result<Option<Value>, DocumentError> {
        let mut items = Vec::new();
        let mut whole = true;
        loop {
            let (node, at) = self.reader.next()?;
            let item = match node {
                NodeEvent::End | NodeEvent::Eof => break,
                NodeEvent::Scalar(scalar) if !scalar.is_blank() => {
                    let link = self.short_link(field, &scalar.text, at);
                    self.partial_list.lost |= link.is_none();
                    link.map(|link| PeriodItem {
                        link,
                        period: EffectivePeriod::default(),
                    })
                }
                NodeEvent::Map => self.long_link(field, at)?,
                other => {
                    self.reader.skip(&other)?;
                    self.bad_item(field.name, &other, at);
                    self.partial_list.lost = true;
                    None
                }
            };
            whole &= item.is_some();
            items.extend(item);
        }
        whole &= self.agree(field, &mut items, list_at);
        // The targets that could be read are remembered: a faulty attribute must not make a linked
        // resource look unused.
        if !whole {
            let targets = items.into_iter().map(|item| item.link.target);
            self.partial_list.members.extend(targets);
            return Ok(None);
        }
        Ok(Some(Value::links(self.in_force(field, items, list_at))))
    }

    /// Whether no target is listed twice with different attributes for the same time.
    fn agree(&mut self, field: &Field, items: &mut [PeriodItem], at: LineColumn) -> bool {
        // Sorted, so that the entries with one target are next to each other.
        items.sort_by(|a, b| a.link.cmp(&b.link));
        let mut of_targets = items.chunk_by(|a, b| a.link.target == b.link.target);
        let clash = of_targets.find(|items| {
            let mut rest = *items;
            while let Some((item, others)) = rest.split_first() {
                let differs = |other: &PeriodItem| {
                    other.link != item.link && other.period.overlaps(&item.period)
                };
                if others.iter().any(differs) {
                    return true;
                }
                rest = others;
            }
            false
        });
        if let Some(items) = clash {
            let what = format!(
                "lists {} twice, with different attributes",
                quoted(&items[0].link.target)
            );
            let help = match field.dated_by {
                Some(_) => "Keep one of them, or let one end where the other begins",
                None => "Keep one of them",
            };
            self.wrong_type(field.name, at, &what, help);
        }
        clash.is_none()
    }

    fn short_link(&mut self, field: &'static Field, text: &str, at: LineColumn) -> Option<Link> {
        let FieldType::Links {
            kind, key, inline, ..
        } = field.ty
        else {
            return None;
        };
        if inline {
            let help = format!("Write `{key}: {text}`, or the fields themselves");
            self.wrong_type(field.name, at, "items must be mappings", &help);
            return None;
        }
        let target = self.target(kinds::get(kind), field.name, text, at)?;
        Some(field.ty.plain_link(&target))
    }

    fn long_link(
        &mut self,
        field: &'static Field,
        at: LineColumn,
    ) -> Result<Option<PeriodItem>, DocumentError> {
        let FieldType::Links {
            kind, key, inline, ..
        } = field.ty
        else {
            return Ok(None);
        };
        let mut item = LinkDraft {
            field,
            key,
            kind: kinds::get(kind),
            inline,
            link: field.ty.plain_link(""),
            period: EffectivePeriod::default(),
            target: None,
            has_target_fields: false,
            valid: true,
        };
        // Every long item starts a draft, because only its keys show whether it refers to a
        // resource or contains one.
        let mut draft = self.draft(item.kind, at, false);
        let mut entries = MappingEntries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            self.link_entry(&mut item, &mut draft, &name, at)?;
        }
        self.finish_link(item, draft, at)
    }

    fn link_entry(
        &mut self,
        item: &mut LinkDraft,
        draft: &mut ManifestDraft<'a>,
        name: &str,
        at: LineColumn,
    ) -> Result<(), DocumentError> {
        let attributes = item.field.ty.attributes();
        if name == item.key {
            self.link_target(item)
        } else if let Some(index) = attributes.iter().position(|known| known.name == name) {
            self.attribute(item, index, &attributes[index])
        } else if item.field.dated_by.is_some() && DATE_NAMES.contains(&name) {
            let date = self.item_date(item.field, name, &mut item.period)?;
            item.valid &= date.is_some();
            Ok(())
        } else if item.inline && !is_misspelt(item, name) {
            item.has_target_fields = true;
            self.entry(draft, name, at)
        } else {
            self.unknown_attribute(item, name, at)
        }
    }

    fn link_target(&mut self, item: &mut LinkDraft) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if !scalar.is_blank() => {
                let target = self.target(item.kind, item.field.name, &scalar.text, at);
                item.valid &= target.is_some();
                item.target = target.map(|target| (target, at));
            }
            other => {
                self.reader.skip(&other)?;
                let what = format!("items need a `{}` that is text", item.key);
                let help = format!("Write `{}: acme`", item.key);
                self.wrong_type(item.field.name, at, &what, &help);
                item.valid = false;
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        item: &mut LinkDraft,
        index: usize,
        attribute: &'static LinkAttribute,
    ) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => {}
            NodeEvent::Scalar(scalar) => match choice(attribute, &scalar.text) {
                Ok(choice) => item.link.attributes[index] = Some(choice),
                Err(fault) => {
                    item.valid = false;
                    let name = format!("{}.{}", item.field.name, attribute.name);
                    self.sink.reading(fault, at, &name);
                }
            },
            other => {
                self.reader.skip(&other)?;
                item.valid = false;
                let help = format!("Write `{}: {}`", attribute.name, attribute.choices[0]);
                self.wrong_type(item.field.name, at, "attributes must be words", &help);
            }
        }
        Ok(())
    }

    fn unknown_attribute(
        &mut self,
        item: &mut LinkDraft,
        name: &str,
        at: LineColumn,
    ) -> Result<(), DocumentError> {
        self.reader.skip_next()?;
        let known: Vec<&str> = item.keys().collect();
        // A missing target would only repeat this mistake in other words.
        item.valid &= did_you_mean(name, known.iter().copied()) != Some(item.key);
        self.unknown_item_key(item.field, &known, name, at);
        Ok(())
    }

    /// Completes the link of an item; a resource written inside it is added to the found ones.
    fn finish_link(
        &mut self,
        mut item: LinkDraft,
        draft: ManifestDraft<'a>,
        at: LineColumn,
    ) -> Result<Option<PeriodItem>, DocumentError> {
        let field = item.field;
        let target = match item.target.take() {
            Some((target, ref_at)) if item.has_target_fields => {
                // The reference is remembered although the item is refused: its target is clearly
                // still wanted.
                self.partial_list.members.push(target);
                self.discard(&draft);
                let what = format!("has an item with both `{}` and other fields", item.key);
                let help = format!("Keep `{}` or the fields", item.key);
                self.wrong_type(item.field.name, ref_at, &what, &help);
                return Ok(None);
            }
            Some((target, _)) => target,
            None if item.inline && (item.has_target_fields || item.valid) => {
                let written = self.finish_inline_resource(field, draft)?;
                self.partial_list.lost |= written.is_none();
                let Some(written) = written else {
                    return Ok(None);
                };
                written
            }
            None => {
                self.partial_list.lost = true;
                if item.valid {
                    let what = format!("has an item without `{}`", item.key);
                    let help = format!("Write `{}: ..`", item.key);
                    self.wrong_type(item.field.name, at, &what, &help);
                }
                return Ok(None);
            }
        };
        if !item.valid {
            self.partial_list.members.push(target);
            return Ok(None);
        }
        let link = Link {
            target,
            attributes: item.link.attributes,
        };
        Ok(Some(PeriodItem {
            link,
            period: item.period,
        }))
    }

    fn finish_inline_resource(
        &mut self,
        field: &Field,
        draft: ManifestDraft<'a>,
    ) -> Result<Option<CompactText>, DocumentError> {
        let findings = draft.findings;
        let declared = self.complete(draft, ResourcePlace::Link)?;
        if declared.is_none() {
            // Without a key of its own, its diagnostics belong to the resource around it.
            self.sink.within(findings, field.name);
        }
        Ok(declared.map(|declared| declared.key.id.clone()))
    }
}

impl LinkDraft {
    /// The keys of an item besides those of a resource written inside it.
    fn keys(&self) -> impl Iterator<Item = &'static str> {
        let attributes = self.field.ty.attributes().iter().map(|known| known.name);
        std::iter::once(self.key).chain(attributes)
    }
}

/// Whether a key of an item is a misspelt key of the link.
fn is_misspelt(item: &LinkDraft, name: &str) -> bool {
    // A key of the resource wins, also a misspelt one: inside an item most keys are those of the
    // resource.
    let is_field = keys::slot(item.kind.id, name).is_some();
    !is_field
        && keys::suggest_key(item.kind, name).is_none()
        && did_you_mean(name, item.keys()).is_some()
}

/// The choice that a word stands for.
fn choice(attribute: &LinkAttribute, text: &str) -> Result<u8, kinds::read::ValueProblem> {
    if attribute.choices == BOOL {
        let value = FieldType::Bool.read(text)?.value;
        return Ok(u8::from(value.as_bool().unwrap_or_default()));
    }
    let word = one_of(text, attribute.choices)?;
    let index = attribute.choices.iter().position(|choice| *choice == word);
    Ok(u8::try_from(index.unwrap_or_default()).unwrap_or_default())
}
