//! Lists of texts and numbers in one piece: those that were stored in the program are read where they are.

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A list of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Numbers(Bytes);

/// A list of byte strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Strings {
    bytes: Bytes,
    ends: Numbers,
}

/// A list of lists of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Lists {
    numbers: Numbers,
    ends: Numbers,
}

impl Numbers {
    pub fn get(&self, index: usize) -> u32 {
        self.0.0.get(4 * index..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
    }

    pub fn len(&self) -> usize {
        self.0.0.len() / 4
    }

    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    pub fn push(&mut self, number: u32) {
        self.0.0.to_mut().extend_from_slice(&number.to_le_bytes());
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let (numbers, _) = self.0.0.as_chunks::<4>();
        numbers.iter().map(|number| u32::from_le_bytes(*number))
    }

    /// Returns where the item of that index begins and ends, in a list of ends.
    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.get(before));
        start as usize..self.get(index) as usize
    }
}

impl Strings {
    pub fn get(&self, index: usize) -> &[u8] {
        self.bytes.0.get(self.ends.range(index)).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.0.to_mut().extend_from_slice(bytes);
        self.ends.push(self.bytes.0.len() as u32);
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }
}

impl<'s> FromIterator<&'s [u8]> for Strings {
    fn from_iter<I: IntoIterator<Item = &'s [u8]>>(items: I) -> Strings {
        let mut strings = Strings::default();
        items.into_iter().for_each(|item| strings.push(item));
        strings
    }
}

impl Lists {
    pub fn get(&self, index: usize) -> impl Iterator<Item = u32> {
        self.ends.range(index).map(|at| self.numbers.get(at))
    }

    pub fn push(&mut self, list: impl IntoIterator<Item = u32>) {
        list.into_iter().for_each(|number| self.numbers.push(number));
        self.ends.push(self.numbers.len() as u32);
    }
}

/// Bytes that are stored and read as one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bytes(Cow<'static, [u8]>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de: 'static> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;

        impl<'de: 'static> Visitor<'de> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Bytes, E> {
                Ok(Bytes(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(Cow::Owned(bytes.to_vec())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bytes(Cow::Owned(bytes)))
            }
        }

        deserializer.deserialize_bytes(BytesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_went_in() {
        let strings: Strings = [&b"one"[..], b"", b"three"].into_iter().collect();
        assert_eq!(strings.iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        let mut lists = Lists::default();
        lists.push([7, 8]);
        lists.push([]);
        lists.push([9]);
        let all: Vec<Vec<u32>> = (0..3).map(|index| lists.get(index).collect()).collect();
        assert_eq!(all, [vec![7, 8], vec![], vec![9]]);
    }
}
