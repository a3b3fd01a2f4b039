//! Streams: the binary form, chunk by chunk, with one chunk in memory.

mod opener;
mod reader;
mod sealer;
#[cfg(feature = "tokio")]
mod tokio;
mod writer;

#[cfg(feature = "http-body")]
pub(crate) use self::{opener::Opener, sealer::Sealer};
pub use self::{reader::SealReader, writer::SealWriter};
