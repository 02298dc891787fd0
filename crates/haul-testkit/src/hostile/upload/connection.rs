//! One connection of an upload peer: reads requests, takes what they bring, and breaks where the behaviour says so.

use std::io::{self, BufReader, ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{Answer, limit};
use super::ask::{Ask, Dialect};
use super::behaviour::{Finish, Location, Step, Then, When};
use super::request::{self, Content, UploadRequest};
use super::state::{State, Taken, Taking};
use super::{Shared, look};
use crate::hostile::wire::Wire;
use crate::pace::Pace;
use crate::socket::Cut;

const PIECE: usize = 64 << 10;
const TICK: Duration = Duration::from_millis(2);

/// What becomes of the connection.
enum After {
    Kept,
    Closed,
    Cut(Cut),
}

/// How the content of a request came to its end.
enum Came {
    /// All of it is there.
    Whole,
    /// This is answered while more is under way.
    Answered(Answer, Then),
    /// The connection is to be cut.
    Cut(Cut),
}

struct Connection {
    wire: BufReader<Wire>,
    number: usize,
    shared: Arc<Shared>,
    /// Bytes of content over this connection.
    carried: u64,
    pace: Option<Pace>,
}

pub(super) fn serve(stream: TcpStream, number: usize, shared: &Arc<Shared>) {
    let Ok(mut wire) = Wire::new(stream, &shared.stopped) else { return };
    if let Some(config) = &shared.tls
        && wire.secure(config).is_err()
    {
        return;
    }
    let wire = BufReader::with_capacity(PIECE, wire);
    let mut connection = Connection { wire, number, shared: Arc::clone(shared), carried: 0, pace: None };
    // Whoever is cut off in the middle has an error here, which is nothing to tell.
    while let Ok(Some(after)) = connection.next() {
        match after {
            After::Kept => {}
            After::Closed => return connection.wire.into_inner().close(),
            After::Cut(how) => return connection.wire.get_mut().cut(how),
        }
    }
}

impl Connection {
    fn next(&mut self) -> io::Result<Option<After>> {
        let Some(mut request) = request::head(&mut self.wire, self.number)? else { return Ok(None) };
        let (ask, number, unread) = self.shared.lock().register(&mut request);
        let mut content = Content::of(&request);
        if unread && !content.is_ended() {
            self.wait_for_release()?;
            return Ok(None);
        }
        if let Some(refusal) = self.refusal(&request) {
            return self.early(&request, refusal, &mut content, Then::Reads, None).map(Some);
        }
        let upload = self.upload_of(&ask);
        let at_once = self.shared.lock().instead(request.step, number, |when| when == When::AtOnce);
        if let Some(instead) = at_once {
            let answer = self.shared.lock().answer_instead(&instead, upload);
            let of = upload.map(|(_, id)| (id, request.from));
            return self.early(&request, answer, &mut content, instead.then, of).map(Some);
        }
        let after = match &ask {
            Ask::Create(..) | Ask::Append(..) => {
                let opened = self.shared.lock().open(&ask, number);
                match opened {
                    Ok(taking) => self.transfer(&request, &taking, &mut content)?,
                    Err(answer) => {
                        let of = upload.map(|(_, id)| (id, request.from));
                        self.early(&request, answer, &mut content, Then::Reads, of)?
                    }
                }
            }
            Ask::Options | Ask::Query(..) | Ask::Cancel(..) | Ask::Look(_) | Ask::Refused(_) => {
                let answer = look::answer(&mut self.shared.lock(), &ask, number, &request);
                self.early(&request, answer, &mut content, Then::Reads, None)?
            }
        };
        Ok(Some(after))
    }

    /// 401 to whoever has not the login.
    fn refusal(&self, request: &UploadRequest) -> Option<Answer> {
        let state = self.shared.lock();
        let (name, password) = state.behaviour.login.as_ref()?;
        let expected = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        let known = request.field("Authorization") == Some(&expected);
        (!known).then(|| Answer::new(401).with("WWW-Authenticate", "Basic realm=\"uploads\""))
    }

    fn upload_of(&self, ask: &Ask) -> Option<(Dialect, usize)> {
        match ask {
            Ask::Query(dialect, name) | Ask::Append(dialect, name, _) | Ask::Cancel(dialect, name) => {
                Some((*dialect, self.shared.lock().find(name).ok()?))
            }
            Ask::Options | Ask::Create(..) | Ask::Look(_) | Ask::Refused(_) => None,
        }
    }

    /// Takes the content of a request, and answers.
    fn transfer(
        &mut self,
        request: &UploadRequest,
        taking: &Taking,
        content: &mut Content,
    ) -> io::Result<After> {
        self.announce(request, taking)?;
        if request.field("Expect").is_some() {
            self.say(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match self.take(request, taking, content)? {
            Came::Cut(how) => Ok(After::Cut(how)),
            Came::Answered(answer, then) => {
                let of = Some((taking.id, taking.from + request.received()));
                self.early(request, answer, content, then, of)
            }
            Came::Whole => {
                request.progress.complete.store(true, Ordering::Relaxed);
                self.conclude(request, taking)
            }
        }
    }

    /// 104, to those who speak the same version of the draft.
    fn announce(&mut self, request: &UploadRequest, taking: &Taking) -> io::Result<()> {
        let (times, version) = {
            let state = self.shared.lock();
            (state.behaviour.announcements, state.behaviour.draft)
        };
        let spoken =
            version.is_some() && request.number("Upload-Draft-Interop-Version") == version.map(u64::from);
        if taking.dialect != Dialect::Draft || taking.step != Step::Create || !spoken {
            return Ok(());
        }
        for _ in 0..times {
            let fields = [
                self.location(taking.id),
                Some(("Upload-Limit".into(), limit(&self.shared.lock().behaviour))),
            ];
            self.interim(request, fields.into_iter().flatten())?;
        }
        Ok(())
    }

    fn interim(
        &mut self,
        request: &UploadRequest,
        fields: impl Iterator<Item = (String, String)>,
    ) -> io::Result<()> {
        let version = self.shared.lock().behaviour.draft.unwrap_or_default();
        let mut text = format!(
            "HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Draft-Interop-Version: {version}\r\n"
        );
        fields.for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        request.progress.interim.fetch_add(1, Ordering::Relaxed);
        self.say((text + "\r\n").as_bytes())
    }

    fn location(&self, id: usize) -> Option<(String, String)> {
        let path = State::path_of(id);
        let url = match &self.shared.lock().behaviour.location {
            Location::Path => path,
            Location::Absolute => format!("{}{path}", self.shared.origin),
            Location::Behind(origin) => format!("{origin}{path}"),
            Location::Untold => return None,
        };
        Some(("Location".to_owned(), url))
    }

    fn take(&mut self, request: &UploadRequest, taking: &Taking, content: &mut Content) -> io::Result<Came> {
        let mut piece = vec![0; PIECE];
        let mut told = 0;
        loop {
            let before = request.received();
            let most = match self.gate()? {
                Ok(most) => most,
                Err(how) => return Ok(Came::Cut(how)),
            };
            let after = |when| matches!(when, When::After(bytes) if before >= bytes);
            let in_the_middle = self.shared.lock().instead(taking.step, taking.number, after);
            if let Some(instead) = in_the_middle {
                let upload = Some((taking.dialect, taking.id));
                let answer = self.shared.lock().answer_instead(&instead, upload);
                return Ok(Came::Answered(answer, instead.then));
            }
            let read = content.read(&mut self.wire, &mut piece[..most])?;
            if read == 0 {
                return Ok(Came::Whole);
            }
            self.paid(read);
            request.count(read);
            let taken = self.shared.lock().take(taking, before, &piece[..read]);
            match taken {
                Taken::Well => {}
                Taken::Locks | Taken::Fenced => return Ok(Came::Cut(Cut::Rst)),
                Taken::TooLarge => return Ok(Came::Answered(Answer::new(413), Then::Reads)),
            }
            let every = self.shared.lock().behaviour.progress.filter(|_| taking.dialect == Dialect::Draft);
            if every.is_some_and(|every| before + read as u64 >= told + every) {
                told = before + read as u64;
                let offset = self.shared.lock().progress(taking.id);
                self.interim(request, offset.map(|offset| ("Upload-Offset".to_owned(), offset)).into_iter())?;
            }
        }
    }

    /// All content of a request is there.
    fn conclude(&mut self, request: &UploadRequest, taking: &Taking) -> io::Result<After> {
        let at_the_end =
            self.shared.lock().instead(taking.step, taking.number, |when| when == When::AtTheEnd);
        if let Some(instead) = at_the_end {
            let answer = self.shared.lock().answer_instead(&instead, Some((taking.dialect, taking.id)));
            return self.answer(request, answer, instead.then);
        }
        if !self.shared.lock().proved(taking, request.field("Upload-Checksum")) {
            return self.answer(request, Answer::new(460).with("Tus-Resumable", "1.0.0"), Then::Reads);
        }
        let (complete, finish) = self.shared.lock().close(taking);
        match finish {
            Some(Finish::Silent) => {
                self.wait_for_release()?;
                return Ok(After::Cut(Cut::Fin));
            }
            Some(Finish::Cut(how)) => return Ok(After::Cut(how)),
            Some(Finish::Status(status)) => return self.answer(request, Answer::new(status), Then::Reads),
            None => {}
        }
        let status = match (taking.dialect, taking.step, complete) {
            (Dialect::Pieces, _, false) => 308,
            (_, Step::Create, _) | (Dialect::Draft | Dialect::Pieces | Dialect::Plain, _, true) => 201,
            _ => 204,
        };
        let fields = self.shared.lock().fields(taking.dialect, taking.id, Some((taking.step, taking.number)));
        let mut answer = Answer::new(status).with_all(fields);
        if taking.step == Step::Create && matches!(taking.dialect, Dialect::Draft | Dialect::Tus) {
            answer = answer.with_all(self.location(taking.id));
        }
        self.answer(request, answer, Then::Reads)
    }

    /// Answers, perhaps before all of the content came; `of` is the upload and the offset that the rest is of.
    fn early(
        &mut self,
        request: &UploadRequest,
        answer: Answer,
        content: &mut Content,
        then: Then,
        of: Option<(usize, u64)>,
    ) -> io::Result<After> {
        let after = self.answer(request, answer, then)?;
        if let After::Kept = after {
            let mut piece = vec![0; PIECE];
            let mut at = 0;
            loop {
                let most = match self.gate()? {
                    Ok(most) => most,
                    Err(how) => return Ok(After::Cut(how)),
                };
                let read = content.read(&mut self.wire, &mut piece[..most])?;
                if read == 0 {
                    break;
                }
                self.paid(read);
                request.count(read);
                self.shared.lock().thrown_away(of.map(|(id, from)| (id, from + at)), read);
                at += read as u64;
            }
        }
        Ok(after)
    }

    fn answer(&mut self, request: &UploadRequest, answer: Answer, then: Then) -> io::Result<After> {
        let asked_to_close = request.field("Connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let kept = then == Then::Reads && !asked_to_close;
        request.progress.status.store(u64::from(answer.status), Ordering::Relaxed);
        let head_only = request.method == "HEAD";
        let answer = Answer { head_only, ..answer };
        self.say(&answer.bytes(kept))?;
        Ok(match (then, kept) {
            (Then::Closes, _) => After::Cut(Cut::Fin),
            (Then::Reads, true) => After::Kept,
            (Then::Reads, false) => After::Closed,
        })
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wire = self.wire.get_mut();
        wire.write_all(bytes)?;
        wire.flush()
    }

    /// How many bytes of content may be read now; waits until some may, or the connection is to be cut.
    fn gate(&mut self) -> io::Result<Result<usize, Cut>> {
        loop {
            let (cut, rate, held) = {
                let state = self.shared.lock();
                let cut = state.behaviour.cut.filter(|(which, ..)| which.includes(self.number));
                (cut, state.behaviour.rate, state.hold.is_some_and(|hold| state.received >= hold))
            };
            let mut most = PIECE as u64;
            if let Some((_, bytes, how)) = cut {
                if self.carried >= bytes {
                    return Ok(Err(how));
                }
                most = most.min(bytes - self.carried);
            }
            if self.pace.as_ref().map(Pace::rate) != rate {
                self.pace = rate.map(Pace::new);
            }
            let wait = match self.pace.as_ref().map(|pace| pace.allows(Instant::now())) {
                Some(Err(wait)) => wait,
                _ if held => TICK,
                Some(Ok(count)) => return Ok(Ok(most.min(count as u64) as usize)),
                None => return Ok(Ok(most as usize)),
            };
            self.check_stopped()?;
            std::thread::sleep(wait.min(TICK));
        }
    }

    fn paid(&mut self, bytes: usize) {
        self.carried += bytes as u64;
        if let Some(pace) = &mut self.pace {
            pace.pay(Instant::now(), bytes);
        }
    }

    fn wait_for_release(&self) -> io::Result<()> {
        while !self.shared.lock().released {
            self.check_stopped()?;
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    fn check_stopped(&self) -> io::Result<()> {
        let stopped = self.shared.stopped.load(Ordering::Relaxed);
        if stopped { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}
