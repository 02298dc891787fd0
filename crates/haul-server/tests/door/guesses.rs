//! Passwords that are guessed.

use haul_server::ftp::Settings;
use haul_testkit::Caller;

use super::serve;

#[test]
fn whoever_resets_the_connection_instead_of_waiting_is_written_down_all_the_same() {
    let served = serve(Settings::default());
    let mut caller = Caller::to(served.addr);
    caller.hears(220);
    caller.says("USER a", 331);
    caller.sends("PASS guess");
    caller.resets();
    let line = served.log.waits_for("login failed");
    assert!(line.contains("login failed user=\"a\" address=127.0.0.1 session="), "{line}");
    served.log.waits_for(" closed ");
}
