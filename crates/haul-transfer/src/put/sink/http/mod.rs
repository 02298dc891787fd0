//! A file on an HTTP server as a sink, in the dialect that the server speaks: the IETF's resumable uploads, tus 1.0.0,
//! PUT with Content-Range, plain PUT.
//!
//! ```text
//!   OPTIONS ──► dialect ──► look (HEAD of the upload's URL, of the file) ──► begin ──► requests ──► end
//! ```
//! An upload that has a URL of its own is looked at there until it is over; what was lost there is told as such. Bytes
//! that this run sent, and that its upload's URL tells, are relied on: an upload's offset never goes back. One that says
//! otherwise is not believed any further. The same holds of pieces that are acknowledged out of sight.

mod caller;
mod compare;
mod create;
mod explore;
mod gather;
mod hidden;
mod leave;
mod look;
mod parts;
mod running;
mod send;
mod words;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use haul_core::{
    Digest, ETag, Modified,
    upload::{Found, How, IfExists, Local, Name, Seen, Way},
};
use haul_proto::http::upload_client::{Offer, Said};
use haul_store::UploadDialect;
use http::{HeaderName, HeaderValue, Method};
use url::Url;

pub(crate) use self::parts::{PartWay, Parts};
use self::{caller::Caller, hidden::Hidden, send::Sending};
use super::{Fault, Resource, Sealed, Sink};
use crate::{
    connect::Connector,
    credentials::Secrets,
    put::{
        job::MakeFolders,
        lanes::{Door, Joined},
        local::LocalFile,
    },
    source::Idle,
};

/// `--protocol`: which dialect uploads over HTTP speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The best that the server offers.
    #[default]
    Auto,
    /// The IETF's resumable uploads.
    Draft,
    /// tus 1.0.0.
    Tus,
    /// PUT, in pieces where the server takes them.
    Put,
}

/// How an upload is wanted.
#[derive(Clone, Debug)]
pub(crate) struct HttpPlan {
    /// The file's URL.
    pub(crate) url: Url,
    pub(crate) protocol: Protocol,
    /// What is sent is a file, which can be read again.
    pub(crate) resumes: bool,
    /// It is wanted on several lanes: a dialect that knows parts comes first.
    pub(crate) spread: bool,
    /// It is sent as NAME.part.
    pub(crate) temporary: bool,
    pub(crate) make_folders: MakeFolders,
    pub(crate) if_exists: Option<IfExists>,
    pub(crate) patience: Duration,
    /// What the user says that the file is.
    pub(crate) digest: Option<Digest>,
}

/// Whose an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// This run has created it.
    Run,
    /// An earlier run of ours has.
    Record,
    /// It was found: begun by whoever has this user's name.
    Found,
}

/// An unfinished upload that has a URL.
#[derive(Clone, Debug)]
struct Unfinished {
    url: Url,
    dialect: UploadDialect,
    whose: Whose,
    /// How many bytes it has, as told last.
    offset: u64,
    /// The most that it ever told.
    acknowledged: u64,
    /// The whole's size, where the server knows it.
    declared: Option<u64>,
    /// It has as many bytes, or nobody has said how many it will have; and it is not complete.
    unended: bool,
    max_append: Option<u64>,
}

/// What is known of the file under its name.
#[derive(Clone, Debug, Default)]
struct Target {
    /// Whether there is one; `None` is not known.
    exists: Option<bool>,
    etag: Option<ETag>,
    modified: Option<Modified>,
}

/// What is known of Content-Range in PUT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ranges {
    #[default]
    Unknown,
    /// It is honoured, out of sight until all is there (308).
    Hidden,
    /// It is honoured, in place.
    InPlace,
    /// It is not.
    None,
}

/// An HTTP server that takes a file.
#[derive(Debug)]
pub(crate) struct HttpSink {
    caller: Arc<Caller>,
    plan: HttpPlan,
    /// The file's URL, behind all redirects.
    place: Url,
    offer: Option<Offer>,
    dialect: UploadDialect,
    unfinished: Option<Unfinished>,
    /// Unfinished uploads were asked for.
    listed: bool,
    target: Target,
    ranges: Ranges,
    /// What goes over in pieces out of sight.
    hidden: Hidden,
    sending: Option<Sending>,
    /// The server has said that it has all of it: so many bytes.
    finished: Option<u64>,
    /// The size of what is sent, where known.
    sending_total: Option<u64>,
    /// The most that was handed over in this run.
    moved: u64,
    folders_made: bool,
    no_hash: bool,
    /// It makes no digests of what is unfinished.
    no_hash_of_unfinished: bool,
    no_reading: bool,
    expiry_told: bool,
    /// So often content was sent on to another URL.
    late_redirects: u32,
    remarks: Vec<String>,
}

impl HttpSink {
    pub(crate) fn new(plan: HttpPlan, connector: Connector, secrets: Arc<Secrets>, idle: Arc<Idle>) -> Self {
        let caller = Caller { connector, secrets, idle, owner: plan.url.clone(), patience: plan.patience };
        Self {
            caller: Arc::new(caller),
            place: plan.url.clone(),
            plan,
            offer: None,
            dialect: UploadDialect::Put,
            unfinished: None,
            listed: false,
            target: Target::default(),
            ranges: Ranges::Unknown,
            hidden: Hidden::default(),
            sending: None,
            finished: None,
            sending_total: None,
            moved: 0,
            folders_made: false,
            no_hash: false,
            no_hash_of_unfinished: false,
            no_reading: false,
            expiry_told: false,
            late_redirects: 0,
            remarks: Vec::new(),
        }
    }

