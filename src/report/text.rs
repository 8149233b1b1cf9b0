//! The report for people: a code frame for each finding, then what was read and what was not.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin as Place, Renderer, Snippet as Frame};
use anstyle::{AnsiColor, Style as Ansi};
use indicatif::DecimalBytes;
use unicode_width::UnicodeWidthChar;

use crate::coverage::{Skip, Why};
use crate::finding::{Finding, Proof, Snippet, Verdict};
use crate::origin::{Origin, Tracking};
use crate::rule::Confidence;
use crate::secret::Fingerprint;
use crate::summary::Summary;

use super::escape::{self, is_visible};
use super::{Header, Out, Report, Style};

/// Skips that are named for each reason; `-v` names all.
const NAMED: usize = 10;

/// Columns that a frame needs left of the code, the line number apart.
const GUTTER: usize = 4;

pub(super) struct Text {
    out: Out,
    style: Style,
    /// Where each secret was met first.
    first: HashMap<Fingerprint, String>,
}

impl Text {
    pub(super) fn new(out: Out, style: Style) -> Self {
        Text { out, style, first: HashMap::new() }
    }

    fn escaped(&self, text: &str) -> String {
        if self.style.escape { escape::terminal(text) } else { escape::line(text) }
    }

    fn place(&self, origin: &Origin) -> String {
        match origin.path() {
            Some(path) if self.style.escape => escape::terminal_path(path),
            _ => self.escaped(&origin.to_string()),
        }
    }

    fn painted(&self, text: &str, ansi: Ansi) -> String {
        if self.style.color { format!("{ansi}{text}{ansi:#}") } else { text.to_owned() }
    }

    /// What is said under the code, as name and text.
    fn notes(&mut self, finding: &Finding) -> Vec<(&'static str, String)> {
        let mut notes = Vec::new();
        if let Verdict::Allowed(allowed) = &finding.verdict {
            notes.push(("allowed", format!("{}: {}", allowed.by, allowed.reason)));
        }
        notes.push(("why", why(finding)));
        if let Some(tracking) = finding.origin.tracking() {
            notes.push(("git", tracked(tracking).to_owned()));
        }
        if !finding.facts.is_empty() {
            let facts: Vec<_> = finding.facts.iter().map(|fact| format!("{} {}", fact.name, fact.value)).collect();
            notes.push(("token", facts.join(", ")));
        }
        if !finding.rule.remedy.is_empty() {
            notes.push(("next", finding.rule.remedy.clone()));
        }
        notes.push(("fingerprint", self.known(finding)));
        if finding.verdict == Verdict::Reported {
            let rule = &finding.rule.id;
            let how = format!("`stanch:allow {rule} REASON` on the line, or the fingerprint in .stanch.toml");
            notes.push(("if it is no leak", how));
        }
        notes.iter().map(|(name, text)| (*name, self.escaped(text))).collect()
    }

    /// The fingerprint, and where the same secret was met before.
    fn known(&mut self, finding: &Finding) -> String {
        let place = format!("{}:{}", self.place(&finding.origin), finding.region.start.line);
        match self.first.entry(finding.fingerprint) {
            Entry::Occupied(first) => format!("{} (the same secret as in {})", finding.fingerprint, first.get()),
            Entry::Vacant(free) => {
                free.insert(place);
                finding.fingerprint.to_string()
            }
        }
    }

    fn frame(&mut self, finding: &Finding) -> String {
        let level = match (&finding.verdict, finding.confidence) {
            (Verdict::Allowed(_), _) => Level::NOTE,
            (_, Confidence::Low) => Level::WARNING,
            _ => Level::ERROR,
        };
        let description = match finding.rule.description.as_str() {
            "" => "leaked secret",
            text => text,
        };
        let (place, notes) = (self.place(&finding.origin), self.notes(finding));
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let start = finding.region.start;
        let digits = finding.region.end.line.max(finding.snippet.line).to_string().len();
        let (code, mark) = code(&finding.snippet, self.style.width.saturating_sub(GUTTER + digits));
        let place = Place::path(place).line(number(start.line)).char_column(number(start.column));
        // The code is cut and escaped, so its columns are not the file's: the place is given apart, the frame has none.
        let frame = Frame::source(code).line_start(number(finding.snippet.line)).fold(false);
        let frame = frame.annotation(AnnotationKind::Primary.span(mark).label(finding.redacted.as_str()));
        let title = level.primary_title(self.escaped(description)).id(self.escaped(&finding.rule.id));
        let messages = notes.into_iter().map(|(name, text)| Level::NOTE.with_name(name).message(text));
        let group = Group::with_title(title).element(place).element(frame).elements(messages);
        let renderer = if self.style.color { Renderer::styled() } else { Renderer::plain() };
        // The lines are cut already; the renderer's own cutting counts bytes and marks nothing.
        renderer.term_width(usize::from(u16::MAX)).render(&[group])
    }

    /// Every skip by its reason, the first few of each by name.
    fn skips(&self, summary: &Summary) -> String {
        let mut text = String::new();
        for why in Why::ALL {
            let skips: Vec<&Skip> = summary.coverage.skips.iter().filter(|skip| skip.why == *why).collect();
            if skips.is_empty() {
                continue;
            }
            let accepted = if summary.accepted.contains(why) { ", accepted" } else { "" };
            text += &format!("  {} ({}{accepted}): {}\n", why.as_str(), skips.len(), why.advice());
            let named = if self.style.verbose { skips.len() } else { NAMED.min(skips.len()) };
            for skip in &skips[..named] {
                let detail = if skip.detail.is_empty() { String::new() } else { format!(": {}", skip.detail) };
                text += &format!("    {}{}\n", self.place(&skip.origin), self.escaped(&detail));
            }
            if named < skips.len() {
                text += &format!("    … and {} more (-v names all)\n", skips.len() - named);
            }
        }
        text
    }
}

