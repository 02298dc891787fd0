//! Both disks pass the suite.

use std::path::Path;

use super::run;
use crate::conformance::{self, Bench};
use crate::crash::CrashDisk;
use crate::disk::RealDisk;
use crate::{FsPartial, StoreError, Subject};

struct RealBench(tempfile::TempDir);

impl Bench for RealBench {
    type Partial = FsPartial<RealDisk>;

    fn begin(&self, subject: &Subject) -> Result<Self::Partial, StoreError> {
        FsPartial::create(&self.0.path().join("file"), subject)
    }

    fn target(&self) -> Option<Vec<u8>> {
        std::fs::read(self.0.path().join("file")).ok()
    }

    fn occupy(&self, bytes: &[u8]) {
        std::fs::write(self.0.path().join("file"), bytes).unwrap();
    }

    fn aside(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }
}

struct CrashBench(CrashDisk);

impl Bench for CrashBench {
    type Partial = FsPartial<CrashDisk>;

    fn begin(&self, subject: &Subject) -> Result<Self::Partial, StoreError> {
        FsPartial::create_on(self.0.clone(), Path::new("/d/file"), subject)
    }

    fn target(&self) -> Option<Vec<u8>> {
        self.0.get(Path::new("/d/file"))
    }

    fn occupy(&self, bytes: &[u8]) {
        self.0.put(Path::new("/d/file"), bytes);
    }

    fn aside(&self, path: &Path) -> Option<Vec<u8>> {
        self.0.get(path)
    }
}

#[test]
fn a_real_disk_conforms() {
    run(conformance::all(|| RealBench(tempfile::tempdir().unwrap()))).unwrap();
}

#[test]
fn a_crash_disk_conforms() {
    run(conformance::all(|| CrashBench(CrashDisk::new(1)))).unwrap();
}
