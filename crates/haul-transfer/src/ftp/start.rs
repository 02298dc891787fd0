//! How a transfer begins: a data connection, REST, the command, and the reply that says whether it has begun.
//!
//! ```text
//! passive  EPSV | PASV ─ connect ─ [REST] ─ RETR … ─┬─ 150 ───────┬─▶ Data
//! active   EPRT | PORT ───────────  [REST] ─ RETR … ─┘  [accept] [TLS] ┘
//! ```
//! The address in a 227 is not used (CVE-2020-8284): data connections go where the control connection went. REST is
//! sent right before the transfer, since some servers forget it at any other command.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    time::Duration,
};

use haul_proto::ftp::{
    Command, Reply,
    command::{Epsv, Mode},
    echo, passive,
    reply::Class,
};
use tokio::net::TcpListener;
use url::Host;

use super::{Data, FtpError, Session, login::refused};
use crate::connect::{OwnTls, Stream};

/// A transfer that has begun.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its bytes.
    pub(crate) data: Data,
    /// The 1yz, or the last reply where that came first.
    pub(crate) opening: Reply,
}

/// How a data connection came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DataWay {
    /// By EPSV.
    Epsv,
    /// By PASV.
    Pasv {
        /// The address that was told, which is not used.
        told: Ipv4Addr,
        /// Whether that is another one than the server's.
        foreign: bool,
        /// Why not by EPSV, where that was asked for first.
        instead: Option<String>,
    },
    /// By EPRT or PORT.
    Active,
}

/// A data connection on its way.
enum Pending {
    /// We connected.
    Connected(Stream),
    /// The server is going to.
    Listening(TcpListener, IpAddr),
}

/// How long a reason may take that explains why a data connection failed.
const REASON: Duration = Duration::from_secs(2);

impl Session {
    /// Begins a transfer at the offset `rest`: RETR, STOR, APPE, LIST, MLSD.
    ///
    /// # Errors
    /// All of [`FtpError`] but those of a login. After `NoRest` and `Refused` (other than by 421) the session can be
    /// used again.
    pub(crate) async fn start(&mut self, rest: u64, command: &Command) -> Result<Started, FtpError> {
        self.start_in(Mode::Stream, rest, command).await
    }

