//! What is no longer declared here, and is declared by another source.

use super::planner::Work;
use super::rules::Peer;
use super::types::AgreedClaim;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::model::{Claim, Key};

/// Gives the claim up on what another source declares.
pub(super) fn still_declared(work: &mut Work, key: &Key, claim: &Claim, peer: &Peer) {
    work.released.push(key.clone());
    work.agree(key, AgreedClaim::Release);
    let message = format!(
        "{key} is still declared by source {}: this source's claim is released",
        peer.name
    );
    note(work, key, claim, message);
}

/// Keeps the claim on what another source declares but cannot take over yet.
pub(super) fn not_accepted(work: &mut Work, key: &Key, claim: &Claim, peer: &Peer) {
    work.waits_for.insert(peer.name.to_string());
    let why = peer
        .idle
        .as_ref()
        .map_or("it is held there", |idle| &idle.why);
    let message = format!(
        "{key} is declared by source {}, whose pass does not accept it yet ({why}): this source's claim stays",
        peer.name
    );
    note(work, key, claim, message);
}

fn note(work: &mut Work, key: &Key, claim: &Claim, message: String) {
    let at = Origin {
        path: claim.path.clone(),
        at: claim.at,
    };
    let note = Diagnostic::new(codes::STILL_DECLARED, message);
    work.diagnostics.push(note.of(key).at(at));
}
