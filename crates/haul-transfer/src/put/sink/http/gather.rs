//! Bytes that are gathered before they are sent: those that go under one checksum, a small file that is created with its
//! content, and the pieces with which it is tried whether Content-Range is honoured.

use bytes::Bytes;
use haul_core::upload::{Name, Refusal, There, Way};
use haul_proto::http::{
    tus::{OFFSET_OCTETS, UPLOAD_CHECKSUM},
    upload_client::{Said, piece, resource, safe},
};
use haul_store::UploadDialect;
use http::{HeaderValue, Method, header};
use url::Url;

use super::{
    super::Fault,
    HttpSink, Ranges,
    caller::{Answered, Fields},
    create::no_pieces,
    look::told,
    running::{Ended, Ends},
    send::{Mode, Probe, Sending, none},
};

impl HttpSink {
    /// Sends what was gathered, in a request of its own.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        let sending = self.sending.as_mut().ok_or_else(none)?;
        let (at, whole, name, mode) = (sending.at, sending.whole, sending.name, sending.mode);
        let held = sending.let_go();
        let len: u64 = held.iter().map(|piece| piece.len() as u64).sum();
        let ends = sending.ends_at(at + len);
        let mut fields = std::mem::take(&mut sending.fields);
        let (method, url) = match mode {
            Mode::Tus { checksum, creates } => {
                if creates {
                    fields.extend(self.tus_creation(name, whole.unwrap_or(len)));
                    fields.push((header::CONTENT_TYPE, HeaderValue::from_static(OFFSET_OCTETS)));
                } else {
                    fields.extend(self.tus_append(at, whole));
                }
                let value = checksum
                    .and_then(|checksum| Self::checksum_value(checksum.name(), checksum.algorithm(), &held));
                fields.extend(value.map(|value| (UPLOAD_CHECKSUM, value)));
                let [folder, _] = self.endpoints(name);
                if creates { (Method::POST, folder) } else { (Method::PATCH, self.upload_url()?) }
            }
            _ => {
                let range = whole.and_then(|whole| piece(at, at + len, whole));
                let range = range.and_then(|range| HeaderValue::try_from(range).ok()).ok_or_else(none)?;
                fields.push((header::CONTENT_RANGE, range));
                (Method::PUT, self.url_of_name(name))
            }
        };
        self.moved = self.moved.max(at + len);
        let answered = self.send_gathered(method, &url, fields, (held.clone(), ends)).await?;
        if let Mode::Pieces(probe) = mode {
            let sending = self.sending.as_mut().ok_or_else(none)?;
            sending.tried.extend(held);
            return self.heed_probe(probe, answered, at, len).await;
        }
        if let Mode::Tus { creates: true, .. } = mode {
            if matches!(answered.said(), Said::Gone | Said::NotThisWay) {
                // That is no place for it: the careful way finds another, and the next try is not with the content.
                answered.read(&self.caller.idle, self.caller.patience).await;
                return self.create_apart(name, held, whole.unwrap_or(len)).await;
            }
            self.adopt(
                &answered.url,
                resource(&answered.headers),
                told(UploadDialect::Tus, &answered.headers),
                UploadDialect::Tus,
            )?;
        }
        let sending = self.sending.as_mut().ok_or_else(none)?;
        sending.at += len;
        self.heed_answer(answered).await
    }

    /// Creates an upload of tus without content, and sends what was gathered behind that.
    async fn create_apart(&mut self, name: Name, held: Vec<Bytes>, whole: u64) -> Result<(), Fault> {
        if let Some(tus) = self.offer.as_mut().and_then(|offer| offer.tus.as_mut()) {
            tus.creation_with_upload = false;
        }
        Box::pin(self.begin_at(name, 0, Way::Begin, Some(whole))).await?;
        let sending = self.sending.as_mut().ok_or_else(none)?;
        for piece in held {
            sending.hold(piece);
        }
        if sending.gathers().is_some() {
            return Box::pin(self.flush()).await;
        }
        for piece in sending.let_go() {
            self.pass(piece).await?;
        }
        self.finish_request().await
    }

    /// One request with all that was gathered.
    async fn send_gathered(
        &mut self,
        method: Method,
        url: &Url,
        fields: Fields,
        (held, ends): (Vec<Bytes>, Ends),
    ) -> Result<Answered, Fault> {
        let len = held.iter().map(|piece| piece.len() as u64).sum();
        let mut running =
            self.caller.start(method, url, fields, Some(len), false).await.map_err(Fault::Failed)?;
        for piece in held {
            running = match running.hand(piece, self.caller.patience).await {
                Ok(running) => running,
                Err(Ended::Answered(answered)) => return Ok(*answered),
                Err(Ended::Failed(failed)) => return Err(Fault::Failed(failed)),
            };
        }
        running.end(self.caller.patience, ends).await.map_err(Fault::Failed)
    }

    /// Whether a piece with Content-Range went where it belongs.
    ///
    /// Who passes over the field takes each piece for the whole file: then the second one replaces the first.
    async fn heed_probe(&mut self, probe: Probe, answered: Answered, at: u64, len: u64) -> Result<(), Fault> {
        let said = answered.said();
        let end = at + len;
        let hidden = said == Said::More && safe(&answered.headers) == Some(end);
        match said {
            Said::Yes | Said::More | Said::NotThisWay | Said::No | Said::Conflict | Said::Gone => {
                answered.read(&self.caller.idle, self.caller.patience).await;
            }
            _ => return Err(self.early(answered).await),
        }
        let sending = self.sending.as_mut().ok_or_else(none)?;
        let (name, from) = (sending.name, sending.from);
        if hidden {
            self.ranges = Ranges::Hidden;
            self.hidden.acknowledge(end);
            sending.at = end;
            sending.mode = Mode::Pieces(Probe::Rest);
            sending.tried.clear();
            return Ok(());
        }
        let there = if said == Said::Yes { self.head_of_file(name).await? } else { There::Unknown };
        if there == There::Size(end) {
            let sending = self.sending.as_mut().ok_or_else(none)?;
            sending.at = end;
            self.finished = sending.whole.filter(|whole| *whole == end);
            // Behind bytes of an earlier request one piece is proof enough.
            if probe == Probe::First && from == 0 {
                sending.mode = Mode::Pieces(Probe::Second);
            } else {
                self.ranges = Ranges::InPlace;
                sending.mode = Mode::Pieces(Probe::Rest);
                sending.tried.clear();
            }
            return Ok(());
        }
        self.ranges = Ranges::None;
        if from > 0 {
            return Err(Fault::Refused(Refusal::Way, no_pieces()));
        }
        self.fall_back().await
    }

    /// The whole file in one go after all, from its first byte on.
    async fn fall_back(&mut self) -> Result<(), Fault> {
        let mut sending = self.sending.take().ok_or_else(none)?;
        self.remarks.push(no_pieces());
        let tried = std::mem::take(&mut sending.tried);
        let (name, whole) = (sending.name, sending.whole);
        // What was tried with may be there now, and is ours.
        let fields = match self.target.exists {
            Some(true) => Fields::new(),
            _ => self.conditions(name),
        };
        self.start_whole(Sending::new(name, 0, whole, Mode::Once(UploadDialect::Put)), fields).await?;
        for piece in tried {
            Box::pin(self.pass(piece)).await?;
        }
        Ok(())
    }
}
