//! Go's RE2 syntax, which rule files speak, rewritten for the `regex` crate with Unicode off.
//!
//! The two agree on most patterns; where they differ a pattern is rewritten so that it keeps Go's meaning, or refused.
//! Facts: <https://pkg.go.dev/regexp/syntax> and its `parse.go`. What is rewritten:
//! - `\s` is without `\v` in Go; `\Q…\E`, octal escapes, `\<` (a plain `<`), `{,n}`, `{x` and `\b{start}` are literal
//!   or unknown to the other side; `[a[b]`, `&&`, `--` and `~~` are plain characters in a Go class.
//! - In Go `.` and `[^…]` take a whole character. With Unicode off they take a byte, so they are wrapped to prefer a
//!   whole character wherever their number counts (`.`, `.?`, `.{3}`, not `.*`). A byte that is no UTF-8 is taken too.
//! - Beyond ASCII (`é`, `\pL`, `[à-ü]`) a pattern is in Unicode mode for that one piece.
//!
//! Two differences are left: `{n}` may go beyond Go's 1000 (the size of the compiled pattern is limited instead), and
//! `(?i)` folds ASCII only, so `k` does not match U+212A, the Kelvin sign, as it does in Go.

use regex_syntax::is_meta_character;

/// Why a pattern is refused, and the byte of it at which that became clear.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub offset: usize,
    pub what: String,
}

/// A whole character beyond ASCII, whatever the flags around it.
const BEYOND_ASCII: &str = r"(?u-i:[\x{80}-\x{10FFFF}])";

/// Go's `\s`, inside brackets.
const SPACE: &str = r"\t\n\f\r ";

/// The pattern in the syntax of `regex::bytes` with Unicode off.
pub(super) fn translate(go: &str) -> Result<String, Refused> {
    let mut rewriter = Rewriter { go, at: 0, out: String::with_capacity(go.len() + 16), before: Before::Nothing };
    while let Some(c) = rewriter.peek() {
        rewriter.token(c)?;
    }
    rewriter.settle();
    Ok(rewriter.out)
}

/// What stands before the current token, for quantifiers.
enum Before {
    /// Nothing that could be repeated.
    Nothing,
    /// Something that is repeated already.
    Repeated,
    /// Something that can be repeated.
    Atom,
    /// The same, written from this byte of the output on, which takes one byte where Go takes a character.
    Wide(usize),
}

struct Rewriter<'a> {
    go: &'a str,
    at: usize,
    out: String,
    before: Before,
}

