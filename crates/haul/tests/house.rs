//! The walls of the house: what Cargo does not enforce by itself, checked over `cargo metadata` and the files.
//!
//! ARCHITECTURE.md says why each wall stands. When a test here fails, either the code took a short cut or the house has
//! changed; in the second case change the test, ARCHITECTURE.md and a page in docs/adr together.

// A broken wall should be told where it stands, loudly.
#![allow(clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};

/// Crates and the floors they stand on; arrows go down only. Floor 3 is for a daemon that is not there yet.
const FLOORS: [(&str, u8); 6] = [
    ("haul-core", 0),
    ("haul-proto", 1),
    ("haul-store", 1),
    ("haul-transfer", 2),
    ("haul-server", 2),
    ("haul", 4),
];

/// Stands outside the house: tests may lean on it, and it knows nothing of the house.
const TESTKIT: &str = "haul-testkit";

/// Whatever waits for something: runtimes, reactors, and libraries that are built around one.
const ASYNC: [&str; 16] = [
    "tokio",
    "tokio-util",
    "tokio-rustls",
    "mio",
    "hyper",
    "hyper-util",
    "h2",
    "reqwest",
    "async-io",
    "async-std",
    "async-executor",
    "smol",
    "futures-executor",
    "polling",
    "compio",
    "monoio",
];

/// What turns types into text or bytes by derive.
const SERDE: [&str; 3] = ["serde", "serde_core", "serde_derive"];

/// What can be the cryptography under TLS.
const CRYPTO: [&str; 12] = [
    "aws-lc-rs",
    "ring",
    "openssl",
    "openssl-sys",
    "native-tls",
    "boring",
    "boring-sys",
    "mbedtls",
    "rustls-rustcrypto",
    "rustls-graviola",
    "schannel-rs",
    "wolfssl",
];

/// Names that say nothing of what is in a room.
const EMPTY_NAMES: [&str; 10] =
    ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "shared", "stuff"];

/// Lines of code, unit tests at the end of a file not counted, from which on a file is named …
const LONG: usize = 500;
/// … and from which on it fails.
const TOO_LONG: usize = 700;

#[test]
fn arrows_go_down_only() {
    let metadata = metadata();
    let floors = BTreeMap::from(FLOORS);
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if name == TESTKIT {
            continue;
        }
        let floor = floors.get(name).unwrap_or_else(|| panic!("{name} has no floor: give it one in FLOORS"));
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let to = dependency.name.as_str();
            if to == TESTKIT {
                assert_eq!(
                    dependency.kind,
                    DependencyKind::Development,
                    "{name} leans on {to} outside its tests"
                );
                continue;
            }
            assert!(
                floors[to] < *floor,
                "{name} (floor {floor}) looks up or aside to {to} (floor {})",
                floors[to]
            );
        }
    }
}

#[test]
fn the_testkit_knows_nothing_of_the_house() {
    let metadata = metadata();
    let testkit = package(&metadata, TESTKIT);
    let inward: Vec<_> = testkit.dependencies.iter().filter(|d| d.path.is_some()).map(|d| &d.name).collect();
    assert!(inward.is_empty(), "a mistake in {inward:?} could hide in the tests");
}

#[test]
fn core_and_proto_neither_wait_nor_serialise() {
    let metadata = metadata();
    for name in ["haul-core", "haul-proto"] {
        assert_without(&metadata, name, ASYNC.iter().chain(&SERDE));
    }
    assert!(package(&metadata, "haul-core").dependencies.is_empty(), "haul-core depends on nothing");
}

#[test]
fn the_store_knows_no_network() {
    assert_without(&metadata(), "haul-store", ASYNC.iter().chain(&["rustls", "http", "url"]));
}

#[test]
fn there_is_one_crypto_provider() {
    let metadata = metadata();
    let built = tree(&metadata, "haul", &[DependencyKind::Normal, DependencyKind::Build]);
    let providers: Vec<_> = built.iter().filter(|name| CRYPTO.contains(&name.as_str())).collect();
    assert_eq!(providers, ["aws-lc-rs"]);
    let versions = metadata.packages.iter().filter(|package| package.name.as_str() == "aws-lc-rs").count();
    assert_eq!(versions, 1, "one version of it");
}

