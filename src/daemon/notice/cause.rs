//! Says why a connection failed, for the operator who has to fix it.
//!
//! Library errors nest four or five levels deep. Only the innermost one says something, and for TLS
//! even that needs a translation.

use super::line;
use rustls::CertificateError::{
    Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
};
use std::error::Error;
use std::io;

/// Describes the innermost cause of an error. The outer ones only say that there is a cause, and
/// some contain the whole URL, which is a secret.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    // `io::Error::source` skips the error that it wraps, and rustls errors are wrapped in one.
    while let Some(error) = last.downcast_ref::<io::Error>() {
        match error.get_ref() {
            Some(inner) => last = inner,
            None if error.kind() == io::ErrorKind::ConnectionRefused => {
                return "connection refused".to_owned();
            }
            None => break,
        }
    }
    match last.downcast_ref::<rustls::Error>() {
        Some(error) => format!("TLS: {}", tls(error)),
        None => line(&last.to_string()),
    }
}

fn tls(error: &rustls::Error) -> String {
    let text = match error {
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS",
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "the issuer of its certificate is not trusted by this system"
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "its certificate is for another name"
        }
        // A minimal container image has no certificates, so every target fails. There is no variant
        // for this, only the text.
        rustls::Error::General(text) if text.contains("No CA certificates") => {
            "this system has no CA certificates; install them (on Debian: ca-certificates)"
        }
        rustls::Error::InvalidCertificate(other) => {
            return format!("its certificate is not valid: {}", line(&other.to_string()));
        }
        other => return line(&other.to_string()),
    };
    text.to_owned()
}
