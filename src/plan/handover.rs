//! What is no longer declared here, and is declared by another source.

use super::context::PlanContext;
use super::planner::PlanInProgress;
use super::regained;
use super::rules::PeerSource;
use super::types::ClaimAction;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::model::{Claim, Key, Row};

/// Gives the claim up on what another source declares, unless it is the only one that knows of access
/// that somebody took: then it stays until the other source has looked at it.
pub(super) fn release_claim(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    row: &Row,
    claim: &Claim,
    peer: &PeerSource,
) {
    let key = &row.key;
    if regained::is_only_witness(context, row, claim, peer) {
        let message = format!(
            "{key} is still declared by source {}; this source keeps its claim until that source has its own",
            peer.name
        );
        return note(work, key, claim, message);
    }
    work.released.push(key.clone());
    work.update_claim(key, ClaimAction::Release);
    let message = format!(
        "{key} is still declared by source {}; this source releases its claim",
        peer.name
    );
    note(work, key, claim, message);
}

/// Keeps the claim on what another source declares but cannot take over yet.
pub(super) fn keep_claim(work: &mut PlanInProgress, key: &Key, claim: &Claim, peer: &PeerSource) {
    work.waits_for.insert(peer.name.to_string());
    let why = peer
        .idle
        .as_ref()
        .map_or("it is held there", |idle| &idle.why);
    let message = format!(
        "{key} is declared by source {}, which does not accept it yet ({why}); this source keeps its claim",
        peer.name
    );
    note(work, key, claim, message);
}

fn note(work: &mut PlanInProgress, key: &Key, claim: &Claim, message: String) {
    let at = Origin {
        path: claim.path.clone(),
        at: claim.position,
    };
    let note = Diagnostic::new(codes::STILL_DECLARED, message);
    work.diagnostics.push(note.for_resource(key).at(at));
}
