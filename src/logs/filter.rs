//! Which lines go where: a level for each output, and one for each category that has been given
//! one, which then counts for every output. As in RabbitMQ a category's level may let through more
//! than the output's own. Levels change while the broker runs.

use std::sync::atomic::{AtomicU8, Ordering};

use super::record::Category;
use crate::config::LogLevel;

/// The names of the categories, with `global` for all of them.
pub const CATEGORIES: [&str; 5] = ["default", "connection", "channel", "queue", "global"];

/// No category has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown log category '{0}'; there are default, connection, channel, queue and global")]
pub struct UnknownCategory(pub String);

/// Marks a category without a level of its own.
const NONE_SET: u8 = u8::MAX;

/// The levels of the categories.
#[derive(Debug)]
pub struct CategoryLevels {
    levels: [AtomicU8; Category::ALL.len()],
}

impl Default for CategoryLevels {
    fn default() -> Self {
        Self {
            levels: std::array::from_fn(|_| AtomicU8::new(NONE_SET)),
        }
    }
}

impl CategoryLevels {
    fn slot(&self, category: Category) -> Option<&AtomicU8> {
        self.levels.get(category as usize)
    }

    /// The level of a category, if it has one of its own.
    pub fn get(&self, category: Category) -> Option<LogLevel> {
        let number = self.slot(category)?.load(Ordering::Relaxed);
        LogLevel::ALL.get(usize::from(number)).copied()
    }

    /// Gives the category of this name, or all of them (`global`), a level.
    pub fn set(&self, name: &str, level: LogLevel) -> Result<(), UnknownCategory> {
        let mut found = false;
        for category in Category::ALL {
            if name == category.name() || name == "global" {
                found = true;
                if let Some(slot) = self.slot(category) {
                    slot.store(level as u8, Ordering::Relaxed);
                }
            }
        }
        if found {
            Ok(())
        } else {
            Err(UnknownCategory(name.to_owned()))
        }
    }

    /// The least severe level that an output with level `own` takes of a category.
    pub fn threshold(&self, category: Category, own: LogLevel) -> LogLevel {
        self.get(category).unwrap_or(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_overrides_the_output() {
        let levels = CategoryLevels::default();
        let threshold = |category| levels.threshold(category, LogLevel::Error);
        assert_eq!(threshold(Category::Connection), LogLevel::Error);
        levels.set("connection", LogLevel::Debug).unwrap();
        assert_eq!(threshold(Category::Connection), LogLevel::Debug);
        assert_eq!(threshold(Category::Queue), LogLevel::Error);
        levels.set("global", LogLevel::None).unwrap();
        assert_eq!(threshold(Category::Queue), LogLevel::None);
        assert!(levels.set("nosuch", LogLevel::Info).is_err());
    }

    #[test]
    fn every_name_is_a_category() {
        let levels = CategoryLevels::default();
        for name in CATEGORIES {
            assert_eq!(levels.set(name, LogLevel::Info), Ok(()), "{name}");
        }
    }
}
