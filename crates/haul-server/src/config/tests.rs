//! What a file and a command line come to, and how mistakes are told.

use std::{collections::BTreeSet, ffi::OsStr, sync::Arc};

use haul_store::Durability;

use super::*;
use crate::{
    account::{Completion, Permissions},
    accounts::{Bounds, Folders, Networks, Quota},
    house::Others,
    pace::{Bandwidth, Rates, UserRates},
};

const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$wkLMKLAjZZxCmBdLGbpLEbYZeWPZSCpWmGpZ5j9dbZA";

fn read(text: &str) -> Result<Config, Problems> {
    Config::resolve(Some((Path::new("/etc/haul/serve.toml"), text)), Flags::default())
}

fn problems(text: &str) -> Vec<String> {
    read(text).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

#[test]
fn nothing_at_all_is_the_current_folder_for_anonymous_readers() {
    let config = Config::resolve(None, Flags::default()).unwrap();
    assert_eq!((config.dir.as_os_str(), config.state.as_os_str()), (OsStr::new("."), OsStr::new("./.haul")));
    assert_eq!(config.ftp.listen.to_string(), "127.0.0.1:2121");
    assert_eq!((config.ftp.listen_tls, config.tls), (Listen::Off, None));
    assert_eq!(
        config.anonymous,
        Anonymous::On { write: false, home: haul_core::TreePath::ROOT, bounds: Arc::default() }
    );
    assert_eq!(
        (config.drain, config.uploads.expire),
        (Duration::from_secs(10), Duration::from_secs(604_800))
    );
    assert!(!config.uploads.in_place && config.uploads.durability == Durability::Full);
}

#[test]
fn every_key_of_a_file_is_heard() {
    let text = format!(
        r#"
        dir = "files"
        state = "/var/lib/haul"
        drain = "1m"
        [[mount]]
        path = "/in/disk"
        dir = "disk"
        [ftp]
        listen = ":21"
        listen_tls = "[::]:990"
        passive_ports = "50000-50999"
        external_address = "203.0.113.7"
        banner = "welcome"
        idle = "1m"
        no_transfer = "2m"
        stall = "3m"
        sessions = 100
        sessions_per_address = 10
        logins = 5
        tls_reuse = "require"
        compression = true
        [tls]
        cert = "cert.pem"
        key = "/key.pem"
        mode = "required"
        client_ca = "clients.pem"
        [anonymous]
        access = "rw"
        home = "/incoming"
        [[anonymous.folder]]
        path = "/in/pub"
        permissions = ""
        [login]
        failures = 4
        refuse = "1h"
        [proxy]
        trusted = ["10.0.0.0/8", "::1"]
        others = "direct"
        [process]
        user = "haul"
        group = "files"
        umask = "027"
        sandbox = "required"
        [limits]
        networks = ["::/0"]
        sessions = 50
        sessions_per_address = 5
        sessions_per_user = 7
        down = "10M"
        user_up = "2M"
        session_down = "1K"
        [uploads]
        mode = "in-place"
        durability = "relaxed"
        expire = "1d"
        max_unfinished = 20
        [log]
        format = "json"
        xferlog = "/var/log/xferlog"
        [[user]]
        name = "ann"
        password = "{HASH}"
        home = "/homes/ann"
        permissions = "rl"
        networks = ["10.0.0.0/8", "2001:db8::1"]
        expires = 2030-12-31
        sessions = 3
        certificates = ["CN=ann"]
        down = "5M"
        session_up = "1M"
        quota_bytes = "10G"
        quota_files = 1000
        completion = "lenient"
        [[user.folder]]
        path = "/in"
        permissions = "w"
        "#
    );
    let config = read(&text).unwrap();
    assert_eq!(config.dir, Path::new("/etc/haul/files"), "relative to the file");
    assert_eq!(config.state, Path::new("/var/lib/haul"));
    let path = haul_core::TreePath::ROOT.join(b"in/disk").unwrap();
    assert_eq!(config.mounts, [Mount { path, dir: "/etc/haul/disk".into() }]);
    let minutes = |number: u64| Duration::from_secs(number * 60);
    let expected = Ftp {
        listen: Listen::Everywhere(21),
        listen_tls: Listen::At("[::]:990".parse().unwrap()),
        passive_ports: Some(50_000..=50_999),
        external_address: Some([203, 0, 113, 7].into()),
        banner: "welcome".to_owned(),
        idle: minutes(1),
        no_transfer: minutes(2),
        stall: minutes(3),
        sessions: 100,
        sessions_per_address: 10,
        logins: 5,
        tls_reuse: TlsReuse::Require,
        compression: true,
    };
    assert_eq!((config.ftp, config.drain), (expected, minutes(1)));
    let (cert, key) = ("/etc/haul/cert.pem".into(), "/key.pem".into());
    let clients = Some("/etc/haul/clients.pem".into());
    let tls = Tls { certificate: Certificate::Files { cert, key }, mode: TlsMode::Required, clients };
    assert_eq!(config.tls, Some(tls));
    assert!(
        matches!(config.anonymous, Anonymous::On { write: true, home, .. } if home.as_bytes() == b"incoming")
    );
    assert_eq!(config.patience, Patience { failures: 4, refuse: minutes(60) });
    let trusted = Networks(vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
    assert_eq!(config.proxy, Proxies { trusted, others: Others::Direct });
    let named = |name: &str| Some(name.to_owned());
    let process = Process {
        user: named("haul"),
        group: named("files"),
        umask: Some(0o027),
        sandbox: Sandbox::Required,
    };
    assert_eq!(config.process, process);
    assert!(config.uploads.in_place && config.uploads.durability == Durability::Relaxed);
    assert_eq!((config.uploads.expire, config.uploads.max_unfinished), (minutes(1440), 20));
    assert_eq!(config.log.format, Format::Json);
    assert_eq!(config.log.xferlog.as_deref(), Some(Path::new("/var/log/xferlog")));
    let [ann] = config.users.as_slice() else { panic!() };
    assert_eq!((ann.name.as_str(), ann.home.as_bytes()), ("ann", &b"homes/ann"[..]));
    assert_eq!(ann.may, Permissions { read: true, list: true, ..Permissions::default() });
    assert_eq!(ann.completion, Completion::Lenient);
    let networks = Networks(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    let quota = Quota { bytes: Some(10 << 30), files: Some(1000) };
    let down = |rate| Rates { down: Some(rate), up: None };
    let up = |rate| Rates { down: None, up: Some(rate) };
    let rates = UserRates { user: down(5 << 20), session: up(1 << 20) };
    let place = haul_core::TreePath::ROOT.join(b"in").unwrap();
    let folders = Folders(vec![(place, Permissions { write: true, ..Permissions::default() })]);
    let certificates = vec!["CN=ann".parse().unwrap()];
    let bounds = Bounds {
        folders,
        certificates,
        networks,
        expires: Some(1_924_992_000),
        quota,
        rates,
        sessions: Some(3),
    };
    assert_eq!(*ann.bounds, bounds);
    let bandwidth =
        Bandwidth { all: down(10 << 20), each: UserRates { user: up(2 << 20), session: down(1024) } };
    let networks = Networks(vec!["::/0".parse().unwrap()]);
    let limits = Limits {
        networks,
        sessions: Some(50),
        sessions_per_address: Some(5),
        sessions_per_user: Some(7),
        bandwidth,
    };
    assert_eq!(config.limits, limits);
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_key_and_line() {
    let text = "dri = \"/srv\"\n[ftp]\nidle = \"5\"\nlisten = 21\nsessions = 0\n[[user]]\nname = \"ann\"\n\
                password = \"secret\"\n[[user]]\nhome = \"/a/.haul\"\n";
    let told = problems(text);
    let expected = [
        "/etc/haul/serve.toml:1: dri: there is no such key; here may be anonymous, dir, drain, ftp, hook, host, http, \
         limits, log, login, metrics, mount, process, proxy, state, tls, uploads, user",
        "/etc/haul/serve.toml:3: ftp.idle: \"5\" is no time: write 45s, 10m, 12h or 7d, at most ten years",
        "/etc/haul/serve.toml:4: ftp.listen: is a text: write it in quotes",
        "/etc/haul/serve.toml:5: ftp.sessions: is a whole number from 1 to 1000000",
        "/etc/haul/serve.toml:8: user.password: is no argon2 hash: let `haul passwd` make one",
        "/etc/haul/serve.toml:9: user.name: is missing",
        "/etc/haul/serve.toml:9: user.password: is missing",
        "/etc/haul/serve.toml:10: user.home: \"/a/.haul\" is no place in the tree: the name .haul is reserved",
    ];
    assert_eq!(told, expected);
    assert!(!told.join("").contains("secret"));
}

#[test]
fn what_is_wrong_with_folders_networks_and_rates_is_told_with_its_line() {
    let text = format!(
        "[limits]\nnetworks = [\n\"10.0.0.0/8\",\n\"10.0.0.0/33\"]\ndown = \"fast\"\n[[user]]\nname = \"a\"\n\
         password = \"{HASH}\"\nexpires = 5\n[[user.folder]]\npath = \"/a\"\npermissions = \"rx\"\n\
         [[user.folder]]\npath = \"/\"\npermissions = \"r\"\n[[user.folder]]\npath = \"/a/b/\"\npermissions = \"r\"\n\
         [[user.folder]]\npath = \"a/b\"\n[[anonymous.folder]]\npath = \"x/.haul\"\npermissions = \"r\"\ndeep = true\n"
    );
    let told = problems(&text);
    let begins = [
        ":4: limits.networks: \"10.0.0.0/33\" is no network",
        ":5: limits.down: \"fast\" is no rate",
        ":9: user.expires: is a date",
        ":12: user.folder.permissions: \"rx\" is not made of",
        ":14: user.folder.path: \"/\" is the home itself",
        ":19: user.folder.permissions: is missing",
        ":20: user.folder.path: \"a/b\" is there twice",
        ":22: anonymous.folder.path: \"x/.haul\" is no place in the tree",
        ":24: anonymous.folder.deep: there is no such key; here may be path, permissions",
    ];
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    for (line, begins) in told.iter().zip(begins) {
        assert!(line.starts_with(&format!("/etc/haul/serve.toml{begins}")), "{line}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let told = problems("dir = \"/srv\"\n[ftp\n");
    assert!(told[0].starts_with("/etc/haul/serve.toml:2: "), "{told:?}");
    assert!(problems("ftp = 1")[0].ends_with("ftp: is a table: write [ftp]"));
    assert!(problems("user = 1")[0].ends_with("user: is a list of tables: write [[user]]"));
    assert!(problems("user = [1]")[0].ends_with("user: is a list of tables: write [[user]]"));
    assert!(problems("[[user]]\nname = \"a\"")[0].ends_with("serve.toml:1: user.password: is missing"));
}

#[test]
fn the_command_line_wins() {
    let text = format!(
        "dir = \"/srv\"\n[ftp]\nlisten = \":21\"\n[tls]\nself_signed = true\nmode = \"required\"\n\
         [anonymous]\nhome = \"/pub\"\n[[user]]\nname = \"ann\"\npassword = \"{HASH}\"\n\
         [[user]]\nname = \"bob\"\npassword = \"{HASH}\"\n"
    );
    let flags = Flags {
        dir: Some("/other".into()),
        ftp: Some(Listen::Off),
        ftps: Some(Listen::Everywhere(990)),
        users: vec!["ann:secret:r".parse().unwrap()],
        anonymous: Some(AnonymousAccess::ReadWrite),
        tls_cert: Some("c".into()),
        tls_key: Some("k".into()),
        drain: Some(Duration::ZERO),
        log: Some(Format::Json),
        ..Flags::default()
    };
    let config = Config::resolve(Some((Path::new("f"), &text)), flags).unwrap();
    assert_eq!(
        (config.dir.as_path(), config.state.as_path()),
        (Path::new("/other"), Path::new("/other/.haul"))
    );
    assert_eq!((config.ftp.listen, config.ftp.listen_tls), (Listen::Off, Listen::Everywhere(990)));
    let certificate = Certificate::Files { cert: "c".into(), key: "k".into() };
    assert_eq!(
        config.tls,
        Some(Tls { certificate, mode: TlsMode::Required, clients: None }),
        "the file's mode stays"
    );
    let users: Vec<_> = config.users.iter().map(|user| (user.name.as_str(), user.may.write)).collect();
    assert_eq!(users, [("ann", false), ("bob", true)]);
    assert!(matches!(config.anonymous, Anonymous::On { write: true, home, .. } if home.as_bytes() == b"pub"));
    assert_eq!((config.drain, config.log.format), (Duration::ZERO, Format::Json));
}

#[test]
fn what_does_not_fit_together_is_told() {
    let wrong = |text: &str, expected: &str| {
        let told = problems(text);
        assert!(told.iter().any(|line| line.contains(expected)), "{text}: {told:?}");
    };
    wrong("[ftp]\nlisten = \"off\"\n[http]\nlisten = \"off\"", "there is nothing to serve at");
    wrong("[http]\nlisten_tls = \":443\"", "serve.toml:2: http.listen_tls: needs a certificate");
    wrong("[tls]\nclient_ca = \"a.pem\"", "serve.toml:2: tls.client_ca: needs a certificate");
    let ann = format!("[[user]]\nname = \"ann\"\npassword = \"{HASH}\"\ncertificates = [");
    wrong(&format!("{ann}\"CN=ann\"]"), "serve.toml:4: user.certificates: nobody vouches for any");
    wrong(&format!("{ann}\"ann\"]"), "serve.toml:4: user.certificates: \"ann\" names no certificate");
    wrong("[http]\norigins = \"*\"", "http.origins: is a list of texts");
    wrong("[http]\norigins = [\"example.org\"]", "http.origins: \"example.org\" is no origin");
    wrong("[http]\nhosts = [\"a:80\"]", "http.hosts: \"a:80\" is no name of a host");
    wrong("[ftp]\nlisten_tls = \":990\"", "serve.toml:2: ftp.listen_tls: needs a certificate");
    wrong("[tls]\nmode = \"required\"", "serve.toml:2: tls.mode: needs a certificate");
    wrong("[tls]\ncert = \"a\"", "serve.toml:1: tls.key: is missing");
    wrong("[tls]\nkey = \"a\"", "serve.toml:1: tls.cert: is missing");
    wrong(
        "[tls]\ncert = \"a\"\nkey = \"b\"\nself_signed = true",
        "serve.toml:4: tls.self_signed: there is a certificate",
    );
    wrong("[anonymous]\naccess = \"off\"", "nobody could come in");
    wrong("dir = \"/srv\"\nstate = \"/srv/state\"", "serve.toml:2: state: /srv/state lies in the folder");
    let user = format!("[[user]]\nname = \"a\"\npassword = \"{HASH}\"\n");
    wrong(&user.repeat(2), "serve.toml:5: user.name: \"a\" is there twice");
    assert!(read("dir = \"/srv\"\nstate = \"/srv/.haul/state\"").is_ok());
    assert!(read("[tls]\nmode = \"offered\"").is_ok(), "there is just nothing to offer");
}

#[test]
fn what_a_process_is_must_fit_together() {
    let told = problems("[process]\ngroup = \"files\"\n");
    assert_eq!(told, ["/etc/haul/serve.toml:2: process.group: needs process.user beside it"]);
    let told = problems("[ftp]\npassive_ports = \"1000-2000\"\n[process]\nuser = \"haul\"\n");
    assert!(
        told[0].starts_with(
            "/etc/haul/serve.toml:2: ftp.passive_ports: only root can listen at ports below 1024"
        ),
        "{told:?}"
    );
    let told = problems("[process]\numask = \"1000\"\nuser = \"a b\"\n[proxy]\ntrusted = [\"10.0.0.1/8\"]\n");
    let lines: Vec<_> =
        told.iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    let at = |line: u8, key: &str| format!("/etc/haul/serve.toml:{line} {key}");
    assert_eq!(lines, [at(2, "process.umask"), at(3, "process.user"), at(5, "proxy.trusted")]);
}

#[test]
fn a_check_looks_at_the_world() {
    let folder = tempfile::tempdir().unwrap();
    let flags = |dir: &Path| Flags { dir: Some(dir.to_owned()), ..Flags::default() };
    assert_eq!(Config::resolve(None, flags(folder.path())).unwrap().check(), Ok(()));
    let none = folder.path().join("none");
    let mut config = Config::resolve(None, flags(&none)).unwrap();
    let certificate = Certificate::Files { cert: none.clone(), key: none.clone() };
    config.tls = Some(Tls { certificate, mode: TlsMode::Offered, clients: None });
    config.log.xferlog = Some(none.join("xferlog"));
    let keys: Vec<_> =
        config.check().unwrap_err().list.into_iter().filter_map(|problem| problem.key).collect();
    assert_eq!(keys, ["dir", "tls.cert", "tls.key", "log.xferlog"]);
}

/// docs/configuration.md, which says what each key means.
fn manual() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    std::fs::read_to_string(path).unwrap()
}

/// Key and default of each row of its table.
fn rows(manual: &str) -> Vec<(String, String)> {
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let key = cells.next().unwrap().trim_end_matches('`').to_owned();
        (key, cells.next().unwrap().to_owned())
    })
    .collect()
}

#[test]
fn the_manual_names_every_key_and_no_other() {
    let named: BTreeSet<_> = rows(&manual()).into_iter().map(|(key, _)| key).collect();
    let tables = [
        "ftp",
        "http",
        "tls",
        "anonymous",
        "login",
        "proxy",
        "process",
        "limits",
        "uploads",
        "log",
        "metrics",
    ]
    .map(str::to_owned);
    let known: BTreeSet<_> = file::keys().into_iter().filter(|key| !tables.contains(key)).collect();
    assert_eq!(named, known);
}

#[test]
fn the_manual_s_example_is_a_configuration() {
    let manual = manual();
    let example = manual.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = read(example).unwrap();
    assert_eq!((config.users.len(), config.ftp.listen), (2, Listen::Everywhere(21)));
}

#[test]
fn the_settings_that_somebody_begins_with_are_a_configuration() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let text = std::fs::read_to_string(path).unwrap();
    let examples: Vec<_> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let example = example.replace("PUT HERE WHAT haul passwd PRINTS", HASH);
        read(&example).unwrap_or_else(|told| panic!("{told}"));
    }
}

