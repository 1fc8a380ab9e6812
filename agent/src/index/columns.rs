//! Columns of numbers, block by block: each block has its least value, and of each value what it has more than that,
//! in as few bytes as that takes.

use std::ops::Range;

/// How many values a block has.
pub const BLOCK: usize = 128;
/// What is known of a block: its least value, how much more its greatest has, the unit, where its bytes begin, and how
/// many each value takes.
const HEAD: usize = 8 + 8 + 4 + 4 + 1;
/// Times are mostly told in seconds, milliseconds or microseconds.
const UNITS: [u64; 3] = [1_000_000_000, 1_000_000, 1_000];

/// How the values of a column follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each is mostly one more than the one before: only what it has more than that is kept.
    Counted,
    /// Nanoseconds, mostly of a coarser clock.
    Times,
}

impl Kind {
    /// Returns what the value in a place of its block has from its place alone.
    fn due(self, place: usize) -> u64 {
        match self {
            Kind::Counted => place as u64,
            Kind::Times => 0,
        }
    }
}

/// Writes a column.
#[derive(Debug)]
pub struct ColumnWriter {
    kind: Kind,
    /// The values of the block that is not full yet.
    pending: Vec<i64>,
    heads: Vec<u8>,
    data: Vec<u8>,
}

impl ColumnWriter {
    pub fn new(kind: Kind) -> ColumnWriter {
        ColumnWriter { kind, pending: Vec::with_capacity(BLOCK), heads: Vec::new(), data: Vec::new() }
    }

    pub fn push(&mut self, value: i64) {
        self.pending.push(value.wrapping_sub(self.kind.due(self.pending.len()) as i64));
        if self.pending.len() == BLOCK {
            self.close_block();
        }
    }

    /// Returns the bytes of the column: the heads of all blocks, and what is behind them.
    pub fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        if !self.pending.is_empty() {
            self.close_block();
        }
        (self.heads, self.data)
    }

    pub fn size(&self) -> usize {
        self.heads.capacity() + self.data.capacity() + self.pending.capacity() * size_of::<i64>()
    }

    fn close_block(&mut self) {
        let least = self.pending.iter().copied().min().unwrap_or_default();
        let more = |value: &i64| value.wrapping_sub(least) as u64;
        let most = self.pending.iter().map(more).max().unwrap_or_default();
        let is_of = |unit: &u64| self.pending.iter().all(|value| more(value).is_multiple_of(*unit));
        let unit = match self.kind {
            Kind::Times => UNITS.into_iter().find(is_of).unwrap_or(1),
            Kind::Counted => 1,
        };
        let width = (u64::BITS - (most / unit).leading_zeros()).div_ceil(8) as usize;
        self.heads.extend_from_slice(&least.to_le_bytes());
        self.heads.extend_from_slice(&most.to_le_bytes());
        self.heads.extend_from_slice(&(unit as u32).to_le_bytes());
        self.heads.extend_from_slice(&(self.data.len() as u32).to_le_bytes());
        self.heads.push(width as u8);
        for value in &self.pending {
            self.data.extend_from_slice(&(more(value) / unit).to_le_bytes()[..width]);
        }
        self.pending.clear();
    }
}

/// Reads a column from the bytes of a file.
#[derive(Clone, Debug)]
pub struct Column {
    kind: Kind,
    heads: Range<usize>,
    data: Range<usize>,
}

impl Column {
    /// Takes where the heads and what is behind them are in the file.
    pub fn new(kind: Kind, heads: Range<usize>, data: Range<usize>) -> Column {
        Column { kind, heads, data }
    }

    /// Returns how many bytes the heads take for so many values.
    pub fn heads_of(values: usize) -> usize {
        values.div_ceil(BLOCK) * HEAD
    }

    /// Returns a value; 0 where the file is damaged.
    pub fn get(&self, file: &[u8], at: usize) -> i64 {
        let Some(head) = self.head(file, at / BLOCK) else { return 0 };
        let place = at % BLOCK;
        let begin = self.data.start + head.begin + place * head.width;
        let mut more = [0; 8];
        match file.get(begin..begin + 8) {
            // More than its own bytes are read in one go, and left out again.
            Some(bytes) => more.copy_from_slice(bytes),
            None => {
                let rest = file.get(begin..).unwrap_or_default();
                more[..rest.len().min(8)].copy_from_slice(&rest[..rest.len().min(8)]);
            }
        }
        let own = u64::MAX.checked_shr(64 - 8 * head.width as u32).unwrap_or(0);
        let more = (u64::from_le_bytes(more) & own).wrapping_mul(head.unit);
        head.least.wrapping_add(more as i64).wrapping_add(self.kind.due(place) as i64)
    }

