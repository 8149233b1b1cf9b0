//! The report for people: a code frame for each finding, then what was read and what was not.
//!
//! The frame is drawn here and not by `annotate-snippets`, which shows the place as it counts it in the text it is
//! given; ours is cut, masked and escaped, so its columns are not the file's.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style as Ansi};
use indicatif::{DecimalBytes, HumanCount};
use unicode_width::UnicodeWidthChar;

use crate::baseline::Known;
use crate::coverage::{Skip, Why};
use crate::finding::{Fact, Finding, Identity, Proof, Snippet, Verdict};
use crate::origin::{Origin, Tracking};
use crate::rule::Confidence;
use crate::secret::Fingerprint;
use crate::summary::Summary;

use super::common;
use super::companion;
use super::escape::{self, is_visible};
use super::history::{self, Groups};
use super::{Header, Out, Report, Style};

/// Skips that are named for each reason; `-v` names all.
const NAMED: usize = 10;

/// Line numbers and the lines around the code.
const LINES: Ansi = AnsiColor::BrightBlue.on_default().bold();

pub(super) struct Text {
    out: Out,
    style: Style,
    /// Where each secret was met first.
    first: HashMap<Identity, String>,
    groups: Groups,
    /// Of findings in objects of git: which secret was drawn at which path.
    drawn: HashSet<(Identity, Option<PathBuf>)>,
    /// Findings that were not drawn, as another version of the file has the same.
    repeated: u64,
}

impl Text {
    pub(super) fn new(out: Out, style: Style) -> Self {
        Text { out, style, first: HashMap::new(), groups: Groups::default(), drawn: HashSet::new(), repeated: 0 }
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
        if let Verdict::Baselined { reason } = &finding.verdict {
            notes.push(("baseline", reason.clone()));
        }
        notes.extend(finding.inspected.as_ref().map(|it| ("inspected", common::inspected(it))));
        notes.push(("why", why(finding)));
        notes.extend(companion::named(finding).map(|all| ("with", all)));
        if !finding.decoded.is_empty() {
            notes.push(("decoded", finding.decoded.join(", ")));
        }
        if let Some(tracking) = finding.origin.tracking() {
            notes.push(("git", tracked(tracking).to_owned()));
        }
        notes.extend(history::notes(finding));
        let (of_image, facts): (Vec<_>, Vec<_>) =
            finding.facts.iter().partition(|fact| fact.name.starts_with("image."));
        notes.extend(image(&of_image));
        let (of_log, of_token): (Vec<&Fact>, Vec<&Fact>) =
            facts.into_iter().partition(|fact| fact.name.starts_with("log.") || fact.name.starts_with("ci."));
        for (name, facts) in [("log", of_log), ("token", of_token)] {
            let shown = |fact: &&Fact| {
                format!("{} {}", fact.name.trim_start_matches("log.").trim_start_matches("ci."), fact.value)
            };
            if !facts.is_empty() {
                notes.push((name, facts.iter().map(shown).collect::<Vec<_>>().join(", ")));
            }
        }
        if !finding.rule.remedy.is_empty() {
            notes.push(("next", finding.rule.remedy.clone()));
        }
        notes.push(("fingerprint", self.known(finding)));
        if finding.verdict == Verdict::Reported {
            let rule = &finding.rule.id;
            // The fingerprint of a secret that could be guessed is that of its place, and would allow the next one there, too.
            let or = if finding.rule.is_strong() { ", or the fingerprint in .stanch.toml" } else { "" };
            notes.push(("if it is no leak", format!("`stanch:allow {rule} REASON` on the line{or}")));
        }
        notes.iter().map(|(name, text)| (*name, self.escaped(text))).collect()
    }

    /// The fingerprint, and where the same secret was met before.
    fn known(&mut self, finding: &Finding) -> String {
        let place = format!("{}:{}", self.place(&finding.origin), finding.region.start.line);
        match self.first.entry(finding.identity()) {
            Entry::Occupied(first) => format!("{} (the same secret as in {})", finding.fingerprint, first.get()),
            Entry::Vacant(free) => {
                free.insert(place);
                finding.fingerprint.to_string()
            }
        }
    }

    /// Whether the same secret at the same path was drawn before, from another version of the file. `-v` draws all.
    fn is_repeated(&mut self, finding: &Finding) -> bool {
        let Origin::Object { path: path @ Some(_), .. } = &finding.origin else { return false };
        !self.drawn.insert((finding.identity(), path.clone())) && !self.style.verbose
    }

