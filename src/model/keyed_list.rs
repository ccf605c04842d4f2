//! A list of keyed things, found by key in constant time.

use super::{DeclaredResource, Key, Row};
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Something that has a key.
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

/// Things with distinct keys, in the order they were added, five bytes of index each.
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
    /// Makes room for so many more things, so that adding them moves and hashes none twice.
    pub fn reserve(&mut self, more: usize) {
        self.items.reserve(more);
        let (items, hasher) = (&self.items, &self.hasher);
        let hash = |at: &u32| hasher.hash_one(items[*at as usize].key());
        self.index.reserve(more, hash);
    }

    /// Adds a thing, unless one with its key is there: then that one's index comes back.
    /// # Panics
    /// Past four thousand million things.
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

    /// The thing with this key.
    pub fn get(&self, key: &Key) -> Option<&T> {
        self.position(key).map(|at| &self.items[at])
    }

    /// The thing with this key, to change anything of it but the key.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut T> {
        let at = self.position(key)?;
        self.items.get_mut(at)
    }

    /// Whether a thing has this key.
    pub fn contains(&self, key: &Key) -> bool {
        self.position(key).is_some()
    }

    fn position(&self, key: &Key) -> Option<usize> {
        // Not hashed for nothing: a first plan asks an empty database for everything.
        if self.items.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        let found = self
            .index
            .find(hash, |&at| self.items[at as usize].key() == key);
        found.map(|&at| at as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// All of them, to change anything but the keys.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    /// Keeps only the things that `keep` says yes to, in their order.
    pub fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        let mut items = std::mem::take(&mut self.items);
        let before = items.len();
        let mut keep = keep;
        items.retain_mut(&mut keep);
        if items.len() == before {
            self.items = items;
        } else {
            *self = items.into_iter().collect();
        }
    }
}

impl<T: HasKey> FromIterator<T> for KeyedList<T> {
    /// Collects; of two things with one key the first stays.
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
