//! Bodies on disks that lose power, fill and fail.

mod crash;
mod life;
