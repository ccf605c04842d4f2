//! Exports from FTP servers, with TLS unless the configuration has `plain: true`. FTP tells little
//! about a file and nothing about whether it is complete, so size and time are compared before and
//! after the transfer. Start reading at `fetch`.

use super::error::{TransportError, one_line};
use super::file_name::{done_names, is_pattern, matches_pattern, may_be_complete};
use super::incoming::IncomingExport;
use super::location::{ExportLocation, FtpLocation, FtpSecurity};
use super::{CONNECT, ExportMetadata, FetchAnswer, IDLE, PAUSE};
use crate::tls;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use suppaftp::tokio::{AsyncRustlsConnector, AsyncRustlsFtpStream};
use suppaftp::types::FileType;
use suppaftp::{FtpError, Mode, Status};
use tokio::io::AsyncReadExt;
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};

/// Size and time of a file. Servers need not know either.
type FtpFileStat = (Option<u64>, Option<DateTime<Utc>>);

/// A connection to a server.
struct FtpSession<'p> {
    place: &'p ExportLocation,
    ftp: &'p FtpLocation,
    stream: AsyncRustlsFtpStream,
}

/// Takes the named file, or the newest that the pattern matches.
pub(super) async fn fetch(
    place: &ExportLocation,
    ftp: &FtpLocation,
    incoming: &mut IncomingExport,
) -> Result<FetchAnswer, TransportError> {
    let mut session = FtpSession::open(place, ftp).await?;
    let path = session.choose().await?;
    let before = session.stat(&path).await?;
    // Before the transfer, so that a file that is too large costs no time.
    if let (Some(size), _) = before {
        incoming.check_size(size)?;
    }
    sleep(PAUSE).await;
    session.check_unchanged(&path, before).await?;
    session.take(&path, before, incoming).await?;
    session.check_unchanged(&path, before).await?;
    // Everything has arrived, so a server that does not answer to QUIT is not waited for.
    let _ = timeout(Duration::from_secs(1), session.stream.quit()).await;
    Ok(FetchAnswer::New(ExportMetadata {
        name: path.rsplit('/').next().unwrap_or(&path).to_owned(),
        modified: before.1,
        ..ExportMetadata::default()
    }))
}

impl<'p> FtpSession<'p> {
    async fn open(place: &'p ExportLocation, ftp: &'p FtpLocation) -> Result<Self, TransportError> {
        // Each time, because it is the only trace of a decision that somebody may have forgotten.
        if ftp.security == FtpSecurity::Plain {
            tracing::warn!(
                "{place}: the password and the customers are sent unencrypted; ask the operators for FTP with TLS, and remove `plain: true`"
            );
        }
        let stream = with_timeout(place, CONNECT, connect(place, ftp)).await?;
        let mut session = Self { place, ftp, stream };
        let peer = session.stream.get_ref().await.peer_addr();
        let is_v6 = peer.is_ok_and(|peer| peer.is_ipv6());
        if is_v6 {
            session.stream.set_mode(Mode::ExtendedPassive);
        } else {
            // Connects to the server itself whatever address it gives: behind a NAT it gives a
            // private one, and a hostile one could point anywhere.
            session.stream.set_passive_nat_workaround(true);
        }
        let (user, word) = (&*ftp.username, ftp.password.expose_secret());
        let entered = async {
            session.stream.login(user, word).await?;
            // In text mode servers change line ends, and the size no longer fits.
            session.stream.transfer_type(FileType::Binary).await
        };
        with_timeout(place, IDLE, entered).await?;
        Ok(session)
    }

    /// Returns the file to read: the named one, or the newest.
    async fn choose(&mut self) -> Result<String, TransportError> {
        let path = self.ftp.path.as_str();
        let (folder, pattern) = match path.rsplit_once('/') {
            Some((folder, pattern)) => (Some(folder), pattern),
            None => (None, path),
        };
        let done = self.ftp.done.as_deref();
        // With a done-file, the folder must be listed even for a fixed name.
        if !is_pattern(pattern) && done.is_none() {
            return Ok(path.to_owned());
        }
        // NLST and not LIST, whose format differs from server to server.
        let listed = self.stream.nlst(folder.filter(|folder| !folder.is_empty()));
        let listed = with_timeout(self.place, IDLE, listed).await?;
        let names = listed.iter().map(|name| {
            let name = name.trim_end_matches(['\r', '\n']);
            // Some servers return full paths.
            name.rsplit('/').next().unwrap_or(name).to_owned()
        });
        let names: Vec<String> = names.collect();
        let whole = |name: &str| match folder {
            Some(folder) => format!("{folder}/{name}"),
            None => name.to_owned(),
        };
        let says_done = |name: &str| done.is_some_and(|ending| name.ends_with(ending));
        let mut newest = None;
        for name in names.iter().filter(|name| matches_pattern(pattern, name)) {
            if name == pattern || (may_be_complete(name) && !says_done(name)) {
                // MDTM has one format on all servers, unlike the times in a listing.
                let (_, time) = self.stat(&whole(name)).await?;
                newest = newest.max(Some((time, name)));
            }
        }
        let (_, name) = newest.ok_or_else(|| TransportError::Missing {
            place: self.place.to_string(),
            said: String::new(),
        })?;
        if let Some(ending) = done {
            let wanted = done_names(name, ending);
            if !names.iter().any(|name| wanted.contains(name)) {
                return Err(TransportError::Unfinished {
                    place: self.place.to_string(),
                    why: format!("{} is not there", wanted[0]),
                });
            }
        }
        Ok(whole(name))
    }

