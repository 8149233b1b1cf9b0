//! The text of a log without the machine's layer on it: prefixes, control sequences, overwrites, escapes and wraps.

use std::ops::Range;

use memchr::{memchr, memchr3};

use super::ansi::{self, BACKSPACE, ESC};
use super::basic::Basic;
use super::dialect::{Dialect, Form, Prefix};
use super::strip::{Piece, decode_json, decode_numbers, strip};
use super::text::Normalised;
use super::wrap::{self, Raw};

/// How much of a stream's last line is repeated when it goes on behind lines of other streams, in bytes. No rule
/// looks further back (`shape::MAX_MATCH`).
const REPEATED: usize = 8 << 10;

/// How much is repeated once the text has grown to [`GROWTH`] times its window: streams that interrupt each other at every
/// line would else make hundreds of megabytes of a few. Most tokens are shorter.
const REPEATED_LATER: usize = 256;

/// See [`REPEATED_LATER`].
const GROWTH: usize = 3;

/// So many lines around those that were joined by their look are shown with them as they are: the head of a key has up to four.
const AROUND: usize = 5;

/// Streams that are told apart in one window; if a log has more, the one that came first is forgotten.
const STREAMS: usize = 64;

/// What stands behind the time of a stamp, in bytes: ` stdout F `. A longer one may be anything, and must be searched.
const BEHIND_TIME: u32 = 10;

/// So many lines at a window's start must have a stamp for all to be taken for those of a log of stamped lines.
const SAMPLE: usize = 8;

/// Where a stream's last line stands in the text, without its newline, and whether it goes on.
#[derive(Debug)]
struct Stream {
    id: u16,
    line: Range<usize>,
    open: bool,
}

/// A line of the log.
#[derive(Debug, Default)]
struct Line {
    /// Without its newline.
    whole: Range<usize>,
    /// What the machine put before it.
    prefix: Prefix,
    /// Without the prefix.
    content: Range<usize>,
    /// There is nothing in it that does something to a line.
    plain: bool,
    /// It reads differently without the machine's layer.
    differs: bool,
    /// Where its text stands in the normalised text, if it is there.
    shown: Option<Range<usize>>,
}

/// Makes the normalised text of one window after the other; keeps its memory between them, and nothing else.
#[derive(Debug, Default)]
pub struct Normaliser {
    dialect: Dialect,
    out: Normalised,
    streams: Vec<Stream>,
    /// Decoded text of a line in JSON.
    decoded: Normalised,
    /// Lines left out since the last one that is in the text.
    left_out: usize,
    /// Nothing is left out: whoever searches the text need not search the log.
    complete: bool,
    /// Lines that stand in the text in another form only.
    altered: Vec<Range<usize>>,
    /// The lines that are in the text, as far as they were looked at.
    shown: Vec<Shown>,
}

/// Where a line stands in the log, without its newline, and what it added to the normalised text.
#[derive(Debug)]
struct Shown {
    whole: Range<usize>,
    text: Range<usize>,
    /// It was joined to the one before by its look, and nothing else has both as lines of their own.
    guessed: bool,
}

impl Normaliser {
    /// For logs of this dialect.
    pub fn new(dialect: Dialect) -> Self {
        Normaliser { dialect, ..Normaliser::default() }
    }

    /// The dialect it reads.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The normalised text of the last window.
    pub fn normalised(&self) -> &Normalised {
        &self.out
    }

