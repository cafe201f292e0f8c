//! Progress of long work on the terminal. Where standard error is none, nothing is drawn.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that is taken away when it is dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Work that is counted in octets.
    pub fn octets() -> Self {
        Self::counted("{msg} [{wide_bar}] {bytes}/{total_bytes} {eta}")
    }

    /// Work that is counted in objects.
    pub fn objects() -> Self {
        Self::counted("{msg} [{wide_bar}] {human_pos}/{human_len} {eta}")
    }

    fn counted(template: &str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    /// How far it is.
    pub fn set(&self, what: &str, done: u64, total: u64) {
        if self.0.message() != what {
            self.0.set_message(what.to_owned());
        }
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
