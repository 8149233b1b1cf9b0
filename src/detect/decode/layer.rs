//! The ways in which text is written as something else.

/// A way in which text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// RFC 4648, either alphabet, with or without padding, in one line or wrapped.
    Base64,
    /// Two hexadecimal digits a byte.
    Hex,
    /// `%41`, as in URLs.
    Percent,
    /// `\n`, `\x41`, `\u0041`, as in JSON and most languages.
    Escape,
    /// `&#65;`, `&quot;`.
    Html,
    /// RFC 2045, as in mails.
    QuotedPrintable,
    /// A string in several parts, or lines that go on.
    Concatenation,
    /// UTF-16 inside of something else.
    Utf16,
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Zlib,
    /// The members of a zip archive.
    Zip,
    /// The .xz format.
    Xz,
    /// bzip2.
    Bzip2,
    /// RFC 8878.
    Zstd,
    /// The members of a 7z archive.
    SevenZip,
    /// The streams of a document, and its words.
    Pdf,
    /// An archive that is not read.
    Foreign,
}

impl Layer {
    /// The word of the reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Base64 => "base64",
            Layer::Hex => "hex",
            Layer::Percent => "percent",
            Layer::Escape => "escape",
            Layer::Html => "html",
            Layer::QuotedPrintable => "quoted-printable",
            Layer::Concatenation => "concatenation",
            Layer::Utf16 => "utf-16",
            Layer::Gzip => "gzip",
            Layer::Zlib => "zlib",
            Layer::Zip => "zip",
            Layer::Xz => "xz",
            Layer::Bzip2 => "bzip2",
            Layer::Zstd => "zstd",
            Layer::SevenZip => "7z",
            Layer::Pdf => "pdf",
            Layer::Foreign => "archive",
        }
    }

    /// Whether what it writes has no part that writes a part of the text.
    pub fn is_compressed(self) -> bool {
        match self {
            Layer::Gzip | Layer::Zlib | Layer::Zip | Layer::Xz | Layer::Bzip2 | Layer::Zstd => true,
            Layer::SevenZip | Layer::Pdf | Layer::Foreign => true,
            Layer::Base64 | Layer::Hex | Layer::Percent | Layer::Escape | Layer::Html => false,
            Layer::QuotedPrintable | Layer::Concatenation | Layer::Utf16 => false,
        }
    }
}
