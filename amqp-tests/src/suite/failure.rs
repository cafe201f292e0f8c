//! The one error of the suite: a sentence that says what was not as expected.

use std::fmt;

/// Why a scenario failed.
#[derive(Clone, Debug)]
pub struct Failure(pub String);

impl Failure {
    /// Whether the scenario could not be tried at all: nothing to start its
    /// own broker with.
    pub fn not_run(&self) -> bool {
        self.0.starts_with(NOT_RUN)
    }
}

const NOT_RUN: &str = "not run: ";

/// Says that a scenario cannot be tried here, and what it would need.
pub fn not_run<T>(needs: &str) -> Result<T> {
    fail(format!("{NOT_RUN}{needs}"))
}

/// A scenario's result.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// A failure with this sentence.
pub fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure(text.into()))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self(format!("input/output: {e}"))
    }
}

/// Fails the scenario unless the condition holds.
#[macro_export]
macro_rules! check {
    ($cond:expr) => {
        $crate::check!($cond, "{}", stringify!($cond))
    };
    ($cond:expr, $($text:tt)+) => {
        if !$cond {
            return $crate::suite::fail(format!("{}:{}: {}", file!(), line!(), format!($($text)+)));
        }
    };
}

/// Fails the scenario unless both are equal.
#[macro_export]
macro_rules! check_eq {
    ($left:expr, $right:expr) => {
        $crate::check_eq!($left, $right, "{} == {}", stringify!($left), stringify!($right))
    };
    ($left:expr, $right:expr, $($text:tt)+) => {{
        // A match, so that temporaries of both sides live long enough.
        match (&$left, &$right) {
            (left, right) => {
                if *left != *right {
                    let what = format!($($text)+);
                    let place = format!("{}:{}", file!(), line!());
                    return $crate::suite::fail(format!(
                        "{place}: {what}: {left:?} is not {right:?}"
                    ));
                }
            }
        }
    }};
}
