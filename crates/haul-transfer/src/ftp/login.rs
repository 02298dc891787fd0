//! From a new control connection to a session that can transfer: greeting, TLS, login, terms (RFC 959 §5.4, RFC 4217,
//! RFC 2389).

use haul_proto::ftp::{Command, Reply, command::Type, feat::Features, reply::Class};
use url::Host;

use super::{FtpError, FtpOptions, FtpTls, control::Control};
use crate::{
    connect::{ConnectError, OwnTls},
    credentials::Login,
};

/// So many replies that say "not yet" and no more.
const MOST_DELAYS: u32 = 10;
/// When it was that something went wrong.
const LOGIN: &str = "during the login";

/// What a login has settled.
#[derive(Debug)]
pub(super) struct Terms {
    /// What the server said first of all.
    pub(super) greeting: Reply,
    pub(super) features: Features,
    /// Data connections are encrypted by this.
    pub(super) data_tls: Option<OwnTls>,
    /// The control connection is encrypted.
    pub(super) encrypted: bool,
}

/// What the one who opens the session wants.
pub(super) struct Wanted<'a> {
    pub(super) implicit: bool,
    pub(super) host: &'a Host<String>,
    pub(super) login: &'a Login,
    pub(super) options: &'a FtpOptions,
}

/// Does all of it. `tls` is called where it is needed.
pub(super) async fn begin(
    control: &mut Control,
    wanted: &Wanted<'_>,
    tls: impl AsyncFnOnce() -> Result<OwnTls, ConnectError>,
) -> Result<Terms, FtpError> {
    let mut secured = None;
    let greeted;
    if wanted.implicit {
        let tls = tls().await?;
        control.secure(&tls, wanted.host).await?;
        secured = Some(tls);
        greeted = greeting(control).await?;
    } else {
        greeted = greeting(control).await?;
        if wanted.options.tls != FtpTls::Off && auth(control, wanted.options.tls).await? {
            let tls = tls().await?;
            control.secure(&tls, wanted.host).await?;
            secured = Some(tls);
        }
    }
    let encrypted = secured.is_some();
    log_in(control, wanted.login).await?;
    let data_tls = match secured {
        Some(tls) => protect(control, wanted).await?.then_some(tls),
        None => None,
    };
    let features = Features::of(&ask(control, &Command::feat()).await?).unwrap_or_default();
    if features.utf8 {
        // Whatever it says: paths are bytes here.
        ask(control, &Command::opts_utf8_on()).await?;
    }
    for command in &wanted.options.quote {
        let reply = ask(control, command).await?;
        if matches!(reply.class(), Class::TransientNegative | Class::PermanentNegative) {
            return Err(refused(command, reply));
        }
    }
    let image = Command::type_(Type::Image);
    let reply = ask(control, &image).await?;
    if !reply.is_completion() {
        return Err(refused(&image, reply));
    }
    Ok(Terms { greeting: greeted, features, data_tls, encrypted })
}

/// The first reply. A 120 says that it takes a while (RFC 959 §5.4).
async fn greeting(control: &mut Control) -> Result<Reply, FtpError> {
    let doing = "instead of a greeting";
    for _ in 0..MOST_DELAYS {
        let reply = control.reply(doing).await?;
        match reply.class() {
            Class::PositivePreliminary => {}
            Class::PositiveCompletion => return Ok(reply),
            _ => return Err(FtpError::Refused { command: "the connection".into(), reply }),
        }
    }
    Err(FtpError::Impossible("the server puts off its greeting again and again"))
}

/// Asks for TLS (RFC 4217 §4). Whether it begins now.
async fn auth(control: &mut Control, tls: FtpTls) -> Result<bool, FtpError> {
    let reply = ask(control, &Command::auth_tls()).await?;
    match reply.class() {
        Class::PositiveCompletion => Ok(true),
        _ if tls == FtpTls::Required => Err(FtpError::NoTls { what: "anything", reply }),
        _ => Ok(false),
    }
}

/// USER, PASS and ACCT, as far as the server asks for them.
async fn log_in(control: &mut Control, login: &Login) -> Result<(), FtpError> {
    let mut reply = ask(control, &Command::user(login.user.as_bytes())?).await?;
    if reply.code().get() == 331 {
        let command = Command::pass(login.password.as_bytes())?;
        reply = closing(&command, control.ask_with(&login.password, &command, LOGIN).await?)?;
    }
    if reply.code().get() == 332 {
        let Some(account) = &login.account else { return Err(FtpError::NeedsAccount(reply)) };
        let command = Command::acct(account.as_bytes())?;
        reply = closing(&command, control.ask_with(account, &command, LOGIN).await?)?;
    }
    if reply.is_completion() { Ok(()) } else { Err(FtpError::Login(reply)) }
}

/// Data connections are to be encrypted too (RFC 4217 §9). Whether they are.
async fn protect(control: &mut Control, wanted: &Wanted<'_>) -> Result<bool, FtpError> {
    // Its reply says nothing that matters: over TLS there is no buffer to agree on.
    ask(control, &Command::pbsz_0()).await?;
    let reply = ask(control, &Command::prot_p()).await?;
    // Over ftps:// some servers have never heard of PROT and encrypt all the same.
    if reply.is_completion() || wanted.implicit {
        return Ok(true);
    }
    if wanted.options.tls == FtpTls::Required {
        return Err(FtpError::NoTls { what: "data connections", reply });
    }
    Ok(false)
}

async fn ask(control: &mut Control, command: &Command) -> Result<Reply, FtpError> {
    closing(command, control.ask(command, LOGIN).await?)
}

/// Whatever was asked: after a 421 it closes the connection (RFC 959 §5.4).
fn closing(command: &Command, reply: Reply) -> Result<Reply, FtpError> {
    if reply.code().get() == 421 { Err(refused(command, reply)) } else { Ok(reply) }
}

/// A command that was answered with no.
pub(super) fn refused(command: &Command, reply: Reply) -> FtpError {
    FtpError::Refused { command: command.verb().to_owned(), reply }
}
