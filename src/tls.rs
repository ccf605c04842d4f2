//! Who computes for TLS, and whom it trusts.

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::path::Path;
use std::sync::Arc;

/// Chooses who computes for TLS as a client, once for the whole process.
pub fn choose_provider() {
    // Another part of the program may have chosen already.
    let _ = ring::default_provider().install_default();
}

/// A client that trusts whom the system trusts, and who is in a file beside.
pub fn client(ca: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let mut extra = Vec::new();
    if let Some(path) = ca {
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        extra = found.map_err(|error| wrong(&error))?;
        if extra.is_empty() {
            return Err(wrong(&"it contains no certificate"));
        }
    }
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
        .map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}
