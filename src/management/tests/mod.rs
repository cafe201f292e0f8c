//! The API from request to response, over a broker in memory: who may do what, and what is refused.

mod access;
mod limits;
mod names;
mod stage;
