//! The change of one field.

use super::{CompactText, FieldRef, Link, Value};

/// A field, with its values before and after a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldChange {
    pub field: FieldRef,
    /// The stored value, or `None` without one.
    pub before: Option<Value>,
    /// The new value, or `None` if the plan clears the field.
    pub after: Option<Value>,
}

impl FieldChange {
    /// Returns a stored list as it is after this change, which may name only the members that differ;
    /// `None` without members. A link that comes without an attribute keeps the stored one, as in the
    /// database.
    #[must_use]
    pub fn merged_list(&self, stored: Option<&Value>) -> Option<Value> {
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        if matches!(before.or(after), Some(Value::Links(_))) {
            let [stored, went, came] =
                [stored, before, after].map(|list| list.map_or(&[][..], Value::as_links));
            let is_in = |links: &[Link], link: &Link| link_to(links, link).is_some();
            let kept = stored
                .iter()
                .filter(|link| !is_in(went, link) && !is_in(came, link))
                .cloned();
            let came = came.iter().map(|link| with_attributes_of(link, stored));
            let all: Vec<Link> = kept.chain(came).collect();
            return (!all.is_empty()).then(|| Value::links(all));
        }
        let went: Vec<&CompactText> = before.into_iter().flat_map(Value::members).collect();
        let kept = stored.into_iter().flat_map(Value::members);
        let kept = kept.filter(|member| !went.contains(member));
        let came = after.into_iter().flat_map(Value::members);
        let all: Vec<CompactText> = kept.chain(came).cloned().collect();
        (!all.is_empty()).then(|| Value::set(all))
    }

    /// Leaves out the members of lists that stay. `before` keeps those that go or change, `after`
    /// those that come or change. Reducing twice changes nothing.
    #[must_use]
    pub fn reduced(self) -> Self {
        let (before, after) = match (self.before, self.after) {
            (Some(Value::List(old)), Some(Value::List(new))) => {
                let went: Vec<_> = old.iter().filter(|m| !new.contains(m)).cloned().collect();
                let came: Vec<_> = new.iter().filter(|m| !old.contains(m)).cloned().collect();
                (
                    Some(Value::List(went.into())),
                    Some(Value::List(came.into())),
                )
            }
            // Whole links are compared, so a member whose level changes is in both lists.
            (Some(Value::Links(old)), Some(Value::Links(new))) => {
                let went: Vec<_> = old.iter().filter(|l| !new.contains(l)).cloned().collect();
                let came: Vec<_> = new.iter().filter(|l| !old.contains(l)).cloned().collect();
                (
                    Some(Value::Links(went.into())),
                    Some(Value::Links(came.into())),
                )
            }
            other => other,
        };
        Self {
            field: self.field,
            before,
            after,
        }
    }
}

/// The link to the same resource.
fn link_to<'l>(links: &'l [Link], link: &Link) -> Option<&'l Link> {
    links.iter().find(|other| other.target == link.target)
}

/// A link with the stored attributes where it has none.
fn with_attributes_of(link: &Link, stored: &[Link]) -> Link {
    let mut link = link.clone();
    if let Some(stored) = link_to(stored, &link) {
        for (own, stored) in link.attributes.iter_mut().zip(stored.attributes) {
            *own = own.or(stored);
        }
    }
    link
}
