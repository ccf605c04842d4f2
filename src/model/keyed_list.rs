//! A list of items with keys, in order and with constant-time access by key.
//!
//! Plans iterate in key order and look up by key. A map plus a sorted copy would hold every key
//! twice, so this list keeps the items once and an index of `u32` positions beside them.

use super::{DeclaredResource, Key, Row};
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;

pub trait HasKey {
    fn key(&self) -> &Key;
}

impl HasKey for Row {
    fn key(&self) -> &Key {
        &self.key
    }
}

impl HasKey for Arc<DeclaredResource> {
    fn key(&self) -> &Key {
        &self.key
    }
}

/// Items with distinct keys, in the order they were added. The index takes five bytes for each.
#[derive(Clone, Debug)]
pub struct KeyedList<T> {
    items: Vec<T>,
    index: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
}

impl<T> Default for KeyedList<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            index: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
        }
    }
}

impl<T: HasKey> KeyedList<T> {
    /// Reserves space, because growing would hash every key again.
    pub fn reserve(&mut self, more: usize) {
        self.items.reserve(more);
        let (items, hasher) = (&self.items, &self.hasher);
        let hash = |at: &u32| hasher.hash_one(items[*at as usize].key());
        self.index.reserve(more, hash);
    }

    /// Adds an item. If its key is taken, returns the index of the item that has it, and the new
    /// one.
    /// # Panics
    /// With more than `u32::MAX` items.
    pub fn insert(&mut self, item: T) -> Result<(), (usize, T)> {
        let hash = self.hasher.hash_one(item.key());
        let found = self
            .index
            .find(hash, |&at| self.items[at as usize].key() == item.key());
        if let Some(&at) = found {
            return Err((at as usize, item));
        }
        let at = u32::try_from(self.items.len()).expect("fewer than four thousand million");
        let (items, hasher) = (&self.items, &self.hasher);
        self.index
            .insert_unique(hash, at, |&at| hasher.hash_one(items[at as usize].key()));
        self.items.push(item);
        Ok(())
    }

    pub fn get(&self, key: &Key) -> Option<&T> {
        self.position(key).map(|at| &self.items[at])
    }

    /// Returns the item with this key. Its key must not be changed, since the index depends on it.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut T> {
        let at = self.position(key)?;
        self.items.get_mut(at)
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.position(key).is_some()
    }

    fn position(&self, key: &Key) -> Option<usize> {
        // The first plan looks up every declared key in an empty database. This saves the hashes.
        if self.items.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        let found = self
            .index
            .find(hash, |&at| self.items[at as usize].key() == key);
        found.map(|&at| at as usize)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// Iterates over the items to change them. Their keys must stay as they are.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    pub fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        let mut items = std::mem::take(&mut self.items);
        let before = items.len();
        let mut keep = keep;
        items.retain_mut(&mut keep);
        // Removing moves positions, so the index is built again. Usually nothing is removed.
        if items.len() == before {
            self.items = items;
        } else {
            *self = items.into_iter().collect();
        }
    }
}

impl<T: HasKey> FromIterator<T> for KeyedList<T> {
    /// Of two items with one key, the first stays.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items = items.into_iter();
        let mut keyed = Self::default();
        keyed.reserve(items.size_hint().0);
        for item in items {
            let _ = keyed.insert(item);
        }
        keyed
    }
}

impl<'a, T> IntoIterator for &'a KeyedList<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut KeyedList<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter_mut()
    }
}
