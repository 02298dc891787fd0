//! Replies, cut anywhere: the same ones come out, and every reader of a reply survives them.
#![no_main]

use haul_proto::ftp::{self, Reply, ReplyParser};
use libfuzzer_sys::fuzz_target;

fn replies(bytes: &[u8], piece: usize) -> (Vec<Reply>, bool) {
    let mut parser = ReplyParser::new();
    let mut told = Vec::new();
    for mut chunk in bytes.chunks(piece) {
        loop {
            match parser.advance(&mut chunk) {
                Ok(Some(reply)) => told.push(reply),
                Ok(None) => break,
                Err(_) => return (told, false),
            }
        }
    }
    (told, true)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let whole = replies(bytes, bytes.len().max(1));
    assert_eq!(replies(bytes, usize::from(piece).max(1)), whole);
    for reply in &whole.0 {
        assert!(!reply.lines().is_empty());
        let _ = (reply.text(), reply.to_string());
        let _ = (ftp::passive::pasv(reply), ftp::passive::epsv(reply), ftp::feat::Features::of(reply));
        let _ = (ftp::size::size(reply), ftp::size::announced(reply), ftp::echo::offset(reply));
        let _ = (ftp::time::mdtm(reply), ftp::quote::pathname(reply), ftp::facts::Facts::of_mlst(reply));
        let _ = (ftp::hash::hash(reply), ftp::hash::selected(reply));
        let _ = ftp::hash::x_hash(ftp::hash::Kind::Crc32, reply);
    }
});
