//! The TLS client: which cryptography it uses, and which certificates it trusts.

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::path::Path;
use std::sync::Arc;

/// Chooses the provider of cryptography for the whole process.
pub fn choose_provider() {
    // Fails if another part of the program has chosen already.
    let _ = ring::default_provider().install_default();
}

/// Returns a client configuration that trusts the certificates of the system and those in a file.
pub fn client(ca: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let mut extra = Vec::new();
    if let Some(path) = ca {
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        extra = found.map_err(|error| wrong(&error))?;
        // A file without a certificate is most likely the wrong file. Ignoring it would fail later
        // with a message about an unknown issuer.
        if extra.is_empty() {
            return Err(wrong(&"it contains no certificate"));
        }
    }
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
        .map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        // Named dangerous because any verifier could be set. This one is that of the system, with
        // the extra certificates.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}
