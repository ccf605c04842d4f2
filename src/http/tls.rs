//! The certificate, read again when its files change.

use crate::config;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::metadata;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// When the files were last written, as far as they are there.
type CertificateStamp = [Option<(SystemTime, u64)>; 2];

/// A certificate in force.
#[derive(Clone, Debug)]
pub(super) struct ServerCertificate {
    pub config: RustlsConfig,
    files: config::TlsFiles,
    seen: Arc<Mutex<CertificateStamp>>,
}

impl ServerCertificate {
    /// Reads certificate and key.
    pub fn read(files: &config::TlsFiles) -> Result<Self, String> {
        let seen = stamp(files);
        Ok(Self {
            config: RustlsConfig::from_config(Arc::new(load(files)?)),
            files: files.clone(),
            seen: Arc::new(Mutex::new(seen)),
        })
    }

    /// Looked at for each connection, so that a renewed one is shown at once. While the new pair
    /// does not fit together (one file is written after the other) the old one stays.
    pub fn refresh(&self) {
        let now = stamp(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now == *seen {
            return;
        }
        *seen = now;
        match load(&self.files) {
            Ok(config) => {
                tracing::info!("certificate reloaded");
                self.config.reload_from_config(Arc::new(config));
            }
            Err(error) => {
                tracing::error!("{error}; the previous certificate stays in use");
            }
        }
    }
}

fn stamp(files: &config::TlsFiles) -> CertificateStamp {
    [&files.cert, &files.key].map(|path| {
        let metadata = metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn load(files: &config::TlsFiles) -> Result<ServerConfig, String> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| {
        format!("cannot use {}: {error}", path.display())
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&files.cert, &error))?;
    if chain.is_empty() {
        return Err(wrong(&files.cert, &"it contains no certificate"));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| wrong(&files.cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