    /// The finding as `rustc` draws an error.
    fn frame(&mut self, finding: &Finding) -> String {
        let (level, ansi) = match (&finding.verdict, finding.confidence) {
            (Verdict::Allowed(_), _) => ("allowed", AnsiColor::Green.on_default()),
            (Verdict::Baselined { .. }, _) => ("baselined", AnsiColor::Green.on_default()),
            (_, Confidence::Low) => ("warning", AnsiColor::Yellow.on_default()),
            _ => ("error", AnsiColor::Red.on_default()),
        };
        let description = match finding.rule.description.as_str() {
            "" => "leaked secret",
            text => text,
        };
        let (place, start) = (self.place(&finding.origin), finding.region.start);
        let id = self.painted(&format!("{level}[{}]", self.escaped(&finding.rule.id)), ansi.bold());
        let title = self.painted(&format!(": {}", self.escaped(description)), Ansi::new().bold());
        let snippet = &finding.snippet;
        let last = (snippet.line..).zip(snippet.text.lines()).last().map_or(start.line, |(number, _)| number);
        let gutter = " ".repeat(last.to_string().len());
        let [arrow, bar, sign] = ["-->", "|", "="].map(|sign| self.painted(sign, LINES));
        let mut text =
            format!("{id}{title}\n{gutter}{arrow} {place}:{}:{}\n{gutter} {bar}\n", start.line, start.column);
        text += &self.code(snippet, &gutter, ansi.bold());
        text += &format!("{gutter} {bar}\n");
        for (name, note) in self.notes(finding) {
            text += &format!("{gutter} {sign} {}: {note}\n", self.painted(name, Ansi::new().bold()));
        }
        text
    }

    /// The lines of code with their numbers, and carets under the secret.
    fn code(&self, snippet: &Snippet, gutter: &str, ansi: Ansi) -> String {
        let bar = self.painted("|", LINES);
        let (code, mark) = code(snippet, self.style.width.saturating_sub(gutter.len() + 3));
        let (mut text, mut from) = (String::new(), 0);
        for (number, line) in (snippet.line..).zip(code.split('\n')) {
            let number = self.painted(&format!("{number:>width$}", width = gutter.len()), LINES);
            text += format!("{number} {bar} {line}").trim_end();
            text.push('\n');
            let part = |to: usize| &line[..to.saturating_sub(from).min(line.len())];
            let (start, end) = (columns(part(mark.start)), columns(part(mark.end)));
            if start < end {
                let carets = self.painted(&"^".repeat(end - start), ansi);
                text += &format!("{gutter} {bar} {}{carets}\n", " ".repeat(start));
            }
            from += line.len() + 1;
        }
        text
    }

    /// What became of the entries of the baseline. `-v` names the stale ones.
    fn baseline(&self, summary: &Summary) -> String {
        let mut text = String::new();
        if !summary.expired.is_empty() {
            text += &format!("baseline: {} expired: what is known of them is reported again\n", summary.expired.len());
            summary.expired.iter().for_each(|entry| text += &self.entry(entry));
        }
        if !summary.stale.is_empty() {
            let stale = summary.stale.len();
            text += &format!("baseline: {stale} stale: what they name is gone; `stanch baseline prune` drops them");
            text += if self.style.verbose { "\n" } else { " (-v names them)\n" };
            summary.stale.iter().filter(|_| self.style.verbose).for_each(|entry| text += &self.entry(entry));
        }
        text
    }

    fn entry(&self, entry: &Known) -> String {
        let line = entry.line.map(|line| format!(":{line}")).unwrap_or_default();
        let expired = entry.expires.map(|day| format!(", expires {day}")).unwrap_or_default();
        let text = format!("{}{line} {} ({}{expired})", entry.path, entry.rule, entry.reason);
        format!("  - {}\n", self.escaped(&text))
    }

    /// Each secret of a history over all its places.
    fn secrets(&self) -> String {
        let line = |(_, group): &(Fingerprint, &history::Group)| {
            let name = format!("{} ({})", group.secret, group.rule);
            format!("  {}: {}\n", self.escaped(&name), group.sentence())
        };
        let all = self.groups.all();
        let title = self.painted(&some(all.len() as u64, "secret"), Ansi::new().bold());
        if all.is_empty() { String::new() } else { format!("{title}\n{}\n", all.iter().map(line).collect::<String>()) }
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
                text += &format!("    - {}{}\n", self.place(&skip.origin), self.escaped(&detail));
            }
            if named < skips.len() {
                text += &format!("    - … and {} more (-v names all)\n", skips.len() - named);
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
        self.groups.add(finding);
        if self.is_repeated(finding) {
            self.repeated += 1;
            return Ok(());
        }
        let frame = self.frame(finding);
        writeln!(self.out, "{frame}")
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let ansi = match summary.exit().code() {
            0 => AnsiColor::Green.on_default(),
            1 => AnsiColor::Red.on_default(),
            _ => AnsiColor::Yellow.on_default(),
        };
        if self.repeated > 0 {
            let noun = some(self.repeated, "finding");
            writeln!(self.out, "{noun} in other versions of the same files, with the same secrets (-v draws them)\n")?;
        }
        write!(self.out, "{}", self.secrets())?;
        let outcome = self.painted(&outcome(summary, self.groups.all().len() as u64), ansi.bold());
        writeln!(self.out, "{outcome}{}", counted(summary))?;
        let skips = &summary.coverage.skips;
        if !skips.is_empty() {
            let title = self.painted(&format!("not read: {}", skips.len()), Ansi::new().bold());
            write!(self.out, "{title}\n{}", self.skips(summary))?;
        }
        write!(self.out, "{}", self.baseline(summary))?;
        self.out.flush()
    }
}

