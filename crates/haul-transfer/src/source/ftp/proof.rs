//! Is REST meant? The last byte is asked for, and one byte must come; in blocks the file's end behind it.

use std::time::Duration;

use haul_proto::ftp::Command;

use crate::ftp::{BadBlocks, FtpError, Piece, Session};

/// What came of asking for the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// One byte.
    Works,
    /// Something else, or REST was refused.
    Fails,
    /// REST was taken, and the transfer refused.
    Refused,
}

/// Whether one byte comes where the last one is asked for.
pub(super) async fn last_byte_alone(
    session: &mut Session,
    retr: &Command,
    size: u64,
    blocks: bool,
    patience: Duration,
) -> Result<Proof, FtpError> {
    let mut data = match session.start_fetching(size - 1, retr, blocks).await {
        Ok(started) => started.data,
        Err(FtpError::NoRest(_)) => return Ok(Proof::Fails),
        Err(FtpError::Refused { command, .. }) if command == retr.verb() && session.is_usable() => {
            return Ok(Proof::Refused);
        }
        Err(other) => return Err(other),
    };
    let mut count = 0;
    let counting = async {
        while let Piece::Bytes(bytes) = data.read().await? {
            count += bytes.len();
            if count > 1 {
                break;
            }
        }
        Ok::<_, FtpError>(())
    };
    // Nobody else watches over these bytes.
    let doing = "when its last byte was asked for";
    let silent = FtpError::Silent { doing, seconds: patience.as_secs() };
    let bad = match tokio::time::timeout(patience, counting).await.unwrap_or(Err(silent)) {
        Ok(()) => false,
        Err(error @ FtpError::BadBlocks(BadBlocks::Suspect { .. })) => return Err(error),
        Err(FtpError::BadBlocks(_) | FtpError::NoEnd) => true,
        // Its byte may be here, and the end that it owes is not.
        Err(FtpError::Silent { .. }) if session.is_in_blocks() => true,
        Err(error) => return Err(error),
    };
    if bad || count > 1 {
        // A server that goes on from here is of use no longer than this session is.
        session.release(data).await;
        return Ok(Proof::Fails);
    }
    // Closed first: ProFTPD waits ten seconds for that before it answers.
    drop(data);
    let reply = session.finish_now().await?;
    Ok(if count == 1 && reply.is_completion() { Proof::Works } else { Proof::Fails })
}