#[test]
fn every_crate_inherits_the_lints() {
    for package in metadata().workspace_packages() {
        let manifest = read(package.manifest_path.as_std_path());
        let lints = manifest.lines().skip_while(|line| line.trim() != "[lints]").nth(1);
        assert_eq!(lints.map(str::trim), Some("workspace = true"), "{}", package.manifest_path);
    }
}

#[test]
fn every_room_says_what_it_is() {
    let rooms = sources().into_iter().filter(|path| path.components().any(|part| part.as_os_str() == "src"));
    let silent: Vec<_> = rooms.filter(|path| !read(path).starts_with("//!")).collect();
    assert!(silent.is_empty(), "no module doc at the beginning of {silent:#?}");
}

#[test]
fn rooms_are_named_for_what_is_in_them() {
    for path in sources() {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        for name in [Some(stem), folder].into_iter().flatten() {
            assert!(!name.split('_').any(|word| EMPTY_NAMES.contains(&word)), "{}", path.display());
        }
    }
}

#[test]
fn every_room_has_a_door() {
    let sources = sources();
    for path in &sources {
        let folder = path.parent().unwrap_or(path);
        let (room, above) = match path.file_stem().and_then(OsStr::to_str) {
            // Each is a program or a library.
            Some("lib" | "main" | "build") | None => continue,
            Some(_) if folder.ends_with("src/bin") => continue,
            Some(_) if folder.ends_with("tests") && folder.with_file_name("Cargo.toml").exists() => continue,
            Some("mod") => (folder.file_name(), folder.parent().unwrap_or(folder)),
            Some(_) => (path.file_stem(), folder),
        };
        let door = format!("mod {};", room.unwrap_or_default().display());
        let near = |other: &&PathBuf| other.parent() == Some(above) || other.parent() == above.parent();
        let mut rooms = sources.iter().filter(near);
        let opens = |line: &str| line.ends_with(&door);
        assert!(rooms.any(|other| read(other).lines().any(opens)), "nothing compiles {}", path.display());
    }
}

#[test]
fn unsafe_stays_in_sys() {
    for path in sources() {
        if path.components().any(|part| matches!(part.as_os_str().to_str(), Some("sys" | "sys.rs"))) {
            continue;
        }
        for (number, line) in read(&path).lines().enumerate() {
            assert!(!opens_unsafe(line), "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn files_stay_short() {
    for path in sources() {
        let text = read(&path);
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if lines > LONG {
            println!("{} has {lines} lines: is it one thing?", path.display());
        }
        assert!(lines <= TOO_LONG, "{} has {lines} lines", path.display());
    }
}

#[test]
fn documents_point_at_what_is_there() {
    let root = root();
    for document in documents() {
        let folder = document.parent().unwrap_or(&root).to_path_buf();
        for target in links(&read(&document)) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            assert!(
                folder.join(file).exists(),
                "{} links to {target}, which is not there",
                document.display()
            );
        }
    }
}

/// An invariant that names its test is only worth something while there is such a test.
#[test]
fn invariants_name_tests_that_exist() {
    let tests: BTreeSet<String> = sources().iter().flat_map(|path| functions(&read(path))).collect();
    let architecture = read(&root().join("ARCHITECTURE.md"));
    let section = architecture.split("## Invariants").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows =
        section.unwrap_or_default().lines().filter(|line| line.starts_with("| ") && !line.contains("---"));
    let mut named = 0;
    for row in rows.skip(1) {
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        for test in cell.split('`').skip(1).step_by(2).filter(|word| !word.contains(['/', '.', ' '])) {
            assert!(tests.contains(test), "ARCHITECTURE.md names the test {test}, which is not there");
            named += 1;
        }
    }
    assert!(named > 0, "ARCHITECTURE.md has a table of invariants, each with its test");
}

#[test]
fn decisions_are_numbered_without_a_gap() {
    let decisions: Vec<_> =
        documents().into_iter().filter(|path| path.parent().is_some_and(|p| p.ends_with("adr"))).collect();
    for (index, path) in decisions.iter().enumerate() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number = format!("{:03}", index + 1);
        assert!(name.starts_with(&format!("{number}-")), "{name} should be number {number}");
        assert!(read(path).starts_with(&format!("# {number} ")), "{name} begins with its number");
    }
}

fn metadata() -> Metadata {
    let manifest = root().join("Cargo.toml");
    // What is being tested was built a moment ago, so everything is there already; but only what this platform needs.
    let here = format!("--filter-platform={}", host_platform());
    MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--offline".to_owned(), "--locked".to_owned(), here])
        .exec()
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"))
}

/// The platform that this compiler compiles for, as Cargo names it.
fn host_platform() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = std::process::Command::new(rustc).arg("-vV").output().unwrap_or_else(|e| panic!("rustc: {e}"));
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap_or_else(|| panic!("rustc names no host: {told}")).to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    let found = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == name);
    found.unwrap_or_else(|| panic!("there is no crate {name}"))
}

