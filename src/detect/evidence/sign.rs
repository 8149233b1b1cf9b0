//! Every sign there is, and what it weighs. `docs/evidence.md` is derived from this table.

/// What kind of rule found a candidate; a sign weighs differently for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of no provider: a name and a value.
    Generic,
    /// Of a provider, but only what stands beside the token says so.
    Context,
    /// The token itself says whose it is.
    Prefixed,
    /// A hash of a password, or a key behind a passphrase: its form is sure, and the place decides what it is worth.
    Placed,
}

/// One thing that speaks for or against a candidate.
#[derive(Debug, PartialEq, Eq)]
pub struct Sign {
    /// Stable, lower case with dashes.
    pub name: &'static str,
    /// When it is given, for people.
    pub about: &'static str,
    /// Points, by class; 0 where it is not asked.
    weights: [i32; 4],
}

impl Sign {
    /// Points for a candidate of that class.
    pub fn weight(&self, class: Class) -> i32 {
        self.weights[class as usize]
    }
}

/// A candidate with at least so many points is of medium confidence, any other of low.
pub const THRESHOLD: i32 = 20;

macro_rules! signs {
    ($($id:ident $name:literal [$generic:literal, $context:literal, $prefixed:literal, $hash:literal] $about:literal)*) => {
        $(#[doc = $about] pub const $id: Sign =
            Sign { name: $name, about: $about, weights: [$generic, $context, $prefixed, $hash] };)*

        /// All, in the order of the documentation.
        pub const ALL: &[&Sign] = &[$(&$id),*];
    };
}

