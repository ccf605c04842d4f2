//! A connection that may not idle: neither before its first bytes nor while it does not accept its
//! response. It also ends when it has to make room for another one.

use super::connections::ConnectionPermit;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

/// How HTTP/2 starts. Until it is known whether a connection speaks it, no other timeout applies.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection with its place among the open ones.
pub(super) struct TimeoutStream<T> {
    inner: T,
    /// How much of [`PREFACE`] was read; `None` once the protocol is known.
    preface_read: Option<usize>,
    stall_timeout: Duration,
    first_bytes_timer: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    seat: ConnectionPermit,
}

impl<T> TimeoutStream<T> {
    pub fn new(inner: T, first: Duration, stall_timeout: Duration, seat: ConnectionPermit) -> Self {
        Self {
            inner,
            preface_read: Some(0),
            stall_timeout,
            first_bytes_timer: Box::pin(sleep(first)),
            stalled: None,
            stop: Box::pin(seat.stop().cancelled_owned()),
            seat,
        }
    }

    fn match_preface(&mut self, words: &[u8]) {
        if let Some(read) = self.preface_read {
            let rest = &PREFACE[read..];
            let length = words.len().min(rest.len());
            // `false` also at the end of the preface: the protocol is known then, and hyper watches
            // the time.
            let fits = words[..length] == rest[..length] && length < rest.len();
            self.preface_read = fits.then_some(read + length);
        }
    }

    /// The result of a write, unless the client has not accepted anything for too long.
    fn with_stall_timeout<R>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if self.seat.is_stopped() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        if self.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        let deadline = Instant::now() + self.stall_timeout;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimeoutStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A connection that has to go does not get its buffered requests answered first.
        if self.seat.is_stopped() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        if result.is_ready() {
            self.match_preface(&buffer.filled()[before..]);
            return result;
        }
        if self.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        // Only until the protocol is known: afterwards hyper's own timeouts apply, and an idle
        // keep-alive connection is allowed.
        if self.preface_read.is_some() {
            ready!(self.first_bytes_timer.as_mut().poll(context));
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.with_stall_timeout(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.with_stall_timeout(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(context);
        self.with_stall_timeout(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(context);
        self.with_stall_timeout(context, result)
    }
}