/// `1 file`, `2 files`, `35,888 objects`.
fn some(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", HumanCount(count))
}

/// What was found in what. Says "clean" only of what was read. In a history, where each of so many `secrets` has many places,
/// they are counted.
fn outcome(summary: &Summary, secrets: u64) -> String {
    let coverage = &summary.coverage;
    let counts = [(coverage.objects, "object"), (coverage.files, "file"), (coverage.streams, "stream")];
    let mut read: Vec<String> =
        counts.into_iter().filter(|count| count.0 > 0).map(|(count, noun)| some(count, noun)).collect();
    if read.is_empty() {
        read.push(some(0, "file"));
    }
    let read = format!("{} ({})", read.join(" and "), DecimalBytes(coverage.bytes));
    let asked = summary.asked.filter(|_| summary.reported > 0).map(|it| {
        let counts = [(it.live, "live"), (it.dead, "dead"), (it.unknown, "not known to be dead")];
        let said = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        format!(" ({})", said.collect::<Vec<_>>().join(", "))
    });
    let found = match summary.reported {
        0 => "nothing found".to_owned(),
        places if (1..places).contains(&secrets) => {
            let (secrets, places) = (some(secrets, "secret"), HumanCount(places));
            format!("{secrets} found at {places} places{}", asked.unwrap_or_default())
        }
        count => format!("{} found{}", some(count, "secret"), asked.unwrap_or_default()),
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
    if summary.baselined > 0 {
        parts.push(format!("{} in the baseline", summary.baselined));
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
        Proof::Absent if finding.rule.regex.is_empty() => "by its name, which the rule asks for",
        Proof::Absent => "by its shape and what stands around it; nothing in it proves it offline",
    };
    format!("{sentence} ({} confidence)", finding.confidence)
}

/// Where in a container image it is.
fn image(facts: &[&Fact]) -> Option<(&'static str, String)> {
    let fact = |name: &str| facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value);
    let layer = fact("image.layer")?;
    let deleted = fact("image.deleted_in")
        .map(|by| format!("; layer {by} deletes the file, but whoever has the image has this layer, too"));
    Some(("image", format!("in layer {layer}{}", deleted.unwrap_or_default())))
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
    let after = part(snippet.mark.end..snippet.text.trim_end_matches(['\r', '\n']).len().max(snippet.mark.end));
    let (above, before) = before.split_at(before.rfind('\n').map_or(0, |at| at + 1));
    let (after, below) = after.split_at(after.find('\n').unwrap_or(after.len()));
    let (cut_before, cut_after) = (snippet.cut_before && above.is_empty(), snippet.cut_after && below.is_empty());
    // What is left and right of the mark shares the spare columns; what one side does not need, the other has.
    let spare = width.saturating_sub(columns(&marked));
    let (left, right) = (columns(before) + usize::from(cut_before), columns(after) + usize::from(cut_after));
    let left = left.min((spare / 2).max(spare.saturating_sub(right)));
    let before = keep_end(before, left, cut_before);
    let after = keep_start(after, spare - left, cut_after);
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

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn code_fits_and_marks_what_was_marked(
            before in any::<String>(), marked in "[a-z*…]{1,12}", after in any::<String>(), width in 0..200_usize,
            cut_before in any::<bool>(), cut_after in any::<bool>(),
        ) {
            let mark = before.len()..before.len() + marked.len();
            let snippet = Snippet { line: 1, text: format!("{before}{marked}{after}"), mark, cut_before, cut_after };
            let (code, mark) = code(&snippet, width);
            prop_assert_eq!(&code[mark], &marked);
            prop_assert!(code.chars().all(|c| c == '\n' || is_visible(c)), "{code:?}");
            // Both ellipses stay, however narrow the terminal is.
            prop_assert!(code.split('\n').all(|line| columns(line) <= width.max(marked.len() + 2)), "{code:?}");
        }

        #[test]
        fn a_cut_line_keeps_its_near_end(line in "[a-z日😀]{0,40}", width in 1..60_usize) {
            for (cut, near) in [(keep_start(&line, width, false), true), (keep_end(&line, width, false), false)] {
                prop_assert!(columns(&cut) <= width);
                let kept = cut.trim_matches('…');
                prop_assert!(if near { line.starts_with(kept) } else { line.ends_with(kept) }, "{cut}");
                prop_assert_eq!(cut.contains('…'), columns(&line) > width);
            }
        }
    }
}
