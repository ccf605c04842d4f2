//! A file that a daemon sends. It is written while it arrives, so that its size does not matter.

use reqwest::Response;
use reqwest::header::CONTENT_DISPOSITION;
use std::io::{self, Write};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// A file on its way.
pub struct FileDownload {
    answer: Response,
}

impl FileDownload {
    pub fn new(answer: Response) -> Self {
        Self { answer }
    }

    /// The name that the daemon gives the file, without its ending.
    pub fn stem(&self) -> Option<String> {
        let header = self.answer.headers().get(CONTENT_DISPOSITION)?;
        let (_, encoded) = header.to_str().ok()?.split_once("filename*=UTF-8''")?;
        let encoded = encoded.split(';').next().unwrap_or_default().trim();
        let name = percent_decode(encoded);
        let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
        Some(stem.to_owned())
    }

    /// Writes the file. Fails if the connection ends before the file does.
    pub fn write_to(mut self, out: &mut dyn Write) -> io::Result<()> {
        // The writer of files is no async code, and only this command waits for it.
        block_in_place(|| {
            Handle::current().block_on(async {
                while let Some(piece) = self.answer.chunk().await.map_err(io::Error::other)? {
                    out.write_all(&piece)?;
                }
                Ok(())
            })
        })
    }
}

/// Decodes `%C3%85` and the like.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        if let (b'%', Some(byte)) = (first, code) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_decoded() {
        for (text, name) in [
            ("Karin_%C3%85slund.zip", "Karin_Åslund.zip"),
            ("100%", "100%"),
            ("%zz%41", "%zzA"),
            ("", ""),
        ] {
            assert_eq!(percent_decode(text), name, "{text}");
        }
    }
}
