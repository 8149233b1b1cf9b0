//! Takes secrets out of everything a format could print.
//!
//! Snippets come masked already. But the same token may stand in a path, in what the system said of a file, in a
//! reason somebody gave. This is the only module of `report` that looks at a secret.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use zeroize::Zeroizing;

use crate::finding::{Allowed, Finding, Masking, Proof, Snippet, Verdict};
use crate::origin::{Commit, Origin, Provenance, Removed};
use crate::secret::{Fingerprint, Secret};
use crate::summary::Summary;

use super::{Header, Report, escape};

/// Bytes that tell forms apart before they are compared.
const KEY: usize = Masking::LEAST;

/// The secrets seen so far in this run, and what to show for each.
///
/// Thousands may be added while a few short texts are searched after each, so this is a table of endings and no
/// automaton: built again for every secret it would be quadratic, and it takes a hundred times the memory.
#[derive(Default)]
pub(super) struct Mask {
    seen: HashSet<(Fingerprint, bool)>,
    /// Forms by their last bytes: beginnings are alike for all tokens of a kind.
    forms: HashMap<[u8; KEY], Vec<Form>>,
    /// Masks what only looks like a secret; see [`Header::masked`].
    look_alikes: Option<fn(&str) -> Cow<'_, str>>,
}

/// A form that a secret may have, in ASCII lower case, and what is shown in its place.
struct Form {
    bytes: Zeroizing<Vec<u8>>,
    shown: Arc<str>,
    /// Only a look-alike is known to have it, or a word, without a format of its own: it is left where it names a file.
    is_doubtful: bool,
}

/// Whether a form has more than three different characters: `AC000…`, as documentation has it, is nobody's.
fn is_some_bodys(form: &[u8]) -> bool {
    let mut seen = [false; 256];
    form.iter().filter(|byte| !std::mem::replace(&mut seen[usize::from(**byte)], true)).count() > 3
}