fn assert_without<'a>(metadata: &Metadata, name: &str, banned: impl Iterator<Item = &'a &'a str>) {
    let inside = tree(metadata, name, &[DependencyKind::Normal]);
    for banned in banned {
        assert!(!inside.contains(*banned), "{banned} came in under {name}");
    }
}

/// The names of all crates that come with this one, itself included, on whatever platform.
fn tree(metadata: &Metadata, name: &str, kinds: &[DependencyKind]) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().unwrap_or_else(|| panic!("cargo metadata resolved nothing"));
    let nodes: BTreeMap<&PackageId, &Node> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut seen = BTreeSet::from([&package(metadata, name).id]);
    let mut open: Vec<&PackageId> = seen.iter().copied().collect();
    while let Some(id) = open.pop() {
        for edge in &nodes[id].deps {
            let counts = edge.dep_kinds.iter().any(|edge| kinds.contains(&edge.kind));
            if counts && is_taken(&metadata[id], nodes[id], &metadata[&edge.pkg]) && seen.insert(&edge.pkg) {
                open.push(&edge.pkg);
            }
        }
    }
    seen.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

/// Whether an edge of the graph is really built: cargo metadata also draws those that a weak feature (`ring?/std`)
/// merely mentions.
fn is_taken(from: &Package, node: &Node, to: &Package) -> bool {
    let declared = from.dependencies.iter().filter(|dependency| dependency.name == to.name.as_str());
    declared.into_iter().any(|dependency| {
        let name = dependency.rename.as_deref().unwrap_or(&dependency.name);
        let turns_on = |entry: &String| {
            entry.strip_prefix("dep:") == Some(name)
                || entry.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
        };
        let on = node.features.iter().filter_map(|feature| from.features.get(feature.as_str()));
        !dependency.optional || on.flatten().any(turns_on)
    })
}

/// All Rust files of the crates.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join("crates"), "rs", &mut found);
    assert!(!found.is_empty(), "no sources found");
    found
}

/// The documents of the project.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join("docs"), "md", &mut found);
    let here = fs::read_dir(root()).into_iter().flatten().flatten().map(|entry| entry.path());
    found.extend(here.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, extension, into);
        } else if path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
    into.sort();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The targets of Markdown's inline links.
fn links(text: &str) -> Vec<String> {
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// The names of the functions that a file defines.
fn functions(text: &str) -> Vec<String> {
    let after = text.lines().filter_map(|line| line.split_once("fn ").map(|(_, rest)| rest));
    after.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

/// Whether a line of code opens an unsafe block, function, trait or implementation, or allows others to.
fn opens_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    if code.contains('"') {
        return false;
    }
    let opens = |(at, word): (usize, &str)| {
        let alone = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = code[at + word.len()..].trim_start();
        alone && ["{", "(", "fn ", "impl", "trait ", "extern "].iter().any(|next| rest.starts_with(next))
    };
    code.contains("allow(unsafe_code") || code.match_indices("unsafe").any(opens)
}

#[test]
fn the_watchman_sees_what_he_looks_for() {
    assert!(opens_unsafe("    let x = unsafe { f() };"));
    assert!(opens_unsafe("pub unsafe fn f() {}"));
    assert!(opens_unsafe("#![allow(unsafe_code)]"));
    assert!(!opens_unsafe("// unsafe { f() }"));
    assert!(!opens_unsafe("let verdict = \"unsafe (no validator)\";"));
    assert_eq!(links("see [a](b.md#c) and [d](e)"), ["b.md#c", "e"]);
    assert_eq!(functions("    async fn a_b(x: u8) {"), ["a_b"]);
}