#[test]
fn the_example_of_hooks_is_a_configuration() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/hooks.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let example = manual.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let names: Vec<_> = read(example).unwrap().hooks.into_iter().map(|hook| hook.name).collect();
    assert_eq!(names, ["scan", "inbox"]);
}

#[test]
fn the_manual_s_defaults_are_the_defaults() {
    let shown = |text: &str| format!("{:?}", read(text).unwrap_or_else(|told| panic!("{text}: {told}")));
    let mut compared = 0;
    for (key, default) in rows(&manual()) {
        let Some(default) = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
            continue;
        };
        let user = format!("[[user]]\nname = \"a\"\npassword = \"{HASH}\"\n");
        let (table, key) = key.split_once('.').unwrap_or(("", &key));
        let (without, header) = match table {
            "" => (String::new(), String::new()),
            "user" => (user.clone(), user),
            "hook" => {
                let hook = "[[hook]]\nname = \"a\"\ncommand = [\"/a\"]\n".to_owned();
                (hook.clone(), hook)
            }
            "host" => {
                let host = "[[host]]\nnames = [\"a.example\"]\n".to_owned();
                (host.clone(), host)
            }
            table => (String::new(), format!("[{table}]\n")),
        };
        assert_eq!(shown(&format!("{header}{key} = {default}\n")), shown(&without), "{table}.{key}");
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}

#[cfg(unix)]
#[test]
fn a_check_sees_through_links_where_state_would_be_served() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, link) = (folder.path().join("tree"), folder.path().join("link"));
    std::fs::create_dir(&tree).unwrap();
    std::os::unix::fs::symlink(&tree, &link).unwrap();
    let checked = |state: &str| {
        let flags = Flags { dir: Some(tree.clone()), state: Some(link.join(state)), ..Flags::default() };
        Config::resolve(None, flags).unwrap().check()
    };
    assert_eq!(checked("not/there/yet").unwrap_err().list[0].key.as_deref(), Some("state"));
    assert_eq!(checked(".haul/not/there/yet"), Ok(()));
}
