//! The addresses of an account, each in a row that has room for it.

use super::draft::Draft;
use super::lost::{Loss, Why};
use super::place::{Drafted, Place, left_out};
use super::unit::Unit;
use crate::feed::mapping::{Block, Section};
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Key, Link, Row, Text, Value};
use std::collections::BTreeSet;

/// An address of an account.
#[derive(Clone, Copy)]
enum Part<'a> {
    Has(&'a Link, &'a Row),
    Had(&'a Text),
}

impl<'a> Part<'a> {
    fn id(&self) -> &'a Text {
        match self {
            Self::Has(link, _) => &link.target,
            Self::Had(id) => id,
        }
    }
}

impl Place<'_> {
    /// The rows of an account with its addresses; of any other resource its one row.
    pub(super) fn with_addresses(&self, base: Drafted, unit: &Unit<'_>) -> Vec<Drafted> {
        let mapping = self.layout.mapping;
        let blocks = mapping
            .sections
            .iter()
            .any(|section| !section.blocks.is_empty());
        if unit.row.key.kind != ACCOUNT || unit.deleted || !blocks {
            return vec![base];
        }
        let links = unit.row.values[kinds::get(ACCOUNT).at("addresses")].as_ref();
        let links = links.map_or(&[][..], Value::as_links).iter();
        let has = links.filter_map(|link| {
            let row = self.rows.get(&Key::new(ADDRESS, &link.target))?;
            Some(Part::Has(link, row))
        });
        let mut drafts: Vec<Drafted> = Vec::new();
        let mut lost = BTreeSet::new();
        for part in has.chain(unit.gone.iter().map(Part::Had)) {
            let placed = match unit.skip.get(part.id()) {
                Some(why) => Err(why.clone()),
                None => self.find_place(&mut drafts, &base, part, unit),
            };
            if let Err(why) = placed {
                let (key, field) = match part {
                    Part::Has(..) => (Key::new(ADDRESS, part.id()), None),
                    Part::Had(_) => (unit.row.key.clone(), Some("addresses".to_owned())),
                };
                lost.insert(Loss { key, field, why });
            }
        }
        let whole = base.0.section;
        if !drafts.iter().any(|(draft, _)| draft.section == whole) {
            drafts.insert(0, base);
        }
        // The account before what only belongs to it.
        drafts.sort_by_key(|(draft, _)| draft.section != whole);
        drafts[0].1.extend(lost);
        drafts
    }

    /// Gives an address its place in a row that has room, or in a new one.
    fn find_place(
        &self,
        drafts: &mut Vec<Drafted>,
        base: &Drafted,
        part: Part<'_>,
        unit: &Unit<'_>,
    ) -> Result<(), Why> {
        let sections = &self.layout.mapping.sections;
        let nested = self.layout.form.is_json()
            && sections
                .iter()
                .any(|section| section.blocks.iter().any(|block| block.rows.is_some()));
        let mut why = Why::NoColumn;
        let accounts = sections
            .iter()
            .enumerate()
            .filter(|(_, section)| section.kind.id == ACCOUNT);
        for (at, section) in accounts {
            let blocks = section.blocks.iter().enumerate();
            for (nth, block) in blocks.filter(|(_, block)| block.rows.is_some() == nested) {
                let free = |(draft, _): &Drafted| {
                    draft.section == at && (nested || !draft.blocks.contains(&nth))
                };
                let held = drafts.iter().position(free);
                let mut drafted = match held {
                    Some(held) => drafts[held].clone(),
                    None if at == base.0.section => base.clone(),
                    None => match self.base(at, unit) {
                        Ok(base) => base,
                        Err(reason) => {
                            why = reason;
                            continue;
                        }
                    },
                };
                match self.address(&mut drafted, section, (nth, block), part, unit) {
                    Ok(()) => {
                        match held {
                            Some(held) => drafts[held] = drafted,
                            None => drafts.push(drafted),
                        }
                        return Ok(());
                    }
                    Err(reason) => why = reason,
                }
            }
        }
        Err(why)
    }

    /// Says an address in a row.
    fn address(
        &self,
        (draft, losses): &mut Drafted,
        section: &Section,
        (nth, block): (usize, &Block),
        part: Part<'_>,
        unit: &Unit<'_>,
    ) -> Result<(), Why> {
        let mut member = Draft::new(usize::MAX);
        let into = if block.rows.is_some() {
            &mut member
        } else {
            &mut *draft
        };
        self.when(into, &block.when, unit)?;
        let id = [part.id().to_string()];
        match part {
            Part::Had(_) => {
                let unlink = block.unlink.as_ref().ok_or(Why::NoColumn)?;
                self.fixed(into, unlink, &["true".to_owned()], unit)?;
            }
            Part::Has(link, row) => {
                self.flags(into, section, block, link, unit, losses)?;
                let kind = kinds::get(ADDRESS);
                let (mut lost, mut conflict) = (left_out(kind, row, &block.fields, false), None);
                for field in &block.fields {
                    self.field(into, kind, row, field, unit, (&mut lost, &mut conflict));
                }
                if let Some(why) = conflict {
                    return Err(why);
                }
                losses.extend(lost);
            }
        }
        self.fixed(into, &block.id, &id, unit)?;
        let told = (part.id().clone(), matches!(part, Part::Had(_)));
        into.blocks.push(nth);
        into.addresses.push(told);
        if let Some(rows) = block.rows {
            draft.lists.entry(rows).or_default().push(member);
        }
        Ok(())
    }

    fn flags(
        &self,
        draft: &mut Draft,
        section: &Section,
        block: &Block,
        link: &Link,
        unit: &Unit<'_>,
        losses: &mut BTreeSet<Loss>,
    ) -> Result<(), Why> {
        let field = &section.kind.fields[section.kind.at("addresses")];
        let attributes = field.ty.attributes().iter().zip(link.attributes);
        for ((attribute, choice), flag) in attributes.zip(&block.flags) {
            let choice = choice.unwrap_or(attribute.default);
            let text = attribute.choices[usize::from(choice)].to_owned();
            match flag {
                Some(flag) => self.fixed(draft, flag, &[text], unit)?,
                None if choice != attribute.default => {
                    losses.insert(Loss {
                        key: unit.row.key.clone(),
                        field: Some(format!("addresses.{}", attribute.name)),
                        why: Why::NoColumn,
                    });
                }
                None => {}
            }
        }
        Ok(())
    }
}
