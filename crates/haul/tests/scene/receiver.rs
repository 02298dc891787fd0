//! A server that hooks ask: it notes what it is asked, and answers as it was told to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Requests: head and body of each.
type Asked = Vec<(String, Vec<u8>)>;

/// A server that gives these answers in turn, the last one for ever.
pub(crate) struct Receiver {
    pub(crate) url: String,
    asked: Arc<Mutex<Asked>>,
}

impl Receiver {
    /// In the clear.
    pub(crate) fn answering(answers: &'static [&'static str]) -> Self {
        Self::over(None, answers)
    }

    /// Within TLS; whoever does not go on with that is not answered.
    pub(crate) fn protected(config: Arc<ServerConfig>, answers: &'static [&'static str]) -> Self {
        Self::over(Some(config), answers)
    }

    fn over(tls: Option<Arc<ServerConfig>>, answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut answers = answers.iter().chain(std::iter::repeat(answers.last().unwrap()));
            let mut answer = |stream: &mut dyn ReadWrite| {
                let Some(request) = request(stream) else { return };
                noted.lock().unwrap().push(request);
                let _ = write!(stream, "HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", answers.next().unwrap());
            };
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                match &tls {
                    None => answer(&mut stream),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        answer(&mut StreamOwned::new(connection, stream));
                    }
                }
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Asked {
        self.asked.lock().unwrap().clone()
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A whole request; `None` where it does not come.
fn request(stream: &mut dyn Read) -> Option<(String, Vec<u8>)> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// A field of a head that must have it.
pub(crate) fn field(head: &str, name: &str) -> String {
    let found = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}
