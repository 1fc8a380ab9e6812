//! The index: everything that was recorded, in full text, each record once.
//!
//! A state directory holds *parts*, each a tantivy index of its own, the last one open and the others closed.
//! What is known beside the records (the cursors of sources, deployments and their verdicts, gaps) is the *ledger*:
//! it is the payload of each commit, so it changes together with the records, or not at all.

mod ascii;
mod backlog;
mod beside;
mod clock;
mod columns;
mod context;
mod context_query;
mod directory;
mod documents;
mod fields;
mod glance;
mod id_query;
mod identities;
mod ids;
mod ledger;
mod parts;
mod passed;
mod phrase_query;
mod phrasing;
mod query;
mod reader;
mod row_writer;
mod rows;
mod scripts;
mod seen;
mod shapes;
mod signs;
mod spread;
mod stored;
mod tables;
mod tokens;
mod writer;
mod zones;

pub use directory::{create_folder, own_file};
pub use documents::Row;
pub use glance::{free_space, last_commit};
pub use identities::IdentityCache;
pub use ledger::{DeploymentEntry, Ledger, WayBack};
pub use query::{Filter, Question};
pub use reader::{Bucket, Hit, Reader};
pub use seen::Seen;
pub use writer::{Entry, Writer};
