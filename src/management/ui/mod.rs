//! The web pages: what a browser loads to watch and administer the broker.
//!
//! They are plain modules, style sheets and one vendored library, embedded as they lie in `assets`:
//! nothing is built, neither here nor in the browser. They talk to the API beside them like any other
//! client and know nothing that it does not tell; `router` merges their paths.

mod assets;
mod serve;

pub use serve::routes;
