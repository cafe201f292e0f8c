//! The API from request to response, over a broker in memory: who may do what, and what is refused.

mod limits;
mod stage;
