//! The command line and the configuration behind it.

use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::config::{ConfigErrors, Files, Loaded, Request, load};

/// Leveret, an AMQP 0-9-1 message broker.
#[derive(Debug, Parser)]
#[command(name = "leveret", version, about, long_about = None)]
pub struct Command {
    /// Configuration file, with RabbitMQ's keys.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for the broker's data.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Sets a configuration key; goes before the file. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    }
}

/// Reads the configuration that the command line points to.
pub fn load_settings(command: &Command) -> Result<Loaded, ConfigErrors> {
    let mut set = command.set.clone();
    if let Some(folder) = &command.data_dir {
        set.push(format!("data_dir={}", folder.display()));
    }
    let request = Request {
        file: command.config.clone(),
        default_file: Some(PathBuf::from("/etc/leveret/leveret.conf")),
        conf_d: Some(PathBuf::from("/etc/leveret/conf.d")),
        environment: std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect(),
        set,
    };
    load(&request, &Disk)
}
