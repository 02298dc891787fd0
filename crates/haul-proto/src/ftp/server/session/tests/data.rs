//! PORT, EPRT, PASV, EPSV.

use super::*;
use crate::ftp::{passive, server::step::Family};

fn listening(at: &str) -> Outcome {
    Outcome::Listening(at.parse().unwrap())
}

/// Where the data of a list would come from.
fn data(ftp: &mut Driven) -> Data {
    match ftp.asks("LIST") {
        Ask::Transfer(transfer) => transfer.data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_passive_replies_are_what_our_client_reads() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("PASV"), Ask::Listen { family: None });
    ftp.session.complete(listening("198.51.100.4:51210"));
    let reply = ftp.reply();
    assert_eq!(reply.to_string(), "227 Entering Passive Mode (198,51,100,4,200,10).");
    let told = passive::pasv(&reply).unwrap();
    assert_eq!((told.port, told.untrusted_host), (51210, "198.51.100.4".parse().unwrap()));
    assert_eq!(ftp.asks("EPSV"), Ask::Listen { family: None });
    ftp.session.complete(listening("198.51.100.4:51211"));
    assert_eq!(passive::epsv(&ftp.reply()), Some(51211));
    assert_eq!(data(&mut ftp), Data::Passive);
}

#[test]
fn no_listener_is_told_with_425() {
    let mut ftp = Driven::inside();
    for line in ["PASV", "EPSV"] {
        ftp.asks(line);
        assert_eq!(ftp.done(Outcome::Refused(Trouble::CannotListen("no port is free".into()))), 425);
        assert_eq!(ftp.says("LIST"), 425);
    }
}

#[test]
fn data_goes_to_the_own_address_only() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("PORT 192,0,2,8,200,10"), 501);
    assert_eq!(ftp.says("PORT 127,0,0,1,200,10"), 501);
    assert_eq!(ftp.says("EPRT |1|192.0.2.8|6275|"), 501);
    assert_eq!(ftp.says("EPRT |2|::1|6275|"), 501);
    assert_eq!(ftp.says("PORT 192,0,2,7,3,255"), 501, "port 1023");
    assert_eq!(ftp.says("EPRT |1|192.0.2.7|0|"), 501);
    assert_eq!(ftp.says("LIST"), 425, "nothing was set up");
    assert_eq!(ftp.says("PORT 192,0,2,7,4,0"), 200, "port 1024");
    assert_eq!(data(&mut ftp), Data::Active("192.0.2.7:1024".parse().unwrap()));
}

#[test]
fn eprt_knows_both_families() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("EPRT |1|192.0.2.7|6275|"), 200);
    assert_eq!(data(&mut ftp), Data::Active("192.0.2.7:6275".parse().unwrap()));
    assert_eq!(Driven::inside().says("EPRT |3|192.0.2.7|6275|"), 522);
    let mut ftp = Driven::from("2001:db8::7", Tls::None);
    ftp.log_in();
    assert_eq!(ftp.says("EPRT |2|2001:db8::7|6275|"), 200);
    assert_eq!(data(&mut ftp), Data::Active("[2001:db8::7]:6275".parse().unwrap()));
}

#[test]
fn over_ipv6_there_is_epsv() {
    let mut ftp = Driven::from("2001:db8::7", Tls::None);
    ftp.log_in();
    assert_eq!(ftp.says("PASV"), 425);
    assert_eq!(ftp.says("EPSV 1"), 522);
    assert_eq!(ftp.asks("EPSV 2"), Ask::Listen { family: Some(Family::V6) });
    assert_eq!(ftp.done(listening("[2001:db8::1]:6446")), 229);
    assert_eq!(Driven::inside().says("EPSV 2"), 522);
    assert_eq!(Driven::inside().says("EPSV 3"), 522);
}

#[test]
fn an_ipv4_peer_of_a_listener_for_both_is_an_ipv4_peer() {
    let mut ftp = Driven::from("::ffff:192.0.2.7", Tls::None);
    ftp.log_in();
    assert_eq!(ftp.says("PORT 192,0,2,7,200,10"), 200);
    assert_eq!(ftp.says("EPRT |1|192.0.2.7|6275|"), 200);
    ftp.passive();
}

#[test]
fn pasv_tells_no_ipv6_address() {
    let mut ftp = Driven::inside();
    ftp.asks("PASV");
    ftp.session.complete(listening("[2001:db8::1]:6446"));
    assert_eq!(ftp.ask(), Ask::Unlisten);
    assert_eq!(ftp.code(), 425);
    assert_eq!(ftp.says("LIST"), 425);
}

#[test]
fn after_epsv_all_there_is_nothing_else() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("EPSV ALL"), 200);
    for line in ["PASV", "PORT 192,0,2,7,200,10", "EPRT |1|192.0.2.7|6275|"] {
        assert_eq!(ftp.says(line), 503, "{line}");
    }
    assert_eq!(ftp.asks("EPSV"), Ask::Listen { family: None });
    assert_eq!(ftp.done(listening("192.0.2.1:4000")), 229);
}

#[test]
fn the_last_word_on_the_data_connection_counts() {
    let mut ftp = Driven::inside();
    ftp.passive();
    assert_eq!(ftp.asks("PORT 192,0,2,7,200,10"), Ask::Unlisten);
    assert_eq!(ftp.code(), 200);
    ftp.passive();
    assert_eq!(data(&mut ftp), Data::Passive);
}

#[test]
fn a_refused_transfer_uses_it_up_as_well() {
    let mut ftp = Driven::inside();
    ftp.passive();
    assert!(matches!(ftp.asks("RETR a"), Ask::Transfer(_)));
    ftp.session.complete(Outcome::Refused(Trouble::NotFound));
    assert_eq!(ftp.ask(), Ask::Unlisten);
    assert_eq!(ftp.code(), 550);
    assert_eq!(ftp.says("RETR a"), 425);
    ftp.passive();
    assert_eq!(ftp.asks("STOR .haul/a"), Ask::Unlisten);
    assert_eq!(ftp.code(), 553);
    assert_eq!(ftp.says("LIST"), 425);
}

#[test]
fn a_transfer_uses_it_up() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("PORT 192,0,2,7,200,10"), 200);
    data(&mut ftp);
    assert_eq!(ftp.done(Outcome::Refused(Trouble::NotFound)), 550);
    assert_eq!(ftp.says("LIST"), 425);
}
