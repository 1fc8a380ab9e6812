//! The files that Medic keeps beside those of tantivy in each segment.

use std::io::{self, BufWriter, Write};
use tantivy::directory::{OwnedBytes, TerminatingWrite};
use tantivy::index::{Segment, SegmentComponent};
use tantivy::indexer::doc_id_mapping::{DocIdMapping, MappingType};
use tantivy::plugin::PluginMergeContext;
use tantivy::{SegmentReader, TantivyError};

/// Opens the file of a segment with that extension.
pub fn open(segment: &SegmentReader, extension: &str) -> tantivy::Result<OwnedBytes> {
    Ok(segment.open_read(component(extension))?.read_bytes()?)
}

/// Writes the file of a segment with that extension.
pub fn write(
    segment: &Segment,
    extension: &str,
    entries: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> tantivy::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, segment.open_write(component(extension))?);
    entries(&mut file)?;
    let file = file.into_inner().map_err(|error| error.into_error())?;
    Ok(file.terminate()?)
}

/// Refuses to merge segments in any other way than one behind the other: Medic sorts no documents, and deletes none one by one.
pub fn check_merge(merge: &PluginMergeContext<'_>) -> tantivy::Result<()> {
    let is_stacked = merge.doc_id_mapping.mapping_type() == MappingType::Stacked;
    if is_stacked { Ok(()) } else { Err(order()) }
}

/// Refuses to write a segment in any other order than that in which its documents came.
pub fn check_order(order_of: Option<&DocIdMapping>) -> tantivy::Result<()> {
    if order_of.is_none() { Ok(()) } else { Err(order()) }
}

fn order() -> TantivyError {
    TantivyError::InternalError(
        "what is beside the words is kept for documents in the order of their arrival only".to_owned(),
    )
}

/// Returns the number of four bytes that stands in a place; 0 behind the end.
pub fn number(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn component(extension: &str) -> SegmentComponent {
    SegmentComponent::Custom(extension.to_owned())
}
