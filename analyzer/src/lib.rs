//! The pure part of Medic: no I/O, no clock, no randomness, no async, no AWS.
//!
//! Records and a snapshot go in, a [`diagnosis::Diagnosis`] comes out.

pub mod changes;
pub mod checks;
pub mod deployment;
pub mod diagnosis;
pub mod matching;
pub mod pattern;
pub mod record;
pub mod redact;
pub mod snapshot;
pub mod taxonomy;
pub mod templates;
pub mod words;

pub use diagnosis::{Diagnosis, Study, diagnose};
