//! The fields of the index.

use tantivy::schema::{
    DateOptions, DateTimePrecision, FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, Schema,
    TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexSettings};

use super::tokens::{Aside, Words};

/// The tokenizer of texts; another way of indexing them has another name, for an index that was written in one way cannot
/// be read in another.
pub const WORDS: &str = "words-of-shapes";

#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// When it happened; when it arrived, where it does not say.
    pub time: Field,
    /// Whether the record itself says when it happened.
    pub timed: Field,
    /// The order of arrival.
    pub seq: Field,
    /// The position of the record in its stream; a record that others interrupt is complete after them.
    pub place: Field,
    /// The number of the record's first line in its stream.
    pub line: Field,
    /// The identities of the record and of what is folded into it.
    pub id: Field,
    pub text: Field,
    /// What the record shares with many others; see [`super::context`].
    pub context: Field,
    /// A described state, as JSON; such documents are no records, and have none of their fields but the time and the order.
    pub state: Field,
    /// The deployment that was wanted when the state was described.
    pub wanted: Field,
}

pub fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let number = NumericOptions::default().set_fast();
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
        time: schema.add_date_field(
            "time",
            DateOptions::default().set_fast().set_precision(DateTimePrecision::Nanoseconds),
        ),
        timed: schema.add_bool_field("timed", FAST),
        seq: schema.add_u64_field("seq", number.clone()),
        place: schema.add_u64_field("place", number.clone()),
        line: schema.add_u64_field("line", number.clone()),
        id: schema.add_u64_field("id", number),
        text: schema.add_text_field("text", TextOptions::default().set_indexing_options(words).set_stored()),
        context: schema.add_bytes_field("context", FAST | INDEXED),
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
