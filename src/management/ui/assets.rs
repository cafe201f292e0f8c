//! The files of the pages, embedded. A test proves that the table has every file and its octets.

/// A file as it is served.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its path below the pages' root, such as `js/main.js`.
    pub path: &'static str,
    /// What it holds.
    pub octets: &'static [u8],
}

macro_rules! asset {
    ($path:literal) => {
        Asset {
            path: $path,
            octets: include_bytes!(concat!("assets/", $path)),
        }
    };
}

/// The page that `/` answers with.
pub const INDEX: &str = "index.html";

/// Every file, by path.
pub const ASSETS: &[Asset] = &[
    asset!("css/base.css"),
    asset!("css/parts.css"),
    asset!("icon.svg"),
    asset!("index.html"),
    asset!("js/api.js"),
    asset!("js/args.js"),
    asset!("js/beyond.js"),
    asset!("js/chart.js"),
    asset!("js/format.js"),
    asset!("js/health.js"),
    asset!("js/jump.js"),
    asset!("js/lib.js"),
    asset!("js/live.js"),
    asset!("js/main.js"),
    asset!("js/pages/bindings.js"),
    asset!("js/pages/channels.js"),
    asset!("js/pages/connections.js"),
    asset!("js/pages/definitions.js"),
    asset!("js/pages/exchanges.js"),
    asset!("js/pages/limits.js"),
    asset!("js/pages/logs.js"),
    asset!("js/pages/messages.js"),
    asset!("js/pages/node.js"),
    asset!("js/pages/overview.js"),
    asset!("js/pages/permissions.js"),
    asset!("js/pages/policies.js"),
    asset!("js/pages/publish.js"),
    asset!("js/pages/queue.js"),
    asset!("js/pages/queues.js"),
    asset!("js/pages/redrive.js"),
    asset!("js/pages/route.js"),
    asset!("js/pages/users.js"),
    asset!("js/pages/vhosts.js"),
    asset!("js/parts.js"),
    asset!("js/router.js"),
    asset!("js/session.js"),
    asset!("js/shell.js"),
    asset!("js/table.js"),
    asset!("js/theme.js"),
    asset!("vendor/LICENSE.htm"),
    asset!("vendor/LICENSE.preact"),
    asset!("vendor/README.md"),
    asset!("vendor/htm-preact.js"),
];

impl Asset {
    /// The media type that browsers insist on.
    pub fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, end)| end) {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use sha2::{Digest, Sha256};

    use super::*;

    /// A browser on a slow line loads this in a few seconds.
    const TOTAL_MAX: usize = 300 * 1024;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/management/ui/assets")
    }

    fn on_disk() -> BTreeMap<String, Vec<u8>> {
        let root = folder();
        let mut folders = vec![root.clone()];
        let mut files = BTreeMap::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    files.insert(name.replace('\\', "/"), fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    fn text(path: &str) -> &'static str {
        let asset = ASSETS.iter().find(|asset| asset.path == path).unwrap();
        std::str::from_utf8(asset.octets).unwrap()
    }

    #[test]
    fn the_table_has_every_file_and_its_octets() {
        let disk = on_disk();
        let table: BTreeMap<String, Vec<u8>> = ASSETS
            .iter()
            .map(|asset| (asset.path.to_owned(), asset.octets.to_vec()))
            .collect();
        assert_eq!(
            table.len(),
            ASSETS.len(),
            "a file stands in the table twice"
        );
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&table), names(&disk));
        assert!(table == disk, "a file's octets differ from its source");
        let total: usize = disk.values().map(Vec::len).sum();
        assert!(total <= TOTAL_MAX, "the pages are {total} octets");
    }

    #[test]
    fn what_is_vendored_is_what_its_readme_names() {
        let sum = Sha256::digest(text("vendor/htm-preact.js").as_bytes());
        let hex: String = sum.iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(text("vendor/README.md").contains(&hex), "{hex}");
    }

    /// Imports name files of the table, relative to the importing one.
    #[test]
    fn every_import_is_in_the_table() {
        let mut imports = 0;
        for asset in ASSETS.iter().filter(|asset| asset.path.starts_with("js/")) {
            let source = std::str::from_utf8(asset.octets).unwrap();
            for line in source.lines() {
                let Some((_, tail)) = line.split_once("from '") else {
                    continue;
                };
                let Some((target, _)) = tail.split_once("';") else {
                    continue;
                };
                let mut folder: Vec<&str> = asset.path.split('/').collect();
                folder.pop();
                for step in target.split('/') {
                    match step {
                        "." => {}
                        ".." => {
                            folder.pop();
                        }
                        name => folder.push(name),
                    }
                }
                let path = folder.join("/");
                assert!(
                    ASSETS.iter().any(|asset| asset.path == path),
                    "{} imports {path}",
                    asset.path
                );
                imports += 1;
            }
        }
        assert!(imports > 50, "the imports were not found: {imports}");
    }

    /// What the content security policy forbids is not there to be refused, nor is anything foreign.
    #[test]
    fn nothing_is_evaluated_inline_or_foreign() {
        let index = text(INDEX);
        assert!(!index.contains("<style") && !index.contains(" style="));
        assert_eq!(
            index.matches("<script").count(),
            index.matches("<script type=\"module\" src=\"js/").count()
        );
        for asset in ASSETS {
            let source = std::str::from_utf8(asset.octets).unwrap();
            if asset.path.starts_with("js/") {
                for word in [
                    "eval(",
                    "new Function",
                    "innerHTML",
                    "document.cookie",
                    "sessionStorage",
                ] {
                    assert!(!source.contains(word), "{}: {word}", asset.path);
                }
            }
            if !asset.path.starts_with("vendor/") {
                let foreign = source.replace("http://www.w3.org/2000/svg", "");
                assert!(
                    !foreign.contains("http://") && !foreign.contains("https://"),
                    "{}",
                    asset.path
                );
            }
        }
    }
}
