//! Rates and shares, with tokio's time, which costs nothing here.

use tokio::task::JoinSet;

use super::*;

const MIB: u64 = 1 << 20;

fn down(rate: u64) -> Rates {
    Rates { down: Some(rate), up: None }
}

fn gates(all: Option<u64>, user: Option<u64>, session: Option<u64>) -> Arc<Gates> {
    let gates = Arc::new(Gates::default());
    let rates = |rate: Option<u64>| Rates { down: rate, up: None };
    let each = UserRates { user: rates(user), session: rates(session) };
    gates.change(Bandwidth { all: rates(all), each }, |_| UserRates::default());
    gates
}

/// What each of these sessions gets in so many seconds, when all want as much as they can get.
async fn shares(sessions: &[Arc<Pace>], seconds: u64) -> Vec<u64> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for (number, pace) in sessions.iter().cloned().enumerate() {
        running.spawn(async move {
            let mut sent = 0;
            let piece = pace.piece(Way::Down).unwrap();
            while tokio::time::timeout_at(until, pace.pass(Way::Down, piece)).await.is_ok() {
                sent += piece;
            }
            (number, sent)
        });
    }
    let mut shares = running.join_all().await;
    shares.sort_unstable();
    shares.into_iter().map(|(_, sent)| sent).collect()
}

fn is_about(share: u64, expected: u64) -> bool {
    share.abs_diff(expected) <= expected / 20
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_at_its_rate_and_has_no_burst() {
    let gates = gates(None, None, Some(MIB));
    let pace = gates.session("ann", UserRates::default());
    tokio::time::sleep(Duration::from_secs(100)).await;
    let began = Instant::now();
    pace.pass(Way::Down, 10 * MIB).await;
    let took = began.elapsed().as_secs_f64();
    assert!((9.9..10.1).contains(&took), "{took}");
    // What was not used is not saved.
    tokio::time::sleep(Duration::from_secs(100)).await;
    let began = Instant::now();
    pace.pass(Way::Down, MIB).await;
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    let began = Instant::now();
    pace.pass(Way::Up, 100 * MIB).await;
    assert!(began.elapsed().is_zero(), "the other way is free");
}

#[tokio::test(start_paused = true)]
async fn sessions_share_alike_what_there_is_for_their_user() {
    let gates = gates(None, Some(4 * MIB), None);
    let sessions: Vec<_> = (0..4).map(|_| gates.session("ann", UserRates::default())).collect();
    for share in shares(&sessions, 10).await {
        assert!(is_about(share, 10 * MIB), "{share}");
    }
    let alone = gates.session("bob", UserRates::default());
    assert!(is_about(shares(&[alone], 10).await[0], 40 * MIB), "each user for itself");
}

#[tokio::test(start_paused = true)]
async fn users_share_alike_what_there_is_in_all_however_many_sessions_they_have() {
    let gates = gates(Some(8 * MIB), None, None);
    let mut sessions: Vec<_> = (0..7).map(|_| gates.session("ann", UserRates::default())).collect();
    sessions.push(gates.session("bob", UserRates::default()));
    let shares = shares(&sessions, 10).await;
    let of_ann: u64 = shares[..7].iter().sum();
    assert!(is_about(of_ann, 40 * MIB) && is_about(shares[7], 40 * MIB), "{shares:?}");
    for share in &shares[..7] {
        assert!(is_about(*share, 40 * MIB / 7), "{shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_user_leaves_the_others_have() {
    let gates = gates(Some(8 * MIB), None, None);
    let slow = gates.session("slow", UserRates { user: down(MIB), session: Rates::default() });
    let fast = gates.session("fast", UserRates::default());
    let shares = shares(&[slow, fast], 10).await;
    assert!(is_about(shares[0], 10 * MIB) && is_about(shares[1], 70 * MIB), "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_changes_holds_for_what_runs_and_free_is_free_again() {
    let gates = gates(None, None, None);
    let pace = gates.session("ann", UserRates::default());
    pace.pass(Way::Down, 1000 * MIB).await;
    assert_eq!(pace.piece(Way::Down), None);
    gates.change(Bandwidth { all: down(MIB), ..Bandwidth::default() }, |_| UserRates::default());
    assert!(is_about(shares(&[Arc::clone(&pace)], 10).await[0], 10 * MIB));
    gates.change(Bandwidth::default(), |name| UserRates {
        user: down(if name == "ann" { 2 * MIB } else { 1 }),
        session: Rates::default(),
    });
    assert!(is_about(shares(&[Arc::clone(&pace)], 10).await[0], 20 * MIB));
    let running = tokio::spawn(async move { pace.pass(Way::Down, 1000 * MIB).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    gates.change(Bandwidth::default(), |_| UserRates::default());
    let began = Instant::now();
    running.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_its_turn_holds_nobody_up() {
    let gates = gates(Some(MIB), None, None);
    let (one, other) =
        (gates.session("ann", UserRates::default()), gates.session("bob", UserRates::default()));
    for _ in 0..50 {
        let given_up = tokio::time::timeout(Duration::from_millis(5), one.pass(Way::Down, MIB)).await;
        assert!(given_up.is_err());
    }
    let share = shares(&[other], 10).await[0];
    assert!(is_about(share, 10 * MIB), "{share}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_sessions_of_ten_users_share_alike_and_none_of_them_waits_for_long() {
    let gates = gates(Some(8 * MIB), None, None);
    let users: Vec<_> = (0..10).map(|user| format!("user{user}")).collect();
    // The first one has half of the sessions.
    let of = |session: usize| if session < 50 { 0 } else { 1 + session % 9 };
    let sessions: Vec<_> =
        (0..100).map(|session| gates.session(&users[of(session)], UserRates::default())).collect();
    let shares = shares(&sessions, 30).await;
    for user in 0..10 {
        let all = || shares.iter().enumerate().filter(|(session, _)| of(*session) == user);
        let sum: u64 = all().map(|(_, share)| share).sum();
        assert!(is_about(sum, 24 * MIB), "{user}: {sum}");
        let each = 24 * MIB / all().count() as u64;
        // A piece more or less.
        all().for_each(|(_, share)| assert!(share.abs_diff(each) <= 128 << 10, "{user}: {share} {each}"));
    }
}

#[tokio::test(start_paused = true)]
async fn many_slow_sessions_of_a_user_have_their_users_share_beside_a_fast_one() {
    let gates = gates(Some(2 * MIB), None, None);
    let slow = UserRates { user: Rates::default(), session: down(20 << 10) };
    let mut sessions: Vec<_> = (0..50).map(|_| gates.session("slow", slow)).collect();
    sessions.push(gates.session("fast", UserRates::default()));
    let shares = shares(&sessions, 20).await;
    let of_slow: u64 = shares[..50].iter().sum();
    assert!(is_about(of_slow, 50 * 20 * (20 << 10)), "{of_slow} {}", shares[50]);
    assert!(of_slow + shares[50] <= 41 * MIB, "{of_slow} {}", shares[50]);
}