signs! {
    RULE "rule" [0, 40, 50, 25] "the rule itself: what every match of it starts from"
    // The key's name.
    PASSWORD_NAME "password-name" [15, 0, 0, 0] "the name says password, passphrase, pwd"
    SECRET_NAME "secret-name" [10, 0, 0, 0] "the name says secret, token, API key, access key, credential"
    KEY_NAME "key-name" [-10, 0, 0, 0] "the name says key, auth or seed, and no more"
    NO_NAME "no-name" [-20, 0, 0, 0] "nothing in the name says that it is of a secret"
    OTHER_NAME "other-name" [-40, 0, 0, 0] "the name goes on to something that is no secret: _id, _file, _url, _field, _label, _length, _type …, or says where one is: existingSecret"
    EXAMPLE_NAME "example-name" [-35, 0, 0, 0] "the name says mock, fake, dummy, example, sample"
    PUBLIC_NAME "public-name" [-40, 0, 0, 0] "the name, or the value, is of something public: public key, primary key, CSRF token, page token, change token …"
    DIGEST_NAME "digest-name" [-35, -30, 0, 0] "the name says digest, checksum, integrity, commit, signature"
    // How it is written.
    QUOTED "quoted" [10, 0, 0, 0] "a literal in quotes, or between tags"
    SETTING "setting" [10, 0, 0, 0] "a line of a settings file: a name, = or :, a value, and no more; a variable that a command sets, a parameter of a URL, a field of a connection string, the default of a variable"
    ARGUMENT "argument" [25, 0, 0, 0] "an argument of a command or statement that takes secrets"
    CREDENTIALS "credentials" [25, 0, 0, 0] "user and password in a URL, or a header that carries credentials"
    LISTED "listed" [-12, 0, 0, 0] "after a comma: an argument of a call, or an item of a list; or before one, as the first of several arguments"
    COMPARED "compared" [-10, 0, 0, 0] "it is compared, not assigned"
    REFERENCE "reference" [-50, 0, 0, 0] "without quotes, and a name of something: a variable, a member, a call, a type, a constant"
    SOURCE_CODE "source-code" [-15, 0, 0, 0] "without quotes, and in no string, in a file of source code, where values have quotes"
    LOCAL_HOST "local-host" [-10, 0, 0, 0] "the URL's host is this machine, or one of documentation"
    // The value.
    RANDOM "random" [20, 0, 0, 0] "nearly as random as its length and alphabet allow, no language, and no counting"
    MIXED "mixed" [10, 0, 0, 0] "letters and digits or symbols, as people choose passwords"
    UNPRONOUNCEABLE "unpronounceable" [10, 0, 0, 0] "letters that follow each other in no language"
    WORDS "words" [-25, -20, -35, 0] "words of a language, or a name made of words"
    PROSE "prose" [-35, -35, -35, 0] "a sentence or a label, in whatever language"
    WORD_LIKE "word-like" [-10, 0, 0, 0] "letters alone, which follow each other as in words"
    SHORT "short" [-10, 0, 0, 0] "fewer than 8 letters, and no others"
    BRIEF "brief" [-15, 0, 0, 0] "fewer than 6 characters"
    NUMBER "number" [-20, -10, 0, 0] "digits and punctuation alone, or a date and time"
    UUID "uuid" [-10, 0, 0, 0] "a UUID, which is an identifier more often than a secret, where the name says no more than token or key"
    LOCATION "location" [-30, 0, 0, 0] "a path, a file name, a URL, a host, an address or a package (com.corp.app)"
    CODE "code" [-35, -20, 0, 0] "code, a pattern, a rule of validation, a drawing (the path data of SVG) or an object as Java prints it"
    ALGORITHM "algorithm" [-35, -20, 0, 0] "the name of an algorithm: HmacSHA256, aes-256-gcm"
    SLUG "slug" [-15, 0, 0, 0] "words or their short forms with joints between them, or an argument of letters alone, where the name says nothing of a password"
    TEMPLATE "template" [-60, -50, -50, -50] "a place for a value: ${…}, {{…}}, %s, <…>"
    PLACEHOLDER "placeholder" [-40, -40, -40, -40] "it says that it is none: change me, your …, example, dummy, xxx"
    COMMON "common" [-12, -15, 0, 0] "made of test, secret, password, default, foo and the like"
    SAME_AS_NAME "same-as-name" [-35, -30, 0, 0] "the value repeats the name, or is such a name itself"
    REPEAT "repeat" [-30, -35, -40, -40] "few different characters, or the same ones over and over"
    SEQUENCE "sequence" [-30, -35, -40, -40] "the alphabet, or counting, be it in base64"
    KEYBOARD "keyboard" [-25, -30, -35, 0] "neighbours on a keyboard"
    DOCUMENTED "documented" [-60, -60, -60, -60] "an example of a provider's own documentation"
    INTEGRITY "integrity" [-50, -50, 0, 0] "an integrity hash: sha512-…"
    ENCRYPTED "encrypted" [-40, -40, 0, 0] "encrypted already: ENC(…), vault:v1:…, {cipher}…"
    HASHED "hashed" [-40, 0, 0, 0] "the hash of a password, which says how it was made: $6$…, {SSHA}…, sha1$…; hex of a digest's length whose name says digest"
    // What stands around it.
    NEIGHBOURS "neighbours" [-35, -30, 0, 0] "eight or more others of the same length and alphabet stand around it"
    LONG_LINE "long-line" [-15, -15, 0, 0] "in a line of more than 1,000 bytes, as generated code has them"
    EMBEDDED "embedded" [-45, -45, 0, 0] "inside of a file that is written as base64 or ASCII85"
    EXAMPLE_LINE "example-line" [-10, -5, 0, -10] "its line says example, sample, dummy, fake, mock, or tells a linter that it is none"
    COMMENT "comment" [-5, 0, 0, -10] "in a comment"
    // Where it is; of several paths the one that speaks least against it.
    LOCK_FILE "lock-file" [-40, -40, 0, 0] "in a lock file, which holds hashes"
    MINIFIED_FILE "minified-file" [-20, -20, 0, -20] "in a minified or generated file"
    LOCALE_FILE "locale-file" [-45, 0, 0, 0] "in a file of translations, unless it was drawn at random"
    TEST_FILE "test-file" [-5, 0, 0, -10] "in a test, an example or a fixture"
    DOCUMENT "document" [-5, 0, 0, -10] "in documentation"
    VENDORED "vendored" [-5, 0, 0, -10] "in code of others that was copied in"
}
