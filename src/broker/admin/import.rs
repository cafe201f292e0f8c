//! Import of definitions: read, checked against what is there, then put in. Merges, never deletes, and
//! leaves what exists as it is, as RabbitMQ does.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::export::Scope;
use crate::broker::core::Broker;
use crate::definitions::import::{ImportErrors, ImportedDefinitions, Target, parse};

/// Objects between two reports of progress.
const REPORT_EVERY: usize = 100;

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Objects that are in.
    pub done: usize,
    /// Objects of the file.
    pub total: usize,
}

/// How often the log says how far an import has come.
const SAID_EVERY: Duration = Duration::from_secs(3);

/// An import that is under way.
#[derive(Debug)]
pub struct UnderWay {
    /// Where the definitions came from, for people.
    pub source: String,
    /// When it began.
    pub begun: Instant,
    done: AtomicUsize,
    total: AtomicUsize,
}

impl UnderWay {
    /// How far it is; nothing of nothing while the file is still being read.
    pub fn progress(&self) -> Progress {
        Progress {
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }

    fn note(&self, progress: Progress) {
        self.total.store(progress.total, Ordering::Relaxed);
        self.done.store(progress.done, Ordering::Relaxed);
    }
}

/// The imports under way, oldest first: as many as there are requests and files.
#[derive(Debug, Default)]
pub struct Imports(Mutex<Vec<Arc<UnderWay>>>);

impl Imports {
    /// All of them.
    pub fn all(&self) -> Vec<Arc<UnderWay>> {
        self.0.lock().clone()
    }

    fn begin(&self, source: &str) -> Listed<'_> {
        let import = Arc::new(UnderWay {
            source: source.to_owned(),
            begun: Instant::now(),
            done: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
        });
        self.0.lock().push(Arc::clone(&import));
        Listed { all: self, import }
    }
}

/// An import as long as it is under way.
struct Listed<'a> {
    all: &'a Imports,
    import: Arc<UnderWay>,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let ended = &self.import;
        self.all.0.lock().retain(|other| !Arc::ptr_eq(other, ended));
    }
}

/// Why definitions were not put in.
#[derive(Debug)]
pub enum ImportFailure {
    /// The text is no definitions file; nothing was changed.
    Unreadable(ImportErrors),
    /// There is no virtual host of that name to import into.
    NoVhost(String),
    /// An object cannot be put in. Found before anything was changed, unless somebody else changed
    /// the broker meanwhile.
    Refused {
        /// Which, as in `queue 'q' in vhost '/'`.
        object: String,
        /// Why.
        reason: String,
    },
}

impl ImportFailure {
    /// True when the text is not JSON or no object.
    pub fn is_not_json(&self) -> bool {
        match self {
            Self::Unreadable(errors) => errors.0.iter().any(|error| error.path.is_empty()),
            _ => false,
        }
    }

    pub(super) fn refused(object: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused {
            object: object.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ImportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(errors) => errors.fmt(f),
            Self::NoVhost(name) => write!(f, "there is no virtual host '{name}'"),
            Self::Refused { object, reason } => write!(f, "{object}: {reason}"),
        }
    }
}

impl std::error::Error for ImportFailure {}

/// Counts what is in, and reports now and then.
pub(super) struct Counter<'a> {
    progress: Progress,
    report: &'a mut dyn FnMut(Progress),
}

impl<'a> Counter<'a> {
    fn new(definitions: &ImportedDefinitions, report: &'a mut dyn FnMut(Progress)) -> Self {
        let total = definitions.users.len()
            + definitions.vhosts.len()
            + definitions.permissions.len()
            + definitions.topic_permissions.len()
            + definitions.parameters.len()
            + definitions.global_parameters.len()
            + definitions.policies.len()
            + definitions.queues.len()
            + definitions.exchanges.len()
            + definitions.bindings.len();
        let progress = Progress { done: 0, total };
        report(progress);
        Self { progress, report }
    }

    /// `count` objects more are in.
    pub fn add(&mut self, count: usize) {
        let before = self.progress.done / REPORT_EVERY;
        self.progress.done += count;
        let done = self.progress.done;
        if done / REPORT_EVERY != before || done == self.progress.total {
            (self.report)(self.progress);
        }
    }
}

impl Broker {
    /// Imports a definitions file into the broker or one virtual host of it, for the user `by`; all of
    /// it or, after a precise error, nothing. Returns what was left out or has no effect, for the log. Takes as long
    /// as the file has objects: not to be called where nothing may wait.
    pub fn import_definitions(
        &self,
        text: &str,
        scope: Scope<'_>,
        by: &str,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Vec<String>, ImportFailure> {
        let target = match scope {
            Scope::Broker { default_vhost } => Target::Broker { default_vhost },
            Scope::Vhost(name) => {
                if self.vhost(name.as_bytes()).is_none() {
                    return Err(ImportFailure::NoVhost(name.to_owned()));
                }
                Target::Vhost(name)
            }
        };
        let definitions = parse(text, target).map_err(ImportFailure::Unreadable)?;
        self.apply_definitions(definitions, by, report)
    }

    /// The same, where everybody can see how far it has come: in `imports`, and in the log every few
    /// seconds under the name of its source, where what was left out is told as well.
    pub fn import_in_sight(
        &self,
        text: &str,
        scope: Scope<'_>,
        by: &str,
        source: &str,
    ) -> Result<(), ImportFailure> {
        let listed = self.imports.begin(source);
        let mut said = Instant::now();
        let warnings = self.import_definitions(text, scope, by, &mut |progress| {
            listed.import.note(progress);
            if said.elapsed() >= SAID_EVERY {
                said = Instant::now();
                let Progress { done, total } = progress;
                tracing::info!("{source}: {done} of {total} objects are in");
            }
        })?;
        for warning in warnings {
            tracing::warn!("{source}: {warning}");
        }
        Ok(())
    }

    /// Puts definitions in that were read before, for the user `by`.
    pub fn apply_definitions(
        &self,
        definitions: ImportedDefinitions,
        by: &str,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Vec<String>, ImportFailure> {
        let mut warnings = definitions.warnings.clone();
        warnings.extend(self.check_definitions(&definitions)?);
        let mut counter = Counter::new(&definitions, report);
        self.put_definitions(definitions, by, &mut counter)?;
        Ok(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_seen_until_it_ends() {
        let imports = Imports::default();
        let first = imports.begin("one");
        let second = imports.begin("two");
        assert_eq!(imports.all().len(), 2);
        first.import.note(Progress { done: 3, total: 9 });
        let seen = imports.all();
        assert_eq!(
            (seen[0].source.as_str(), seen[1].source.as_str()),
            ("one", "two")
        );
        assert_eq!(seen[0].progress(), Progress { done: 3, total: 9 });
        drop(first);
        assert_eq!(imports.all()[0].source, "two");
        drop(second);
        assert!(imports.all().is_empty());
    }
}
