//! A small model of letters in words: what each letter costs after the two before it. `build.rs` makes it of `data/`.

/// Symbols: the edge of a word, and 26 letters.
pub const SYMBOLS: usize = 27;

/// Entries of the table.
pub const SIZE: usize = SYMBOLS * SYMBOLS * SYMBOLS;

/// A cost of one bit, in the units of the table.
pub const BIT: u32 = 16;

/// What an edge and each letter (any case) count as; `None` for all else.
fn symbol(byte: u8) -> Option<usize> {
    byte.is_ascii_alphabetic().then(|| usize::from(byte.to_ascii_lowercase() - b'a') + 1)
}

/// Calls `each` with the place in the table of every letter of a word.
pub fn places(word: &[u8], mut each: impl FnMut(usize)) {
    let (mut one, mut two) = (0, 0);
    for symbol in word.iter().filter_map(|&byte| symbol(byte)) {
        each((one * SYMBOLS + two) * SYMBOLS + symbol);
        (one, two) = (two, symbol);
    }
}

/// What the letters of `word` cost together, in units of [`BIT`], by a table of [`SIZE`].
pub fn cost(table: &[u8], word: &[u8]) -> u32 {
    let mut sum = 0;
    places(word, |at| sum += u32::from(table[at]));
    sum
}
