//! A session: one control connection that is logged in, in TYPE I, and at most one transfer at a time.
//!
//! ```text
//!   idle ── start ──▶ transfer ── finish ──▶ idle
//!    │                    └────── release ──▶ idle, or of no use any more
//!    └── command ──▶ idle
//! ```

use std::{net::SocketAddr, sync::Arc, time::Duration};

use haul_core::Modified;
use haul_proto::ftp::{
    Command, Reply,
    command::{Mode, Type},
    feat::Features,
    mark,
    reply::Class,
    size, time,
};
use url::Host;

use super::{
    Data, DataWay, FtpError, FtpOptions,
    control::Control,
    login::{self, Terms, Wanted},
};
use crate::{
    connect::{Connector, Encryption, Newest, Origin, OwnTls},
    credentials::Login,
};

/// How long the replies to a transfer that is given up are waited for; a new session costs hardly more.
const RELEASE: Duration = Duration::from_secs(2);
/// How long a server may take to notice that the data connection is closed, before it is told.
const NOTICE: Duration = Duration::from_secs(1);
/// More unanswered NOOPs than this are not sent, half a day of them: most servers answer behind the transfer, and all of
/// them have to fit into the socket meanwhile.
const MOST_NOOPS: u32 = 960;

/// A server, and who one is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// `ftp` or `ftps`, host and port.
    pub(crate) origin: Origin,
    /// Name, password, account.
    pub(crate) login: Login,
}

/// One control connection, logged in.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) control: Control,
    pub(super) connector: Connector,
    pub(super) options: Arc<FtpOptions>,
    place: Place,
    newest: Newest,
    /// Where the control connection ended: data connections have to end there too.
    pub(super) host: Host<String>,
    /// This end and the other one; `None` through a proxy.
    pub(super) ends: Option<(SocketAddr, SocketAddr)>,
    pub(super) terms: Terms,
    /// EPSV was refused, or led nowhere.
    pub(super) no_epsv: bool,
    /// How the last data connection came about.
    pub(super) way: Option<DataWay>,
    /// A REST may still hold that was meant for a transfer that did not come about.
    pub(super) stale_rest: bool,
    /// The last reply to the transfer, where it came first of all.
    pub(super) ended: Option<Reply>,
    /// NOOPs whose replies are still to come.
    noops: u32,
    /// Not all replies came: those to come would be taken for answers to something else.
    spoiled: bool,
    /// It is not in TYPE I, as far as is known.
    as_text: bool,
    /// The mode that it is in; `None`: nobody knows.
    mode: Option<Mode>,
    /// MODE B was refused.
    no_blocks: bool,
    /// So many bytes of what is being sent the server has said to be safe.
    safe: u64,
}

impl Session {
    /// Connects, agrees on TLS, logs in, settles the terms.
    ///
    /// # Errors
    /// All of [`FtpError`] but those of transfers.
    pub(crate) async fn open(
        connector: &Connector,
        place: &Place,
        options: &Arc<FtpOptions>,
    ) -> Result<Self, FtpError> {
        Self::open_with(connector, place, options, Newest::default()).await
    }

