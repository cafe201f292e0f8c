//! A small blocking HTTP/1.1 client and a JSON reader, for the management API.
//!
//! [`Http`] names a server and a login; each call is one connection. Nothing is
//! retried and no redirect is followed: a scenario sees what the server said.
//! [`Json`] keeps the order of an object's keys and tells integers from other
//! numbers, which clients in typed languages do too.

mod answer;
mod client;
mod encode;
mod json;
mod parse;
mod secure;
mod shape;

pub use answer::Answer;
pub use client::{Http, Request};
pub use encode::{base64, segment};
pub use json::{Json, Kind};
pub use parse::json as parse_json;
pub use shape::{Lack, lacks};
