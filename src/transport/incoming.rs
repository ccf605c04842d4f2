//! Bytes on their way into the cache: counted, hashed and unpacked. The file is removed again
//! unless everything arrived, so whatever goes wrong on the way leaves the cache as it was. Start
//! reading at `IncomingExport::take` and `finish`.

use super::content_check;
use super::error::TransportError;
use super::location::ExportLocation;
use crate::model::Digest;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How much of the beginning is kept to look at.
const HEAD: usize = 16 << 10;

/// An export that is being received.
pub(super) struct IncomingExport {
    place: ExportLocation,
    path: PathBuf,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    size: u64,
    limit: u64,
    head: Vec<u8>,
    unpacked: bool,
}

/// An export that was received completely, unpacked.
pub(super) struct CompleteExport {
    pub path: PathBuf,
    pub digest: Digest,
    pub size: u64,
}

impl IncomingExport {
    /// Opens a new file. The caller holds the lock of the cache.
    pub(super) fn new(
        place: &ExportLocation,
        path: PathBuf,
        limit: u64,
    ) -> Result<Self, TransportError> {
        let file = File::create(&path).map_err(|source| TransportError::Cache {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            place: place.clone(),
            file: BufWriter::with_capacity(256 << 10, file),
            path,
            hasher: blake3::Hasher::new(),
            size: 0,
            limit,
            head: Vec::new(),
            unpacked: false,
        })
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.size += bytes.len() as u64;
        // Before writing, so that the disk never holds more than the limit.
        self.check_size(self.size)?;
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(&bytes[..bytes.len().min(room)]);
        self.hasher.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(|error| self.write_error(error))
    }

    /// Takes everything from a reader. `fault` turns its errors into errors of the transport.
    pub(super) fn take_all(
        &mut self,
        mut from: impl Read,
        fault: impl Fn(io::Error) -> TransportError,
    ) -> Result<(), TransportError> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => self.take(&buffer[..read])?,
                // A signal interrupted the call; nothing was lost.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fault(error)),
            }
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Returns an error if this is more than the limit.
    pub(super) fn check_size(&self, size: u64) -> Result<(), TransportError> {
        if size <= self.limit {
            return Ok(());
        }
        Err(TransportError::TooLarge {
            place: self.place.to_string(),
            limit: self.limit,
            unpacked: self.unpacked,
        })
    }

    /// The path for one page.
    pub(super) fn page_path(&self) -> PathBuf {
        self.path.with_extension("page")
    }

    /// The path for a file that another program fetches.
    pub(super) fn file_path(&self) -> PathBuf {
        self.path.with_extension("file")
    }

    /// Ends the export: unpacks it, and refuses it if it is not data.
    pub(super) fn finish(mut self) -> Result<CompleteExport, TransportError> {
        // By content, not by name or header: servers send `.gz` files with and without
        // `Content-Encoding`.
        if self.head.starts_with(&GZIP) {
            return self.unpack()?.finish();
        }
        let whole = self.size == self.head.len() as u64;
        content_check::check_is_data(&self.place, &self.head, whole)?;
        let written = self.file.flush().and_then(|()| {
            // After a power failure, a name must not stand for bytes that were never written.
            self.file.get_ref().sync_data()
        });
        written.map_err(|error| self.write_error(error))?;
        Ok(CompleteExport {
            // An empty path tells `drop` that the file has another owner now.
            path: std::mem::take(&mut self.path),
            digest: Digest::from_hasher(&self.hasher),
            size: self.size,
        })
    }

    /// Unpacks the export, once.
    fn unpack(mut self) -> Result<Self, TransportError> {
        let flushed = self.file.flush();
        flushed.map_err(|error| self.write_error(error))?;
        let fault = |source| TransportError::Cache {
            path: self.path.clone(),
            source,
        };
        let packed = BufReader::new(File::open(&self.path).map_err(fault)?);
        let path = self.path.with_extension("unpacked");
        let mut unpacked = Self::new(&self.place, path, self.limit)?;
        unpacked.unpacked = true;
        // The limit applies again to the unpacked bytes: a few kilobytes can unpack to terabytes.
        let place = &self.place;
        unpacked.take_all(MultiGzDecoder::new(packed), |error| {
            TransportError::Truncated {
                place: place.to_string(),
                said: format!("its gzip data cannot be unpacked completely: {error}"),
            }
        })?;
        // A server that compresses a compressed file is misconfigured; unpacking again and again
        // could be made to go on for ever.
        if unpacked.head.starts_with(&GZIP) {
            return Err(TransportError::NotData {
                place: self.place.to_string(),
                what: "it is compressed with gzip twice".to_owned(),
            });
        }
        Ok(unpacked)
    }

    fn write_error(&self, source: io::Error) -> TransportError {
        let full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if full {
            let place = self.place.to_string();
            return TransportError::Full { place, source };
        }
        let path = self.path.clone();
        TransportError::Cache { path, source }
    }
}

impl Drop for IncomingExport {
    fn drop(&mut self) {
        if self.path != Path::new("") {
            // If it stays, the next fetch removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::location::{FileLocation, LIMIT, LocationKind, TIMEOUT};
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn whole(bytes: &[u8], limit: u64) -> Result<Vec<u8>, TransportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let place = ExportLocation {
            kind: LocationKind::File(FileLocation {
                path: "/here".into(),
                done: None,
            }),
            limit: LIMIT,
            timeout: TIMEOUT,
        };
        let mut incoming = IncomingExport::new(&place, path, limit)?;
        for part in bytes.chunks(7) {
            incoming.take(part)?;
        }
        let whole = incoming.finish()?;
        let read = fs::read(&whole.path).unwrap();
        assert_eq!(whole.digest, Digest::of(&read));
        assert_eq!(whole.size, read.len() as u64);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        Ok(read)
    }

    #[test]
    fn bytes_come_as_they_are_and_gzip_unpacked() {
        assert_eq!(whole(b"id;name\n", 100).unwrap(), b"id;name\n");
        assert_eq!(whole(&gzip(b"id;name\n"), 100).unwrap(), b"id;name\n");
        assert_eq!(whole(b"", 100).unwrap(), b"");
    }

    #[test]
    fn too_much_is_too_much_packed_or_not() {
        let many = vec![b'a'; 100_000];
        assert!(matches!(
            whole(&many, 99_999),
            Err(TransportError::TooLarge {
                unpacked: false,
                ..
            })
        ));
        let bomb = gzip(&many);
        assert!(bomb.len() < 1_000);
        assert!(matches!(
            whole(&bomb, 99_999),
            Err(TransportError::TooLarge { unpacked: true, .. })
        ));
        assert!(matches!(
            whole(&gzip(&bomb), 100_000),
            Err(TransportError::NotData { .. })
        ));
    }

    #[test]
    fn a_gzip_that_is_cut_is_not_taken() {
        let packed = gzip(b"id;name\n1;Acme\n2;Bolt\n");
        for end in 2..packed.len() {
            assert!(
                matches!(
                    whole(&packed[..end], 100),
                    Err(TransportError::Truncated { .. })
                ),
                "{end}"
            );
        }
    }
}
