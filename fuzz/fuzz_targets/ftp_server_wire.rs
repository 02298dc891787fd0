//! A file on the wire in each shape of TYPE, STRU and MODE: whatever comes in is read alike however it is cut and never
//! takes much memory, and what goes out comes in again.
#![no_main]

use haul_proto::ftp::server::{
    Form, Level, Mode, Shape, Structure,
    wire::{Incoming, Outgoing, Taken, Wrong},
};
use libfuzzer_sys::fuzz_target;

fn read(shape: Shape, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Wrong> {
    let (mut incoming, mut file, mut markers) = (Incoming::new(shape), Vec::new(), 0);
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let mut some = Vec::new();
            let taken = incoming.take(&mut rest, &mut some, 1000);
            assert!(some.len() <= 200_000);
            file.extend(some);
            match taken? {
                Taken::All => break,
                Taken::Marker(_) => markers += 1,
                Taken::End if rest.is_empty() => break,
                Taken::Enough | Taken::End => {}
            }
        }
    }
    let ended = incoming.finish(&mut file);
    Ok((file, markers, ended))
}

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (which, cut, bytes) = input;
    let form = if which & 1 == 0 { Form::Image } else { Form::Ascii };
    let structure = if which & 2 == 0 { Structure::File } else { Structure::Record };
    let mode = [Mode::Stream, Mode::Block, Mode::Deflate(Level::default())][usize::from(which >> 2) % 3];
    let shape = Shape { form, structure, mode };
    let (before, behind) = bytes.split_at(usize::from(cut).min(bytes.len()));
    assert_eq!(read(shape, &[before, behind]), read(shape, &[bytes]));
    let (mut outgoing, mut wire) = (Outgoing::new(shape), Vec::new());
    outgoing.take(before, &mut wire);
    outgoing.take(behind, &mut wire);
    outgoing.finish(&mut wire);
    // In TYPE A a CR LF that is there already becomes one line end.
    if form == Form::Image || structure == Structure::Record || !bytes.contains(&b'\r') {
        assert_eq!(read(shape, &[&wire]), Ok((bytes.to_vec(), 0, true)));
    }
});
