//! What a person looks at: pictures of what went in and what came out.

mod picture;

pub use picture::comparison;
