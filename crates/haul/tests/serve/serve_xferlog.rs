//! The transfer log as webalizer reads it, which nobody here wrote: what it adds up is what was transferred.

use crate::scene;
use std::{collections::BTreeMap, fs};

use haul_testkit::{Content, Haul, real::peer};

use crate::scene::{
    http::{OWNER, STRANGER, ask, send},
    served::{Place, left_unfinished, owner, stranger},
    wait_until,
};

const KIB: u64 = 1 << 10;

/// The last field of each line, with the numbers before it.
fn table(text: &str) -> BTreeMap<&str, Vec<u64>> {
    let rows = text.lines().map(|line| {
        let (numbers, name) = line.rsplit_once('\t').unwrap();
        (name, numbers.split('\t').map(|number| number.trim().parse().unwrap()).collect())
    });
    rows.collect()
}

#[test]
fn webalizer_adds_up_what_was_transferred_through_both_doors() {
    let Some(webalizer) = peer("webalizer") else { return };
    let place = Place::new();
    let xferlog = place.local("xferlog");
    let toml = format!("[log]\nxferlog = {:?}\n", xferlog.to_str().unwrap());
    let served = place.serve().config(&toml).http().start();
    let content = |kib: u64| Content::new(1, kib * KIB).bytes(0..kib * KIB);
    let mut caller = owner(served.addr());
    assert_eq!(caller.stores("STOR a b", &content(100)).code, 226);
    assert_eq!(caller.receives("RETR a b").len() as u64, 100 * KIB);
    caller.says(&format!("REST {}", 60 * KIB), 350);
    assert_eq!(caller.receives("RETR a b").len() as u64, 40 * KIB);
    // A name in which something could begin another field or line.
    assert_eq!(stranger(served.addr()).stores("STOR x c\ty", &content(7)).code, 226);
    left_unfinished(served.addr(), "cut", &content(32));
    let addr = served.http_addr();
    send(addr, "PUT", "/h", &[OWNER], &content(200)).expect(201);
    ask(addr, "GET", "/h", &[STRANGER]).expect(200);
    ask(addr, "GET", "/h", &[OWNER, "Range: bytes=0-10239"]).expect(206);
    wait_until(|| fs::read_to_string(&xferlog).unwrap_or_default().lines().count() == 8);

    let conf = place.local("webalizer.conf");
    fs::write(&conf, "DumpURLs yes\nDumpUsers yes\nDumpExtension tab\n").unwrap();
    let run = Haul::new(webalizer).args(["-Q", "-i", "-F", "ftp", "-c"]).arg(&conf);
    run.arg("-o").arg(place.dir()).arg(&xferlog).dir(place.dir()).run().expect_code(0);
    let read = |begins: &str| {
        let found = scene::files(place.dir()).into_iter().find(|name| name.starts_with(begins));
        fs::read_to_string(place.local(&found.unwrap_or_else(|| panic!("no {begins}")))).unwrap()
    };
    // How often, and how many KiB in all.
    let urls = read("url_");
    let expected =
        [("/a_b", vec![3, 240]), ("/x_c_y", vec![1, 7]), ("/cut", vec![1, 32]), ("/h", vec![3, 410])];
    assert_eq!(table(&urls), BTreeMap::from(expected), "{urls}");
    // Of each user how often, and how many KiB.
    let users = read("user_");
    let users = table(&users);
    assert_eq!((users["a"][0], users["a"][2]), (6, 100 + 100 + 40 + 32 + 200 + 10));
    assert_eq!((users["b"][0], users["b"][2]), (2, 207));
    // All but what was cut came whole.
    let page = read("usage_20");
    let total = |of: &str| {
        let (_, rest) = page.split_once(&format!("Total {of}<")).unwrap_or_else(|| panic!("no {of}"));
        let numbers = rest.split('<').filter_map(|tag| tag.split_once('>')?.1.trim().parse::<u64>().ok());
        numbers.into_iter().next().unwrap()
    };
    assert_eq!((total("Hits"), total("Files")), (8, 7));
}
