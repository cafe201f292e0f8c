//! Loads the configuration: finds the layers, merges them, checks every key and value.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::environment::{self, FromEnvironment};
use super::error::{ConfigError, ConfigErrors};
use super::keys::{Key, all_keys};
use super::layers::{Assignment, Rank, merge};
use super::settings::Settings;
use super::{grammar, key, known, nearest};

/// Reading files, so that the configuration itself does no input or output.
pub trait Files {
    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The paths of what a folder holds, in any order.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
}

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--config`: must be readable. It goes before `RABBITMQ_CONFIG_FILE`.
    pub file: Option<PathBuf>,
    /// Read when neither is given, if it is there.
    pub default_file: Option<PathBuf>,
    /// Its `*.conf` files follow in the order of their names, if it is there;
    /// `RABBITMQ_CONFIG_FILES` goes before it, and must be readable.
    pub conf_d: Option<PathBuf>,
    /// The environment, names and values.
    pub environment: Vec<(String, String)>,
    /// `--set KEY=VALUE`, in order.
    pub set: Vec<String>,
}

/// Something that was accepted and has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `FILE:LINE`, `environment NAME` or `--set`.
    pub origin: String,
    /// The key, or the variable.
    pub key: String,
    /// Why it has none.
    pub reason: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.origin, self.key, self.reason)
    }
}

/// A configuration without fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// What was accepted without effect: one log line each.
    pub notices: Vec<Notice>,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// Every key that was set, with its value (secrets as asterisks) and its origin.
    pub effective: Vec<(String, String, String)>,
}

/// Loads the configuration, or says everything that is wrong with it.
pub fn load(request: &Request, files: &impl Files) -> Result<Loaded, ConfigErrors> {
    let mut loading = Loading::default();
    let FromEnvironment {
        assignments,
        config_file,
        conf_d,
        idle,
        errors,
    } = environment::read(&request.environment);
    loading.errors.extend(errors);
    for name in idle {
        let origin = format!("environment {name}");
        loading.notice(origin, name, "has no meaning for this broker");
    }
    let mut layers = vec![];
    let asked = request.file.clone().or(config_file.map(PathBuf::from));
    match (asked, &request.default_file) {
        (Some(path), _) => layers.extend(loading.file(&path, true, files)),
        (None, Some(path)) => layers.extend(loading.file(path, false, files)),
        (None, None) => {}
    }
    match (conf_d, &request.conf_d) {
        (Some(folder), _) => loading.folder(Path::new(&folder), true, files, &mut layers),
        (None, Some(folder)) => loading.folder(folder, false, files, &mut layers),
        (None, None) => {}
    }
    layers.push(assignments);
    layers.push(loading.command_line(&request.set));
    match merge(layers) {
        Ok(merged) => loading.settle(merged),
        Err(error) => {
            loading
                .errors
                .push(ConfigError::Conflict(error.to_string()));
            Err(ConfigErrors(loading.errors))
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self::blank();
        for row in all_keys() {
            set_defaults(&mut settings, row);
        }
        settings
    }
}

/// The defaults of one row; a test holds that each is allowed.
fn set_defaults(settings: &mut Settings, row: &Key) {
    for (name, value) in row.defaults() {
        let parts = key::parts(name).unwrap_or_default();
        let variable = key::matches(row.name, &parts).unwrap_or_default();
        let allowed = (row.set)(settings, variable, value);
        debug_assert!(allowed.is_some(), "default of {name}");
    }
}

/// The row of a key; exact names go before those with a variable part.
fn find(parts: &[String]) -> Option<(usize, &'static Key)> {
    let matching = || {
        all_keys()
            .enumerate()
            .filter(|(_, row)| key::matches(row.name, parts).is_some())
    };
    matching()
        .find(|(_, row)| !row.name.contains('$'))
        .or_else(|| matching().next())
}

/// Pairs that set the same thing: of equal rank the first of a pair wins, as in RabbitMQ.
const RIVALS: [(&str, &str); 5] = [
    (
        "vm_memory_high_watermark.relative",
        "vm_memory_high_watermark.absolute",
    ),
    ("disk_free_limit.relative", "disk_free_limit.absolute"),
    ("load_definitions", "management.load_definitions"),
    ("load_definitions", "definitions.local.path"),
    ("management.load_definitions", "definitions.local.path"),
];

/// A higher layer's setting silences a lower one's of the other name.
fn drop_overruled(merged: &mut Vec<Assignment>) {
    for (first, second) in RIVALS {
        let rank = |name| {
            merged
                .iter()
                .find(|set| set.key == name)
                .map(|set| set.rank)
        };
        if rank(second) > rank(first) {
            merged.retain(|set| set.key != first);
        } else if rank(first).is_some() {
            merged.retain(|set| set.key != second);
        }
    }
}

#[derive(Default)]
struct Loading {
    errors: Vec<ConfigError>,
    notices: Vec<Notice>,
    files: Vec<PathBuf>,
}

impl Loading {
    fn notice(&mut self, origin: String, key: String, reason: &str) {
        self.notices.push(Notice {
            origin,
            key,
            reason: reason.to_owned(),
        });
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let path = path.display().to_string();
        self.errors.push(ConfigError::Unreadable {
            path,
            reason: error.to_string(),
        });
    }

    fn file(&mut self, path: &Path, must: bool, files: &impl Files) -> Option<Vec<Assignment>> {
        let text = match files.read(path) {
            Ok(text) => text,
            Err(error) if !must && error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.unreadable(path, &error);
                return None;
            }
        };
        self.files.push(path.to_owned());
        let origin = |number: usize| format!("{}:{number}", path.display());
        let (lines, faults) = grammar::parse(&text);
        for fault in faults {
            let origin = origin(fault.number);
            self.errors.push(ConfigError::Syntax {
                origin,
                reason: fault.reason,
            });
        }
        let assignment = |line: grammar::Line| Assignment {
            key: line.key,
            value: line.value,
            rank: Rank::File,
            origin: origin(line.number),
        };
        Some(lines.into_iter().map(assignment).collect())
    }

    fn folder(
        &mut self,
        folder: &Path,
        must: bool,
        files: &impl Files,
        layers: &mut Vec<Vec<Assignment>>,
    ) {
        let mut paths = match files.list(folder) {
            Ok(paths) => paths,
            Err(error) if !must && error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.unreadable(folder, &error),
        };
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        });
        paths.sort();
        for path in paths {
            layers.extend(self.file(&path, true, files));
        }
    }

    fn command_line(&mut self, set: &[String]) -> Vec<Assignment> {
        let mut assignments = vec![];
        for text in set {
            let origin = "--set".to_owned();
            // Not the grammar of files: a shell has taken the quotes off already, and # is a value.
            match text.split_once('=') {
                Some((name, value)) if key::parts(name.trim()).is_some() => {
                    assignments.push(Assignment {
                        key: name.trim().to_owned(),
                        value: value.trim().to_owned(),
                        rank: Rank::CommandLine,
                        origin,
                    });
                }
                _ => {
                    let reason = "expected --set KEY=VALUE".to_owned();
                    self.errors.push(ConfigError::Syntax { origin, reason });
                }
            }
        }
        assignments
    }

    /// Checks and applies what the layers came to.
    fn settle(mut self, mut merged: Vec<Assignment>) -> Result<Loaded, ConfigErrors> {
        drop_overruled(&mut merged);
        let mut found = vec![];
        for assignment in merged {
            let parts = key::parts(&assignment.key).unwrap_or_default();
            match (find(&parts), known::reason(&parts)) {
                (Some((at, row)), _) => found.push((at, row, parts, assignment)),
                (None, Some(reason)) => {
                    self.notice(assignment.origin, assignment.key, reason);
                }
                (None, None) => {
                    let names = all_keys().map(|row| row.name).chain(known::names());
                    self.errors.push(ConfigError::UnknownKey {
                        nearest: nearest::nearest(&assignment.key, names),
                        key: assignment.key,
                        origin: assignment.origin,
                    });
                }
            }
        }
        // Stable: within a row the order of the keys stays.
        found.sort_by_key(|(at, ..)| *at);
        let mut settings = Settings::blank();
        for (at, row) in all_keys().enumerate() {
            // One key of a family replaces all its defaults.
            if !found.iter().any(|(other, ..)| *other == at) {
                set_defaults(&mut settings, row);
            }
        }
        let mut effective = vec![];
        for (_, row, parts, assignment) in found {
            let variable = key::matches(row.name, &parts).unwrap_or_default();
            let shown = if row.secret {
                "********".to_owned()
            } else {
                assignment.value.clone()
            };
            if (row.set)(&mut settings, variable, &assignment.value).is_none() {
                self.errors.push(ConfigError::Value {
                    key: assignment.key,
                    origin: assignment.origin,
                    value: shown,
                    allowed: row.allowed.to_owned(),
                });
                continue;
            }
            if let Some(part) = row.later {
                let reason = format!("is kept for {part}, which is still to come");
                self.notice(assignment.origin.clone(), assignment.key.clone(), &reason);
            }
            effective.push((assignment.key, shown, assignment.origin));
        }
        if self.errors.is_empty() {
            self.errors = conflicts(&settings);
        }
        if !self.errors.is_empty() {
            return Err(ConfigErrors(self.errors));
        }
        let Self { notices, files, .. } = self;
        Ok(Loaded {
            settings,
            notices,
            files,
            effective,
        })
    }
}

/// Keys that do not go together.
fn conflicts(settings: &Settings) -> Vec<ConfigError> {
    let tls = &settings.tls;
    let mut all = vec![];
    let mut conflict = |text: &str| all.push(ConfigError::Conflict(text.to_owned()));
    if !settings.listeners.ssl_to_open().is_empty()
        && (tls.certfile.is_none() || tls.keyfile.is_none())
    {
        conflict("listeners.ssl.* needs ssl_options.certfile and ssl_options.keyfile");
    }
    if tls.verify_peer && tls.cacertfile.is_none() {
        conflict("ssl_options.verify = verify_peer needs ssl_options.cacertfile");
    }
    if tls.fail_if_no_peer_cert && !tls.verify_peer {
        conflict("ssl_options.fail_if_no_peer_cert = true needs ssl_options.verify = verify_peer");
    }
    let anonymous = settings.auth.mechanisms.iter().any(|m| m == "ANONYMOUS");
    if anonymous && settings.auth.anonymous_login_user.is_none() {
        conflict("auth_mechanisms offers ANONYMOUS, which needs anonymous_login_user");
    }
    all
}
