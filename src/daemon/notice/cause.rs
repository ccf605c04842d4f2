//! Why a connection did not come about, in words for who has to mend it.

use super::line;
use rustls::CertificateError::{
    Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
};
use std::error::Error;
use std::io;

/// The last cause: the ones before only say that there is one, some of them with the whole address.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    // An I/O error hides what it wraps from `source`.
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
