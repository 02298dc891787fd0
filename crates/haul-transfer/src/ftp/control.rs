//! The control connection: commands go out, replies come in, each reply in its turn and under a deadline.
//!
//! It knows no command's meaning. What it reads is bounded by [`ReplyParser`]. Everything said is traced, which is
//! what `-v` shows.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use haul_proto::ftp::{Command, Reply, ReplyParser};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use url::Host;

use super::FtpError;
use crate::{
    connect::{Encryption, OwnTls, Stream},
    escape::escape,
};

/// How much is read at a time: replies are short.
const READ: usize = 4096;

/// One control connection.
#[derive(Debug)]
pub(super) struct Control {
    /// `None` only while TLS begins, and after that failed.
    stream: Option<Stream>,
    parser: ReplyParser,
    /// Bytes that were read and belong to later replies.
    ahead: BytesMut,
    patience: Duration,
    /// What a reply may repeat and nobody may see; empty where there is no such thing.
    secret: Vec<u8>,
}

impl Control {
    /// On a new connection, of which `said` was read already.
    pub(super) fn new(stream: Stream, said: &[u8], patience: Duration) -> Self {
        let (parser, ahead) = (ReplyParser::new(), BytesMut::from(said));
        Self { stream: Some(stream), parser, ahead, patience, secret: Vec::new() }
    }

    /// Sends a command. It does not wait for the reply.
    pub(super) async fn send(&mut self, command: &Command, doing: &'static str) -> Result<(), FtpError> {
        tracing::debug!(command = %escape(&command.to_string()), "ftp");
        let patience = self.patience;
        let stream = self.stream.as_mut().ok_or(FtpError::Broken { doing, source: None })?;
        let sending = async {
            stream.write_all(command.wire()).await?;
            stream.flush().await
        };
        match tokio::time::timeout(patience, sending).await {
            Ok(sent) => sent.map_err(|error| FtpError::Broken { doing, source: Some(error) }),
            Err(_elapsed) => Err(FtpError::Silent { doing, seconds: patience.as_secs() }),
        }
    }

    /// The next reply, which is owed.
    pub(super) async fn reply(&mut self, doing: &'static str) -> Result<Reply, FtpError> {
        self.reply_within(self.patience, doing).await
    }

    /// The same with another deadline. Nothing is lost where it passes.
    pub(super) async fn reply_within(
        &mut self,
        patience: Duration,
        doing: &'static str,
    ) -> Result<Reply, FtpError> {
        match tokio::time::timeout(patience, self.next(doing)).await {
            Ok(reply) => reply,
            Err(_elapsed) => Err(FtpError::Silent { doing, seconds: patience.as_secs() }),
        }
    }

    /// A command and the reply to it.
    pub(super) async fn ask(&mut self, command: &Command, doing: &'static str) -> Result<Reply, FtpError> {
        self.send(command, doing).await?;
        self.reply(doing).await
    }

    /// The same with a command that brings a secret, which some servers repeat in their reply: it is taken out there.
    pub(super) async fn ask_with(
        &mut self,
        secret: &str,
        command: &Command,
        doing: &'static str,
    ) -> Result<Reply, FtpError> {
        self.secret = secret.into();
        let reply = self.ask(command, doing).await;
        self.secret.clear();
        reply
    }

    /// The next reply. May be dropped while it waits.
    async fn next(&mut self, doing: &'static str) -> Result<Reply, FtpError> {
        loop {
            if let Some(reply) = self.parsed()? {
                return Ok(reply);
            }
            let stream = self.stream.as_mut().ok_or(FtpError::Broken { doing, source: None })?;
            self.ahead.reserve(READ);
            match stream.read_buf(&mut self.ahead).await {
                Ok(0) => return Err(FtpError::Broken { doing, source: None }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(FtpError::Broken { doing, source: None });
                }
                Err(error) => return Err(FtpError::Broken { doing, source: Some(error) }),
            }
        }
    }

    /// A reply that has come already.
    fn parsed(&mut self) -> Result<Option<Reply>, FtpError> {
        let mut rest = &self.ahead[..];
        let reply = self.parser.advance(&mut rest);
        let taken = self.ahead.len() - rest.len();
        self.ahead.advance(taken);
        let reply = reply?.map(|reply| reply.without(&self.secret));
        if let Some(reply) = &reply {
            tracing::debug!(reply = %escape(&reply.to_string()), "ftp");
        }
        Ok(reply)
    }

    /// Whether nothing has come that nobody asked for, and the connection is still open, as far as is known here.
    pub(super) fn is_quiet(&mut self) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.ahead.is_empty()) else { return false };
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        self.parser.is_between()
            && matches!(Pin::new(stream).poll_read(&mut context, &mut byte), Poll::Pending)
    }

    /// What TLS came to; `None` in the clear.
    pub(super) fn encryption(&self) -> Option<Encryption> {
        self.stream.as_ref()?.encryption()
    }

    /// From here on everything is encrypted. Whatever was sent before that is refused.
    pub(super) async fn secure(&mut self, tls: &OwnTls, host: &Host<String>) -> Result<(), FtpError> {
        if !self.ahead.is_empty() || !self.parser.is_between() {
            return Err(FtpError::Injected);
        }
        let doing = "while TLS began";
        let stream = self.stream.take().ok_or(FtpError::Broken { doing, source: None })?;
        let handshake = Box::pin(tls.wrap(stream, host));
        let secured = tokio::time::timeout(self.patience, handshake)
            .await
            .map_err(|_elapsed| FtpError::Silent { doing, seconds: self.patience.as_secs() })??;
        self.stream = Some(secured);
        Ok(())
    }

    /// Says goodbye and goes, without waiting for long.
    pub(super) async fn quit(mut self) {
        let patience = self.patience.min(Duration::from_secs(2));
        let _ = tokio::time::timeout(patience, self.ask(&Command::quit(), "while leaving")).await;
    }
}
