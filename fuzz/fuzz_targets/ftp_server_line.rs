//! Bytes of a server's control connection, cut anywhere: the same lines come out, and none is held without limit.
#![no_main]

use haul_proto::ftp::server::line::{LONGEST, Line, Lines};
use libfuzzer_sys::fuzz_target;

fn lines(bytes: &[u8], piece: usize) -> Vec<Line> {
    let mut lines = Lines::default();
    let mut told = Vec::new();
    for chunk in bytes.chunks(piece) {
        lines.push(chunk);
        told.extend(std::iter::from_fn(|| lines.next_line()));
        assert!(lines.buffered() <= LONGEST + 2);
    }
    told
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let whole = lines(bytes, bytes.len().max(1));
    assert_eq!(lines(bytes, usize::from(piece).max(1)), whole);
    for line in &whole {
        assert!(matches!(line, Line::TooLong) || matches!(line, Line::Command(line) if line.len() <= LONGEST));
    }
});