impl Rewriter<'_> {
    fn rest(&self) -> &str {
        &self.go[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn refuse<T>(&self, offset: usize, what: impl Into<String>) -> Result<T, Refused> {
        Err(Refused { offset, what: what.into() })
    }

    fn token(&mut self, c: char) -> Result<(), Refused> {
        if let Some((low, high)) = self.quantifier()? {
            return self.repeat(low, high);
        }
        self.settle();
        match c {
            '(' => return self.group(),
            '[' => return self.class(),
            '\\' => return self.escape(),
            '|' => {
                self.out.push('|');
                self.before = Before::Nothing;
            }
            '^' | '$' | ')' => {
                self.out.push(c);
                self.before = Before::Atom;
            }
            '.' => {
                self.before = Before::Wide(self.out.len());
                self.out.push('.');
            }
            _ => self.literal(c),
        }
        self.at += c.len_utf8();
        Ok(())
    }

    /// Writes out that the piece before is one character, if it is not repeated so that it does not matter.
    fn settle(&mut self) {
        if let Before::Wide(start) = self.before {
            self.out.insert_str(start, &format!("(?:{BEYOND_ASCII}|"));
            self.out.push(')');
            self.before = Before::Atom;
        }
    }

    fn literal(&mut self, c: char) {
        if !c.is_ascii() {
            self.out.push_str(&format!("(?u:{c})"));
        } else {
            if is_meta_character(c) {
                self.out.push('\\');
            }
            self.out.push(c);
        }
        self.before = Before::Atom;
    }

    /// Reads a quantifier, if one stands here: `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}` without spaces or leading zeros.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, Refused> {
        let start = self.at;
        for (sign, range) in [("*", (0, None)), ("+", (1, None)), ("?", (0, Some(1)))] {
            if self.eat(sign) {
                return Ok(Some(range));
            }
        }
        let Some((inside, _)) = self.rest().strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            return Ok(None);
        };
        let (low, high) = match inside.split_once(',') {
            None => (inside, Some(inside)),
            Some((low, "")) => (low, None),
            Some((low, high)) => (low, Some(high)),
        };
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
        };
        if !plain(low) || !high.is_none_or(plain) {
            return Ok(None);
        }
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        let (low, high, length) = (number(low), high.map(number), inside.len() + 2);
        if low == u32::MAX || high.is_some_and(|high| high == u32::MAX || high < low) {
            return self.refuse(start, "a repetition goes from n to m, with n not above m");
        }
        self.at += length;
        Ok(Some((low, high)))
    }

    fn repeat(&mut self, low: u32, high: Option<u32>) -> Result<(), Refused> {
        match self.before {
            Before::Nothing => return self.refuse(self.at, "there is nothing to repeat here"),
            Before::Repeated => return self.refuse(self.at, "a repetition cannot be repeated or made possessive"),
            Before::Wide(_) if high.is_none() && low <= 1 => {}
            Before::Wide(_) | Before::Atom => self.settle(),
        }
        match (low, high) {
            (0, None) => self.out.push('*'),
            (1, None) => self.out.push('+'),
            (0, Some(1)) => self.out.push('?'),
            (low, None) => self.out.push_str(&format!("{{{low},}}")),
            (low, Some(high)) if low == high => self.out.push_str(&format!("{{{low}}}")),
            (low, Some(high)) => self.out.push_str(&format!("{{{low},{high}}}")),
        }
        if self.eat("?") {
            self.out.push('?');
        }
        self.before = Before::Repeated;
        Ok(())
    }

    fn group(&mut self) -> Result<(), Refused> {
        let start = self.at;
        self.before = Before::Nothing;
        if !self.eat("(?") {
            self.at += 1;
            self.out.push('(');
            return Ok(());
        }
        if self.eat("=") || self.eat("!") || self.eat("<=") || self.eat("<!") {
            return self.refuse(start, "look-ahead and look-behind do not exist in RE2");
        }
        if !self.eat("P<") && !self.eat("<") {
            return self.flags(start);
        }
        let name = self.rest().split_once('>').map(|(name, _)| name);
        let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let Some(length) = name.filter(is_name).map(str::len) else {
            return self.refuse(start, "the name of a group is letters, digits and `_` between `<` and `>`");
        };
        // Groups are known by number (secretGroup); the other side is stricter about names.
        self.at += length + 1;
        self.out.push('(');
        Ok(())
    }

    /// `(?flags)` and `(?flags:`, from after the `(?` on.
    fn flags(&mut self, start: usize) -> Result<(), Refused> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut negative = false;
        let mut seen = true;
        loop {
            match self.next() {
                Some('-') if !negative => (negative, seen) = (true, false),
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    seen = true;
                    let (to, from) = if negative { (&mut off, &mut on) } else { (&mut on, &mut off) };
                    from.retain(|other| other != flag);
                    to.retain(|other| other != flag);
                    to.push(flag);
                }
                Some(end @ (':' | ')')) if seen => {
                    let dash = if off.is_empty() { "" } else { "-" };
                    match (end, on.is_empty() && off.is_empty()) {
                        (')', true) => {}
                        _ => self.out.push_str(&format!("(?{on}{dash}{off}{end}")),
                    }
                    return Ok(());
                }
                _ => return self.refuse(start, "after `(?` come a name or flags of `imsU`, then `:` or `)`"),
            }
        }
    }

    /// An escape outside of brackets.
    fn escape(&mut self) -> Result<(), Refused> {
        let start = self.at;
        if self.eat(r"\Q") {
            let quoted = self.rest().split_once(r"\E").map_or(self.rest(), |(quoted, _)| quoted).to_owned();
            self.at += quoted.len();
            quoted.chars().for_each(|c| self.literal(c));
            self.eat(r"\E");
            return Ok(());
        }
        let space = format!("[{SPACE}]");
        for same in [r"\A", r"\z", r"\b", r"\B", r"\d", r"\w", r"\s"] {
            if self.eat(same) {
                self.out.push_str(if same == r"\s" { &space } else { same });
                self.before = Before::Atom;
                return Ok(());
            }
        }
        for (go, ours) in [(r"\D", r"\D"), (r"\W", r"\W"), (r"\S", &format!("[^{SPACE}]"))] {
            if self.eat(go) {
                self.before = Before::Wide(self.out.len());
                self.out.push_str(ours);
                return Ok(());
            }
        }
        if let Some(property) = self.property()? {
            self.out.push_str(&format!("(?u:{property})"));
            self.before = Before::Atom;
            return Ok(());
        }
        match self.rest().as_bytes().get(1) {
            Some(b'Z') => return self.refuse(start, r"`\Z` does not exist in RE2; the end of the text is `\z`"),
            Some(b'C') => return self.refuse(start, r"`\C` cannot be honoured; a character is `(?s:.)`"),
            _ => {}
        }
        let c = self.escaped_char()?;
        self.literal(c);
        Ok(())
    }

    /// `\pN`, `\p{Name}`, `\p{^Name}` and the same with `P`, as the other side writes them.
    fn property(&mut self) -> Result<Option<String>, Refused> {
        let start = self.at;
        let mut negative = match (self.eat(r"\p"), self.eat(r"\P")) {
            (true, _) => false,
            (_, true) => true,
            _ => return Ok(None),
        };
        let name = if self.eat("{") {
            negative ^= self.eat("^");
            let name = self.rest().split_once('}').map(|(name, _)| name.to_owned()).unwrap_or_default();
            self.at += name.len() + 1;
            name
        } else {
            self.next().map(String::from).unwrap_or_default()
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return self.refuse(start, r"after `\p` comes the name of a Unicode class, as in `\pL` or `\p{Greek}`");
        }
        Ok(Some(format!(r"\{}{{{name}}}", if negative { 'P' } else { 'p' })))
    }

    /// An escape that stands for one character, inside or outside of brackets.
    fn escaped_char(&mut self) -> Result<char, Refused> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.next() else {
            return self.refuse(start, "the pattern ends in a backslash");
        };
        let digit = |c: Option<char>| c.and_then(|c| c.to_digit(8));
        match c {
            '0'..='7' if c == '0' || digit(self.peek()).is_some() => {
                let mut value = c.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    if let Some(more) = digit(self.peek()) {
                        value = value * 8 + more;
                        self.at += 1;
                    }
                }
                char::from_u32(value).map_or_else(|| self.refuse(start, "no such character"), Ok)
            }
            '1'..='9' => self.refuse(start, "references back to a group do not exist in RE2"),
            'x' => self.hex_char(start),
            'a' => Ok('\x07'),
            'f' => Ok('\x0C'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\x0B'),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c),
            c => self.refuse(start, format!("`\\{}` does not exist in RE2 here", c.escape_debug())),
        }
    }

    fn hex_char(&mut self, start: usize) -> Result<char, Refused> {
        let rest = self.rest();
        let (digits, length) = match rest.strip_prefix('{') {
            Some(rest) => rest.split_once('}').map_or(("", 0), |(digits, _)| (digits, digits.len() + 2)),
            None => (rest.get(..2).unwrap_or(""), 2),
        };
        let is_hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten().and_then(char::from_u32);
        self.at += length;
        value.map_or_else(|| self.refuse(start, r"after `\x` come two hex digits, or a code point in braces"), Ok)
    }

    /// A class in brackets.
    fn class(&mut self) -> Result<(), Refused> {
        let start = self.at;
        self.at += 1;
        let negated = self.eat("^");
        let mut class = Class::default();
        let mut first = true;
        loop {
            match self.peek() {
                None => return self.refuse(start, "the class in brackets is not closed"),
                Some(']') if !first => break,
                Some(_) => self.class_item(&mut class)?,
            }
            first = false;
        }
        self.at += 1;
        let text = format!("[{}{}]", if negated { "^" } else { "" }, class.items);
        self.before = match (class.unicode, negated ^ class.wide) {
            (false, true) => Before::Wide(self.out.len()),
            _ => Before::Atom,
        };
        self.out.push_str(&if class.unicode { format!("(?u:{text})") } else { text });
        Ok(())
    }

    fn class_item(&mut self, class: &mut Class) -> Result<(), Refused> {
        let start = self.at;
        if let Some((name, _)) = self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
            if !POSIX.contains(&name.trim_start_matches('^')) || name.starts_with("^^") {
                return self.refuse(start, "unknown name between `[:` and `:]`");
            }
            class.items.push_str(&format!("[:{name}:]"));
            class.wide |= name.starts_with('^');
            self.at += name.len() + 4;
            return Ok(());
        }
        for (go, ours) in [(r"\d", "0-9"), (r"\s", SPACE), (r"\w", "0-9A-Za-z_")] {
            if self.eat(go) {
                class.items.push_str(ours);
                return Ok(());
            }
            if self.eat(&go.to_ascii_uppercase()) {
                class.items.push_str(&format!("[^{ours}]"));
                class.wide = true;
                return Ok(());
            }
        }
        if let Some(property) = self.property()? {
            class.items.push_str(&property);
            class.unicode = true;
            return Ok(());
        }
        let low = self.class_char()?;
        class.push(low);
        if self.rest().starts_with('-') && !matches!(self.rest().as_bytes(), [b'-'] | [b'-', b']', ..]) {
            self.at += 1;
            let high = self.class_char()?;
            if high < low {
                return self.refuse(start, "the range in brackets runs backwards");
            }
            class.items.push('-');
            class.push(high);
        }
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, Refused> {
        match self.peek() {
            Some('\\') => self.escaped_char(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(c)
            }
            None => self.refuse(self.at, "the class in brackets is not closed"),
        }
    }
}

