//! What happened, in words: the sentences that the bar and the plain screen have in common.
//!
//! A failure is told as `haul: NAME: what happened; what is kept; what to do next`.

use haul_transfer::{Done, Failure, Kind, Verified};

use super::facts::Facts;
use super::text::safe;
use crate::human;

/// The file begins to come, or to go.
pub(crate) fn start(facts: &Facts) -> String {
    let way = if facts.sends { "to" } else { "from" };
    match facts.size {
        Some(size) => format!("{}: {} {way} {}", facts.name, human::size(size), facts.url),
        None => format!("{}: {way} {}, size unknown", facts.name, facts.url),
    }
}

/// An earlier run's work goes on.
pub(crate) fn resumed(facts: &Facts) -> String {
    match facts.size {
        Some(size) => {
            let percent = human::percent(facts.kept, size);
            format!("{}: resumed at {percent}%, {} kept", facts.name, human::size(facts.kept))
        }
        None => format!("{}: resumed, {} kept", facts.name, human::size(facts.kept)),
    }
}

/// The far end's file is another one now.
pub(crate) fn changed(facts: &Facts, what: &str, dropped: u64) -> String {
    let dropped = match dropped {
        0 => String::new(),
        bytes => format!("; {} dropped", human::size(bytes)),
    };
    format!("{}: the remote file changed ({}){dropped}, begun anew", facts.name, safe(what))
}

/// The file is there.
pub(crate) fn done(facts: &Facts, done: &Done) -> String {
    let size = human::size(done.size);
    let name = &facts.name;
    if done.verified == Verified::Unchecked {
        return format!("{name}: not sent");
    }
    if done.already {
        return format!("{name}: already complete, {size}, verified: {}", done.verified.word());
    }
    let took = human::time(done.took);
    let rate = human::rate(done.fetched as f64 / done.took.as_secs_f64().max(0.001));
    let mut line = format!("{name}: done, {size} in {took}, {rate}, verified: {}", done.verified.word());
    let moved = if facts.sends { "sent" } else { "fetched" };
    if done.kept > 0 {
        line += &format!(", {moved} {}, kept {}", human::size(done.fetched), human::size(done.kept));
    } else if done.fetched > done.size + done.size / 50 {
        // What lanes at work on the same piece fetch twice is not worth a word; a begun-anew is.
        line += &format!(", {moved} {}", human::size(done.fetched));
    }
    line
}

/// The file is not there.
pub(crate) fn failed(facts: &Facts, failure: &Failure) -> String {
    let mut line = format!("haul: {}: {}", facts.name, safe(&failure.message));
    if failure.kept > 0 {
        line += &format!("; {}", human::size(failure.kept));
        if let Some(size) = facts.size {
            line += &format!(" of {}", human::size(size));
        }
        line += " kept";
    }
    if let Some(advice) = advice(failure) {
        line += &format!("; {}", safe(advice));
    }
    line
}

/// What to do next: what the failure says, else what is true of every failure of its kind.
pub(crate) fn advice(failure: &Failure) -> Option<&str> {
    failure.advice.as_deref().or(match failure.kind {
        Kind::Interrupted | Kind::Network if failure.kept > 0 => {
            Some("the same command again goes on from there")
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use haul_core::transfer::Basis;

    fn facts() -> Facts {
        Facts {
            name: "a.iso".into(),
            url: "http://h/a.iso".into(),
            file: None,
            size: Some(1 << 30),
            kept: 0,
            sends: false,
        }
    }

    fn finished(fetched: u64) -> Done {
        Done {
            target: None,
            size: 1 << 30,
            fetched,
            kept: 0,
            took: Duration::from_secs(51),
            verified: Verified::By(Basis::ETag),
            already: false,
        }
    }

    #[test]
    fn the_summary_says_what_it_rests_on_and_what_was_kept() {
        assert_eq!(
            done(&facts(), &finished(1 << 30)),
            "a.iso: done, 1.0 GiB in 51s, 20.1 MiB/s, verified: etag"
        );
        let resumed = Done { kept: 1 << 29, ..finished(1 << 29) };
        assert!(done(&facts(), &resumed).ends_with("verified: etag, fetched 512.0 MiB, kept 512.0 MiB"));
        let twice = done(&facts(), &finished(2 << 30));
        assert!(twice.ends_with("verified: etag, fetched 2.0 GiB"), "{twice}");
        let already = Done { already: true, verified: Verified::Digest, ..finished(0) };
        assert_eq!(done(&facts(), &already), "a.iso: already complete, 1.0 GiB, verified: digest");
    }

    #[test]
    fn a_failure_says_what_happened_what_is_kept_and_what_to_do() {
        let mut failure = Failure::new(Kind::Network, "connection reset\r by peer");
        assert_eq!(failed(&facts(), &failure), "haul: a.iso: connection reset\\u{d} by peer");
        failure.kept = 1 << 29;
        assert_eq!(
            failed(&facts(), &failure),
            "haul: a.iso: connection reset\\u{d} by peer; 512.0 MiB of 1.0 GiB kept; \
             the same command again goes on from there"
        );
        let failure = Failure::new(Kind::Local, "b.iso is in the way").advise("use --overwrite or -o");
        assert_eq!(failed(&facts(), &failure), "haul: a.iso: b.iso is in the way; use --overwrite or -o");
    }

    #[test]
    fn what_is_resumed_or_changed_is_told_in_bytes() {
        let kept = Facts { kept: 1 << 29, ..facts() };
        assert_eq!(resumed(&kept), "a.iso: resumed at 50%, 512.0 MiB kept");
        assert_eq!(
            changed(&kept, "ETag \"a\" became \"b\"", 1024),
            "a.iso: the remote file changed (ETag \"a\" became \"b\"); 1.0 KiB dropped, begun anew"
        );
        assert_eq!(start(&Facts { size: None, ..facts() }), "a.iso: from http://h/a.iso, size unknown");
    }
}