impl Mask {
    /// Learns the secrets of a finding: its own, and those beside it that belong to it.
    pub(super) fn add(&mut self, finding: &Finding) {
        let companions = finding.companions.iter().map(|companion| (&companion.secret, &companion.redacted));
        for (secret, redacted) in [(&finding.secret, &finding.redacted)].into_iter().chain(companions) {
            match Masking::of(secret, &finding.rule, finding.confidence, &finding.evidence) {
                Masking::Nowhere => {}
                masking => self.learn(secret, redacted, masking == Masking::ButInPaths),
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "what is not known cannot be masked")]
    fn learn(&mut self, secret: &Secret, redacted: &str, is_doubtful: bool) {
        let secret = secret.expose();
        if !self.seen.insert((Fingerprint::of_strong(secret), is_doubtful)) {
            return;
        }
        let shown: Arc<str> = redacted.into();
        for mut form in forms(secret) {
            form.make_ascii_lowercase();
            let Some(key) = form.last_chunk().filter(|_| is_some_bodys(&form)) else { continue };
            let alike = self.forms.entry(*key).or_default();
            match alike.iter_mut().find(|other| other.bytes == form) {
                Some(known) => known.is_doubtful &= is_doubtful,
                None => alike.push(Form { bytes: form, shown: shown.clone(), is_doubtful }),
            }
        }
    }

    /// The bytes with every secret known so far masked; in what `leads` to a file, those that are none for sure are left.
    fn bytes<'t>(&self, bytes: &'t [u8], leads: bool) -> Cow<'t, [u8]> {
        let hits = self.hits(&bytes.to_ascii_lowercase(), leads);
        if hits.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let (mut masked, mut done) = (Vec::with_capacity(bytes.len()), 0);
        for (range, shown) in hits {
            masked.extend_from_slice(&bytes[done..range.start]);
            masked.extend_from_slice(shown.as_bytes());
            done = range.end;
        }
        masked.extend_from_slice(&bytes[done..]);
        Cow::Owned(masked)
    }

    /// Where secrets stand in lower-case `text`, in order. Those that overlap are one.
    fn hits(&self, text: &[u8], leads: bool) -> Vec<(Range<usize>, &str)> {
        let mut hits: Vec<(Range<usize>, &str)> = Vec::new();
        for end in KEY..=text.len() {
            let forms = text[..end].last_chunk().and_then(|key| self.forms.get(key)).into_iter().flatten();
            let ending = forms.filter(|form| text[..end].ends_with(&form.bytes) && !(leads && form.is_doubtful));
            let Some(longest) = ending.max_by_key(|form| form.bytes.len()) else { continue };
            let mut start = end - longest.bytes.len();
            while let Some((last, _)) = hits.pop_if(|(last, _)| last.end > start) {
                start = start.min(last.start);
            }
            hits.push((start..end, &longest.shown));
        }
        hits
    }

    /// The text with every secret known so far masked.
    fn text(&self, text: &str) -> String {
        // A secret need not be UTF-8, so a match may begin inside a character: lossy.
        String::from_utf8_lossy(&self.bytes(text.as_bytes(), false)).into_owned()
    }

    fn origin(&self, origin: &Origin) -> Origin {
        match origin {
            Origin::File { path, tracking } => Origin::File { path: self.path(path), tracking: *tracking },
            Origin::Stream { name } => Origin::Stream { name: self.name(name) },
            Origin::Staged { path, id } => Origin::Staged { path: self.path(path), id: *id },
            Origin::Member { archive, name } => Origin::Member { archive: self.path(archive), name: self.name(name) },
            Origin::Log { project, run, part } => {
                Origin::Log { project: self.name(project), run: self.name(run), part: self.name(part) }
            }
            Origin::Object { path, id, kind } => {
                Origin::Object { path: path.as_deref().map(|path| self.path(path)), id: *id, kind: *kind }
            }
        }
    }

    /// A name, or what the system said of something that has one, without what looks like a secret.
    fn name(&self, name: &str) -> String {
        let name = self.text(name);
        self.look_alikes.map_or_else(|| name.clone(), |masked| masked(&name).into_owned())
    }

    fn path(&self, path: &Path) -> PathBuf {
        let known = match self.bytes(path.as_os_str().as_encoded_bytes(), true) {
            Cow::Borrowed(_) => path.to_owned(),
            Cow::Owned(masked) => from_bytes(masked),
        };
        let shown = known.to_string_lossy();
        match self.look_alikes.map(|masked| masked(&shown)) {
            Some(masked) if masked != shown => PathBuf::from(masked.into_owned()),
            _ => known,
        }
    }

    /// `names` has the names of references that were masked before, as thousands of objects have the same.
    fn provenance<'p>(&self, provenance: &'p Provenance, names: &mut HashMap<&'p str, String>) -> Provenance {
        let commit = |commit: &Commit| Commit {
            author: commit.author.as_deref().map(|text| self.text(text)),
            email: commit.email.as_deref().map(|text| self.text(text)),
            subject: self.text(&commit.subject),
            ..commit.clone()
        };
        let mut name = |name: &'p str| names.entry(name).or_insert_with(|| self.text(name)).clone();
        let removed = provenance.removed.iter();
        let removed = removed.map(|it| Removed { reference: name(&it.reference), commit: it.commit }).collect();
        Provenance {
            paths: provenance.paths.iter().map(|path| self.path(path)).collect(),
            first: provenance.first,
            checked_out: provenance.checked_out,
            introduced: provenance.introduced.iter().map(commit).collect(),
            references: provenance.references.iter().map(|reference| name(reference)).collect(),
            removed,
            more_references: provenance.more_references,
            more_removed: provenance.more_removed,
            in_head: provenance.in_head,
            truncated: provenance.truncated,
            incomplete: provenance.incomplete,
        }
    }

    fn snippet(&self, snippet: &Snippet) -> Snippet {
        let part = |range| snippet.text.get(range).map(|part| self.text(part)).unwrap_or_default();
        let (start, end) = (snippet.mark.start, snippet.mark.end);
        let (before, marked, after) = (part(0..start), part(start..end), part(end..snippet.text.len()));
        let mark = before.len()..before.len() + marked.len();
        Snippet { text: [before, marked, after].concat(), mark, ..snippet.clone() }
    }

    /// The finding as a format may have it: without its secret, and without any other.
    pub(super) fn finding(&self, finding: &Finding) -> Finding {
        let provenance = finding.provenance.as_ref().map(|it| self.provenance(it, &mut HashMap::new()).into());
        Finding { provenance, ..self.but_history(finding) }
    }

    /// The same, but for its history, which is left out.
    fn but_history(&self, finding: &Finding) -> Finding {
        let mut finding = Finding { provenance: None, ..finding.clone() };
        finding.secret = stand_in(&finding.secret);
        finding.origin = self.origin(&finding.origin);
        finding.snippet = self.snippet(&finding.snippet);
        for fact in &mut finding.facts {
            fact.value = self.text(&fact.value);
        }
        if let Some(it) = &mut finding.inspected {
            for text in [&mut it.detail, &mut it.holder, &mut it.host].into_iter().flatten() {
                *text = self.text(text);
            }
        }
        if let Proof::Holds(why) | Proof::Fails(why) = &mut finding.proof {
            *why = self.text(why);
        }
        if let Verdict::Allowed(Allowed { reason, .. }) | Verdict::Baselined { reason } = &mut finding.verdict {
            *reason = self.text(reason);
        }
        finding
    }

    /// The summary as a format may have it.
    pub(super) fn summary(&self, summary: &Summary) -> Summary {
        let mut summary = summary.clone();
        for skip in &mut summary.coverage.skips {
            skip.origin = self.origin(&skip.origin);
            skip.detail = self.name(&skip.detail);
        }
        for entry in summary.stale.iter_mut().chain(&mut summary.expired) {
            for text in [&mut entry.rule, &mut entry.path, &mut entry.reason, &mut entry.by] {
                *text = self.name(text);
            }
        }
        summary
    }
}

