//! Which bytes of a text are of a kind, a bit a byte: 64 of them are told at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns the first place from `at` on that is of the kind.
pub fn next(bits: &[u64], at: usize) -> Option<usize> {
    find(bits, at, 0)
}

/// Returns the first place from `at` on that is not of the kind.
pub fn next_other(bits: &[u64], at: usize) -> Option<usize> {
    find(bits, at, u64::MAX)
}

fn find(bits: &[u64], at: usize, flip: u64) -> Option<usize> {
    let mut index = at / 64;
    let mut part = (bits.get(index)? ^ flip) & (u64::MAX << (at % 64));
    while part == 0 {
        index += 1;
        part = bits.get(index)? ^ flip;
    }
    Some(index * 64 + part.trailing_zeros() as usize)
}

/// Returns where the run begins that `at` is in, or right behind.
pub fn begin_of_run(bits: &[u64], at: usize) -> usize {
    let mut index = at / 64;
    let mut others = !bits.get(index).copied().unwrap_or(0) & ((1 << (at % 64)) - 1);
    while others == 0 {
        let Some(before) = index.checked_sub(1) else { return 0 };
        index = before;
        others = !bits[index];
    }
    index * 64 + 64 - others.leading_zeros() as usize
}

/// Returns how many places are of the kind, from `from` to before `to`.
pub fn count(bits: &[u64], from: usize, to: usize) -> usize {
    let part = |index: usize| bits.get(index).copied().unwrap_or(0);
    let (first, last) = (from / 64, to / 64);
    let (behind, before) = (u64::MAX << (from % 64), (1 << (to % 64)) - 1);
    if first == last {
        return (part(first) & behind & before).count_ones() as usize;
    }
    let whole: u32 = (first + 1..last).map(|index| part(index).count_ones()).sum();
    ((part(first) & behind).count_ones() + whole + (part(last) & before).count_ones()) as usize
}

/// Returns a bit for each byte of up to 64: what `of_eight` says of them, eight by eight.
pub fn of_part(part: &[u8], of_eight: impl Fn(u64) -> u64) -> u64 {
    let (words, rest) = part.as_chunks::<8>();
    // Each step waits for the last, which keeps the compiler from doing several at once: its way to multiply two words
    // together is the slower one.
    let mut bits =
        words.iter().fold(0u64, |bits, word| (bits | of_eight(u64::from_le_bytes(*word))).rotate_right(8));
    let mut length = 8 * words.len();
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        bits = (bits | of_eight(u64::from_le_bytes(word))).rotate_right(8);
        length += 8;
    }
    bits.rotate_left(length as u32 % 64)
}

/// Returns a bit for each of eight bytes: whether it is an ASCII letter.
pub fn letters_of_eight(bytes: u64) -> u64 {
    let lower = (bytes | (0x20 * ONES)) & !HIGH;
    gathered(between(lower, b'a', b'z') & !bytes)
}

/// Returns a bit for each of eight bytes: whether it is an ASCII digit.
pub fn digits_of_eight(bytes: u64) -> u64 {
    gathered(between(bytes & !HIGH, b'0', b'9') & !bytes)
}

/// Sets the high bit of each byte that is in a range; no byte has it set before.
fn between(bytes: u64, from: u8, to: u8) -> u64 {
    let reaches = bytes + u64::from(0x80 - from) * ONES;
    let exceeds = bytes + u64::from(0x80 - to - 1) * ONES;
    reaches & !exceeds & HIGH
}

/// Gathers the high bits of eight bytes.
fn gathered(high: u64) -> u64 {
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &[u8], of_eight: fn(u64) -> u64) -> Vec<u64> {
        text.chunks(64).map(|part| of_part(part, of_eight)).collect()
    }

    #[test]
    fn each_byte_has_its_kind() {
        let bytes: Vec<u8> = (0..=255).collect();
        let (letters, digits) = (bits(&bytes, letters_of_eight), bits(&bytes, digits_of_eight));
        for byte in 0..=255u8 {
            let at = usize::from(byte);
            assert_eq!(next(&letters, at) == Some(at), byte.is_ascii_alphabetic(), "{byte}");
            assert_eq!(next(&digits, at) == Some(at), byte.is_ascii_digit(), "{byte}");
        }
    }

    #[test]
    fn runs_are_found_and_counted_across_parts() {
        for length in [1, 7, 8, 63, 64, 65, 130, 200] {
            for from in [0, 1, 60, 64, 100] {
                let text = [vec![b' '; from], vec![b'x'; length], b"  y".to_vec()].concat();
                let letters = bits(&text, letters_of_eight);
                assert_eq!(next(&letters, 0), Some(from));
                assert_eq!(next_other(&letters, from), Some(from + length));
                for at in from..=from + length {
                    assert_eq!(begin_of_run(&letters, at), from, "{length} from {from}, at {at}");
                    assert_eq!(count(&letters, 0, at), at - from);
                    assert_eq!(count(&letters, at, text.len()), from + length - at + 1);
                }
            }
        }
        assert_eq!(next(&bits(b"  ", letters_of_eight), 0), None);
    }
}
