//! Places the addresses of an account into rows. A flat row has room for one address per block, so
//! an account with several addresses gets several rows; in nested JSON all of them go into one
//! list. Start reading at `RowPlacer::with_addresses`.

use super::draft::RowDraft;
use super::export_unit::ExportUnit;
use super::loss::{ExportLoss, LossReason};
use super::row_placer::{DraftWithLosses, RowPlacer, unmapped_values};
use crate::feed::mapping::{AddressBlock, MappingSection};
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{CompactText, Key, Link, Row, Value};
use std::collections::BTreeSet;

#[derive(Clone, Copy)]
enum AccountAddress<'a> {
    Current(&'a Link, &'a Row),
    Removed(&'a CompactText),
}

impl<'a> AccountAddress<'a> {
    fn id(&self) -> &'a CompactText {
        match self {
            Self::Current(link, _) => &link.target,
            Self::Removed(id) => id,
        }
    }
}

impl RowPlacer<'_> {
    /// Returns the rows of an account with its addresses, or the single row of any other resource.
    pub(super) fn with_addresses(
        &self,
        base: DraftWithLosses,
        unit: &ExportUnit<'_>,
    ) -> Vec<DraftWithLosses> {
        let mapping = self.layout.mapping;
        let blocks = mapping
            .sections
            .iter()
            .any(|section| !section.blocks.is_empty());
        // A deleted account is written for its status only.
        if unit.row.key.kind != ACCOUNT || unit.deleted || !blocks {
            return vec![base];
        }
        let links = unit.row.values[kinds::get(ACCOUNT).expect_index("addresses")].as_ref();
        let links = links.map_or(&[][..], Value::as_links).iter();
        let has = links.filter_map(|link| {
            let row = self.page.rows.get(&Key::new(ADDRESS, &link.target))?;
            Some(AccountAddress::Current(link, row))
        });
        let mut drafts: Vec<DraftWithLosses> = Vec::new();
        let mut lost = BTreeSet::new();
        // Current addresses first: they take the room in the rows of the account.
        for part in has.chain(unit.removed_addresses.iter().map(AccountAddress::Removed)) {
            let placed = match unit.skipped_addresses.get(part.id()) {
                Some(why) => Err(why.clone()),
                None => self.find_place(&mut drafts, &base, part, unit),
            };
            if let Err(why) = placed {
                let (key, field) = match part {
                    AccountAddress::Current(..) => (Key::new(ADDRESS, part.id()), None),
                    AccountAddress::Removed(_) => {
                        (unit.row.key.clone(), Some("addresses".to_owned()))
                    }
                };
                lost.insert(ExportLoss { key, field, why });
            }
        }
        // Addresses may all have gone into rows of other sections. The account still needs one row
        // for its own fields.
        let whole = base.0.section;
        if !drafts.iter().any(|(draft, _)| draft.section == whole) {
            drafts.insert(0, base);
        }
        // The row of the account comes first, before rows that only belong to it.
        drafts.sort_by_key(|(draft, _)| draft.section != whole);
        drafts[0].1.extend(lost);
        drafts
    }

    /// Places an address into a row with room, or into a new one.
    fn find_place(
        &self,
        drafts: &mut Vec<DraftWithLosses>,
        base: &DraftWithLosses,
        part: AccountAddress<'_>,
        unit: &ExportUnit<'_>,
    ) -> Result<(), LossReason> {
        let sections = &self.layout.mapping.sections;
        // A mapping may have both forms. Objects are written nested if they can be, as the reader
        // refuses a mixture.
        let nested = self.layout.form.is_json()
            && sections
                .iter()
                .any(|section| section.blocks.iter().any(|block| block.rows.is_some()));
        let mut why = LossReason::NoColumn;
        let accounts = sections
            .iter()
            .enumerate()
            .filter(|(_, section)| section.kind.id == ACCOUNT);
        for (at, section) in accounts {
            let blocks = section.blocks.iter().enumerate();
            for (nth, block) in blocks.filter(|(_, block)| block.rows.is_some() == nested) {
                let free = |(draft, _): &DraftWithLosses| {
                    draft.section == at && (nested || !draft.blocks.contains(&nth))
                };
                let held = drafts.iter().position(free);
                // Works on a copy: an attempt that fails halfway must not leave columns narrowed.
                let mut drafted = match held {
                    Some(held) => drafts[held].clone(),
                    None if at == base.0.section => base.clone(),
                    None => match self.base_draft(at, unit) {
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
                    // The last reason is reported if no block takes the address.
                    Err(reason) => why = reason,
                }
            }
        }
        Err(why)
    }

    /// Writes an address into a row.
    fn address(
        &self,
        (draft, losses): &mut DraftWithLosses,
        section: &MappingSection,
        (nth, block): (usize, &AddressBlock),
        part: AccountAddress<'_>,
        unit: &ExportUnit<'_>,
    ) -> Result<(), LossReason> {
        // Members of a list have no section of their own, so that no section's custom columns are
        // written into them.
        let mut member = RowDraft::new(usize::MAX);
        let into = if block.rows.is_some() {
            &mut member
        } else {
            &mut *draft
        };
        self.put_conditions(into, &block.when, unit)?;
        let id = [part.id().to_string()];
        match part {
            AccountAddress::Removed(_) => {
                let unlink = block.unlink.as_ref().ok_or(LossReason::NoColumn)?;
                self.put_fixed(into, unlink, &["true".to_owned()], unit)?;
            }
            AccountAddress::Current(link, row) => {
                self.flags(into, section, block, link, unit, losses)?;
                let kind = kinds::get(ADDRESS);
                let (mut lost, mut conflict) =
                    (unmapped_values(kind, row, &block.fields, false), None);
                for field in &block.fields {
                    self.put_field(into, kind, row, field, unit, (&mut lost, &mut conflict));
                }
                if let Some(why) = conflict {
                    return Err(why);
                }
                losses.extend(lost);
            }
        }
        // The id last: a template can then be solved with the columns that the fields have fixed.
        self.put_fixed(into, &block.id, &id, unit)?;
        let told = (
            part.id().clone(),
            matches!(part, AccountAddress::Removed(_)),
        );
        into.blocks.push(nth);
        into.addresses.push(told);
        if let Some(rows) = block.rows {
            draft.lists.entry(rows).or_default().push(member);
        }
        Ok(())
    }

    fn flags(
        &self,
        draft: &mut RowDraft,
        section: &MappingSection,
        block: &AddressBlock,
        link: &Link,
        unit: &ExportUnit<'_>,
        losses: &mut BTreeSet<ExportLoss>,
    ) -> Result<(), LossReason> {
        let field = &section.kind.fields[section.kind.expect_index("addresses")];
        let attributes = field.ty.attributes().iter().zip(link.attributes);
        for ((attribute, choice), flag) in attributes.zip(&block.flags) {
            let choice = choice.unwrap_or(attribute.default);
            let text = attribute.choices[usize::from(choice)].to_owned();
            match flag {
                Some(flag) => self.put_fixed(draft, flag, &[text], unit)?,
                None if choice != attribute.default => {
                    losses.insert(ExportLoss {
                        key: unit.row.key.clone(),
                        field: Some(format!("addresses.{}", attribute.name)),
                        why: LossReason::NoColumn,
                    });
                }
                None => {}
            }
        }
        Ok(())
    }
}