    /// Whether the last text has everything that the log has, but for the times and stream numbers before its lines: lines
    /// that read differently stand in it in both forms. So it is where nearly every line has a stamp, and searching both
    /// would take twice as long.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The normalised text of a window of a log, of less than 4 GiB. `at_line_start`: the window begins where a line
    /// does. A function of the bytes alone, but for lines near the window's start that go on from before it.
    pub fn normalise(&mut self, log: &[u8], at_line_start: bool) -> &Normalised {
        self.out.clear();
        self.streams.clear();
        self.left_out = 0;
        self.altered.clear();
        self.shown.clear();
        self.complete = self.is_stamped(log);
        let (mut before, mut previous) = (Line::default(), Line::default());
        let mut specials = Next::new(|rest| memchr3(ESC, b'\r', BACKSPACE, rest));
        let mut introducers = Next::new(ansi::next_csi);
        let mut basics = Basic::new();
        let mut at = 0;
        while at < log.len() {
            let end = memchr(b'\n', &log[at..]).map_or(log.len(), |len| at + len);
            let plain = specials.at_or_after(log, at) >= end && introducers.at_or_after(log, at) >= end;
            let mut line = self.parse(log, at..end, plain, at > 0 || at_line_start);
            let wrapped = self.is_wrapped(log, &before, &previous, &line);
            let basic = basics.in_line(log, &line.whole);
            if line.differs || wrapped || basic.is_some() || self.complete {
                self.show_neighbour(log, &mut previous);
                let joined = self.show(log, &mut line, wrapped);
                self.alter(&previous, &line, joined);
                let as_they_are = [&previous, &line].iter().all(|line| line.plain && line.prefix.len == 0);
                if let Some(shown) = self.shown.last_mut().filter(|_| wrapped) {
                    shown.guessed = self.complete || !as_they_are;
                }
                line.differs = true;
                for (span, text) in basic.into_iter().flatten() {
                    self.out.substitute(&text, span.clone());
                    self.out.substitute(b"\n", span);
                }
            } else if previous.differs {
                self.show(log, &mut line, false);
            } else {
                self.left_out += 1;
            }
            before = std::mem::replace(&mut previous, line);
            at = end + 1;
        }
        self.show_apart(log);
        for line in std::mem::take(&mut self.altered) {
            self.out.gap();
            self.out.copy(&log[line.start..log.len().min(line.end + 1)], line.start);
        }
        &self.out
    }

    /// Whether the first lines of a window, which may begin within one, all have a stamp.
    fn is_stamped(&self, log: &[u8]) -> bool {
        let lines = log.split_inclusive(|&byte| byte == b'\n').skip(1).filter(|line| line.len() > 1).take(SAMPLE);
        lines.filter(|line| is_stamp(&self.dialect.prefix(line.trim_ascii_end()))).count() == SAMPLE
    }

    /// Notes which lines are to be shown as they are, too: what is joined, decoded or stripped may hide what stood there.
    fn alter(&mut self, previous: &Line, line: &Line, joined: bool) {
        if !self.complete {
            return;
        }
        if joined && self.altered.last() != Some(&previous.whole) {
            self.altered.push(previous.whole.clone());
        }
        if joined || !line.plain || !(line.prefix.len == 0 || is_stamp(&line.prefix)) {
            self.altered.push(line.whole.clone());
        }
    }

    #[inline]
    fn parse(&self, log: &[u8], whole: Range<usize>, plain: bool, starts: bool) -> Line {
        // A byte order mark stands before the first line of GitHub's files.
        let has_mark = starts && log.get(whole.start) == Some(&0xEF) && log[whole.clone()].starts_with(b"\xEF\xBB\xBF");
        let mark = if has_mark { 3 } else { 0 };
        let inner = whole.start + mark..whole.end;
        let prefix = if starts { self.dialect.prefix(&log[inner.clone()]) } else { Prefix::default() };
        let content = inner.start + prefix.len as usize..prefix.end.map_or(inner.end, |end| inner.start + end as usize);
        // A carriage return at the end is a way to write a newline.
        let same =
            plain || ansi::next_control(&log[whole.clone()]) == Some(whole.len() - 1) && log[whole.end - 1] == b'\r';
        Line { differs: prefix.len > 0 || !same, whole, prefix, content, plain, shown: None }
    }

    /// Whether `line` is what did not fit into `previous`.
    fn is_wrapped(&self, log: &[u8], before: &Line, previous: &Line, line: &Line) -> bool {
        let last = previous.shown.as_ref().is_none_or(|shown| shown.end + 1 == self.out.text().len());
        if line.prefix.continues || [previous, line].iter().any(|line| line.prefix.form != Form::Plain) || !last {
            return false;
        }
        let mut start = line.content.start;
        while !line.plain && ansi::is_sequence(&log[start..line.content.end]) {
            start += ansi::sequence(&log[start..line.content.end]).0;
        }
        // Without what is a way to write a newline.
        let text = |range: &Range<usize>| log[range.clone()].strip_suffix(b"\r").unwrap_or(&log[range.clone()]);
        let shown = match &previous.shown {
            Some(shown) if !previous.plain => &self.out.text()[shown.clone()],
            _ => text(&previous.content),
        };
        if !wrap::may_join(shown, &log[start..line.content.end]) {
            return false;
        }
        // A terminal that cuts lines with their prefix makes lines without.
        let bare = line.prefix.len == 0;
        let raw = |line: &Line| {
            let text = text(if bare { &line.whole } else { &line.content });
            Raw { text, plain: line.plain }
        };
        wrap::was_cut(raw(previous), raw(before), raw(line))
    }

