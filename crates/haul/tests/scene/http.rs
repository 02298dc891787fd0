//! What the tests of the HTTP door say to it: requests as they stand on the wire, by whom, and curl as a witness that
//! nobody here wrote.

use std::{net::SocketAddr, path::Path};

use haul_testkit::{
    Haul, HttpCaller, Served,
    http_caller::Answer,
    real::peer,
    served::{PASSWORD, USER},
};

/// The credentials of the user whom everybody knows: `a:secret`.
pub(crate) const OWNER: &str = "Authorization: Basic YTpzZWNyZXQ=";
/// Those of the second one: `b:other`.
pub(crate) const STRANGER: &str = "Authorization: Basic YjpvdGhlcg==";

/// A request with these fields, and with content where there is to be some.
pub(crate) fn request(method: &str, path: &str, fields: &[&str], content: Option<&[u8]>) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !fields.iter().any(|field| field.to_ascii_lowercase().starts_with("host:")) {
        head += "Host: localhost\r\n";
    }
    for field in fields {
        head += field;
        head += "\r\n";
    }
    if let Some(content) = content {
        head += &format!("Content-Length: {}\r\n", content.len());
    }
    head += "\r\n";
    [head.as_bytes(), content.unwrap_or_default()].concat()
}

/// One request without content on a connection of its own.
#[track_caller]
pub(crate) fn ask(addr: SocketAddr, method: &str, path: &str, fields: &[&str]) -> Answer {
    HttpCaller::to(addr).asks(request(method, path, fields, None))
}

/// The same with content.
#[track_caller]
pub(crate) fn send(addr: SocketAddr, method: &str, path: &str, fields: &[&str], content: &[u8]) -> Answer {
    HttpCaller::to(addr).asks(request(method, path, fields, Some(content)))
}

/// What the owner gets by GET, whole and with 200.
#[track_caller]
pub(crate) fn get(addr: SocketAddr, path: &str) -> Vec<u8> {
    ask(addr, "GET", path, &[OWNER]).expect(200).body
}

/// The strong tag of a file.
#[track_caller]
pub(crate) fn etag(addr: SocketAddr, path: &str) -> String {
    let answer = ask(addr, "HEAD", path, &[OWNER]).expect(200);
    answer.field("ETag").expect("an ETag").to_owned()
}

/// A way to speak HTTP that curl has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Http10,
    Http11,
    Http2,
    Https11,
    Https2,
}

pub(crate) const WAYS: [Way; 5] = [Way::Http10, Way::Http11, Way::Http2, Way::Https11, Way::Https2];

impl Way {
    /// curl's options, with the user whom everybody knows.
    pub(crate) fn options(self) -> Vec<String> {
        let version: &[&str] = match self {
            Self::Http10 => &["--http1.0"],
            Self::Http11 | Self::Https11 => &["--http1.1"],
            Self::Http2 => &["--http2-prior-knowledge"],
            Self::Https2 => &["--http2"],
        };
        let always = ["-q", "-sS", "--insecure", "--globoff", "--path-as-is"];
        let mut options: Vec<String> =
            always.iter().chain(version).map(|option| (*option).to_owned()).collect();
        options.extend(["-u".to_owned(), format!("{USER}:{PASSWORD}")]);
        options
    }

    pub(crate) fn url(self, served: &Served, path: &str) -> String {
        match self {
            Self::Http10 | Self::Http11 | Self::Http2 => format!("http://{}{path}", served.http_addr()),
            Self::Https11 | Self::Https2 => format!("https://{}{path}", served.https_addr()),
        }
    }

    /// As curl names it.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Http10 => "1",
            Self::Http11 | Self::Https11 => "1.1",
            Self::Http2 | Self::Https2 => "2",
        }
    }
}

/// What curl has heard.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) version: String,
    /// Of the last answer; names as they came.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// curl's exit code.
    pub(crate) code: i32,
}

impl Heard {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }
}

/// Asks by curl, whatever comes of it; None where there is no curl.
#[track_caller]
pub(crate) fn curl(way: Way, dir: &Path, options: &[&str], url: &str) -> Option<Heard> {
    let program = peer("curl")?;
    for file in ["curl.head", "curl.body"] {
        let _ = std::fs::remove_file(dir.join(file));
    }
    let told = ["-D", "curl.head", "-o", "curl.body", "-w", "%{http_code} %{http_version}"];
    let curl = Haul::new(program).args(way.options()).args(told).args(options).arg(url).dir(dir);
    let end = curl.run();
    let said = String::from_utf8(end.stdout).unwrap();
    let (status, version) = said.split_once(' ').unwrap_or_else(|| panic!("{said:?}\n{}", end.stderr));
    let head = std::fs::read(dir.join("curl.head")).unwrap_or_default();
    let head = String::from_utf8_lossy(&head).replace("\r\n", "\n");
    // The last answer stands behind interim ones and challenges.
    let last = head.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let fields = last.lines().skip(1).filter_map(|line| line.split_once(':'));
    Some(Heard {
        status: status.parse().unwrap(),
        version: version.to_owned(),
        fields: fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
        body: std::fs::read(dir.join("curl.body")).unwrap_or_default(),
        code: end.code.unwrap_or(-1),
    })
}
