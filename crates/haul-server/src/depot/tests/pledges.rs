//! What a server has posted about uploads and not redeemed: the next one looks at what is there.

use haul_store::{Dated, Letter, Pledge, StageId};

use super::*;

fn letter(number: u64, name: &str, stage: &str, size: u64) -> Letter {
    let pledge = Some(Pledge { stage: StageId(stage.to_owned()), size, replaces: None });
    let (id, to) = (format!("event-{number}"), "somebody".to_owned());
    Letter { number, id, to, path: path(name), pledge, tries: 0, body: b"{}".to_vec() }
}

#[tokio::test]
async fn only_what_has_its_name_and_all_its_bytes_is_told_of() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    kept(send(&ann, "half", Wish::Anew, 1000).await.settle(DataEnd::Unclean, Control::Gone).await);
    let staged = server.ledger.within(&TreePath::ROOT).await.unwrap().remove(0).1.stage.0;
    bench.put("whole", &content(0, 1000));
    bench.put("half", &content(0, 999));
    let there = server.ann().stat(&path("whole")).await.unwrap().meta.modified;
    let replacing =
        |date| Some(Pledge { stage: StageId("gone".to_owned()), size: 1000, replaces: Some(date) });
    let earlier = Dated { seconds: there.seconds, nanos: Some(there.nanos ^ 1) };
    let second = Dated { seconds: there.seconds, nanos: None };
    let told = Letter { pledge: None, ..letter(9, "told", "", 0) };
    let letters = [
        // Its bytes are staged still: what has the name is another one, whatever its size.
        letter(1, "half", &staged, 999),
        letter(2, "whole", "gone", 1000),
        // A power cut has taken bytes of it, or all of it.
        letter(3, "whole", "gone", 1001),
        letter(4, "nowhere", "gone", 1000),
        // Of the same size, and it was there before.
        Letter { pledge: replacing(Dated::from(there)), ..letter(6, "whole", "gone", 1000) },
        Letter { pledge: replacing(second), ..letter(7, "whole", "gone", 1000) },
        // What was there was another one, of the same size and second.
        Letter { pledge: replacing(earlier), ..letter(8, "whole", "gone", 1000) },
        // The medium of its folder may come back.
        letter(5, "away/f", "gone", 1000),
        told.clone(),
    ];
    server.ledger.post(&letters, Durability::Full).await.unwrap();
    drop((server, ann));
    let server = bench.start(RULES).await;
    let kept = |number| Letter { pledge: None, ..letter(number, "whole", "", 0) };
    let away = letters.iter().find(|letter| letter.number == 5).cloned().unwrap();
    assert_eq!(server.ledger.letters().await.unwrap(), [kept(2), away, kept(8), told]);
    assert_eq!(server.ledger.within(&TreePath::ROOT).await.unwrap().len(), 1, "the upload is kept");
}