impl Report for Text {
    fn begin(&mut self, _: &Header<'_>) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let frame = self.frame(finding);
        writeln!(self.out, "{frame}\n")
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let ansi = match summary.exit().code() {
            0 => AnsiColor::Green.on_default(),
            1 => AnsiColor::Red.on_default(),
            _ => AnsiColor::Yellow.on_default(),
        };
        let outcome = self.painted(&outcome(summary), ansi.bold());
        writeln!(self.out, "{outcome}{}", counted(summary))?;
        let skips = &summary.coverage.skips;
        if !skips.is_empty() {
            let title = self.painted(&format!("not read: {}", skips.len()), Ansi::new().bold());
            write!(self.out, "{title}\n{}", self.skips(summary))?;
        }
        self.out.flush()
    }
}

/// `1 file`, `2 files`.
fn some(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// What was found in what. Says "clean" only of what was read.
fn outcome(summary: &Summary) -> String {
    let coverage = &summary.coverage;
    let mut read = some(coverage.files, "file");
    if coverage.streams > 0 {
        let streams = some(coverage.streams, "stream");
        read = if coverage.files == 0 { streams } else { format!("{read} and {streams}") };
    }
    let read = format!("{read} ({})", DecimalBytes(coverage.bytes));
    let found = match summary.reported {
        0 => "nothing found".to_owned(),
        count => format!("{} found", some(count, "secret")),
    };
    match (summary.interrupted, summary.unaccepted()) {
        (true, _) => format!("interrupted: {found} in {read}, the rest was not read"),
        (false, 0) => format!("{found} in {read}"),
        (false, unread) if summary.reported == 0 => {
            format!("{found} in {read}, but {unread} could not be read: this is not a clean result")
        }
        (false, unread) => format!("{found} in {read}, and {unread} could not be read"),
    }
}

/// What was found and is not shown, and what was left out.
fn counted(summary: &Summary) -> String {
    let mut parts = Vec::new();
    if summary.allowed > 0 {
        parts.push(format!("{} allowed (--show-allowed shows them)", summary.allowed));
    }
    if summary.hidden > 0 {
        let noun = some(summary.hidden, "look-alike");
        parts.push(format!("{noun} hidden (shown by --confidence low)"));
    }
    if summary.coverage.excluded > 0 {
        parts.push(format!("{} excluded", summary.coverage.excluded));
    }
    parts.iter().map(|part| format!("; {part}")).collect()
}

fn why(finding: &Finding) -> String {
    let sentence = match &finding.proof {
        Proof::Holds(why) => why.as_str(),
        Proof::Fails(why) => why.as_str(),
        Proof::Absent => "by its shape and what stands around it; this kind has nothing to check offline",
    };
    format!("{sentence} ({} confidence)", finding.confidence)
}

fn tracked(tracking: Tracking) -> &'static str {
    match tracking {
        Tracking::Tracked => "tracked: the secret is, or is about to be, in history",
        Tracking::Untracked => "untracked: the next `git add .` takes it along",
        Tracking::Ignored => "ignored: it stays out of git, but leaks by backups, images and packages",
    }
}

/// The code to show and the part of it to underline: invisible characters escaped, lines cut to `width` columns.
fn code(snippet: &Snippet, width: usize) -> (String, Range<usize>) {
    let part = |range| visible_lines(snippet.text.get(range).unwrap_or_default());
    let (before, marked) = (part(0..snippet.mark.start), part(snippet.mark.clone()));
    let after = part(snippet.mark.end..snippet.text.len());
    let (above, before) = before.split_at(before.rfind('\n').map_or(0, |at| at + 1));
    let (after, below) = after.split_at(after.find('\n').unwrap_or(after.len()));
    // What is left and right of the mark shares the spare columns; what one side does not need, the other has.
    let spare = width.saturating_sub(columns(&marked));
    let left = columns(before).min((spare / 2).max(spare.saturating_sub(columns(after))));
    let before = keep_end(before, left, snippet.cut_before && above.is_empty());
    let after = keep_start(after, spare - left, snippet.cut_after && below.is_empty());
    let above = cut_lines(above, width);
    let start = above.len() + before.len();
    let mark = start..start + marked.len();
    ([above, before, marked, after, cut_lines(below, width)].concat(), mark)
}

/// The lines as a terminal shows them. A tab takes four columns, as `rustc` has it.
fn visible_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\t' => shown.push_str("    "),
            c if c == '\n' || is_visible(c) => shown.push(c),
            c => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

fn cut_lines(text: &str, width: usize) -> String {
    text.split('\n').map(|line| keep_start(line, width, false)).collect::<Vec<_>>().join("\n")
}

fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The start of a line in at most `width` columns; an ellipsis, counted in, if that is not all of it.
fn keep_start(line: &str, width: usize, cut: bool) -> String {
    if !cut && columns(line) <= width {
        return line.to_owned();
    }
    format!("{}…", &line[..fitting(line.chars(), width.saturating_sub(1))])
}

/// The end of a line in at most `width` columns; an ellipsis, counted in, if that is not all of it.
fn keep_end(line: &str, width: usize, cut: bool) -> String {
    if !cut && columns(line) <= width {
        return line.to_owned();
    }
    format!("…{}", &line[line.len() - fitting(line.chars().rev(), width.saturating_sub(1))..])
}

/// How many bytes of the characters fit into `width` columns.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> usize {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    chars.take_while(fits).map(char::len_utf8).sum()
}
