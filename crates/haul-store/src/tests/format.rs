//! docs/format.md and the code agree: its example is what the code writes, byte by byte.

use haul_core::{ETag, Entity, Modified};

use crate::journal::record::{self, Record};
use crate::journal::replay::{Reading, replay};
use crate::{SourceRecord, Subject};

const FORMAT: &str = include_str!("../../../../docs/format.md");

fn example() -> Vec<Record> {
    let entity = Entity {
        size: Some(3000),
        etag: Some(ETag { opaque: "v1".to_owned(), weak: false }),
        modified: Some(Modified { seconds: 1_700_000_000, nanos: 0, strong: true }),
        encoding: None,
    };
    let source = SourceRecord { shown_url: "http://a.example/f".to_owned(), url_key: [0xab; 32], entity };
    vec![
        Record::Session { pid: 4242, started_unix: 1_700_000_100 },
        Record::Subject(Subject { sources: vec![source], size: Some(3000), name: "f".to_owned() }),
        Record::Written { start: 0, len: 1000, crc: 0x1234_5678 },
        Record::Written { start: 2000, len: 500, crc: 0x9abc_def0 },
        Record::Durable { upto: 0x84 },
        Record::Forget { start: 2100, len: 100, rests: vec![(2000, 100, 1), (2200, 300, 2)] },
        Record::Void { from: 0 },
        Record::Cut { at: 900, rests: vec![] },
        Record::Reset(Subject { sources: vec![], size: None, name: "g".to_owned() }),
        Record::Safe { ranges: vec![(0, 4096)], tails: vec![(4000, 96, 7)] },
        Record::Stopped { when_unix: -1, why: "no".to_owned() },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of the example's block, without what stands behind a `#`, joined.
fn documented() -> String {
    let block = FORMAT.split("```hex\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    let lines = block.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn the_example_in_the_description_is_what_is_written() {
    let mut bytes = record::header().to_vec();
    let mut lines = vec![hex(&bytes)];
    for record in example() {
        let at = bytes.len();
        record.frame(&mut bytes).unwrap();
        lines.push(hex(&bytes[at..]));
    }
    assert_eq!(documented(), lines.concat(), "the code writes:\n{}", lines.join("\n"));
}

#[test]
fn the_example_is_read_back() {
    let mut bytes = record::header().to_vec();
    example().iter().for_each(|record| record.frame(&mut bytes).unwrap());
    let mut at = record::HEADER_LEN;
    for record in example() {
        let (read, len) = Record::read(&bytes[at..]).unwrap();
        assert_eq!(read, record);
        at += len;
    }
    let Reading::Usable(replayed) = replay(&bytes) else { panic!("the example is no journal") };
    assert_eq!(replayed.claims.held().durable.total(), 4096);
    assert_eq!(replayed.claims.subject.map(|subject| subject.name).as_deref(), Some("g"));
}
