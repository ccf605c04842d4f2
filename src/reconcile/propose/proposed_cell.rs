//! What the manifests would say of one field if they followed the source.

use super::ProposalScope;
use crate::kinds::{FieldType, Kind, SetItem as Members};
use crate::model::{Cell, CompactText, FieldRef, Key, Link, StatedField, Value};
use crate::reconcile::SourceReading;

/// Leaves members out that only the source has, unless they come as new resources.
pub(super) fn without_unknown(
    kind: &'static Kind,
    field: &FieldRef,
    cell: &mut Cell,
    (from, there): (&SourceReading, &SourceReading),
    more: ProposalScope,
) {
    let target = kind.field(field).and_then(|field| match field.ty {
        FieldType::Links { kind, .. } | FieldType::Set(Members::Ref(kind)) => Some(kind),
        _ => None,
    });
    let (Some(target), Cell::Value(value), false) = (target, &mut *cell, more.new) else {
        return;
    };
    let known = |id: &CompactText| {
        let key = Key::new(target, id);
        there.desired.resources.contains(&key) || !from.desired.resources.contains(&key)
    };
    let left = match value {
        Value::Links(links) => {
            let kept = links.iter().filter(|link| known(&link.target));
            Value::links(kept.cloned())
        }
        value => Value::set(value.members().filter(|id| known(id)).cloned()),
    };
    *cell = Cell::Value(left);
}

/// Whether a field may be proposed. Passwords and files may not: they exist only in their source.
pub(super) fn is_proposed(kind: &'static Kind, field: &FieldRef) -> bool {
    let ty = kind.field(field).map(|field| &field.ty);
    !matches!(ty, Some(FieldType::Secret | FieldType::File))
}

/// The cell that the directory would have if it followed the source; `None` when it stays as it is.
pub(super) fn proposed_cell(
    kind: &'static Kind,
    stated: &StatedField,
    before: Option<&Cell>,
) -> Option<Cell> {
    let old = before.and_then(Cell::value);
    let ty = kind.field(&stated.field).map(|field| &field.ty);
    let cell = match &stated.cell {
        Cell::Value(Value::Links(links)) => Cell::Value(filled(ty, links, old)),
        Cell::Value(value) => Cell::Value(value.clone()),
        Cell::Amend(amend) => Cell::Value(amended(ty, &amend.add, &amend.remove, old)),
        // A blank custom cell clears the value in the directory.
        Cell::Blank if stated.field.own().is_none() && old.is_some() => Cell::Blank,
        Cell::Blank | Cell::Clear => return None,
    };
    (before != Some(&cell)).then_some(cell)
}

fn amended(
    ty: Option<&FieldType>,
    add: &Value,
    remove: &[CompactText],
    old: Option<&Value>,
) -> Value {
    let stays = |id: &CompactText| !remove.contains(id) && !add.members().any(|new| new == id);
    match add {
        Value::Links(links) => {
            let kept = old.map_or(&[][..], Value::as_links).iter();
            let kept = kept.filter(|link| stays(&link.target)).cloned();
            let Value::Links(new) = filled(ty, links, old) else {
                return add.clone();
            };
            Value::links(kept.chain(new))
        }
        add => {
            let kept = old.into_iter().flat_map(Value::members);
            let kept = kept.filter(|id| stays(id)).chain(add.members());
            Value::set(kept.cloned())
        }
    }
}

/// Links whose unstated attributes keep the value in the directory, or else get the default.
fn filled(ty: Option<&FieldType>, links: &[Link], old: Option<&Value>) -> Value {
    let old = old.map_or(&[][..], Value::as_links);
    Value::links(links.iter().map(|link| {
        let known = old
            .iter()
            .find(|known| known.target == link.target)
            .cloned();
        let plain = known.or_else(|| ty.map(|ty| ty.plain_link(&link.target)));
        let mut link = link.clone();
        for (said, plain) in link
            .attributes
            .iter_mut()
            .zip(plain.iter().flat_map(|l| l.attributes))
        {
            *said = said.or(plain);
        }
        link
    }))
}
