//! A PROXY header: whatever comes in, no more is read than there can be, and what is read ends.
#![no_main]

use haul_proto::proxy::{Next, next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut taken = 0;
    while let Ok(Next::Read(more)) = next(&bytes[..taken]) {
        assert!(more > 0);
        taken += more;
        assert!(taken <= 16 + 4096);
        if taken > bytes.len() {
            break;
        }
    }
});
