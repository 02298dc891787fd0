//! The resolved plan of a `haul probe`.

use haul_transfer::ClientOptions;
use haul_transfer::probe::Limits;
use url::Url;

use super::{ftp, no, reach};
use crate::args::probe::ProbeArgs;
use crate::usage::Usage;
use crate::world::World;

/// What `haul probe` will do.
#[derive(Debug)]
pub(crate) struct ProbePlan {
    /// What to ask for.
    pub(crate) url: Url,
    /// How far it may go.
    pub(crate) limits: Limits,
    /// What connections are made with.
    pub(crate) client: ClientOptions,
}

/// The plan that `args` ask for.
pub(crate) fn probe(args: ProbeArgs, world: &World<'_>) -> Result<ProbePlan, Usage> {
    if args.write && !matches!(args.url.scheme(), "ftp" | "ftps") {
        return no("--write tries uploads, which haul does over FTP only so far");
    }
    let limits = Limits { write: args.write, patience: args.timeout };
    let client = ClientOptions { ftp: ftp(args.ftp, args.timeout), ..reach(args.reach, world)? };
    Ok(ProbePlan { url: args.url, limits, client })
}
