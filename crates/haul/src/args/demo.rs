//! The command line of `haul demo`.

use std::num::NonZeroU64;

use clap::Args;

use crate::value;

/// Show on this machine what haul is for: transfers over a link that breaks, killed in the middle, and begun again.
///
/// It starts `haul serve` over a scratch folder and a link on loopback that is slow and cut all the time. Over that it
/// downloads, uploads, and downloads a file that changes in between, kills haul with -9 at 40 %, starts it again, and
/// compares the bytes. Nothing else is needed or touched, and nothing is left.
///
/// Exit codes: 0 everything was as it should be, 1 it was not (said in words), 2 usage, 130 interrupted.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// How large the files are; the link is as fast as makes it take the same time
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = size)]
    pub(crate) size: NonZeroU64,

    /// Keep the scratch folder, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Below this what is in flight at the kill is as much as the file.
const LEAST: u64 = 8 << 20;

fn size(text: &str) -> Result<NonZeroU64, String> {
    // A rate is written like a size; its message speaks of seconds.
    let bytes = value::rate(text).map_err(|_| format!("{text:?} is no size; write it as 64M or 1G"))?;
    if bytes.get() < LEAST {
        return Err(format!("{text:?} is too small to be caught in the middle; 8M is the least"));
    }
    Ok(bytes)
}