    /// The same with another version of TLS: a server that wants each data connection to resume the control
    /// connection's session, and hands out too few tickets for that under TLS 1.3, is spoken to under 1.2.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub(crate) async fn open_with(
        connector: &Connector,
        place: &Place,
        options: &Arc<FtpOptions>,
        newest: Newest,
    ) -> Result<Self, FtpError> {
        let way = connector.reach(&place.origin).await?;
        let implicit = place.origin.scheme == "ftps";
        if implicit && !way.said.is_empty() {
            return Err(FtpError::Injected);
        }
        let mut control = Control::new(way.stream, &way.said, options.patience);
        let wanted = Wanted { implicit, host: &place.origin.host, login: &place.login, options };
        let terms =
            Box::pin(login::begin(&mut control, &wanted, async || connector.own_tls(newest).await)).await?;
        Ok(Self {
            control,
            connector: connector.clone(),
            options: Arc::clone(options),
            place: place.clone(),
            newest,
            host: way.host,
            ends: way.ends,
            terms,
            no_epsv: false,
            way: None,
            stale_rest: false,
            ended: None,
            noops: 0,
            spoiled: false,
            as_text: false,
            mode: Some(Mode::Stream),
            no_blocks: false,
            safe: 0,
        })
    }

    /// Where it leads.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What it was greeted with.
    pub(crate) fn greeting(&self) -> &Reply {
        &self.terms.greeting
    }

    /// What TLS came to for commands; `None` in the clear.
    pub(crate) fn encryption(&self) -> Option<Encryption> {
        self.control.encryption()
    }

    /// How the last data connection came about; `None` before there was one.
    pub(crate) fn way(&self) -> Option<&DataWay> {
        self.way.as_ref()
    }

    /// PASV is asked for from now on, as if the server knew no EPSV.
    pub(crate) fn prefer_pasv(&mut self) {
        self.no_epsv = true;
    }

    /// What the server says it can do.
    pub(crate) fn features(&self) -> &Features {
        &self.terms.features
    }

    /// Whether commands are encrypted, and whether data is.
    pub(crate) fn encrypted(&self) -> (bool, bool) {
        (self.terms.encrypted, self.terms.data_tls.is_some())
    }

    /// The newest version of TLS that was offered to the server.
    pub(crate) fn newest_tls(&self) -> Newest {
        self.newest
    }

    /// Whether the next data connection will be taken by a server that wants it to resume the control connection's
    /// session, as far as that hangs on this side: in the clear it does not matter, and under TLS 1.3 there has to be
    /// a ticket left. Ask before an upload: some servers refuse a data connection only when they have emptied the
    /// file already.
    pub(crate) fn can_resume_tls(&self) -> bool {
        self.terms.data_tls.as_ref().is_none_or(OwnTls::can_resume)
    }

    /// Sends a command that opens no data connection. Returns its last reply, whatever it says.
    ///
    /// # Errors
    /// The connection broke, what came is no reply, or a 421: the server closes it.
    pub(crate) async fn command(&mut self, command: &Command) -> Result<Reply, FtpError> {
        self.command_within(command, self.options.patience).await
    }

    /// The same, where the server may have to work for it (HASH of a large file).
    pub(crate) async fn command_within(
        &mut self,
        command: &Command,
        patience: Duration,
    ) -> Result<Reply, FtpError> {
        let doing = "before it answered a command";
        // Until its reply has come a command that is dropped in the middle leaves the dialogue out of step.
        self.spoiled = true;
        self.control.send(command, doing).await?;
        let last = async {
            loop {
                let reply = self.control.reply_within(patience, doing).await?;
                if reply.class() != Class::PositivePreliminary {
                    return Ok(reply);
                }
            }
        };
        // One that says "soon" for ever says nothing.
        let silent = FtpError::Silent { doing, seconds: patience.as_secs() };
        let reply = tokio::time::timeout(patience, last).await.unwrap_or(Err(silent))?;
        if reply.code().get() == 421 {
            return Err(login::refused(command, reply));
        }
        self.spoiled = false;
        Ok(reply)
    }

    /// The file's size in bytes, as SIZE tells it; `None` where it does not.
    ///
    /// # Errors
    /// As [`Session::command`]; `Unasked` for a reply that SIZE cannot have.
    pub(crate) async fn size(&mut self, path: &[u8]) -> Result<Option<u64>, FtpError> {
        let reply = self.command(&Command::size(path)?).await?;
        self.answer_or_no(&reply)?;
        Ok(size::size(&reply))
    }

    /// When the file was changed, as MDTM tells it; `None` where it does not.
    ///
    /// # Errors
    /// As [`Session::size`].
    pub(crate) async fn modified(&mut self, path: &[u8]) -> Result<Option<Modified>, FtpError> {
        let reply = self.command(&Command::mdtm(path)?).await?;
        self.answer_or_no(&reply)?;
        Ok(time::mdtm(&reply))
    }

    /// Says how bytes are meant from now on. Outside of TYPE I the session is of no use to others.
    ///
    /// # Errors
    /// As [`Session::command`]; `Refused`.
    pub(crate) async fn set_type(&mut self, wanted: Type) -> Result<(), FtpError> {
        if self.stale_rest {
            // Many servers know no REST outside of TYPE I.
            let reply = self.command(&Command::rest(0)).await?;
            self.stale_rest = reply.class() != Class::PositiveIntermediate;
        }
        self.as_text = true;
        let command = Command::type_(wanted);
        let reply = self.command(&command).await?;
        if !reply.is_completion() {
            return Err(login::refused(&command, reply));
        }
        self.as_text = wanted != Type::Image;
        Ok(())
    }

    /// Sees to it that transfers are in this mode, or in MODE S where the server refuses blocks. A server that knows no
    /// mode is in MODE S (RFC 959 §5.1).
    ///
    /// # Errors
    /// As [`Session::command`]; `Refused`: the session is of no use any more.
    pub(super) async fn set_mode(&mut self, wanted: Mode) -> Result<(), FtpError> {
        let wanted = if self.no_blocks { Mode::Stream } else { wanted };
        if self.mode == Some(wanted) {
            return Ok(());
        }
        self.mode = None;
        let command = Command::mode(wanted);
        let reply = self.command(&command).await?;
        match (reply.is_completion(), wanted) {
            (true, _) => {}
            // It was promised, and is not there: as before.
            (false, Mode::Block) => self.no_blocks = true,
            (false, Mode::Stream) => return Err(login::refused(&command, reply)),
        }
        self.mode = Some(if self.no_blocks { Mode::Stream } else { wanted });
        Ok(())
    }

    /// Sees to it that what is asked next is asked in MODE S.
    ///
    /// # Errors
    /// As [`Session::command`]; `Refused`: the session is of no use any more.
    pub(crate) async fn leave_blocks(&mut self) -> Result<(), FtpError> {
        self.set_mode(Mode::Stream).await
    }

    /// Whether it is in MODE B.
    pub(crate) fn is_in_blocks(&self) -> bool {
        self.mode == Some(Mode::Block)
    }

    /// Whether the server has refused MODE B.
    pub(crate) fn refuses_blocks(&self) -> bool {
        self.no_blocks
    }

    /// Whether the server has said that it has blocks with restart markers, and has not refused them since. Who marks
    /// nothing shows nowhere that it has not lost count: from such a one a stream is worth as much.
    pub(crate) fn has_blocks(&self) -> bool {
        let features = self.features();
        features.mode_b && features.marks && !self.no_blocks
    }

    /// So many bytes the server has said to be safe of what is being sent in blocks, and of nothing before that.
    pub(crate) fn safe(&self) -> u64 {
        self.safe
    }

    pub(super) fn nothing_is_safe(&mut self) {
        self.safe = 0;
    }

    fn heed_mark(&mut self, reply: &Reply) {
        self.safe = mark::safe(reply).map_or(self.safe, |safe| safe.max(self.safe));
    }

    /// Whether the transfer's last reply has come already, and what it was if it has.
    ///
    /// # Errors
    /// The connection broke, or what came is no reply.
    pub(crate) async fn ended_early(&mut self) -> Result<Option<&Reply>, FtpError> {
        while self.ended.is_none() {
            match self.control.reply_within(Duration::ZERO, "while bytes were sent").await {
                Ok(reply) if self.answers_noop(&reply) => self.noops -= 1,
                Ok(reply) if reply.class() == Class::PositivePreliminary => self.heed_mark(&reply),
                Ok(reply) => self.ended = Some(reply),
                Err(FtpError::Silent { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(self.ended.as_ref())
    }

    /// A 213, a 4yz or a 5yz: anything else was meant for something else.
    fn answer_or_no(&mut self, reply: &Reply) -> Result<(), FtpError> {
        let no = matches!(reply.class(), Class::TransientNegative | Class::PermanentNegative);
        if no || reply.code().get() == 213 {
            return Ok(());
        }
        self.spoiled = true;
        Err(FtpError::Unasked(reply.clone()))
    }

    /// Keeps the control connection from falling asleep in some router while bytes flow. The reply comes when the
    /// server finds time.
    ///
    /// # Errors
    /// `Broken`, `Silent`.
    pub(crate) async fn keep_alive(&mut self) -> Result<(), FtpError> {
        if self.noops < MOST_NOOPS && self.ended.is_none() {
            self.noops += 1;
            self.control.send(&Command::noop(), "while bytes were coming").await?;
        }
        Ok(())
    }

    /// The last reply to a transfer whose data connection has ended. The session can be used again.
    ///
    /// # Errors
    /// The connection broke, or no reply came in time: then the session is of no use any more.
    pub(crate) async fn finish(&mut self, patience: Duration) -> Result<Reply, FtpError> {
        let doing = "behind the last byte";
        self.spoiled = true;
        let silent = FtpError::Silent { doing, seconds: patience.as_secs() };
        let reply =
            tokio::time::timeout(patience, self.last_reply(patience, doing)).await.unwrap_or(Err(silent))?;
        // Pure-FTPd answers once where it finds several: then the answer to the next command would be in doubt.
        while self.noops > 0 && self.control.reply_within(NOTICE, doing).await.is_ok() {
            self.noops -= 1;
        }
        self.spoiled = self.noops > 0 || reply.code().get() == 421;
        Ok(reply)
    }

    /// The reply that ends the transfer, past those that do not.
    async fn last_reply(&mut self, patience: Duration, doing: &'static str) -> Result<Reply, FtpError> {
        let mut ended = self.ended.take();
        loop {
            let reply = match ended.take() {
                Some(reply) => reply,
                // Not the patience of other replies: a server may have to look through all that it got.
                None => self.control.reply_within(patience, doing).await?,
            };
            match reply.code().get() {
                100..200 => self.heed_mark(&reply),
                _ if self.answers_noop(&reply) => self.noops -= 1,
                _ => return Ok(reply),
            }
        }
    }

    /// The same, for a transfer that was short.
    pub(crate) async fn finish_now(&mut self) -> Result<Reply, FtpError> {
        self.finish(self.options.patience).await
    }

    /// Whether REST is taken, with an offset, as in MODE S. The next transfer says itself where it begins.
    pub(crate) async fn try_rest(&mut self) -> Result<bool, FtpError> {
        self.leave_blocks().await?;
        let reply = self.command(&Command::rest(1)).await?;
        let taken = reply.class() == Class::PositiveIntermediate;
        self.stale_rest |= taken;
        Ok(taken)
    }

    /// The bytes to come are not wanted: closes the data connection. Whether the session can be used again.
    ///
    /// Most servers answer to that with one reply. Pure-FTPd has another 1yz and nothing else, and some do not notice:
    /// those are told by ABOR (RFC 959 §4.1.3), which brings none, one or two replies. So a NOOP is sent behind it, and
    /// what comes before the answer to that belongs to the transfer.
    pub(crate) async fn release(&mut self, data: Data) -> bool {
        let doing = "after a transfer was broken off";
        self.spoiled = true;
        drop(data);
        if self.ended.is_some() {
            return self.finish(NOTICE).await.is_ok() && self.is_usable();
        }
        loop {
            match self.control.reply_within(NOTICE, doing).await {
                Ok(reply) if self.answers_noop(&reply) => self.noops -= 1,
                Ok(reply) if reply.class() != Class::PositivePreliminary && self.noops == 0 => {
                    self.spoiled = reply.code().get() == 421;
                    return self.is_usable();
                }
                Ok(_) | Err(FtpError::Silent { .. }) => return self.told_to_stop().await,
                Err(_) => return false,
            }
        }
    }

    /// Whether this is the answer to a NOOP of ours, understood or not: no transfer ends with such a reply.
    fn answers_noop(&self, reply: &Reply) -> bool {
        self.noops > 0 && matches!(reply.code().get(), 200 | 500..=502)
    }

    /// ABOR, and all that comes of it. Whether the session can be used again.
    async fn told_to_stop(&mut self) -> bool {
        let doing = "after ABOR";
        for command in [Command::abor(), Command::noop()] {
            if self.control.send(&command, doing).await.is_err() {
                return false;
            }
        }
        self.noops += 1;
        let stopped = async {
            while self.noops > 0 {
                let reply = self.control.reply(doing).await?;
                // The answer to ABOR itself may be that it is not known; the last NOOP's is 200.
                let last = self.noops == 1;
                self.noops -= u32::from(self.answers_noop(&reply) && (!last || reply.code().get() == 200));
            }
            Ok::<_, FtpError>(())
        };
        if !matches!(tokio::time::timeout(RELEASE, stopped).await, Ok(Ok(()))) {
            return false;
        }
        (self.ended, self.spoiled) = (None, false);
        self.is_usable()
    }

    /// Whether another command may be sent: every reply has come and no other one, the connection is open, bytes are
    /// meant as they are, and how they travel is known.
    pub(crate) fn is_usable(&mut self) -> bool {
        !self.spoiled
            && !self.as_text
            && self.mode.is_some()
            && self.ended.is_none()
            && self.control.is_quiet()
    }

    /// The session cannot be used again unless what begins now is seen to its end.
    pub(super) fn begin(&mut self) {
        self.spoiled = true;
    }

    /// What began was seen to its end; whether the server closes the connection now.
    pub(super) fn over(&mut self, closing: bool) {
        self.spoiled = closing;
    }

    /// Says goodbye and goes, without waiting for long.
    pub(crate) async fn quit(self) {
        self.control.quit().await;
    }
}
