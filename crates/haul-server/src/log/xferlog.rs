//! The transfer log that wu-ftpd began and every tool reads: one line for each file, fields parted by blanks.
//!
//! Times are in UTC. A transfer that is not complete ends in `i`, also where it can be gone on with.

use std::time::SystemTime;

use super::{
    event::{Direction, Ended, Transfer},
    line,
};

/// `Sat Nov 21 18:33:34 2026 1 192.0.2.1 1048576 /a_b b _ o r ann ftp 0 * c`
pub(super) fn of(when: SystemTime, transfer: &Transfer) -> String {
    let seconds = transfer.took.as_secs_f64().ceil().max(1.0);
    let address = transfer.address.to_canonical();
    let name = one_word(&transfer.path.absolute());
    let kind = if transfer.ascii { 'a' } else { 'b' };
    let direction = match transfer.direction {
        Direction::Sent => 'o',
        Direction::Received => 'i',
    };
    let (mode, authenticated) = if transfer.anonymous { ('a', 0) } else { ('r', 1) };
    let (user, id) = (one_word(transfer.user.as_bytes()), if transfer.anonymous { "*" } else { "" });
    let id = if id.is_empty() { user.as_str() } else { id };
    let completion = if transfer.ended == Ended::Complete { 'c' } else { 'i' };
    format!(
        "{} {seconds:.0} {address} {} {name} {kind} _ {direction} {mode} {user} ftp {authenticated} {id} {completion}\n",
        line::ctime(when),
        transfer.bytes
    )
}

/// A blank would begin the next field, a control character could begin the next line.
fn one_word(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul_core::TreePath;

    use super::*;

    fn transfer() -> Transfer {
        Transfer {
            session: 1,
            user: "ann".to_owned(),
            anonymous: false,
            address: "192.0.2.1".parse().unwrap(),
            door: crate::metrics::DoorName::Ftp,
            dialect: crate::metrics::Dialect::Stream,
            resumed: true,
            replaced: false,
            direction: Direction::Received,
            path: TreePath::ROOT.join("a b/ü\tc".as_bytes()).unwrap(),
            from: 100,
            bytes: 1_048_576,
            took: Duration::from_millis(1200),
            ascii: false,
            protected: true,
            ended: Ended::Complete,
        }
    }

    fn fields(transfer: &Transfer) -> Vec<String> {
        let line = of(SystemTime::UNIX_EPOCH, transfer);
        line.strip_suffix('\n').unwrap().split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_as_wu_ftpd_wrote_it() {
        assert_eq!(
            of(SystemTime::UNIX_EPOCH, &transfer()),
            "Thu Jan  1 00:00:00 1970 2 192.0.2.1 1048576 /a_b/ü_c b _ i r ann ftp 1 ann c\n"
        );
    }

    #[test]
    fn what_is_not_complete_ends_in_i() {
        let kept = Ended::Kept { at: 5, why: "the connection broke".to_owned() };
        let kept = fields(&Transfer { ended: kept, ..transfer() });
        assert_eq!((kept.len(), kept[17].as_str()), (18, "i"));
        let failed = Transfer { ended: Ended::Failed { why: String::new() }, ..transfer() };
        assert_eq!(fields(&failed)[17], "i");
    }

    #[test]
    fn anonymous_text_that_is_sent_has_its_letters() {
        let line = fields(&Transfer {
            anonymous: true,
            user: "anonymous".to_owned(),
            ascii: true,
            direction: Direction::Sent,
            took: Duration::ZERO,
            ..transfer()
        });
        assert_eq!(line[5], "1", "no transfer takes no time");
        assert_eq!(line[9..].join(" "), "a _ o a anonymous ftp 0 * c");
    }
}
