//! Which run of the machine this is. What a killed program wrote is there as long as the machine runs; after a power
//! cut only what was synced is. (docs/adr/018-the-boot-id.md)

use std::sync::OnceLock;

/// A name for this run of the machine: the same for every process of it, another one after each start. Where the
/// system tells none, a name for this process, so that nothing unsynced is relied on.
pub fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| crate::sys::boot_id().unwrap_or_else(process))
}

fn process() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("process-{}-{}", std::process::id(), since.as_nanos())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_run_of_the_machine_has_one_name() {
        assert_eq!(super::boot(), super::boot());
        assert!(!super::boot().is_empty());
        #[cfg(target_os = "linux")]
        assert!(!super::boot().starts_with("process-"), "{}", super::boot());
    }
}
