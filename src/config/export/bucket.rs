//! `s3:` of an export: an object in S3 or a compatible server.

use super::{ExportKeyReader, secret, web};
use crate::transport::{HttpAuth, HttpLocation, S3Key, percent_encode};

impl ExportKeyReader<'_> {
    pub(super) fn s3(&mut self) -> Result<HttpLocation, String> {
        const FORM: &str = "`s3` names no object; use `s3://BUCKET/PATH`";
        let text = self.text("s3")?.unwrap_or_default();
        let named = text.strip_prefix("s3://").ok_or(FORM)?;
        let (bucket, object) = named.split_once('/').ok_or(FORM)?;
        // Bucket and region become parts of a host name, where other characters would name another
        // server.
        let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_');
        let mut parts = object.split('/');
        // Such parts would be removed from the address, which then names another object.
        let is_dots = parts.any(|part| matches!(part, "." | ".."));
        if bucket.is_empty() || bucket.contains(odd) || object.is_empty() || is_dots {
            return Err(FORM.to_owned());
        }
        let region = self.text("region")?.ok_or("`s3` needs `region`")?;
        if region.is_empty() || region.contains(odd) {
            return Err(format!(
                "`region` is `{region}`; use a region such as `eu-north-1`"
            ));
        }
        let object = percent_encode(object, true);
        let address = match self.text("endpoint")? {
            // Compatible servers often have no host name for each bucket, so the bucket goes into
            // the path.
            Some(endpoint) => {
                format!("{}/{bucket}/{object}", endpoint.trim_end_matches('/'))
            }
            // The wildcard certificate does not cover a bucket with dots in its name.
            None if bucket.contains('.') => {
                format!("https://s3.{region}.amazonaws.com/{bucket}/{object}")
            }
            None => format!("https://{bucket}.s3.{region}.amazonaws.com/{object}"),
        };
        Ok(HttpLocation {
            url: web::parse_web_url("endpoint", &address)?,
            auth: self.s3_auth(region)?,
            headers: Vec::new(),
            next: None,
            items: None,
            ca: self.path("ca")?,
        })
    }

    fn s3_auth(&mut self, region: String) -> Result<HttpAuth, String> {
        const KNOWN: [&str; 3] = ["accessKeyId", "secretAccessKey", "sessionToken"];
        const FORMS: &str = "`auth`: expected `{accessKeyId, secretAccessKey, sessionToken?}`";
        let Some(object) = self.object("auth").map_err(|_| FORMS)? else {
            return Ok(HttpAuth::None);
        };
        let mut auth = self.below("auth", object, &KNOWN)?;
        let (id, word) = (auth.text("accessKeyId")?, auth.text("secretAccessKey")?);
        let session = auth.text("sessionToken")?;
        let (Some(id), Some(word)) = (id, word) else {
            return Err(FORMS.to_owned());
        };
        Ok(HttpAuth::S3(S3Key {
            id,
            secret: secret("secretAccessKey", word)?,
            session: session
                .map(|token| secret("sessionToken", token))
                .transpose()?,
            region,
        }))
    }
}
