//! The agent: it alone knows files, the terminal and the clock, and decides nothing that the analyzer could decide.

pub mod aws;
mod bits;
pub mod bundle;
pub mod cli;
pub mod collect;
pub mod config;
pub mod deliver;
pub mod formats;
pub mod health;
pub mod index;
pub mod input;
pub mod samples;
pub mod sources;
pub mod telemetry;
pub mod watch;
