//! Adds, removes and changes the members of a list, in flow style (`[a, b]`) and in block style (`-
//! a`). Members that stay keep their text and their comments. Start with [`EditBuffer::list`].

use super::EditRefusal;
use super::buffer::EditBuffer;
use super::fields::{InsertedEntry, link_words};
use super::nodes::{NodeShape, SpannedNode};
use super::scalar::ScalarText;
use super::splice::{TextSplice, line_break, line_end, line_start, new_lines};
use crate::kinds::FieldType;
use crate::model::{Link, Value};

/// The differences between two versions of a list.
#[derive(Debug, Default)]
struct MemberChanges<'v> {
    add: Vec<String>,
    remove: Vec<&'v SpannedNode>,
    change: Vec<(&'v SpannedNode, &'v Link, &'v Link)>,
}

impl<'t> EditBuffer<'t> {
    /// Changes the list of a field from `before` to `after`.
    pub fn list(
        &self,
        ty: Option<&FieldType>,
        entry: &'t (SpannedNode, SpannedNode),
        before: &Value,
        after: &Value,
    ) -> Result<Vec<TextSplice>, EditRefusal> {
        let (key, list) = entry;
        let NodeShape::List(items) = &list.shape else {
            let all = self.members(ty, after, |_| true);
            // `tags:` without a value may become a list; a text in its place may not.
            if !list.is_empty() {
                return Err(EditRefusal::new("the key does not hold a list"));
            }
            return Ok(vec![
                self.insert_after_key(key, &format!("[{}]", all.join(", ")))?,
            ]);
        };
        let turn = self.member_changes(ty, items, before, after)?;
        let mut splices = Vec::new();
        for (item, old, new) in &turn.change {
            splices.extend(self.attributes(ty, item, old, new)?);
        }
        // Only attributes differ, so the list itself stays untouched.
        if turn.add.is_empty() && turn.remove.is_empty() {
            return Ok(splices);
        }
        if list.flow {
            splices.extend(self.flow_list_splices(list, items, &turn));
        } else {
            splices.extend(self.block_list_splices(key, items, &turn)?);
        }
        Ok(splices)
    }

