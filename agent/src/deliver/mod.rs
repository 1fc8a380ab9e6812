//! Delivers guides to where people are: Slack, and the job of a pipeline.

pub mod github;
mod outbox;
mod slack;

pub use outbox::{Message, Outbox, Waiting};
pub use slack::Slack;