/// The names between `[:` and `:]`, the same on both sides.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

#[derive(Default)]
struct Class {
    items: String,
    /// Holds something beyond ASCII by name.
    unicode: bool,
    /// Holds everything beyond ASCII, as the complement of something in ASCII.
    wide: bool,
}

impl Class {
    fn push(&mut self, c: char) {
        self.unicode |= !c.is_ascii();
        if is_meta_character(c) {
            self.items.push('\\');
        }
        self.items.push(c);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::compile;

    fn finds(go: &str, text: &str) -> Option<String> {
        let regex = compile(&translate(go).unwrap()).unwrap();
        let found = regex.find(text.as_bytes())?;
        Some(String::from_utf8_lossy(found.as_bytes()).into_owned())
    }

    // Each line is what Go's documentation or parser says of the pattern, not what we do with it.
    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            (r"a\sb", "a\x0Bb", None),
            (r"a\Sb", "a\x0Bb", Some("a\x0Bb")),
            (r"a[\s]b", "a\x0Bb", None),
            (r"a[[:space:]]b", "a\x0Bb", Some("a\x0Bb")),
            (r"\Qa.b*\E+", "a.b**", Some("a.b**")),
            (r"\Qa.b", "axb a.b", Some("a.b")),
            (r"\<b\>", "a <b>", Some("<b>")),
            (r"\b{start}", "x{start}", Some("{start}")),
            (r"a{,3}", "aaa a{,3}", Some("a{,3}")),
            (r"a{ 2 }", "aa a{ 2 }", Some("a{ 2 }")),
            (r"a{02}", "aa a{02}", Some("a{02}")),
            (r"${name}", "${name}", None),
            (r"\${name}", "${name}", Some("${name}")),
            (r"a{2}", "aaa", Some("aa")),
            (r"a{2,}?", "aaa", Some("aa")),
            (r"[a[b]+", "[ba]", Some("[ba")),
            (r"[a&&b]+", "&a&b", Some("&a&b")),
            (r"[a-c--e]+", "a,-e", Some("a")),
            (r"[]a]+", "x]a]", Some("]a]")),
            (r"[^]a]+", "]xa]", Some("x")),
            (r"[a-]+", "-a-", Some("-a-")),
            (r"[\w-]+", "!a-b!", Some("a-b")),
            (r"[\]\\]+", r"x]\x", Some(r"]\")),
            (r"[\x41-\x43]+", "xABCx", Some("ABC")),
            (r"\101\x42\x{43}", "ABC", Some("ABC")),
            (r"\xe9", "é", Some("é")),
            (r"[\xe0-\xef]", "é", Some("é")),
            (r"é?x", "x", Some("x")),
            (r"(?i)É", "é", Some("é")),
            (r"\pL+", "1éa1", Some("éa")),
            (r"\p{^L}", "éa1", Some("1")),
            (r"[\pN_]+", "a1_٣b", Some("1_٣")),
            (r"^a.b$", "aéb", Some("aéb")),
            (r"^a.{2}$", "aéé", Some("aéé")),
            (r"^[^b]{2}$", "éé", Some("éé")),
            (r"^\W\D\S$", "ééé", Some("ééé")),
            (r"^[\W]$", "é", Some("é")),
            (r"^[^\W]$", "é", None),
            (r"^.*é.*$", "aéb", Some("aéb")),
            (r"^a$", "a\n", None),
            (r"(?m)^a$", "b\na\nb", Some("a")),
            (r"a.b", "a\nb", None),
            (r"(?s)a.b", "a\nb", Some("a\nb")),
            (r"(?U)a+", "aaa", Some("a")),
            (r"(?i-i)a", "A", None),
            (r"(?ii:a)(?)b", "Ab", Some("Ab")),
            (r"(?P<1x>a)(?<y>b)", "ab", Some("ab")),
            (r"a || b", "a ", Some("a ")),
            (r"#x y", "#x y", Some("#x y")),
        ];
        for (go, text, expected) in cases {
            assert_eq!(finds(go, text).as_deref(), *expected, "{go} on {text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_taken_too() {
        let regex = compile(&translate("^a.b[^x]{2}$").unwrap()).unwrap();
        assert!(regex.is_match(b"a\xE9b\xFF\xFE"));
        assert!(!regex.is_match(b"a\xE9\xE9b\xFF\xFE"));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for go in [
            r"a\Z",
            r"\C",
            r"\1",
            r"(a)\2",
            r"a(?=b)",
            r"a(?!b)",
            r"(?<=a)b",
            r"(?<!a)b",
            r"a**",
            r"a*+",
            r"a??+",
            r"*a",
            r"(*a)",
            r"a|*",
            r"a{4294967296}",
            r"a{3,2}",
            r"[b-a]",
            r"[a-\d]",
            r"[a",
            r"[]",
            r"[[:foo:]]",
            r"\e",
            r"\é",
            r"a\",
            r"\x{110000}",
            r"\x4",
            r"\p",
            r"\p{",
            r"\p{sc=Greek}",
            r"(?x)a",
            r"(?R)a",
            r"(?i-)a",
            r"(?",
            r"(?P<a-b>c)",
            r"(?P=a)",
            r"\8",
            r"[\b]",
            r"\x{D800}",
            r"\E",
        ] {
            assert!(translate(go).is_err(), "{go} became {:?}", translate(go));
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_is_never_empty_handed(go in r"[\[\](){}\\?*+|^$.a-cxpPQEsSwd0-3:<>,&~é-]{0,24}") {
            if let Ok(ours) = translate(&go) {
                // What is left for the crate to refuse: groups that are not closed, unknown Unicode classes.
                if let Err(error) = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(&ours) {
                    let said = error.to_string();
                    prop_assert!(["group", "property", "missing expression"].iter().any(|w| said.contains(w)), "{said}");
                }
            }
        }

        // Where the two syntaxes agree, and the text is ASCII, nothing may change.
        #[test]
        fn what_both_read_alike_is_left_alike(
            pieces in prop::collection::vec((prop::sample::select(ALIKE), prop::sample::select(TIMES)), 1..7),
            text in "[ab.x1]{0,12}",
        ) {
            let go: String = pieces.iter().flat_map(|(piece, times)| [*piece, *times]).collect();
            let plain = compile(&go).unwrap();
            let ours = compile(&translate(&go).unwrap()).unwrap();
            let find = |regex: &regex::bytes::Regex| regex.find(text.as_bytes()).map(|found| found.range());
            prop_assert_eq!(find(&plain), find(&ours), "{} became {}", &go, ours.as_str());
        }
    }

    const ALIKE: &[&str] =
        &["a", "b", ".", r"\.", "[ab]", "[^a]", r"\d", r"\W", "(a|b1)", "(?:x|)", "(?i:A)", "^", r"\b"];
    const TIMES: &[&str] = &["", "", "*", "+", "?", "*?", "{2}", "{1,3}?", "{0,}"];
}