/// What tells a secret from others, for [`Finding::identity`], and is none.
#[expect(clippy::disallowed_methods, reason = "hashes the secret")]
fn stand_in(secret: &Secret) -> Secret {
    Secret::new(Fingerprint::of_strong(secret.expose()).to_string())
}

/// The forms in which a secret is looked for, letters of either case: as it is, percent-encoded, as JSON writes it,
/// and in the three base64 texts that it makes depending on what stands before it.
fn forms(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = vec![secret.to_vec()];
    forms.extend([escape::percent(secret), escape::percent_component(secret)].map(String::into_bytes));
    if let Some(json) = std::str::from_utf8(secret).ok().and_then(|text| serde_json::to_string(text).ok()) {
        forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
    }
    for lead in 0..3 {
        let shifted = [&[0; 2][..lead], secret].concat();
        for encoding in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
            // Only the digits that no neighbour has a part in: 6 bits each, of whole bytes of the secret.
            let text = encoding.encode(&shifted);
            forms.push(text.as_bytes()[(lead * 8).div_ceil(6)..shifted.len() * 8 / 6].to_vec());
        }
    }
    forms.into_iter().map(Zeroizing::new).collect()
}

#[cfg(unix)]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(&bytes))
}

#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsStr::new(&*String::from_utf8_lossy(&bytes)))
}

/// Stands before every format: decides what is shown, and masks it.
pub(super) struct Masked {
    inner: Box<dyn Report + Send>,
    mask: Mask,
    show_allowed: bool,
    /// For formats that are written at the end: all findings, so that the last secret is masked in the first finding.
    held: Option<Vec<Finding>>,
}

impl Masked {
    pub(super) fn new(inner: Box<dyn Report + Send>, streams: bool) -> Self {
        Masked { inner, mask: Mask::default(), show_allowed: false, held: (!streams).then(Vec::new) }
    }
}

