//! Complete or not, and which offset is told.
//!
//! A client that is killed closes its data connection as one that has sent everything does; what tells them apart is
//! the size that was declared, and the control connection, which outlives the data of a living client. Where nothing
//! tells that more must come, one byte is held back: many clients send nothing at all when the size they are told is
//! the size they have, and then nothing would ever publish the file.

use super::Declared;

/// How the bytes of an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataEnd {
    /// As the protocol ends a whole file: FIN, close_notify, the last byte of a body.
    Clean,
    /// Any other way.
    Unclean,
    /// Any other way than with the end that the protocol tells among a file's bytes: what came may have ended anywhere,
    /// or not be relied on.
    Untold,
}

/// What became of the connection that commands come on, watched until after the sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It lives, or QUIT was said.
    Alive,
    /// It ended, or ABOR was said.
    Gone,
}

/// When an upload whose size nobody declared is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Completion {
    /// Its data connection ended cleanly, and the control connection outlived it.
    #[default]
    Strict,
    /// Its data connection ended cleanly: for devices that just hang up.
    Lenient,
}

/// How a run of an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The data connection.
    pub data: DataEnd,
    /// The control connection.
    pub control: Control,
    /// What this account's uploads need.
    pub completion: Completion,
    /// Where the run began.
    pub start: u64,
    /// How many bytes there are now.
    pub end: u64,
    /// What the client declared.
    pub declared: Declared,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It is whole.
    Publish,
    /// It is kept.
    Keep {
        /// The offset that is told from now on.
        at: u64,
    },
}

/// Publishes or keeps.
pub fn settle(ended: Ended) -> Settle {
    let Ended { data, control, completion, start, end, declared } = ended;
    let hangs_up = data == DataEnd::Clean && (control == Control::Alive || completion == Completion::Lenient);
    let whole = match declared.given(end) {
        // A size that was declared stands in for an end that cannot be told, and not for one that was owed: the checksum
        // of what came may stand in it.
        _ if data == DataEnd::Untold => false,
        Declared::Nothing => hangs_up,
        Declared::Size(size) => end == size,
        // A clean end at one of the two sizes is no chance. An unclean one may come anywhere, and if the larger was
        // meant the file would be published with its tail missing.
        Declared::Either { whole, .. } => end == whole && data == DataEnd::Clean,
    };
    if whole { Settle::Publish } else { Settle::Keep { at: held(start, end, declared) } }
}

/// The offset of what is kept when a run that began at `start` is over and `end` bytes are there: the last byte is
/// held back, unless the declared size says that more must come. What an earlier run has told stays.
pub fn held(start: u64, end: u64, declared: Declared) -> u64 {
    let more = match declared.given(end) {
        Declared::Nothing => false,
        Declared::Size(size) => end < size,
        Declared::Either { whole, .. } => end < whole,
    };
    if more { end } else { end.saturating_sub(1).max(start.min(end)) }
}

/// The offset that may be told of an upload under way, when its first `durable` bytes are safe. The rest of it may
/// end at any moment, so this is never more than [`held`] will say then.
pub fn told(start: u64, durable: u64, declared: Declared) -> u64 {
    held(start, durable, declared).max(start)
}