    /// Begins to send bytes from `at` on: in blocks where the server has said that it takes them.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub(crate) async fn start_sending(
        &mut self,
        rest: u64,
        command: &Command,
        at: u64,
    ) -> Result<Started, FtpError> {
        let features = self.features();
        let (blocks, marks) = (features.mode_b, features.marks);
        self.nothing_is_safe();
        let mut started = self.start_in(mode(blocks), rest, command).await?;
        if self.is_in_blocks() {
            started.data.in_blocks(at, marks);
        }
        Ok(started)
    }

    /// Begins to fetch bytes, where `blocks` says so and the server has said that it has them in blocks.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub(crate) async fn start_fetching(
        &mut self,
        rest: u64,
        command: &Command,
        blocks: bool,
    ) -> Result<Started, FtpError> {
        let mut started = self.start_in(mode(blocks && self.has_blocks()), rest, command).await?;
        if self.is_in_blocks() {
            started.data.expect_blocks(rest);
        }
        Ok(started)
    }

    /// In this mode, or in MODE S where the server refuses it.
    async fn start_in(&mut self, mode: Mode, rest: u64, command: &Command) -> Result<Started, FtpError> {
        self.set_mode(mode).await?;
        let pending = self.data_way().await?;
        // One of the user's own (--quote) may hold as well.
        let quoted = self.options.quote.iter().any(|command| command.verb().eq_ignore_ascii_case("REST"));
        if rest > 0 || self.stale_rest || quoted {
            self.rest(rest).await?;
        }
        self.begin();
        self.control.send(command, "before a transfer began").await?;
        let (stream, opening) = self.opened(command, pending).await?;
        self.stale_rest = false;
        let data = Data::new(stream, self.connector.read_buffer());
        Ok(Started { data, opening })
    }

    /// Begins a transfer of a range, which `range` (RANG) names.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub(crate) async fn start_range(
        &mut self,
        range: &Command,
        command: &Command,
    ) -> Result<Started, FtpError> {
        self.set_mode(Mode::Stream).await?;
        let pending = self.data_way().await?;
        let reply = self.command(range).await?;
        if reply.class() != Class::PositiveIntermediate {
            return Err(refused(range, reply));
        }
        self.begin();
        self.control.send(command, "before a transfer began").await?;
        let (stream, opening) = self.opened(command, pending).await?;
        self.stale_rest = false;
        let data = Data::new(stream, self.connector.read_buffer());
        Ok(Started { data, opening })
    }

    /// REST. Another offset in the reply than the one that was sent is a refusal.
    async fn rest(&mut self, offset: u64) -> Result<(), FtpError> {
        let reply = self.command(&Command::rest(offset)).await?;
        let told = echo::offset(&reply);
        self.stale_rest = reply.class() == Class::PositiveIntermediate;
        match told {
            Some(told) if told != offset => Err(FtpError::NoRest(reply)),
            _ if !self.stale_rest => Err(FtpError::NoRest(reply)),
            _ => Ok(()),
        }
    }

    async fn data_way(&mut self) -> Result<Pending, FtpError> {
        if self.options.active {
            return self.listen().await;
        }
        let mut fault = None;
        if !self.no_epsv {
            let command = Command::epsv(Epsv::Own);
            let reply = self.command(&command).await?;
            match passive::epsv(&reply) {
                Some(port) => match self.connect(port).await {
                    Ok(stream) => {
                        self.way = Some(DataWay::Epsv);
                        return Ok(Pending::Connected(stream));
                    }
                    // Routers that rewrite FTP may know PASV only.
                    Err(error) => fault = Some(error),
                },
                None if reply.class() == Class::TransientNegative => return Err(refused(&command, reply)),
                None => fault = Some(refused(&command, reply)),
            }
        }
        // PASV knows IPv4 only (RFC 2428 §1).
        if matches!(self.host, Host::Ipv6(_)) {
            let none = FtpError::Impossible("the server opens no data connections over IPv6");
            return Err(fault.unwrap_or(none));
        }
        let command = Command::pasv();
        let reply = self.command(&command).await?;
        let Some(told) = passive::pasv(&reply) else {
            return Err(fault.unwrap_or_else(|| refused(&command, reply)));
        };
        let stream = match self.connect(told.port).await {
            Ok(stream) => stream,
            Err(error) => return Err(fault.unwrap_or(error)),
        };
        let instead = fault.map(|fault| fault.to_string());
        let told = told.untrusted_host;
        let foreign = matches!(self.host, Host::Ipv4(host) if host != told);
        self.way = Some(DataWay::Pasv { told, foreign, instead });
        self.no_epsv = true;
        Ok(Pending::Connected(stream))
    }

    async fn connect(&self, port: u16) -> Result<Stream, FtpError> {
        let reached = self.connector.reach_beside(&self.place().origin, &self.host, port).await;
        reached.map_err(|error| FtpError::Data { what: format!("could not be opened: {error}") })
    }

    /// Waits for the server on this end of the control connection, and tells it where.
    async fn listen(&mut self) -> Result<Pending, FtpError> {
        let Some((here, there)) = self.ends else {
            return Err(FtpError::Impossible(
                "a server cannot connect to here through a proxy (--ftp-active)",
            ));
        };
        let unable = |error| FtpError::Data { what: format!("could not be waited for: {error}") };
        let listener = TcpListener::bind(SocketAddr::new(here.ip(), 0)).await.map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        let eprt = Command::eprt(address);
        let mut reply = self.command(&eprt).await?;
        if let (false, SocketAddr::V4(address)) = (reply.is_completion(), address) {
            reply = self.command(&Command::port(address)).await?;
        }
        if !reply.is_completion() {
            return Err(refused(&eprt, reply));
        }
        self.way = Some(DataWay::Active);
        Ok(Pending::Listening(listener, there.ip()))
    }

    /// The reply that says that it began, and the data connection; they come in any order.
    async fn opened(&mut self, command: &Command, pending: Pending) -> Result<(Stream, Reply), FtpError> {
        let doing = "before a transfer began";
        let patience = self.options.patience;
        let host = self.place().origin.host.clone();
        let joining = joined(pending, self.terms.data_tls.clone(), host);
        let mut joining = pin!(tokio::time::timeout(patience, joining));
        let (mut opening, mut stream) = (None, None);
        loop {
            (opening, stream) = match (opening, stream) {
                (Some(opening), Some(stream)) => return Ok((stream, opening)),
                waiting => waiting,
            };
            tokio::select! {
                biased;
                reply = self.control.reply(doing), if self.ended.is_none() => {
                    let reply = reply?;
                    match reply.class() {
                        Class::PositivePreliminary => {}
                        Class::PositiveCompletion => self.ended = Some(reply.clone()),
                        _ => return Err(self.no(command, reply)),
                    }
                    opening.get_or_insert(reply);
                }
                joined = &mut joining, if stream.is_none() => match joined {
                    Ok(Ok(joined)) => stream = Some(joined),
                    Ok(Err(error)) => return Err(self.reason(command, error).await),
                    Err(_elapsed) => return Err(FtpError::Silent { doing, seconds: patience.as_secs() }),
                },
            }
        }
    }

    /// Why a data connection failed: the server's word, where it has one.
    async fn reason(&mut self, command: &Command, error: FtpError) -> FtpError {
        let word = async {
            loop {
                let reply = self.control.reply("").await?;
                if reply.class() != Class::PositivePreliminary {
                    return Ok::<_, FtpError>(reply);
                }
            }
        };
        // One that says "soon" for ever has no reason.
        match tokio::time::timeout(REASON, word).await {
            Ok(Ok(reply)) if matches!(reply.class(), Class::TransientNegative | Class::PermanentNegative) => {
                self.no(command, reply)
            }
            _ => error,
        }
    }

    /// It did not begin; every reply has come.
    fn no(&mut self, command: &Command, reply: Reply) -> FtpError {
        self.over(reply.code().get() == 421);
        refused(command, reply)
    }
}

fn mode(blocks: bool) -> Mode {
    if blocks { Mode::Block } else { Mode::Stream }
}

/// The data connection, once both ends of it are there and it is as private as agreed.
async fn joined(pending: Pending, tls: Option<OwnTls>, host: Host<String>) -> Result<Stream, FtpError> {
    let stream = match pending {
        Pending::Connected(stream) => stream,
        Pending::Listening(listener, server) => Stream::Plain(loop {
            let accepted = listener.accept().await;
            let (stream, from) =
                accepted.map_err(|error| FtpError::Data { what: format!("did not come: {error}") })?;
            // Whoever else finds the port is not the server.
            if from.ip().to_canonical() == server.to_canonical() {
                break stream;
            }
            tracing::debug!(%from, "a stranger at the data port is sent away");
        }),
    };
    match tls {
        Some(tls) => Ok(tls.wrap(stream, &host).await?),
        None => Ok(stream),
    }
}
