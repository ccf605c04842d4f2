//! Bytes on their way into the cache: counted, hashed, unpacked, and gone again unless all came.

use super::content_check;
use super::error::TransportError;
use super::location::ExportLocation;
use crate::model::Digest;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How much of the beginning is looked at.
const HEAD: usize = 16 << 10;

/// An export of which not all is there yet.
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

/// An export, all of which is there, unpacked.
pub(super) struct CompleteExport {
    pub path: PathBuf,
    pub digest: Digest,
    pub size: u64,
}

impl IncomingExport {
    /// Into a new file; nobody else writes there.
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

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.size += bytes.len() as u64;
        self.check_size(self.size)?;
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(&bytes[..bytes.len().min(room)]);
        self.hasher.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(|error| self.write_error(error))
    }

    /// Takes all that there is; what cannot be read is told by `fault`.
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
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fault(error)),
            }
        }
    }

    /// How many bytes came.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether so many bytes may come.
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

    /// Room for one page of it.
    pub(super) fn page_path(&self) -> PathBuf {
        self.path.with_extension("page")
    }

    /// Room for what a program fetches.
    pub(super) fn file_path(&self) -> PathBuf {
        self.path.with_extension("file")
    }

    /// Everything came: what was packed is unpacked, and what is no data refused.
    pub(super) fn finish(mut self) -> Result<CompleteExport, TransportError> {
        if self.head.starts_with(&GZIP) {
            return self.unpack()?.finish();
        }
        let whole = self.size == self.head.len() as u64;
        content_check::check_is_data(&self.place, &self.head, whole)?;
        let written = self.file.flush().and_then(|()| {
            // A name that is there after a power cut must not stand for bytes that are not.
            self.file.get_ref().sync_data()
        });
        written.map_err(|error| self.write_error(error))?;
        Ok(CompleteExport {
            path: std::mem::take(&mut self.path),
            digest: Digest::from_hasher(&self.hasher),
            size: self.size,
        })
    }

    /// The same without its gzip; once, whatever is in it.
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
        let place = &self.place;
        unpacked.take_all(MultiGzDecoder::new(packed), |error| {
            TransportError::Truncated {
                place: place.to_string(),
                said: format!("its gzip data cannot be unpacked completely: {error}"),
            }
        })?;
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
            // What stays is removed by the next fetch.
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
