//! Signs addresses of S3 and compatible servers (AWS Signature Version 4, in the query). The signed
//! address is then fetched like any other.

use super::location::S3Key;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use reqwest::Url;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// How long a signed address is valid, in seconds. Clocks may differ by a few minutes.
const GOOD_FOR: &str = "900";

/// Signs the address of an object.
pub(super) fn sign_url(url: &Url, key: &S3Key, now: DateTime<Utc>) -> Url {
    sign_url_for(url, key, now, GOOD_FOR)
}

fn sign_url_for(url: &Url, key: &S3Key, now: DateTime<Utc>, seconds: &str) -> Url {
    let (day, time) = (now.format("%Y%m%d"), now.format("%Y%m%dT%H%M%SZ"));
    let scope = format!("{day}/{}/s3/aws4_request", key.region);
    // Sorted by name, as the signature requires.
    let mut query = vec![
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("X-Amz-Credential", format!("{}/{scope}", key.id)),
        ("X-Amz-Date", time.to_string()),
        ("X-Amz-Expires", seconds.to_owned()),
    ];
    if let Some(token) = &key.session {
        query.push(("X-Amz-Security-Token", token.expose_secret().to_owned()));
    }
    query.push(("X-Amz-SignedHeaders", "host".to_owned()));
    let query = query
        .into_iter()
        .map(|(name, value)| format!("{name}={}", percent_encode(&value, false)));
    let query = query.collect::<Vec<_>>().join("&");
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    // The body is not part of the signature, as a GET has none.
    let asked = format!(
        "GET\n{}\n{query}\nhost:{host}{port}\n\nhost\nUNSIGNED-PAYLOAD",
        url.path()
    );
    let asked = hex(&Sha256::digest(asked));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{asked}");
    let secret = format!("AWS4{}", key.secret.expose_secret());
    // The key is derived step by step, so that a leaked derived key is good for one day, region and
    // service only.
    let steps = [
        &*day.to_string(),
        &*key.region,
        "s3",
        "aws4_request",
        &*text,
    ];
    let signature = steps
        .iter()
        .fold(secret.into_bytes(), |key, step| mac(&key, step));
    let mut signed = url.clone();
    signed.set_query(Some(&format!(
        "{query}&X-Amz-Signature={}",
        hex(&signature)
    )));
    signed
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length of key will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Encodes text for such an address. In a path, slashes are kept.
#[must_use]
pub fn percent_encode(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if plain || (is_path && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the documentation of S3 ("Authenticating Requests: Using Query Parameters").
    #[test]
    fn an_address_is_signed_as_the_documentation_shows() {
        let key = S3Key {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            session: None,
            region: "us-east-1".to_owned(),
        };
        let url = Url::parse("https://examplebucket.s3.amazonaws.com/test.txt").unwrap();
        let now = DateTime::parse_from_rfc3339("2013-05-24T00:00:00Z").unwrap();
        let signed = sign_url_for(&url, &key, now.to_utc(), "86400");
        assert_eq!(
            signed.as_str(),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn a_path_keeps_its_slashes() {
        assert_eq!(percent_encode("a b/é+.csv", true), "a%20b/%C3%A9%2B.csv");
        assert_eq!(percent_encode("a/b", false), "a%2Fb");
    }
}
