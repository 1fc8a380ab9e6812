//! The fields of the index: what tantivy itself has of a document. All else is in [`super::rows`].

use tantivy::schema::{Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexSettings};

use super::tokens::{Aside, Words};

/// The tokenizer of texts; another way of indexing them has another name, for an index that was written in one way cannot
/// be read in another.
pub const WORDS: &str = "words-of-shapes";

#[derive(Clone, Copy, Debug)]
pub struct Fields {
    pub text: Field,
    /// A described state, as JSON; such documents are no records.
    pub state: Field,
    /// The deployment that was wanted when the state was described.
    pub wanted: Field,
}

pub fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let name = {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_index_option(IndexRecordOption::Basic)
            .set_fieldnorms(false);
        TextOptions::default().set_indexing_options(indexing)
    };
    let words = TextFieldIndexing::default()
        .set_tokenizer(WORDS)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions)
        .set_fieldnorms(false);
    let fields = Fields {
        text: schema.add_text_field("text", TextOptions::default().set_indexing_options(words).set_stored()),
        state: schema.add_text_field("state", STORED),
        wanted: schema.add_text_field("wanted", name),
    };
    (schema.build(), fields)
}

pub fn settings() -> IndexSettings {
    IndexSettings {
        docstore_blocksize: 64 << 10,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// Makes the tokenizer of records known to an index; it puts identifiers aside.
pub fn register(index: &Index, aside: Aside) {
    index.tokenizers().register(WORDS, TextAnalyzer::builder(Words::new(aside)).build());
}