    /// What an earlier run remembers of where the upload is.
    pub(crate) fn remember(&mut self, resource: Resource) {
        self.unfinished = Some(Unfinished {
            url: resource.url,
            dialect: resource.dialect,
            whose: Whose::Record,
            offset: resource.acknowledged,
            acknowledged: resource.acknowledged,
            declared: None,
            unended: false,
            max_append: None,
        });
    }

    /// It is wanted on several lanes.
    pub(crate) fn spread(&mut self) {
        self.plan.spread = true;
    }

    /// The path that bytes are sent to, as the URL has it.
    pub(crate) fn far_path(&self) -> Vec<u8> {
        self.url_of_name(self.sent_to()).path().as_bytes().to_vec()
    }

    /// The name that bytes are sent to.
    fn sent_to(&self) -> Name {
        if self.plan.temporary { Name::Temporary } else { Name::Target }
    }

    fn url_of_name(&self, name: Name) -> Url {
        let mut url = self.place.clone();
        if name == Name::Temporary {
            let path = format!("{}.part", url.path());
            url.set_path(&path);
        }
        url
    }

    fn is_haul(&self) -> bool {
        self.offer.as_ref().is_some_and(|offer| offer.haul)
    }

    /// Breaks off what is under way.
    fn cut_off(&mut self) {
        self.sending = None;
    }
}

impl Sink for HttpSink {
    async fn look(&mut self, name: Name, settle: bool) -> Result<Seen, Fault> {
        self.cut_off();
        self.explore().await?;
        self.look_at(name, settle).await
    }

    async fn compare(&mut self, name: Name, size: u64, how: How, with: &LocalFile) -> Result<Found, Fault> {
        self.compare_with(name, size, how, with).await
    }

    async fn begin(&mut self, name: Name, at: u64, way: Way, whole: Option<u64>) -> Result<(), Fault> {
        self.cut_off();
        self.explore().await?;
        self.begin_at(name, at, way, whole).await
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Fault> {
        self.take(bytes).await
    }

    async fn end(&mut self) -> Result<(), Fault> {
        self.end_all().await
    }

    fn give_up(&mut self) {
        self.cut_off();
    }

    async fn door(&mut self, name: Name, at: u64, size: u64, _: Option<&str>) -> Result<Option<Door>, Fault> {
        self.cut_off();
        self.explore().await?;
        if at > 0 || !self.knows_parts() {
            return Ok(None);
        }
        // Each part may be small enough, and the file not.
        Self::fits(self.tus_offer().max_size, Some(size))?;
        self.make_folders().await?;
        Ok(Some(Door::Parts(self.parts(name))))
    }

    async fn join(&mut self, name: Name, door: &Door, parts: &[String], whole: u64) -> Result<Joined, Fault> {
        match door {
            Door::Parts(door) => self.join_parts(name, door, parts, whole).await,
            Door::Ranges(_) => Ok(Joined::Whole),
        }
    }

    async fn seal(&mut self, _local: Option<Local>, rename: bool) -> Result<Sealed, Fault> {
        if rename {
            self.rename().await?;
            self.head_of_file(Name::Target).await?;
        }
        Ok(Sealed { modified: self.target.modified.map(|modified| modified.seconds) })
    }

    fn resource(&self) -> Option<Resource> {
        let unfinished = self.unfinished.as_ref()?;
        Some(Resource {
            url: unfinished.url.clone(),
            dialect: unfinished.dialect,
            acknowledged: unfinished.acknowledged,
        })
    }

    fn remark(&mut self) -> Option<String> {
        self.remarks.pop()
    }

    fn close(&mut self) {
        self.cut_off();
    }
}

impl HttpSink {
    /// NAME.part becomes NAME (RFC 4918 §9.9).
    async fn rename(&mut self) -> Result<(), Fault> {
        let replaces = self.plan.if_exists == Some(IfExists::Overwrite);
        let mut destination = self.place.clone();
        // A URL with a host always takes these.
        let _ = destination.set_password(None);
        let _ = destination.set_username("");
        let destination = HeaderValue::try_from(destination.as_str())
            .map_err(|_| words::broken("the URL is none that a field can carry"))?;
        let fields = vec![
            (HeaderName::from_static("destination"), destination),
            (
                HeaderName::from_static("overwrite"),
                HeaderValue::from_static(if replaces { "T" } else { "F" }),
            ),
        ];
        let method = Method::from_bytes(b"MOVE").unwrap_or(Method::PUT);
        let from = self.url_of_name(Name::Temporary);
        let answered = self.caller.ask(method, &from, fields).await.map_err(Fault::Failed)?;
        let refused = match answered.said() {
            Said::Yes => Ok(()),
            Said::Later { .. } | Said::Unwell { .. } => Err(words::fault(&answered)),
            _ => Err(Fault::Refused(haul_core::upload::Refusal::Denied, answered.words())),
        };
        answered.read(&self.caller.idle, self.caller.patience).await;
        refused
    }
}