impl Report for Masked {
    fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.show_allowed = header.show_allowed;
        if header.at_once {
            self.held.get_or_insert_default();
        }
        self.mask.look_alikes = Some(header.masked);
        let targets = header.targets.iter().map(|target| self.mask.name(target)).collect();
        self.inner.begin(&Header { targets, ..header.clone() })
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.mask.add(finding);
        let shown = match finding.verdict {
            Verdict::Reported => true,
            Verdict::Allowed(_) | Verdict::Baselined { .. } => self.show_allowed,
            Verdict::Hidden => false,
        };
        match &mut self.held {
            _ if !shown => Ok(()),
            Some(held) => {
                held.push(finding.clone());
                Ok(())
            }
            None => self.inner.finding(&self.mask.finding(finding)),
        }
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        // All secrets are known by now, so what is masked once stays so; the findings of an object share its history.
        let held = self.held.take().unwrap_or_default();
        let mut masked: HashMap<*const Provenance, Arc<Provenance>> = HashMap::new();
        let mut names = HashMap::new();
        for finding in &held {
            let mut shown = self.mask.but_history(finding);
            shown.provenance = finding.provenance.as_ref().map(|it| {
                masked.entry(Arc::as_ptr(it)).or_insert_with(|| self.mask.provenance(it, &mut names).into()).clone()
            });
            self.inner.finding(&shown)?;
        }
        self.inner.finish(&self.mask.summary(summary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    use crate::chunk::Position;
    use crate::finding::{Evidence, Region};
    use crate::rule::{Confidence, Rule};

    fn finding(secret: &[u8]) -> Finding {
        let rule = Rule { id: "example".to_owned(), ..Rule::default() };
        Finding {
            rule: Arc::new(rule),
            provenance: None,
            secret: Secret::new(secret),
            redacted: "****".to_owned(),
            decoded: Vec::new(),
            fingerprint: Fingerprint::of_strong(secret),
            origin: Origin::Stream { name: String::new() },
            region: Region { start: Position::START, end: Position::START },
            snippet: Snippet { line: 1, text: String::new(), mark: 0..0, cut_before: false, cut_after: false },
            confidence: Confidence::Medium,
            proof: Proof::Absent,
            verdict: Verdict::Reported,
            facts: Vec::new(),
            evidence: Vec::new(),
            companions: Vec::new(),
            inspected: None,
            aliases: Vec::new(),
        }
    }

    #[test]
    fn secrets_that_overlap_or_contain_each_other_are_masked_whole() {
        let mut mask = Mask::default();
        for secret in ["abcdefgh12345678", "cdefgh123", "12345678ABCDEFGH", "xx-cdefgh123-yy"] {
            mask.add(&finding(secret.as_bytes()));
        }
        for (text, masked) in [
            ("<abcdefgh12345678>", "<****>"),
            ("<abcdefgh12345678abcdefgh>", "<****>"),
            ("abcdefgh1234567", "ab****4567"),
            ("XX-CDEFGH123-YYcdefgh123 cdefgh12", "******** cdefgh12"),
        ] {
            assert_eq!(mask.text(text), masked, "{text}");
        }
    }

    #[test]
    fn what_leads_to_a_file_loses_no_word_for_a_look_alike() {
        let mut mask = Mask::default();
        let mut look_alike = finding(b"terraform");
        look_alike.confidence = Confidence::Low;
        look_alike.rule = Arc::new(Rule { tags: vec!["generic".to_owned()], ..Rule::default() });
        mask.add(&look_alike);
        let path = |mask: &Mask| mask.path(Path::new("src/terraform/a.tf"));
        // Where a word stands without its name it is none; what is no word may be one.
        assert_eq!((path(&mask), mask.text("terraform").as_str()), ("src/terraform/a.tf".into(), "terraform"));
        look_alike.secret = Secret::new(b"terraform9".to_vec());
        mask.add(&look_alike);
        assert_eq!(mask.path(Path::new("src/terraform9/a.tf")), PathBuf::from("src/terraform9/a.tf"));
        assert_eq!(mask.text("terraform9"), "****");
        // A password that is a word is one in texts, not in paths.
        look_alike.secret = Secret::new(b"terraform".to_vec());
        look_alike.confidence = Confidence::Medium;
        mask.add(&look_alike);
        assert_eq!((path(&mask), mask.text("terraform").as_str()), ("src/terraform/a.tf".into(), "****"));
        // Letters that somebody drew are no word.
        look_alike.secret = Secret::new(b"qvzkavxwlwqt".to_vec());
        look_alike.evidence = vec![Evidence { name: "random", weight: 20, detail: String::new() }];
        mask.add(&look_alike);
        assert_eq!(mask.path(Path::new("src/qvzkavxwlwqt/a.tf")), PathBuf::from("src/****/a.tf"));
        mask.add(&finding(b"terraform"));
        assert_eq!(path(&mask), PathBuf::from("src/****/a.tf"));
    }

    #[test]
    fn a_format_never_holds_a_secret() {
        let mut mask = Mask::default();
        let finding = finding(b"not a short one");
        mask.add(&finding);
        let shown = mask.finding(&finding);
        assert_ne!(shown.secret, finding.secret);
        // What stands in its place tells it from others, and is of one length for all.
        let other = mask.finding(&self::finding(b"another"));
        assert!(shown.secret != other.secret && shown.secret.len() == other.secret.len());
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_survives(
            secret in proptest::collection::vec(any::<u8>(), KEY..60), lead in "[a-z]{0,4}",
        ) {
            let mut mask = Mask::default();
            mask.add(&finding(&secret));
            let masked = |bytes: &[u8]| mask.bytes(&[b"<", bytes, b">"].concat(), false).into_owned();
            prop_assert_eq!(masked(&secret), b"<****>");
            prop_assert_eq!(masked(escape::percent(&secret).as_bytes()), b"<****>");
            let text = data_encoding::BASE64.encode(&[lead.as_bytes(), &secret, b"tail"].concat());
            // What is left of it are the digits that its neighbours have a part in.
            let left = masked(text.as_bytes()).len() - "<****>".len();
            prop_assert!(left <= (lead.len() + "tail".len()) * 8 / 6 + 5, "{left} of {}", text.len());
        }

        #[test]
        fn the_mark_stays_on_its_text(before in any::<String>(), marked in any::<String>(), after in any::<String>()) {
            let mut mask = Mask::default();
            mask.add(&finding(b"a whole secret"));
            let mark = before.len() + 14..before.len() + 14 + marked.len();
            let text = format!("{before}a whole secret{marked}{after}");
            let snippet = mask.snippet(&Snippet { text, mark, ..finding(b"").snippet });
            prop_assert_eq!(&snippet.text[snippet.mark], marked);
        }
    }
}
