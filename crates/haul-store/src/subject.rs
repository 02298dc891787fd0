//! What a partial is a partial of: the sources it comes from and what each told of the file.
//!
//! This is the journal's record of promise 2 (no mix): every validator that was seen is kept. It does not judge
//! whether two of them speak of one version. The shapes here are the ones on disk; core's types know no serde.

use haul_core::{ETag, Entity, Modified};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the bytes of a partial are bytes of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Where it comes from; the first is the one that the file was begun from.
    pub sources: Vec<SourceRecord>,
    /// The size of the whole in bytes, where known.
    pub size: Option<u64>,
    /// The name of the target, for people.
    pub name: String,
}

/// One source, and what it told of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The URL to show: without userinfo, query and fragment, since those may be secrets.
    pub shown_url: String,
    /// A hash of the full URL, by which the same one is known again. The caller computes it.
    pub url_key: [u8; 32],
    /// The size and validators it told.
    #[serde(with = "EntityRecord")]
    pub entity: Entity,
}

/// [`Entity`] as the journal spells it.
#[derive(Serialize, Deserialize)]
struct EntityRecord {
    size: Option<u64>,
    etag: Option<(String, bool)>,
    modified: Option<(i64, u32, bool)>,
    encoding: Option<String>,
}

impl EntityRecord {
    fn serialize<S: Serializer>(entity: &Entity, serializer: S) -> Result<S::Ok, S::Error> {
        let record = Self {
            size: entity.size,
            etag: entity.etag.as_ref().map(|etag| (etag.opaque.clone(), etag.weak)),
            modified: entity.modified.map(|at| (at.seconds, at.nanos, at.strong)),
            encoding: entity.encoding.clone(),
        };
        Serialize::serialize(&record, serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Entity, D::Error> {
        let record: Self = Deserialize::deserialize(deserializer)?;
        Ok(Entity {
            size: record.size,
            etag: record.etag.map(|(opaque, weak)| ETag { opaque, weak }),
            modified: record.modified.map(|(seconds, nanos, strong)| Modified { seconds, nanos, strong }),
            encoding: record.encoding,
        })
    }
}
