//! Whatever the shape, what went out comes in again, however it is cut; and what is none is told.

use proptest::prelude::*;

use super::*;
use crate::ftp::server::step::{Form, Level, Mode, Shape, Structure};

fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for form in [Form::Image, Form::Ascii] {
        for structure in [Structure::File, Structure::Record] {
            for mode in [Mode::Stream, Mode::Block, Mode::Deflate(Level::default())] {
                shapes.push(Shape { form, structure, mode });
            }
        }
    }
    shapes
}

fn shape(structure: Structure, mode: Mode) -> Shape {
    Shape { form: Form::Image, structure, mode }
}

fn out(shape: Shape, pieces: &[&[u8]]) -> Vec<u8> {
    let (mut outgoing, mut wire) = (Outgoing::new(shape), Vec::new());
    pieces.iter().for_each(|piece| outgoing.take(piece, &mut wire));
    outgoing.finish(&mut wire);
    wire
}

/// The file, its markers, and whether it has ended.
type Read = (Vec<u8>, Vec<Vec<u8>>, bool);

/// What was read, or what was wrong.
fn read(shape: Shape, pieces: &[&[u8]]) -> Result<Read, Wrong> {
    let (mut incoming, mut file, mut markers) = (Incoming::new(shape), Vec::new(), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let mut some = Vec::new();
            let taken = incoming.take(&mut rest, &mut some, 1000);
            assert!(some.len() <= 100_000, "bounded, whatever comes: {}", some.len());
            file.extend(some);
            match taken? {
                Taken::All => break,
                Taken::Enough => {}
                Taken::Marker(marker) => markers.push(marker.as_bytes().to_vec()),
                Taken::End if rest.is_empty() => break,
                Taken::End => {}
            }
        }
    }
    let ended = incoming.finish(&mut file);
    Ok((file, markers, ended))
}

#[test]
fn what_tells_its_end_is_not_whole_without_it() {
    let deflate = Mode::Deflate(Level::default());
    for shape in [
        shape(Structure::File, Mode::Block),
        shape(Structure::Record, Mode::Stream),
        shape(Structure::File, deflate),
    ] {
        let wire = out(shape, &[b"some\nbytes"]);
        assert_eq!(read(shape, &[&wire]), Ok((b"some\nbytes".to_vec(), Vec::new(), true)), "{shape:?}");
        for cut in 0..wire.len() {
            let (_, _, ended) = read(shape, &[&wire[..cut]]).unwrap();
            assert!(!ended, "{shape:?} cut at {cut}");
        }
        let junk = [&wire[..], b"x"].concat();
        assert!(read(shape, &[&junk]).is_err(), "{shape:?}");
        assert!(read(shape, &[&wire, b"x"]).is_err(), "{shape:?}");
    }
}

#[test]
fn a_record_is_a_line() {
    let records = shape(Structure::Record, Mode::Stream);
    assert_eq!(out(records, &[b"a\n\nb\xff"]), b"a\xff\x01\xff\x01b\xff\xff\xff\x02");
    let blocks = shape(Structure::Record, Mode::Block);
    assert_eq!(out(blocks, &[b"a\nb"]), b"\0\0\x01a\x80\0\0\0\0\x01b\x40\0\0");
    assert_eq!(read(blocks, &[b"\x80\0\x01a\xc0\0\x01b"]), Ok((b"a\nb\n".to_vec(), Vec::new(), true)));
}

#[test]
fn markers_stand_where_they_were_put() {
    let blocks = shape(Structure::File, Mode::Block);
    let (mut outgoing, mut wire) = (Outgoing::new(blocks), Vec::new());
    outgoing.take(b"abc", &mut wire);
    outgoing.mark(3, &mut wire);
    outgoing.finish(&mut wire);
    assert_eq!(read(blocks, &[&wire]), Ok((b"abc".to_vec(), vec![b"3".to_vec()], true)));
}

#[test]
fn a_bomb_comes_in_small_pieces() {
    let deflate = shape(Structure::File, Mode::Deflate(Level::new(9).unwrap()));
    let zeroes = vec![0; 8 << 20];
    let wire = out(deflate, &[&zeroes]);
    assert!(wire.len() < 20_000, "{}", wire.len());
    let (file, _, ended) = read(deflate, &[&wire]).unwrap();
    assert!(file == zeroes && ended);
}

#[test]
fn what_is_no_zlib_is_told() {
    let deflate = shape(Structure::File, Mode::Deflate(Level::default()));
    assert_eq!(read(deflate, &[b"plain text, as it is"]), Err(Wrong::Deflate));
    let records = shape(Structure::Record, deflate.mode);
    assert_eq!(read(records, &[&out(deflate, &[b"no record"])]), Err(Wrong::Unended));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_text_comes_back_as_it_went_in_every_shape(
        text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(255_u8), Just(b'a'), Just(b'b')], 0..60),
        cut in 0_usize..60,
        wire_cut in 0_usize..80,
    ) {
        let (before, behind) = text.split_at(cut.min(text.len()));
        for shape in shapes() {
            let wire = out(shape, &[before, behind]);
            let (first, rest) = wire.split_at(wire_cut.min(wire.len()));
            prop_assert_eq!(read(shape, &[first, rest]), Ok((text.clone(), Vec::new(), true)), "{:?}", shape);
        }
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(bytes in prop::collection::vec(prop_oneof![0_u8..8, any::<u8>()], 0..60), cut in 0_usize..60) {
        let (before, behind) = bytes.split_at(cut.min(bytes.len()));
        for shape in shapes() {
            prop_assert_eq!(read(shape, &[before, behind]), read(shape, &[&bytes]), "{:?}", shape);
        }
    }
}
