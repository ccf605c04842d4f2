//! The backup of a user as a download. The archive is written while it is being sent, so that its
//! size does not matter.

use super::not_stored;
use super::records::{ResourceParam, find_kind};
use crate::daemon::handle::DaemonHandle;
use crate::daemon::path_segment::percent_encode;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, OperationBuilder, OperationOutput, PathParams, Permission, Route};
use crate::kinds::USER;
use crate::model::Key;
use crate::reconcile::{JobFiles, backup_name, write_backup};
use crate::store::{StoreError, UserBackup};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use std::io::{self, BufWriter, Write};
use tokio::sync::mpsc::{self, Sender};

/// How many pieces of an archive may wait for a slow client.
const WAITING: usize = 4;
/// The bytes of a piece.
const PIECE: usize = 64 << 10;

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get(
            "/api/v1/resources/{kind}/{id}/backup",
            "userBackup",
            Permission::Read,
            backup,
        )
        .with_docs(
            "Download the backup of a user",
            "A ZIP with the profile, the jobs and their files. `missing.txt` in it lists files that are missing. The audit log records the download.",
        )
        .without_timeout(),
    ]
}

/// An archive that is written while it is sent.
#[derive(Debug)]
struct BackupDownload {
    backup: UserBackup,
    files: JobFiles,
}

async fn backup(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<ResourceParam>,
) -> Result<BackupDownload, HttpProblem> {
    let kind = find_kind(&of.kind)?;
    if kind.id != USER {
        let detail = format!("only users have a backup, not {}", kind.table);
        return Err(HttpProblem::not_found(detail));
    }
    let key = Key::new(USER, &of.id);
    let missing = not_stored(std::slice::from_ref(&key));
    let actor = caller.name.to_string();
    let found = handle
        .query_store(move |store| async move {
            let found = store.user_backup(&key.id).await?;
            if found.is_some() {
                store
                    .record_act(&actor, "backup", &key.to_string(), "")
                    .await?;
            }
            Ok::<_, StoreError>(found)
        })
        .await?;
    Ok(BackupDownload {
        backup: found.ok_or(missing)?,
        files: JobFiles::new(&handle.setup()?.config.files),
    })
}

/// Sends what is written to it; fails once the client is gone.
struct PieceWriter(Sender<io::Result<Bytes>>);

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl IntoResponse for BackupDownload {
    fn into_response(self) -> Response {
        let name = backup_name(&self.backup);
        let plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let disposition = format!(
            "attachment; filename=\"{plain}.zip\"; filename*=UTF-8''{}.zip",
            percent_encode(&name)
        );
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let out = BufWriter::with_capacity(PIECE, PieceWriter(sender.clone()));
            if let Err(error) = write_backup(&self.backup, &self.files, out) {
                tracing::warn!("a backup ended early: {error}");
                // The client must not take half an archive for a whole one.
                let _ = sender.blocking_send(Err(error));
            }
        });
        let pieces = stream::unfold(receiver, |mut receiver| async move {
            let piece = receiver.recv().await?;
            Some((piece, receiver))
        });
        let headers = [
            (header::CONTENT_TYPE, "application/zip".to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ];
        (headers, Body::from_stream(pieces)).into_response()
    }
}

impl OperationOutput for BackupDownload {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = json!({"type": "string", "format": "binary"});
        operation.add_response(
            StatusCode::OK,
            "The archive.",
            "application/zip",
            Some(schema),
        );
    }
}
