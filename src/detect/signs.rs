//! What announces something encoded that need not have a run of token characters: base64 of the first bytes of gzip, of zlib
//! at any level, of zip, bzip2, zstd, xz, PDF, 7z, rar and cab, and escapes: of letters and digits, which every token has.

/// How something encoded begins, and what stands behind that at each place.
pub(super) struct Sign {
    /// As it stands.
    pub text: &'static str,
    then: &'static [&'static [u8]],
}

const HEX: &[u8] = b"0123456789abcdefABCDEF";
/// Of one escape, and the first byte of the next: a single one hides nothing.
const PERCENT: &[&[u8]] = &[HEX, b"%"];
/// The same where the sign itself is written by an escape.
const PERCENT_TWICE: &[&[u8]] = &[b"34567", HEX, b"%"];
const EQUALS: &[&[u8]] = &[HEX, b"="];
/// Of a number behind `&#`.
const NUMBER: &[&[u8]] = &[b"0123456789xX", b"0123456789abcdefABCDEF;"];

const fn sign(text: &'static str, then: &'static [&'static [u8]]) -> Sign {
    Sign { text, then }
}

/// All of them.
pub(super) const SIGNS: [Sign; 47] = [
    sign("H4sI", &[]),
    sign("eAE", &[]),
    sign("eAF", &[]),
    sign("eAG", &[]),
    sign("eAH", &[]),
    sign("eF4", &[]),
    sign("eF5", &[]),
    sign("eF6", &[]),
    sign("eF7", &[]),
    sign("eJw", &[]),
    sign("eJx", &[]),
    sign("eJy", &[]),
    sign("eJz", &[]),
    sign("eNo", &[]),
    sign("eNp", &[]),
    sign("eNq", &[]),
    sign("eNr", &[]),
    sign("UEsDB", &[]),
    sign("QlpoM", &[]),
    sign("QlpoN", &[]),
    sign("QlpoO", &[]),
    sign("KLUv/", &[]),
    sign("KLUv_", &[]),
    sign("/Td6WFoA", &[]),
    sign("_Td6WFoA", &[]),
    sign("JVBERi0", &[]),
    sign("N3q8rycc", &[]),
    sign("UmFyIRoH", &[]),
    sign("TVNDRgAAAAA", &[]),
    sign("\\x", &[HEX, HEX]),
    sign("\\u00", &[]),
    sign("\\u{", &[HEX]),
    sign("&#", NUMBER),
    sign("&amp;#", NUMBER),
    sign("&amp;amp;#", NUMBER),
    sign("%25", PERCENT_TWICE),
    sign("%2525", PERCENT_TWICE),
    sign("%3", PERCENT),
    sign("%4", PERCENT),
    sign("%5", PERCENT),
    sign("%6", PERCENT),
    sign("%7", PERCENT),
    sign("=3", EQUALS),
    sign("=4", EQUALS),
    sign("=5", EQUALS),
    sign("=6", EQUALS),
    sign("=7", EQUALS),
];

impl Sign {
    /// At each place the bytes that may stand there.
    pub(super) fn places(&self) -> Vec<Vec<u8>> {
        self.text.bytes().map(|byte| vec![byte]).chain(self.then.iter().map(|place| place.to_vec())).collect()
    }
}
