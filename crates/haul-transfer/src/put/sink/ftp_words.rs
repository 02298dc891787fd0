//! What an FTP server's no to an upload means (RFC 959 §4.2.2, and what servers make of it). Pure.

use haul_core::{
    transfer::Trouble,
    upload::{Refusal, Way},
};
use haul_proto::ftp::Reply;

use super::Fault;
use crate::{
    ftp::{FtpError, Words},
    source::{Failed, unconnected},
};

/// A no to STOR or APPE, or at the end of one.
pub(super) fn refusal(reply: &Reply, way: Way) -> Fault {
    let words = format!("the server answered {}", Words(reply));
    // Pure-FTPd tells the reason in the lines before the last one.
    let text = String::from_utf8_lossy(&reply.lines().join(&b' ')).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    let in_use = ["in use", "being used", "busy", "locked", "another process"];
    // vsftpd and Pure-FTPd say no more than that they could not write.
    let no_room =
        ["no space", "disk full", "quota", "not enough space", "failure writing", "error during write"];
    let refusal = match reply.code().get() {
        452 | 552 => Refusal::Full,
        400..600 if says(&no_room) => Refusal::Full,
        450 => Refusal::Busy,
        550 | 553 if says(&in_use) => Refusal::Busy,
        // ProFTPD's AllowStoreRestart, HiddenStores, and servers that know no REST.
        451 | 500..=504 if way != Way::Begin => Refusal::Way,
        // The offset lies behind the end: somebody cut the file since.
        554 if way != Way::Begin => return Fault::Failed(Failed::new(Trouble::Broken, words)),
        400..500 => return Fault::Failed(Failed::new(Trouble::Broken, words)),
        _ => Refusal::Denied,
    };
    Fault::Refused(refusal, words)
}

/// What came when a transfer had begun: a refusal only where trying again could not mend it.
pub(super) fn after_bytes(reply: &Reply) -> Fault {
    match refusal(reply, Way::Begin) {
        full @ Fault::Refused(Refusal::Full, _) => full,
        Fault::Refused(_, words) => Fault::Failed(Failed::new(Trouble::Broken, words)),
        failed @ Fault::Failed(_) => failed,
    }
}

/// Whether the server wants the data connection to resume the control connection's TLS session, and it did not (522 in
/// vsftpd; 425 in ProFTPD and FileZilla Server).
pub(super) fn wants_reuse(reply: &Reply) -> bool {
    let text = String::from_utf8_lossy(reply.last_line()).to_ascii_lowercase();
    let names_it =
        text.contains("reuse") || text.contains("resum") || text.contains("tls") || text.contains("ssl");
    matches!(reply.code().get(), 522) || (matches!(reply.code().get(), 425 | 426 | 450 | 550) && names_it)
}

/// What a failure of the dialogue means. `let_in`: who was let in before is refused for being one too many.
pub(super) fn failed(error: &FtpError, let_in: bool) -> Fault {
    if let FtpError::Connect(error) = error {
        return Fault::Failed(unconnected(error));
    }
    Fault::Failed(Failed::new(error.trouble(let_in), error.to_string()))
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::ReplyParser;

    use super::*;

    fn reply(line: &str) -> Reply {
        let line = format!("{line}\r\n");
        ReplyParser::new().advance(&mut line.as_bytes()).unwrap().unwrap()
    }

    fn said(line: &str, way: Way) -> Option<Refusal> {
        match refusal(&reply(line), way) {
            Fault::Refused(refusal, words) => {
                assert!(words.contains(&line[..3]), "{words}");
                Some(refusal)
            }
            Fault::Failed(failed) => {
                assert_eq!(failed.why, Trouble::Broken);
                None
            }
        }
    }

    #[test]
    fn every_no_has_its_meaning() {
        for (line, way, expected) in [
            ("451 f: Append/Restart not permitted, try again", Way::Restart, Some(Refusal::Way)),
            ("501 REST not compatible with server configuration", Way::Restart, Some(Refusal::Way)),
            ("502 not implemented", Way::Append, Some(Refusal::Way)),
            ("504 no", Way::Append, Some(Refusal::Way)),
            ("554 Restart offset larger than file", Way::Restart, None),
            ("451 local error", Way::Begin, None),
            ("502 not implemented", Way::Begin, Some(Refusal::Denied)),
            ("452 Transfer aborted. No space left on device", Way::Begin, Some(Refusal::Full)),
            ("552 quota", Way::Restart, Some(Refusal::Full)),
            ("550 f: No space left on device", Way::Begin, Some(Refusal::Full)),
            ("451 Failure writing to local file.", Way::Begin, Some(Refusal::Full)),
            ("550 f: Permission denied", Way::Restart, Some(Refusal::Denied)),
            ("553 Could not create file.", Way::Begin, Some(Refusal::Denied)),
            ("450 f: busy", Way::Begin, Some(Refusal::Busy)),
            (
                "550 The process cannot access the file because it is being used by another process.",
                Way::Begin,
                Some(Refusal::Busy),
            ),
            ("425 no data connection", Way::Begin, None),
        ] {
            assert_eq!(said(line, way), expected, "{line}");
        }
    }

    #[test]
    fn behind_the_bytes_only_a_full_disk_ends_it() {
        for line in
            ["552 full", "451 Failure writing to local file.", "426 [Errno 28] No space left on device"]
        {
            assert!(matches!(after_bytes(&reply(line)), Fault::Refused(Refusal::Full, _)), "{line}");
        }
        for line in ["426 aborted", "451 reset", "550 what", "226 done"] {
            assert!(matches!(after_bytes(&reply(line)), Fault::Failed(_)), "{line}");
        }
    }

    #[test]
    fn a_wish_for_the_control_connections_tls_session_is_understood() {
        for (line, expected) in [
            ("522 SSL connection failed; session reuse required: see require_ssl_reuse option", true),
            ("425 Unable to build data connection: TLS session not reused", true),
            ("425 Unable to build data connection: Connection refused", false),
            ("226 done", false),
        ] {
            assert_eq!(wants_reuse(&reply(line)), expected, "{line}");
        }
    }
}