    /// Asks for size and time of a file.
    async fn stat(&mut self, path: &str) -> Result<FtpFileStat, TransportError> {
        let size =
            none_if_unsupported(with_timeout(self.place, IDLE, self.stream.size(path)).await)?;
        let time =
            none_if_unsupported(with_timeout(self.place, IDLE, self.stream.mdtm(path)).await)?;
        Ok((
            size.map(|size| size as u64),
            time.map(|time| time.and_utc()),
        ))
    }

    async fn check_unchanged(
        &mut self,
        path: &str,
        before: FtpFileStat,
    ) -> Result<(), TransportError> {
        let now = self.stat(path).await?;
        if now == before {
            return Ok(());
        }
        let why = match (before.0, now.0) {
            (Some(before), Some(now)) if before != now => format!("{before} bytes became {now}"),
            _ => "it was written just now".to_owned(),
        };
        Err(TransportError::Unfinished {
            place: self.place.to_string(),
            why,
        })
    }

    async fn take(
        &mut self,
        path: &str,
        seen: FtpFileStat,
        incoming: &mut IncomingExport,
    ) -> Result<(), TransportError> {
        let mut stream = with_timeout(self.place, IDLE, self.stream.retr_as_stream(path)).await?;
        let mut buffer = vec![0; 256 << 10];
        // Silence is limited per read, not for the whole file, which may be large.
        loop {
            let read = timeout(IDLE, stream.read(&mut buffer)).await;
            match read.map_err(|_| silent(self.place, IDLE))? {
                Ok(0) => break,
                Ok(read) => incoming.take(&buffer[..read])?,
                // Some servers close TLS without the closing message. That is fine if all bytes
                // have arrived.
                Err(error) if is_end(&error) && seen.0 == Some(incoming.size()) => break,
                Err(error) => return Err(self.truncated_error(seen, incoming, &error.to_string())),
            }
        }
        // The server confirms the end on the control connection, which tells a complete transfer
        // from a broken one.
        let finished = with_timeout(self.place, IDLE, stream.finish()).await;
        if let Err(error) = finished {
            return Err(self.truncated_error(seen, incoming, &error.to_string()));
        }
        // A server whose disk or process fails in the middle may still report success.
        match seen.0 {
            Some(size) if size != incoming.size() => {
                Err(self.truncated_error(seen, incoming, "and the server treats that as the end"))
            }
            _ => Ok(()),
        }
    }

    fn truncated_error(
        &self,
        seen: FtpFileStat,
        incoming: &IncomingExport,
        why: &str,
    ) -> TransportError {
        let came = incoming.size();
        let came = match seen.0 {
            Some(size) => format!("received {came} of {size} bytes"),
            None => format!("received {came} bytes"),
        };
        TransportError::Truncated {
            place: self.place.to_string(),
            said: format!("{came}: {}", one_line(&self.place.redact(why))),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

async fn connect(
    place: &ExportLocation,
    ftp: &FtpLocation,
) -> Result<AsyncRustlsFtpStream, FtpError> {
    let found = lookup_host((ftp.host.as_str(), ftp.port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(FtpError::ConnectionError)?.collect();
    if ftp.security == FtpSecurity::Plain {
        return AsyncRustlsFtpStream::connect(&*addresses).await;
    }
    let config = tls::client(ftp.ca.as_deref()).map_err(FtpError::SecureError)?;
    let connector = AsyncRustlsConnector::from(tokio_rustls::TlsConnector::from(config));
    // Certificates are issued for the address without brackets.
    let host = ftp.host.trim_start_matches('[').trim_end_matches(']');
    tracing::debug!("{place}: {:?}", ftp.security);
    if ftp.security == FtpSecurity::Implicit {
        return AsyncRustlsFtpStream::connect_secure_implicit(&*addresses, connector, host).await;
    }
    let stream = AsyncRustlsFtpStream::connect(&*addresses).await?;
    let secured = stream.into_secure(connector, host).await;
    secured.map_err(|error| match error {
        FtpError::UnexpectedResponse(response) => FtpError::SecureError(format!(
            "the server refused to start TLS ({response}); use `ftps://` for TLS from the start, or `plain: true` for none"
        )),
        other => other,
    })
}

/// Waits for an answer and turns failures into errors.
async fn with_timeout<T>(
    place: &ExportLocation,
    after: Duration,
    work: impl Future<Output = Result<T, FtpError>>,
) -> Result<T, TransportError> {
    let ended = timeout(after, work).await;
    let ended = ended.map_err(|_| silent(place, after))?;
    ended.map_err(|error| classify_error(place, &error))
}

fn silent(place: &ExportLocation, after: Duration) -> TransportError {
    TransportError::Silent {
        place: place.to_string(),
        after,
    }
}

/// Turns the refusal of an optional command into `None`.
fn none_if_unsupported<T>(said: Result<T, TransportError>) -> Result<Option<T>, TransportError> {
    match said {
        Ok(said) => Ok(Some(said)),
        Err(TransportError::Failed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn classify_error(place: &ExportLocation, error: &FtpError) -> TransportError {
    let said = one_line(&place.redact(&error.to_string()));
    let name = place.to_string();
    match error {
        FtpError::ConnectionError(_) | FtpError::SecureError(_) => {
            TransportError::Unreachable { place: name, said }
        }
        FtpError::UnexpectedResponse(response) => match response.status {
            Status::NotLoggedIn | Status::InvalidCredentials | Status::LoginNeedAccount => {
                TransportError::Authentication { place: name, said }
            }
            // FTP has one code for a missing file and for one that may not be read.
            Status::FileUnavailable | Status::RequestFileActionIgnored => TransportError::Missing {
                place: name,
                said: format!(": {said}"),
            },
            Status::NotAvailable => TransportError::Busy {
                place: name,
                status: said,
                after: None,
            },
            _ => TransportError::Failed { place: name, said },
        },
        _ => TransportError::Failed { place: name, said },
    }
}