    /// Returns the least and the greatest value of a block, without what they have from their places.
    pub fn span(&self, file: &[u8], block: usize) -> Option<(i64, i64)> {
        let head = self.head(file, block)?;
        Some((head.least, head.least.wrapping_add(head.most as i64)))
    }

    fn head(&self, file: &[u8], block: usize) -> Option<Head> {
        let begin = self.heads.start + block * HEAD;
        let (bytes, _) = file.get(begin..self.heads.end)?.split_first_chunk::<HEAD>()?;
        let (least, rest) = bytes.split_first_chunk()?;
        let (most, rest) = rest.split_first_chunk()?;
        let (unit, rest) = rest.split_first_chunk()?;
        let (begin, rest) = rest.split_first_chunk()?;
        Some(Head {
            least: i64::from_le_bytes(*least),
            most: u64::from_le_bytes(*most),
            unit: u64::from(u32::from_le_bytes(*unit)),
            begin: u32::from_le_bytes(*begin) as usize,
            width: usize::from(*rest.first()?).min(8),
        })
    }
}

struct Head {
    least: i64,
    most: u64,
    unit: u64,
    begin: usize,
    width: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[track_caller]
    fn check(kind: Kind, values: &[i64]) -> usize {
        let mut writer = ColumnWriter::new(kind);
        values.iter().for_each(|value| writer.push(*value));
        let (heads, data) = writer.finish();
        assert_eq!(heads.len(), Column::heads_of(values.len()));
        let before = 3;
        let file = [vec![0xEE; before], heads.clone(), data.clone()].concat();
        let column = Column::new(kind, before..before + heads.len(), before + heads.len()..file.len());
        for (at, value) in values.iter().enumerate() {
            assert_eq!(column.get(&file, at), *value, "{at} of {kind:?}");
        }
        for (block, values) in values.chunks(BLOCK).enumerate() {
            let (first, last) = column.span(&file, block).expect("there is a block");
            let own = values.iter().enumerate().map(|(at, value)| value.wrapping_sub(kind.due(at) as i64));
            assert_eq!((Some(first), Some(last)), (own.clone().min(), own.max()));
        }
        // Nothing that a damaged file says makes it fail.
        for end in [0, 1, before, before + 5, file.len() / 2, file.len().saturating_sub(1)] {
            (0..values.len()).for_each(|at| _ = column.get(&file[..end.min(file.len())], at));
        }
        heads.len() + data.len()
    }

    #[test]
    fn what_is_counted_takes_next_to_nothing() {
        let counted: Vec<i64> = (700..10_700).collect();
        assert_eq!(check(Kind::Counted, &counted), Column::heads_of(counted.len()));
        let nearly: Vec<i64> = (700..10_700).map(|value| value + value / 100).collect();
        assert!(check(Kind::Counted, &nearly) <= Column::heads_of(nearly.len()) + nearly.len());
    }

    #[test]
    fn times_take_what_their_clock_needs() {
        let seconds: Vec<i64> =
            (0..1000).map(|at| 1_780_000_000_000_000_000 + at / 3 * 1_000_000_000).collect();
        assert!(check(Kind::Times, &seconds) <= Column::heads_of(1000) + 1000);
        let millis: Vec<i64> = (0..1000).map(|at| 1_780_000_000_000_000_000 + at * 37_000_000).collect();
        assert!(check(Kind::Times, &millis) <= Column::heads_of(1000) + 2000);
    }

    #[test]
    fn extremes_are_kept() {
        for kind in [Kind::Counted, Kind::Times] {
            check(kind, &[]);
            check(kind, &[i64::MIN, i64::MAX, 0, -1, 1]);
            check(kind, &[i64::MAX; 300]);
            check(kind, &[i64::MIN; 129]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64,
            rng_seed: RngSeed::Fixed(0x006d_6564_6963),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn any_values_are_kept(values in prop::collection::vec(any::<i64>(), 0..400), small in 0..400i64) {
            check(Kind::Counted, &values);
            check(Kind::Times, &values);
            let near: Vec<i64> = values.iter().map(|value| value.rem_euclid(small + 1) * 1_000).collect();
            check(Kind::Counted, &near);
            check(Kind::Times, &near);
        }
    }
}