    /// A line that does not differ itself comes into the text with one that does, for what reaches over a line's end.
    fn show_neighbour(&mut self, log: &[u8], previous: &mut Line) {
        if previous.shown.is_none() && self.left_out > 0 {
            if self.left_out > 1 && !self.out.text().is_empty() {
                self.out.gap();
            }
            self.show(log, previous, false);
        }
        self.left_out = 0;
    }

    /// Adds a line's text and its newline; `wrapped`: to the line before. Whether it was added to any.
    fn show(&mut self, log: &[u8], line: &mut Line, wrapped: bool) -> bool {
        let before = self.out.text().len();
        let (mut start, mut joined) = (before, wrapped);
        if wrapped {
            self.out.pop();
            self.out.seam();
            start = self.out.text().len();
        } else if line.prefix.stream != 0 {
            start = self.go_on(&line.prefix, log.len());
            joined = start != before || self.out.text().len() != before;
        }
        let floor = self.out.text().len();
        if line.prefix.form != Form::Plain {
            self.show_decoded(log, line);
        } else if line.plain {
            self.out.copy(&log[line.content.clone()], line.content.start);
        } else {
            strip(log, line.content.clone(), |piece| match piece {
                Piece::Keep(part) => self.out.copy(&log[part.clone()], part.start),
                Piece::Put(byte, part) => self.out.substitute(&[byte], part),
                Piece::Back => self.out.pop_character(floor),
            });
        }
        let end = self.out.text().len();
        if line.prefix.stream != 0 {
            self.remember(&line.prefix, start..end);
        }
        line.shown = Some(start..end);
        self.shown.push(Shown { whole: line.whole.clone(), text: floor..end, guessed: false });
        self.out.copy(&log[line.whole.end..log.len().min(line.whole.end + 1)], line.whole.end);
        joined
    }

    /// Adds what was joined by its look once more, with each line on its own, and with the lines around it: a key has many of one
    /// length.
    fn show_apart(&mut self, log: &[u8]) {
        let lines = std::mem::take(&mut self.shown);
        let guessed: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].guessed).collect();
        for together in guessed.chunk_by(|one, next| next - one <= 2 * AROUND) {
            let (first, last) = (together[0], together[together.len() - 1]);
            let from = first.saturating_sub(1 + AROUND);
            self.out.gap();
            for at in from..lines.len().min(last + 1 + AROUND) {
                let Shown { whole, text, .. } = &lines[at];
                if at > from && lines[at - 1].whole.end + 1 != whole.start {
                    self.out.gap();
                }
                self.out.repeat(text.clone());
                self.out.copy(&log[whole.end..log.len().min(whole.end + 1)], whole.end);
            }
        }
        self.shown = lines;
    }

    fn show_decoded(&mut self, log: &[u8], line: &Line) {
        match line.prefix.form {
            Form::Numbers => decode_numbers(log, line.content.clone(), &mut self.decoded),
            _ => decode_json(log, line.content.clone(), &mut self.decoded),
        }
        let text = self.decoded.text();
        let end = if text.ends_with(b"\n") { text.len() - 1 } else { text.len() };
        let (decoded, out) = (&self.decoded, &mut self.out);
        let floor = out.text().len();
        strip(text, 0..end, |piece| match piece {
            Piece::Keep(part) => out.copy_from(decoded, part),
            Piece::Put(byte, part) => out.substitute(&[byte], decoded.source(&part).map_or(0..0, |source| source.raw)),
            Piece::Back => out.pop_character(floor),
        });
    }

    /// Makes ready for a line of a stream; returns where the line begins in the text.
    fn go_on(&mut self, prefix: &Prefix, window: usize) -> usize {
        let here = self.out.text().len();
        let Some(stream) = self.streams.iter().find(|stream| stream.id == prefix.stream) else { return here };
        if !prefix.continues && !stream.open {
            return here;
        }
        let line = stream.line.clone();
        if line.end + 1 == here {
            self.out.pop();
            return line.start;
        }
        let most = if here > GROWTH * window { REPEATED_LATER } else { REPEATED };
        self.out.repeat(line.start.max(line.end.saturating_sub(most))..line.end);
        here
    }

    fn remember(&mut self, prefix: &Prefix, line: Range<usize>) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == prefix.stream) {
            (stream.line, stream.open) = (line, prefix.open);
            return;
        }
        if self.streams.len() == STREAMS {
            self.streams.remove(0);
        }
        self.streams.push(Stream { id: prefix.stream, line, open: prefix.open });
    }
}