/// The offset of an upload after the server was not there to see its end, when `len` bytes of it can be relied on.
/// `offset` is what its record says, and `settled` whether that is the last word.
pub fn recovered(offset: u64, settled: bool, len: u64, declared: Declared) -> u64 {
    if settled { offset.min(len) } else { held(offset, len, declared) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [DataEnd; 3] = [DataEnd::Clean, DataEnd::Unclean, DataEnd::Untold];
    const CONTROL: [Control; 2] = [Control::Alive, Control::Gone];
    const COMPLETION: [Completion; 2] = [Completion::Strict, Completion::Lenient];

    fn ended(data: DataEnd, control: Control, declared: Declared, start: u64, end: u64) -> Ended {
        Ended { data, control, completion: Completion::Strict, start, end, declared }
    }

    /// Every way to end.
    fn ways(declared: Declared, start: u64, end: u64) -> impl Iterator<Item = Ended> {
        DATA.into_iter().flat_map(move |data| {
            CONTROL.into_iter().flat_map(move |control| {
                COMPLETION.map(|completion| Ended { data, control, completion, start, end, declared })
            })
        })
    }

    #[test]
    fn a_clean_end_of_a_living_client_publishes() {
        let seen = settle(ended(DataEnd::Clean, Control::Alive, Declared::Nothing, 0, 10));
        assert_eq!(seen, Settle::Publish);
        // An empty file is a file.
        let empty = settle(ended(DataEnd::Clean, Control::Alive, Declared::Nothing, 0, 0));
        assert_eq!(empty, Settle::Publish);
    }

    #[test]
    fn a_clean_end_of_a_killed_client_is_kept_without_its_last_byte() {
        let killed = ended(DataEnd::Clean, Control::Gone, Declared::Nothing, 0, 10);
        assert_eq!(settle(killed), Settle::Keep { at: 9 });
        assert_eq!(settle(Ended { completion: Completion::Lenient, ..killed }), Settle::Publish);
    }

    #[test]
    fn an_unclean_end_is_never_complete_by_itself() {
        for way in ways(Declared::Nothing, 0, 10).filter(|way| way.data != DataEnd::Clean) {
            assert_eq!(settle(way), Settle::Keep { at: 9 }, "{way:?}");
        }
    }

    #[test]
    fn a_declared_size_that_is_reached_publishes_however_it_ended() {
        for way in ways(Declared::Size(10), 4, 10).filter(|way| way.data != DataEnd::Untold) {
            assert_eq!(settle(way), Settle::Publish, "{way:?}");
        }
    }

    #[test]
    fn where_the_end_is_told_among_the_bytes_no_declared_size_stands_in_for_it() {
        for declared in declarations() {
            for end in 0..12 {
                for way in ways(declared, 0, end).filter(|way| way.data == DataEnd::Untold) {
                    assert_eq!(settle(way), Settle::Keep { at: held(0, end, declared) }, "{way:?}");
                }
            }
        }
    }

    #[test]
    fn a_declared_size_that_is_not_reached_keeps_every_byte_however_it_ended() {
        for way in ways(Declared::Size(11), 4, 10) {
            assert_eq!(settle(way), Settle::Keep { at: 10 }, "{way:?}");
        }
    }

    #[test]
    fn when_more_came_than_was_declared_the_end_counts_as_if_nothing_was() {
        for (declared, end) in [(Declared::Size(9), 10), (Declared::Either { whole: 5, rest: 9 }, 10)] {
            for way in ways(declared, 4, end) {
                assert_eq!(settle(way), settle(Ended { declared: Declared::Nothing, ..way }), "{way:?}");
            }
        }
    }

    #[test]
    fn the_smaller_of_two_sizes_needs_a_clean_end() {
        for way in ways(Declared::Either { whole: 10, rest: 14 }, 4, 10) {
            let want = if way.data == DataEnd::Clean { Settle::Publish } else { Settle::Keep { at: 9 } };
            assert_eq!(settle(way), want, "{way:?}");
        }
        for way in
            ways(Declared::Either { whole: 10, rest: 14 }, 4, 14).filter(|way| way.data != DataEnd::Untold)
        {
            assert_eq!(settle(way), Settle::Publish, "{way:?}");
        }
        for end in [8, 12] {
            for way in ways(Declared::Either { whole: 10, rest: 14 }, 4, end) {
                assert_eq!(settle(way), Settle::Keep { at: end }, "{way:?}");
            }
        }
    }

    #[test]
    fn where_nothing_was_received_nothing_is_dropped() {
        assert_eq!(
            settle(ended(DataEnd::Unclean, Control::Gone, Declared::Nothing, 7, 7)),
            Settle::Keep { at: 7 }
        );
        assert_eq!(
            settle(ended(DataEnd::Unclean, Control::Gone, Declared::Nothing, 7, 8)),
            Settle::Keep { at: 7 }
        );
    }

    #[test]
    fn after_a_crash_one_byte_is_held_back_once() {
        assert_eq!(recovered(5, false, 10, Declared::Nothing), 9);
        assert_eq!(recovered(9, true, 10, Declared::Nothing), 9);
        assert_eq!(recovered(5, false, 5, Declared::Nothing), 5);
        assert_eq!(recovered(5, false, 10, Declared::Size(11)), 10);
        // What a crash has left is not published at the next start: its client comes and sends the last byte.
        assert_eq!(recovered(5, false, 10, Declared::Size(10)), 9);
        // Another program has cut the file: no offset says more than is there.
        assert_eq!(recovered(5, false, 3, Declared::Nothing), 3);
        assert_eq!(recovered(5, true, 3, Declared::Nothing), 3);
    }

    /// Every declaration over small sizes.
    fn declarations() -> Vec<Declared> {
        let sizes = (1..12).map(Declared::Size);
        let either =
            (1..10).flat_map(|whole| (1..6).map(move |more| Declared::Either { whole, rest: whole + more }));
        std::iter::once(Declared::Nothing).chain(sizes).chain(either).collect()
    }

    #[test]
    fn no_offset_goes_back_and_none_is_more_than_is_there() {
        for declared in declarations() {
            for start in 0..6 {
                let mut last = start;
                for durable in start..16 {
                    let told = told(start, durable, declared);
                    assert!(
                        told >= last && told <= durable,
                        "{told} after {last}: {declared:?}, {durable} safe"
                    );
                    // A server that is killed here, and comes back, goes on from no less.
                    assert!(recovered(told, false, durable, declared) >= told);
                    last = told;
                    for way in ways(declared, start, durable) {
                        if let Settle::Keep { at } = settle(way) {
                            assert!(at >= last && at <= durable, "{at} after {last}: {way:?}");
                            assert_eq!(recovered(at, true, durable, declared), at);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_offset_told_leaves_its_client_something_to_send() {
        // A client with a file of `size` bytes that breaks off after `end` of them, and declares nothing, the whole or
        // the rest.
        for start in 0..8 {
            for end in start + 1..20 {
                for size in end..24 {
                    for declared in [
                        Declared::Nothing,
                        Declared::allo(size, start, None),
                        Declared::allo(size - start, start, None),
                    ] {
                        match settle(ended(DataEnd::Unclean, Control::Gone, declared, start, end)) {
                            Settle::Publish => assert_eq!(end, size, "{declared:?} from {start}"),
                            Settle::Keep { at } => assert!(at < size && at + 1 >= end, "{at} of {size}"),
                        }
                    }
                }
            }
        }
    }
}
