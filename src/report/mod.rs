//! What a person looks at: pictures of what went in and what came out, and the table of a training run.

mod metrics;
mod picture;

pub use metrics::metrics;
pub use picture::comparison;
