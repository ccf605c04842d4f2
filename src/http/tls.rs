//! The certificate, reloaded when its files change.

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

/// When the files were last written, if they exist.
type CertificateStamp = [Option<(SystemTime, u64)>; 2];

/// The certificate in use.
#[derive(Clone, Debug)]
pub(super) struct ServerCertificate {
    pub config: RustlsConfig,
    files: config::TlsFiles,
    seen: Arc<Mutex<CertificateStamp>>,
}

impl ServerCertificate {
    pub fn read(files: &config::TlsFiles) -> Result<Self, String> {
        let seen = stamp(files);
        Ok(Self {
            config: RustlsConfig::from_config(Arc::new(load(files)?)),
            files: files.clone(),
            seen: Arc::new(Mutex::new(seen)),
        })
    }

    /// Checks for a change on every connection, so that a renewed certificate is used at once.
    /// While certificate and key do not match, because one file is written after the other, the old
    /// pair stays in use.
    pub fn refresh(&self) {
        let now = stamp(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now == *seen {
            return;
        }
        // Before loading: a broken pair is reported once and not on every connection.
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
    // In order of preference; without it, browsers never use HTTP/2.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
