//! The hash chain of the history, as pure functions. A run's head is the hash of the previous head,
//! its header and all its changes in order, so nothing in between can be altered unnoticed.
//! Personal values and a person's id enter only as salted digests: they can be erased together with
//! their salt, and the chain still verifies while nobody can work out what they were.

use crate::model::Digest;

/// The part of a run that the chain covers.
#[derive(Clone, Debug)]
pub(super) struct RunHeader {
    pub(super) id: i64,
    pub(super) source: String,
    pub(super) revision: String,
    pub(super) plan_id: String,
    pub(super) actor: String,
    pub(super) started_at: i64,
    pub(super) finished_at: i64,
    pub(super) counts: String,
    pub(super) outcome: String,
}

/// The part of a change that the chain covers.
pub(super) struct ChainedChange<'a> {
    pub(super) seq: i64,
    pub(super) kind: &'a str,
    /// The id itself, covered only if there is no digest of it.
    pub(super) id: &'a str,
    pub(super) id_digest: Option<&'a [u8]>,
    pub(super) verb: &'a str,
    pub(super) reason: &'a str,
    pub(super) fields: &'a str,
    pub(super) personal_digest: Option<&'a [u8]>,
    pub(super) path: Option<&'a str>,
    pub(super) line: i64,
    pub(super) column: i64,
}

/// The chain within one run.
pub(super) struct HashChain(blake3::Hasher);

impl HashChain {
    /// Starts a run on the previous head.
    pub(super) fn start(head_before: &[u8], header: &RunHeader) -> Self {
        let mut chain = Self(blake3::Hasher::new());
        chain.part(head_before);
        for number in [header.id, header.started_at, header.finished_at] {
            chain.part(&number.to_le_bytes());
        }
        for text in [
            &header.source,
            &header.revision,
            &header.plan_id,
            &header.actor,
            &header.counts,
            &header.outcome,
        ] {
            chain.part(text.as_bytes());
        }
        chain
    }

    pub(super) fn add(&mut self, change: &ChainedChange<'_>) {
        self.part(&change.seq.to_le_bytes());
        self.part(change.kind.as_bytes());
        match change.id_digest {
            Some(digest) => self.part(digest),
            None => self.part(change.id.as_bytes()),
        }
        for text in [change.verb, change.reason, change.fields] {
            self.part(text.as_bytes());
        }
        self.part(change.personal_digest.unwrap_or_default());
        self.part(change.path.unwrap_or_default().as_bytes());
        self.part(&change.line.to_le_bytes());
        self.part(&change.column.to_le_bytes());
    }

    /// Returns the head after the run.
    pub(super) fn head(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }

    /// Every part is preceded by its length. Without it, two different runs could hash the same
    /// bytes.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

/// A salt, or a digest made with it.
pub(super) type SaltedDigest = [u8; 16];

/// The salted digest of a change's personal values.
pub(super) fn personal_digest(salt: &[u8], fields: &str) -> SaltedDigest {
    salted(b"values", salt, fields)
}

/// The salted digest of a person's external id.
pub(super) fn id_digest(salt: &[u8], id: &str) -> SaltedDigest {
    salted(b"id", salt, id)
}

fn salted(what: &[u8], salt: &[u8], text: &str) -> SaltedDigest {
    let mut hasher = blake3::Hasher::new();
    // The label keeps a digest of values from being passed off as one of an id.
    for part in [what, salt, text.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Digest::from_hasher(&hasher).0
}
