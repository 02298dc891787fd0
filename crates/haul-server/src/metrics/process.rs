//! What Linux tells of this process (proc(5)), under the names that every exporter uses. A server that has given up what
//! it need not reach can no longer open these files: they are opened before, and read again and again.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{Dir, Mode, OFlags},
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

use super::page::{Kind, Page};

/// What is open of it.
#[derive(Debug)]
pub struct Process {
    stat: Option<File>,
    statm: Option<File>,
    files: Option<Mutex<Dir>>,
    began: SystemTime,
}

/// Figures of a moment.
#[derive(Debug, Default)]
struct Seen {
    processor: Option<f64>,
    threads: Option<u64>,
    memory: Option<(u64, u64)>,
    files: Option<u64>,
}

impl Process {
    /// Opens what there is; what there is not, is not told later.
    pub fn open() -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let files = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).and_then(Dir::new);
        Self {
            stat: File::open("/proc/self/stat").ok(),
            statm: File::open("/proc/self/statm").ok(),
            files: files.ok().map(Mutex::new),
            began: SystemTime::now(),
        }
    }

    fn look(&self) -> Seen {
        let (processor, threads) = self.stat.as_ref().and_then(text).map_or((None, None), |text| ran(&text));
        let memory = self.statm.as_ref().and_then(text).and_then(|text| {
            let mut pages = text.split_ascii_whitespace().map(str::parse::<u64>);
            let (virtual_, resident) = (pages.next()?.ok()?, pages.next()?.ok()?);
            let page = u64::try_from(page_size()).ok()?;
            Some((virtual_ * page, resident * page))
        });
        Seen { processor, threads, memory, files: self.files.as_ref().and_then(count) }
    }

    pub(super) fn tell(&self, page: &mut Page) {
        let Seen { processor, threads, memory, files } = self.look();
        if let Some(seconds) = processor {
            let help = "Processor time that was used.";
            page.one("process_cpu_seconds_total", Kind::Counter, help, seconds);
        }
        if let Some(threads) = threads {
            page.one("process_threads", Kind::Gauge, "Threads.", threads);
        }
        if let Some((all, resident)) = memory {
            page.one("process_virtual_memory_bytes", Kind::Gauge, "Address space.", all);
            page.one("process_resident_memory_bytes", Kind::Gauge, "Memory that is in use.", resident);
        }
        if let Some(files) = files {
            page.one("process_open_fds", Kind::Gauge, "Files and connections that are open.", files);
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            page.one("process_max_fds", Kind::Gauge, "As many may be open.", most);
        }
        let began = self.began.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        page.one("process_start_time_seconds", Kind::Gauge, "When it was started, since 1970.", began);
    }
}

/// The text of a file of proc, which is short.
fn text(file: &File) -> Option<String> {
    let mut bytes = [0; 1024];
    let len = file.read_at(&mut bytes, 0).ok()?;
    bytes.get(..len).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// How long it ran, in seconds, and its threads. The name of the program may have anything in it but ends at the last
/// bracket.
fn ran(stat: &str) -> (Option<f64>, Option<u64>) {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let ticks = number(11).zip(number(12)).map(|(user, system)| user + system);
    (ticks.map(|ticks| ticks as f64 / clock_ticks_per_second() as f64), number(17))
}

/// How many names are in this folder, less its own two and the descriptor that looks.
fn count(folder: &Mutex<Dir>) -> Option<u64> {
    let mut folder = folder.lock().unwrap_or_else(PoisonError::into_inner);
    folder.rewind();
    let mut names = 0_u64;
    while let Some(entry) = folder.read() {
        entry.ok()?;
        names += 1;
    }
    Some(names.saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_moves_no_field() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 100 1 2";
        let ticks = clock_ticks_per_second() as f64;
        assert_eq!(ran(stat), (Some(200.0 / ticks), Some(9)));
        assert_eq!(ran(""), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_file_is_counted_as_long_as_it_is_open() {
        let process = Process::open();
        let seen = || process.look().files.unwrap();
        // Other tests open files meanwhile: so many at once none of them does.
        let before = seen();
        let open: Vec<File> = (0..300).map(|_| File::open("/dev/null").unwrap()).collect();
        assert!(seen() >= before + 200);
        drop(open);
        assert!(seen() < before + 100);
        assert!(process.look().memory.unwrap().1 > 1 << 20 && process.look().processor.is_some());
    }
}