/// A time, and perhaps the number of a stream: nothing that anybody searches for.
fn is_stamp(prefix: &Prefix) -> bool {
    prefix.form == Form::Plain && prefix.time.is_some_and(|(from, to)| from == 0 && prefix.len <= to + BEHIND_TIME)
}

/// Where something stands next; looks again only when that place has been passed.
#[derive(Debug)]
pub(super) struct Next<F> {
    find: F,
    found: usize,
    searched: bool,
}

impl<F: Fn(&[u8]) -> Option<usize>> Next<F> {
    pub(super) fn new(find: F) -> Self {
        Next { find, found: 0, searched: false }
    }

    /// The first place at or after `at`, or the end; `at` never goes back.
    #[inline]
    pub(super) fn at_or_after(&mut self, bytes: &[u8], at: usize) -> usize {
        if !self.searched || self.found < at {
            self.found = (self.find)(&bytes[at..]).map_or(bytes.len(), |len| at + len);
            self.searched = true;
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(log: &str) -> String {
        let mut normaliser = Normaliser::default();
        String::from_utf8_lossy(normaliser.normalise(log.as_bytes(), true).text()).into_owned()
    }

    /// Where `needle` of the normalised text stands in the log.
    fn back(log: &str, needle: &str) -> String {
        let mut normaliser = Normaliser::default();
        let normalised = normaliser.normalise(log.as_bytes(), true);
        let at = memchr::memmem::find(normalised.text(), needle.as_bytes()).expect(needle);
        log[normalised.source(&(at..at + needle.len())).unwrap().raw].to_owned()
    }

    #[test]
    fn a_plain_log_is_not_copied() {
        assert_eq!(normal("one\ntwo\r\nthree four\n"), "");
    }

    #[test]
    fn only_what_differs_and_its_neighbours_are_there() {
        let log = "a\nb\nc\nd \x1b[31mred\x1b[0m\ne\nf\ng\nh\ni\x1b[m\n";
        let mut normaliser = Normaliser::default();
        let normalised = normaliser.normalise(log.as_bytes(), true);
        assert_eq!(normalised.text(), b"c\nd red\ne\nh\ni\n");
        assert_eq!(normalised.source(&(2..7)).unwrap().raw, 6..16);
        assert_eq!(normalised.source(&(4..12)), None, "a stretch over what is left out came from nowhere");
    }

    #[test]
    fn gitlab_continuations_are_joined_also_between_other_streams() {
        let stamp = "2026-06-21T05:34:54.525256Z ";
        let log = format!("{stamp}01O secret=ab\n{stamp}00O other\n{stamp}01O+cd rest\n{stamp}01O+!\n");
        assert_eq!(normal(&log), "secret=ab\nother\nsecret=abcd rest!\n");
        assert_eq!(back(&log, "abcd"), format!("ab\n{stamp}00O other\n{stamp}01O+cd"));
    }

    #[test]
    fn streams_that_interrupt_each_other_do_not_fill_the_memory() {
        let stamp = "2026-06-21T05:34:54.525256Z ";
        let line = |number: usize| format!("{stamp}{:02x}O+{number:04}\n", number % 7);
        let log: String = (0..20_000).map(line).collect();
        let mut normaliser = Normaliser::default();
        let text = normaliser.normalise(log.as_bytes(), true).text();
        assert!(
            text.len() < (GROWTH + 1) * log.len() + 20_000 * (REPEATED_LATER + 5),
            "{} of {}",
            text.len(),
            log.len()
        );
        assert!(memchr::memmem::find(text, b"199851999219999").is_some(), "each stream goes on");
    }

    #[test]
    fn partial_lines_of_runtimes_are_joined() {
        let stamp = "2026-06-21T05:34:54.525256789Z ";
        assert_eq!(normal(&format!("{stamp}stdout P ab\n{stamp}stdout F cd\n{stamp}stdout F e\n")), "abcd\ne\n");
        let json =
            "{\"log\":\"a\\u001b[1mb\",\"stream\":\"stdout\"}\n{\"log\":\"\\\"c\\\"d\\n\",\"stream\":\"stdout\"}\n";
        assert_eq!(normal(json), "ab\"c\"d\n");
        assert_eq!(back(json, "\"d"), "\\\"d");
    }

    #[test]
    fn what_a_terminal_overstrikes_is_there_once() {
        let log = "|\x08/\x08-\x08\x08\x08t=a\x08ab\x08b\u{9b}1m_\x08c\n";
        assert_eq!(normal(log), "t=abc\n");
        assert_eq!(back(log, "abc"), "ab\x08b\u{9b}1m_\x08c");
    }

    #[test]
    fn messages_of_the_journal_are_text() {
        let log = "{\"MESSAGE\":[116,61,97,27,91,49,109,98,99,9],\"_PID\":\"1\"}\n";
        assert_eq!(normal(log), "t=abc\t\n");
        assert_eq!(back(log, "abc"), "97,27,91,49,109,98,99");
    }

    #[test]
    fn wrapped_lines_are_joined_and_said_to_be() {
        let log = format!("{}=abcdefgh\nijklmnopqrstuvw\nx\n", "v".repeat(71));
        let mut normaliser = Normaliser::default();
        let normalised = normaliser.normalise(log.as_bytes(), true);
        assert_eq!(normalised.text(), format!("{}=abcdefghijklmnopqrstuvw\nx\n", "v".repeat(71)).as_bytes());
        assert!(normalised.source(&(72..95)).unwrap().guessed);
        assert!(!normalised.source(&(72..80)).unwrap().guessed);
        let returned = normal(&log.replace('\n', "\r\n"));
        assert!(returned.contains("=abcdefghijklmnopqrstuvw"), "{returned}");
        let stamp = "2026-06-21T05:34:54.5256259Z ";
        let log = format!("{stamp}{}=abcdefgh\n{stamp}ijklmnopqrstuvw\n", "v".repeat(71));
        assert_eq!(back(&log, "abcdefghijk"), format!("abcdefgh\n{stamp}ijk"));
    }

    #[test]
    fn basic_credentials_stand_decoded_behind_their_line() {
        let code = data_encoding::BASE64.encode(b"oauth2:some-password");
        let log = format!("> Authorization: Basic {code}\nnext\n");
        assert_eq!(normal(&log), format!("> Authorization: Basic {code}\noauth2:some-password\nnext\n"));
        assert_eq!(back(&log, "some-password"), code);
    }

    /// Lines of every dialect, with text that must come out of them.
    fn layered() -> impl Strategy<Value = (String, String)> {
        let word = "[a-z]{1,12}";
        prop_oneof![
            word.prop_map(|w| (format!("2026-06-21T05:34:54.5256259Z {w}!\n"), format!("{w}!"))),
            word.prop_map(|w| (format!("\u{feff}2026-06-21T05:34:54.5256259Z {w}!\r\n"), format!("{w}!"))),
            (word, word).prop_map(|(v, w)| (format!("{v}\u{9b}1;31m{w}_\x08!\n"), format!("{v}{w}!"))),
            (word, word).prop_map(|(v, w)| (format!("{v}\x1b[1;31m{w}\x1b[0m!\n"), format!("{v}{w}!"))),
            (word, word).prop_map(|(v, w)| (format!("{v}\x1b]0;t\x07{w}\x1b_bk;t=17\x07!\n"), format!("{v}{w}!"))),
            (word, word)
                .prop_map(|(v, w)| (format!("\x1b[8mha:////4AAA=\x1b[0m{v}\x1b[1C{w}!\n"), format!("{v} {w}!"))),
            (word, word).prop_map(|(v, w)| (
                format!("2026-06-21T05:34:54.525256Z 01O {v}\n2026-06-21T05:34:54.525256Z 01O+{w}!\n"),
                format!("{v}{w}!")
            )),
            (word, word).prop_map(|(v, w)| (
                format!("{{\"log\":\"{v}\",\"stream\":\"stderr\"}}\n{{\"log\":\"{w}!\\n\",\"stream\":\"stderr\"}}\n"),
                format!("{v}{w}!")
            )),
        ]
    }

    proptest! {
        #[test]
        fn text_of_every_dialect_comes_out_and_leads_back(
            before in "[a-z \n]{0,40}", (line, text) in layered(), after in "[a-z \n]{0,40}",
        ) {
            let log = format!("{before}\n{line}{after}");
            let mut normaliser = Normaliser::default();
            let normalised = normaliser.normalise(log.as_bytes(), true);
            let at = memchr::memmem::find(normalised.text(), text.as_bytes());
            prop_assert!(at.is_some(), "{:?} of {:?}", text, log);
            let stretch = at.unwrap()..at.unwrap() + text.len();
            let raw = normalised.source(&stretch).unwrap().raw;
            prop_assert!(raw.start > before.len() && raw.end <= before.len() + 1 + line.len());
            prop_assert_eq!(log.as_bytes()[raw.start], text.as_bytes()[0]);
            prop_assert_eq!(log.as_bytes()[raw.end - 1], b'!');
        }

        #[test]
        fn a_complete_text_has_every_line_as_it_is(
            lines in prop::collection::vec((0usize..9, prop_oneof![
                "[a-z][a-z =]{0,30}", "[a-z]{38,90}", "[a-z]{1,9}\x1b\\[1m[a-z]{1,9}\r[a-z]{0,3}", "web-server-1  \\| [a-z]{1,9}",
            ]), 10..40),
        ) {
            let stamps = [
                "2026-06-21T05:34:54.5256259Z ", "2026-06-21T05:34:54.525256Z 01O ", "2026-06-21T05:34:54.525256Z 01O+",
                "2026-06-21T05:34:54.525256Z 00E+", "2026-06-21T05:34:54.525256789Z stdout P ",
            ];
            let stamped = |(kind, text): &(usize, String)| format!("{}{text}\n", stamps.get(*kind).unwrap_or(&""));
            let log = format!("{}\n", stamps[0]).repeat(10) + &lines.iter().map(stamped).collect::<String>();
            let mut normaliser = Normaliser::default();
            let text = String::from_utf8(normaliser.normalise(log.as_bytes(), true).text().to_vec()).unwrap();
            prop_assert!(normaliser.is_complete());
            for (_, line) in &lines {
                let ends = |at: usize| text[at + line.len()..].starts_with('\n');
                // What stands before it is a newline or its own stamp.
                let begins = |at: usize| at == 0 || matches!(text.as_bytes()[at - 1], b'\n' | b' ' | b'+');
                prop_assert!(text.match_indices(line.as_str()).any(|(at, _)| begins(at) && ends(at)), "{line:?} of {text:?}");
            }
        }

        #[test]
        fn any_bytes_lead_back_in_bounds(pieces in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..12),
            prop::sample::select(vec![
                &b"\x1b["[..], b"\x1b]", b"\x9b", b"\xc2\x9b", b"\x08", b"{\"MESSAGE\":[72,9,33", b"]}\n", b"\r", b"\n", b"\r\n", b"\xEF\xBB\xBF", b"2026-06-21T05:34:54.525256Z 01O+",
                b"2026-06-21T05:34:54.525256789Z stdout P ", b"{\"log\":\"a\\u00", b"\",\"stream\":\"stdout\"}\n", b"\x1b[8mha:",
                b"Basic YTpiYTpiYTpi", b"[task 2026-06-21T05:34:54Z] ", b"abcdefghijklmnopqrstabcdefghijklmnopqrst",
                // It looks wrapped at 80 columns, and with a sequence in it is shown in two ways.
                b"\nabcdefghijklmnopqrstabcdefghijklmnopqrstabcdefghijklmnopqrstabcdefghijklmnopqrst\nab\x1b[1mc",
            ]).prop_map(<[u8]>::to_vec),
        ], 0..40), at_line_start: bool) {
            let log = pieces.concat();
            let mut normaliser = Normaliser::default();
            let normalised = normaliser.normalise(&log, at_line_start);
            for at in 0..normalised.text().len() {
                let raw = normalised.source(&(at..at + 1)).unwrap().raw;
                prop_assert!(!raw.is_empty() && raw.end <= log.len());
                // One digit may be the number of a byte.
                if raw.len() == 1 && log[raw.start] != b'\r' && !log[raw.start].is_ascii_digit() {
                    prop_assert_eq!(log[raw.start], normalised.text()[at]);
                }
            }
        }
    }
}