    fn member_changes<'v>(
        &self,
        ty: Option<&FieldType>,
        items: &'v [SpannedNode],
        before: &'v Value,
        after: &'v Value,
    ) -> Result<MemberChanges<'v>, EditRefusal> {
        let mut turn = MemberChanges::default();
        for item in items {
            let at = Some(self.pos(item.range.start));
            let refused = |why: &str| EditRefusal {
                at,
                why: why.to_owned(),
            };
            if matches!(item.shape, NodeShape::Alias) || self.is_shared(item) {
                return Err(refused("a member is an alias, or an alias refers to it"));
            }
            // An item that is not understood might be one of the members to keep or to remove.
            let id = member(ty, item).ok_or_else(|| refused("a member cannot be read"))?;
            if !after.members().any(|member| *member == *id) {
                turn.remove.push(item);
                continue;
            }
            let of = |value: &'v Value| value.as_links().iter().find(|link| *link.target == *id);
            if let (Some(old), Some(new)) = (of(before), of(after))
                && old != new
            {
                turn.change.push((item, old, new));
            }
        }
        let known: Vec<&str> = items.iter().filter_map(|item| member(ty, item)).collect();
        turn.add = self.members(ty, after, |id| !known.contains(&id));
        Ok(turn)
    }

    /// The accepted members of a value, each as it is written on one line.
    fn members(
        &self,
        ty: Option<&FieldType>,
        value: &Value,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        if let (Value::Links(links), Some(ty)) = (value, ty) {
            let links = links.iter().filter(|link| wanted(&link.target));
            return links.map(|link| self.link(ty, link)).collect();
        }
        let members = value.members().filter(|member| wanted(member));
        members
            .map(|member| self.styled(&ScalarText::text(member), None, true))
            .collect()
    }

    /// A link as it is written on one line.
    pub fn link(&self, ty: &FieldType, link: &Link) -> String {
        let (FieldType::Links { key, inline, .. }, target) = (ty, ScalarText::text(&link.target))
        else {
            return self.styled(&ScalarText::text(&link.target), None, true);
        };
        let said = link_words(ty, link);
        // A list of resources that may be inline needs `ref:` to tell a reference from a resource.
        if said.is_empty() && !inline {
            return self.styled(&target, None, true);
        }
        let mut entries = vec![(*key, target)];
        entries.extend(said);
        let entries = entries
            .into_iter()
            .map(|(name, word)| self.pair(name, &word));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
    }

    /// An entry `name: word` of a flow mapping.
    pub fn pair(&self, name: &str, word: &ScalarText) -> String {
        let name = self.styled(&ScalarText::text(name), None, true);
        format!("{name}: {}", self.styled(word, None, true))
    }

    /// Changes the attributes of a link that stays.
    fn attributes(
        &self,
        ty: Option<&FieldType>,
        item: &'t SpannedNode,
        old: &Link,
        new: &Link,
    ) -> Result<Vec<TextSplice>, EditRefusal> {
        let Some(ty) = ty else {
            return Err(EditRefusal::new("the members have no attributes"));
        };
        // `- acme` has no place for an attribute; it becomes a mapping.
        if item.text().is_some() {
            return Ok(vec![TextSplice::new(
                item.range.clone(),
                self.link(ty, new),
            )]);
        }
        let mut splices = Vec::new();
        let mut missing = Vec::new();
        for (index, attribute) in ty.attributes().iter().enumerate() {
            let Some(choice) =
                new.attributes[index].filter(|_| old.attributes[index] != new.attributes[index])
            else {
                continue;
            };
            let word = ScalarText::choice(attribute, choice);
            match self.own_entry(item, attribute.name)? {
                Some((key, value)) => splices.push(self.replace(key, value, &word)?),
                None => missing.push(InsertedEntry::of(attribute.name, word)),
            }
        }
        splices.extend(self.insert(item, &missing)?);
        Ok(splices)
    }

    fn flow_list_splices(
        &self,
        list: &SpannedNode,
        items: &[SpannedNode],
        turn: &MemberChanges<'_>,
    ) -> Vec<TextSplice> {
        // The bytes between the brackets.
        let inner = list.range.start + 1..list.range.end - 1;
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return vec![TextSplice::new(inner, turn.add.join(", "))];
        };
        let gap = |from: usize, to: usize| &self.body[from..to];
        let mut gaps = items
            .windows(2)
            .map(|pair| gap(pair[0].range.end, pair[1].range.start));
        let clean = |gap: &str| gap.trim() == ",";
        // With a comment, an anchor or a tag between the members, rewriting the whole range would
        // lose it.
        if !gaps.clone().all(clean) || gap(inner.start, first.range.start).contains(['#', '&', '!'])
        {
            return self.splices_among_comments(items, turn);
        }
        // The first gap shows how the author separates members, for example one per line.
        let between = gaps.next().unwrap_or(", ").to_owned();
        let kept = items.iter().filter(|item| !removes(turn, item));
        let kept = kept.map(|item| self.body[item.range.clone()].to_owned());
        let all: Vec<String> = kept.chain(turn.add.iter().cloned()).collect();
        if all.is_empty() {
            return vec![TextSplice::new(inner, "")];
        }
        let range = first.range.start..last.range.end;
        vec![TextSplice::new(range, all.join(&between))]
    }

    /// Edits a flow list that has comments between its members, which stay.
    fn splices_among_comments(
        &self,
        items: &[SpannedNode],
        turn: &MemberChanges<'_>,
    ) -> Vec<TextSplice> {
        let mut splices = Vec::new();
        for item in items.iter().filter(|item| removes(turn, item)) {
            let rest = &self.body[item.range.end..];
            let blank = rest.len() - rest.trim_start().len();
            let comma = rest[blank..].starts_with(',');
            let end = item.range.end + if comma { blank + 1 } else { 0 };
            splices.push(TextSplice::new(item.range.start..end, ""));
        }
        if let (Some(last), false) = (items.last(), turn.add.is_empty()) {
            // A removed last member leaves the comma before it, which then separates the new one.
            let comma = if removes(turn, last) { "" } else { ", " };
            let new = format!("{comma}{}", turn.add.join(", "));
            splices.push(TextSplice::insert(last.range.end, new));
        }
        splices
    }

    fn block_list_splices(
        &self,
        key: &SpannedNode,
        items: &[SpannedNode],
        turn: &MemberChanges<'_>,
    ) -> Result<Vec<TextSplice>, EditRefusal> {
        let Some(last) = items.last() else {
            return Err(EditRefusal::new("the list has no members"));
        };
        let mut splices = Vec::new();
        for item in items.iter().filter(|item| removes(turn, item)) {
            // The whole line goes, with the comment behind the member: it is about that member.
            let start = self.dash(item)?;
            let end = line_end(self.body, item.end(self.body));
            splices.push(TextSplice::new(line_start(self.body, start)..end, ""));
        }
        let indent = {
            let dash = self.dash(last)?;
            self.body[line_start(self.body, dash)..dash].to_owned()
        };
        let lines: Vec<String> = turn
            .add
            .iter()
            .map(|item| format!("{indent}- {item}"))
            .collect();
        if !lines.is_empty() {
            splices.push(new_lines(self.body, last.end(self.body), &lines));
        } else if turn.remove.len() == items.len() {
            // A key without any item would read as blank, which keeps the stored list.
            splices.push(self.insert_after_key(key, "[]")?);
        }
        // If the file ends without a line break and its last line goes, the break before that line
        // goes too, so that the file still ends without one.
        if let (true, Some(cut)) = (
            !self.body.ends_with(['\n', '\r']),
            splices
                .iter_mut()
                .find(|cut| cut.text.is_empty() && cut.range.end == self.body.len()),
        ) && cut.range.start > 0
        {
            cut.range.start -= line_break(self.body).len();
        }
        Ok(splices)
    }

    /// The byte of an item's dash, which must be the first character on its line.
    fn dash(&self, item: &SpannedNode) -> Result<usize, EditRefusal> {
        let mut at = item.range.start;
        loop {
            let start = line_start(self.body, at);
            let line = &self.body[start..at.max(start)];
            let lead = line.len() - line.trim_start().len();
            if line[lead..].starts_with('-') {
                return Ok(start + lead);
            }
            // The item may be on a line below its dash. In `- - a` or `tags: - a` there is no line
            // to remove.
            if start == 0 || !(line.trim().is_empty() || line[lead..].starts_with('#')) {
                return Err(EditRefusal {
                    at: Some(self.pos(item.range.start)),
                    why: "the dash of the member is not at the start of a line".to_owned(),
                });
            }
            at = start - 1;
        }
    }
}

fn removes(turn: &MemberChanges<'_>, item: &SpannedNode) -> bool {
    turn.remove
        .iter()
        .any(|removed| removed.range == item.range)
}

/// The id of the resource that an item is or refers to.
fn member<'n>(ty: Option<&FieldType>, item: &'n SpannedNode) -> Option<&'n str> {
    if let Some(text) = item.text() {
        return Some(text);
    }
    let Some(FieldType::Links { key, .. }) = ty else {
        return None;
    };
    let entry = item.entry(key).or_else(|| item.entry("externalId"))?;
    entry.1.text()
}
