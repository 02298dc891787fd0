//! What may be said of folders in a `haul get`: those that are listed, and with `-r` those that are fetched.

use std::collections::HashSet;
use std::path::Path;

use haul_transfer::folder::{is_folder, tree_name};
use haul_transfer::place;
use url::Url;

use crate::args::GetArgs;
use crate::screen::text::safe;
use crate::usage::Usage;

/// Options that do not go with what the URLs are.
pub(super) fn check(args: &GetArgs, urls: &[Url]) -> Result<(), Usage> {
    if args.recursive { fetched(args, urls) } else { listed(args, urls) }
}

fn fetched(args: &GetArgs, urls: &[Url]) -> Result<(), Usage> {
    if let Some(other) = urls.iter().find(|url| !matches!(url.scheme(), "ftp" | "ftps")) {
        return no(format!("-r fetches folders of FTP servers, and {} is none", place(other)));
    }
    if args.output.is_some() {
        return no("--output speaks of one file, but -r fetches a folder; to save it elsewhere, use --dir");
    }
    for (given, option) in [(args.checksum.is_some(), "--checksum"), (!args.mirrors.is_empty(), "--mirror")] {
        if given {
            return no(format!("{option} speaks of one file, but -r fetches a folder"));
        }
    }
    let mut seen = HashSet::new();
    if let Some(twice) = urls.iter().filter_map(tree_name).find(|name| !seen.insert(name.clone())) {
        let twice = safe(&twice);
        return no(format!("two folders would become {twice}; fetch each with another --dir"));
    }
    Ok(())
}

fn listed(args: &GetArgs, urls: &[Url]) -> Result<(), Usage> {
    // What is said of files may be meant for the others.
    let Some(folder) = urls.first().filter(|_| urls.iter().all(is_folder)) else { return Ok(()) };
    for (given, option) in [
        (args.output.as_deref().is_some_and(|output| output != Path::new("-")), "--output"),
        (args.dir.is_some(), "--dir"),
        (args.checksum.is_some(), "--checksum"),
        (!args.mirrors.is_empty(), "--mirror"),
        (args.overwrite, "--overwrite"),
        (args.adopt, "--continue"),
        (args.restart, "--restart"),
    ] {
        if given {
            let folder = place(folder);
            return no(format!("{option} speaks of a file, but {folder} is a folder; to fetch it, use -r"));
        }
    }
    Ok(())
}

fn no(reason: impl Into<String>) -> Result<(), Usage> {
    Err(Usage(reason.into()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;

    #[test]
    fn a_tree_takes_what_is_said_of_all_files_and_nothing_that_is_said_of_one() {
        let found = plan("-r -j 2 --overwrite -c --retries 3 ftp://h/a/ ftp://h/b").unwrap();
        assert!(found.recursive && found.jobs.iter().all(|job| job.overwrite && job.adopt));
        for (line, said) in [
            ("-r http://h/a/", "http://h/a/ is none"),
            ("-r ftp://h/a/ https://h/b/", "https://h/b/ is none"),
            ("-r ftp://h/a/x/ ftp://h/b/x", "two folders would become x"),
            ("-r -o x ftp://h/a/", "use --dir"),
            ("-r -o - ftp://h/a/", "use --dir"),
            (
                "-r --checksum md5=d41d8cd98f00b204e9800998ecf8427e ftp://h/a/",
                "--checksum speaks of one file",
            ),
            ("-r --mirror http://m/a ftp://h/a/", "--mirror speaks of one file"),
        ] {
            let error = plan(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_listed_is_not_saved() {
        assert!(!plan("ftp://h/a/").unwrap().recursive);
        assert!(plan("-o - ftp://h/a/").is_ok());
        assert!(plan("-d . ftp://h/a/ ftp://h/f").is_ok(), "it is meant for the file");
        assert!(plan("-o x http://h/a/").is_ok(), "a page like any other");
        for option in ["-o x", "-d .", "--overwrite", "-c", "--restart", "--mirror http://m/a"] {
            let error = plan(&format!("{option} ftp://h/a/")).unwrap_err();
            assert!(error.contains("is a folder; to fetch it, use -r"), "{error}");
        }
    }
}
