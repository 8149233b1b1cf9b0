//! Tells words from letters that nobody chose, by the model and the words that the program was built with.

use super::model;

/// Made by `build.rs` of `data/`.
const TABLE: &[u8; model::SIZE] = include_bytes!(concat!(env!("OUT_DIR"), "/letters.bin"));

/// Lower case, sorted, one to a line.
const WORDS: &str = include_str!(concat!(env!("OUT_DIR"), "/words.txt"));

/// The shortest word that counts inside of other letters.
const INNER: usize = 4;

/// Words of two letters, which the lists leave out; they count where they stand alone.
const SHORTEST: [&str; 32] = [
    "an", "as", "at", "be", "by", "ci", "db", "do", "fs", "go", "he", "id", "if", "in", "io", "ip", "is", "it", "js",
    "me", "my", "no", "of", "ok", "on", "or", "os", "so", "to", "ui", "up", "we",
];

/// The longest word of the list.
const LONGEST: usize = 16;

/// How text reads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Letters in it.
    pub letters: usize,
    /// Bits that a letter costs in the mean: about 3.5 for English, above 6 for letters drawn at random.
    pub bits: f64,
    /// The part of the letters that known words cover, 0 to 1.
    pub words: f64,
}

/// The first word of the list that is not before `text`, in lower case; empty behind the last.
fn first_from(text: &[u8]) -> &'static [u8] {
    let words = WORDS.as_bytes();
    let end = |start: usize| memchr::memchr(b'\n', &words[start..]).map_or(words.len(), |at| start + at);
    let (mut low, mut high) = (0, words.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = memchr::memrchr(b'\n', &words[low..middle]).map_or(low, |at| low + at + 1);
        match &words[start..end(start)] < text {
            true => low = (end(start) + 1).min(words.len()),
            false => high = start,
        }
    }
    &words[low..end(low)]
}

/// Whether the list has `word`, in lower case.
pub fn is_word(word: &[u8]) -> bool {
    !word.is_empty() && first_from(word) == word
}

/// The letters of `text` in pieces as people and programmers set them apart: `dbPassword_2` has `db` and `Password`.
pub fn pieces(text: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for run in text.split(|byte| !byte.is_ascii_alphabetic()) {
        let mut start = 0;
        for at in 1..run.len() {
            let up = run[at].is_ascii_uppercase();
            let hump = up && run[at - 1].is_ascii_lowercase();
            let last_of_capitals = up && run.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if hump || last_of_capitals {
                pieces.push(&run[start..at]);
                start = at;
            }
        }
        if start < run.len() {
            pieces.push(&run[start..]);
        }
    }
    pieces
}

/// How `text` reads as language.
pub fn read(text: &[u8]) -> Reading {
    let (mut letters, mut cost, mut covered) = (0, 0, 0);
    for piece in pieces(text) {
        letters += piece.len();
        cost += model::cost(TABLE, piece);
        covered += cover(&piece.to_ascii_lowercase());
    }
    if letters == 0 {
        return Reading::default();
    }
    let bits = f64::from(cost) / f64::from(model::BIT) / letters as f64;
    Reading { letters, bits, words: covered as f64 / letters as f64 }
}

/// How many letters of a piece words can cover at most.
fn cover(piece: &[u8]) -> usize {
    if piece.len() <= LONGEST && (is_word(piece) || SHORTEST.iter().any(|word| word.as_bytes() == piece)) {
        return piece.len();
    }
    // Of the letters before each place.
    let mut best = vec![0; piece.len() + 1];
    for start in 0..piece.len() {
        best[start + 1] = best[start + 1].max(best[start]);
        let rest = &piece[start..piece.len().min(start + LONGEST)];
        // Most places begin no word, and that is asked once.
        if rest.get(..INNER).is_some_and(|begin| first_from(begin).starts_with(begin)) {
            for len in (INNER..=rest.len()).filter(|len| is_word(&rest[..*len])) {
                best[start + len] = best[start + len].max(best[start] + len);
            }
        }
    }
    best[piece.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_known_and_others_are_not() {
        for word in ["password", "summer", "config", "the", "zone"] {
            assert!(is_word(word.as_bytes()), "{word}");
        }
        for word in ["", "zzzzz", "passwor", "aaa", "\n", "qxv"] {
            assert!(!is_word(word.as_bytes()), "{word:?}");
        }
        assert!(WORDS.lines().all(|word| is_word(word.as_bytes())));
        assert!(WORDS.lines().all(|word| word.len() <= LONGEST));
    }

    #[test]
    fn names_fall_into_pieces() {
        let text =
            |text: &'static str| pieces(text.as_bytes()).into_iter().map(String::from_utf8_lossy).collect::<Vec<_>>();
        assert_eq!(text("dbPassword_2"), ["db", "Password"]);
        assert_eq!(text("HTTPServer.getURL"), ["HTTP", "Server", "get", "URL"]);
        assert_eq!(text("123"), [""; 0]);
    }

    #[test]
    fn language_reads_as_such() {
        for text in ["getUserPassword", "correct horse battery staple", "com.example.security.token"] {
            let reading = read(text.as_bytes());
            assert!(reading.words > 0.7 && reading.bits < 4.7, "{text}: {reading:?}");
        }
    }

    proptest! {
        #[test]
        fn random_letters_do_not(text in "[a-z]{24}") {
            let reading = read(text.as_bytes());
            prop_assert!(reading.words < 0.8, "{text}: {reading:?}");
        }

        #[test]
        fn anything_is_read(text: Vec<u8>) {
            let reading = read(&text);
            prop_assert!(reading.letters <= text.len() && (0.0..=1.0).contains(&reading.words));
        }
    }
}
