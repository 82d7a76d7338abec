//! The guide from end to end, as the pages have it, on a plane like the playground's.

mod follower;
mod typed;
mod walk;
