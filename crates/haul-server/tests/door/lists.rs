//! Lists, and what else is asked of files.

use std::fs;

use haul_server::ftp::Settings;

use super::serve;

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).unwrap().split_terminator("\r\n").map(str::to_owned).collect()
}

#[test]
fn a_folder_with_more_names_than_are_sorted_is_listed_whole() {
    let served = serve(Settings::default());
    let folder = served.root.path().join("many");
    fs::create_dir(&folder).unwrap();
    for number in 0..10_500 {
        fs::write(folder.join(format!("{number:05}")), "").unwrap();
    }
    let mut caller = served.caller();
    for command in ["NLST many", "LIST many", "MLSD many"] {
        let mut names: Vec<String> = lines(&caller.receives(command))
            .into_iter()
            .map(|line| line.rsplit([' ', '/']).next().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 10_500, "{command}");
    }
}

#[test]
fn a_list_is_sorted_and_hides_what_begins_with_a_dot_until_asked() {
    let served = serve(Settings::default());
    for name in ["b", "a", ".hidden"] {
        fs::write(served.root.path().join(name), "").unwrap();
    }
    let mut caller = served.caller();
    assert_eq!(lines(&caller.receives("NLST")), ["a", "b", "f"]);
    let all = lines(&caller.receives("LIST -a"));
    let names: Vec<&str> = all.iter().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(names, [".", "..", ".hidden", "a", "b", "f"]);
    assert!(lines(&caller.receives("MLSD")).iter().any(|line| line.ends_with(" .hidden")));
    assert_eq!(lines(&caller.receives("NLST [ab]")), ["a", "b"]);
    assert_eq!(lines(&caller.receives("NLST x*")), [""; 0]);
}

#[test]
fn a_deep_list_of_nothing_but_folders_is_whole() {
    let served = serve(Settings::default());
    // More than is written at once, though no folder has a file in it.
    let mut names: Vec<String> = (0..400).map(|number| format!("{number:0100}")).collect();
    for name in &names {
        fs::create_dir_all(served.root.path().join("top").join(name)).unwrap();
    }
    fs::create_dir(served.root.path().join("top").join(&names[7]).join("within")).unwrap();
    names.insert(8, format!("{}/within", names[7]));
    let told = served.caller().receives("NLST -R top");
    let told = lines(&told);
    let headers = told.iter().filter_map(|line| line.strip_prefix("./")?.strip_suffix(':'));
    assert_eq!(headers.collect::<Vec<_>>(), names);
}

#[test]
fn a_file_too_large_to_be_counted_is_told_so_once() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    caller.says("TYPE A", 200);
    let reply = caller.says("SIZE f", 550);
    assert_eq!(reply.text, "550 It is too large: its line ends are not counted; say TYPE I first\r\n");
}

#[test]
fn a_deep_list_goes_into_every_folder() {
    let served = serve(Settings::default());
    let within = served.root.path().join("one/two");
    fs::create_dir_all(&within).unwrap();
    fs::write(within.join("deep"), "").unwrap();
    let told = served.caller().receives("NLST -R");
    assert_eq!(lines(&told), ["f", "one", "", "./one:", "two", "", "./one/two:", "deep"]);
}

#[test]
fn text_has_its_line_ends_changed_both_ways() {
    let served = serve(Settings::default());
    fs::write(served.root.path().join("text"), "one\ntwo\n").unwrap();
    let mut caller = served.caller();
    caller.says("TYPE A", 200);
    assert_eq!(caller.size("text"), Some(10));
    assert_eq!(caller.receives("RETR text"), b"one\r\ntwo\r\n");
    assert_eq!(caller.stores("STOR up", b"a\r\nb\rc\r\n\r").code, 226);
    assert_eq!(fs::read(served.root.path().join("up")).unwrap(), b"a\nb\rc\n\r");
    assert_eq!(caller.size("f"), None, "too large to be counted");
}

#[test]
fn a_part_of_a_file_is_sent_and_summed() {
    let served = serve(Settings::default());
    fs::write(served.root.path().join("digits"), "0123456789").unwrap();
    let mut caller = served.caller();
    caller.says("RANG 2 5", 350);
    assert_eq!(caller.receives("RETR digits"), b"2345");
    assert_eq!(caller.receives("RETR digits"), b"0123456789", "once");
    caller.says("REST 10", 350);
    assert_eq!(caller.receives("RETR digits"), b"");
    caller.says("REST 11", 350);
    let _data = caller.data();
    caller.says("RETR digits", 554);
    // Of "123456789", by which CRCs are known.
    let told = caller.asks("XCRC digits 1 10").text.to_uppercase();
    assert!(told.contains("CBF43926"), "{told}");
    let told = caller.asks("XMD5 digits").text.to_lowercase();
    assert!(told.contains("781e5e245d69b566979b86e28d23f2c7"), "{told}");
}

#[test]
fn stou_finds_a_name_and_tells_it() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    let mut data = caller.data();
    let told = caller.asks("STOU");
    assert!(matches!(told.code, 125 | 150), "{told:?}");
    data.sends(b"unique");
    data.finish();
    caller.hears(226);
    let name = told.text.trim_end().rsplit([' ', ':']).next().unwrap().trim_end_matches('.').to_owned();
    assert_eq!(fs::read(served.root.path().join(&name)).unwrap(), b"unique", "{told:?}");
}
