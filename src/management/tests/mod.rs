//! The API from request to response, over a broker in memory: who may do what, and what is refused.

mod access;
mod bodies;
mod limits;
mod names;
mod pages;
mod stage;

pub use stage::Stage;
