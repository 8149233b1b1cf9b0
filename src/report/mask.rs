//! Takes secrets out of everything a format could print.
//!
//! Snippets come masked already. But the same token may stand in a path, in what the system said of a file, in a
//! reason somebody gave. This is the only module of `report` that looks at a secret.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

use crate::finding::{Finding, Proof, Snippet, Verdict};
use crate::origin::Origin;
use crate::secret::{Fingerprint, Secret};
use crate::summary::Summary;

use super::{Header, Report, escape};

/// Shorter secrets are no secrets: a password like `gitlab` would blot out half of all paths.
const SHORTEST: usize = 8;

/// The secrets seen so far in this run, and what to show for each.
#[derive(Default)]
pub(super) struct Mask {
    seen: HashSet<(Fingerprint, usize)>,
    /// Automata over 1, 2, 4, … secrets. Two of one size become one of the next, so adding n secrets builds
    /// O(n log n) in all, and not O(n²) as one automaton that is rebuilt each time would.
    tiers: Vec<Tier>,
}

struct Tier {
    secrets: usize,
    /// Each form a secret may have, and what is shown in its place.
    forms: Vec<(Vec<u8>, String)>,
    search: AhoCorasick,
}

impl Tier {
    /// `None` where the patterns are more than an automaton can hold; the caller then keeps the smaller ones.
    fn new(secrets: usize, forms: Vec<(Vec<u8>, String)>) -> Option<Tier> {
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .build(forms.iter().map(|(form, _)| form))
            .ok()?;
        Some(Tier { secrets, forms, search })
    }
}

impl Mask {
    /// Learns the secret of a finding.
    pub(super) fn add(&mut self, finding: &Finding) {
        let secret = finding.secret.expose();
        if secret.len() < SHORTEST || !self.seen.insert((Fingerprint::of_strong(secret), secret.len())) {
            return;
        }
        let forms = forms(secret).into_iter().map(|form| (form, finding.redacted.clone())).collect();
        self.tiers.extend(Tier::new(1, forms));
        while let [.., a, b] = self.tiers.as_slice() {
            if a.secrets != b.secrets {
                break;
            }
            let forms = a.forms.iter().chain(&b.forms).cloned().collect();
            let Some(both) = Tier::new(a.secrets + b.secrets, forms) else { break };
            self.tiers.truncate(self.tiers.len() - 2);
            self.tiers.push(both);
        }
    }

    /// The bytes with every secret known so far masked.
    fn bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        for tier in &self.tiers {
            if !tier.search.is_match(&*bytes) {
                continue;
            }
            let mut masked = Vec::with_capacity(bytes.len());
            tier.search.replace_all_with_bytes(&bytes, &mut masked, |hit, _, out| {
                out.extend_from_slice(tier.forms[hit.pattern().as_usize()].1.as_bytes());
                true
            });
            bytes = Cow::Owned(masked);
        }
        bytes
    }

    /// The text with every secret known so far masked.
    fn text(&self, text: &str) -> String {
        // A secret need not be UTF-8, so a match may begin inside a character: lossy.
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    fn origin(&self, origin: &Origin) -> Origin {
        match origin {
            Origin::File { path, tracking } => {
                let path = match self.bytes(path.as_os_str().as_encoded_bytes()) {
                    Cow::Borrowed(_) => path.clone(),
                    Cow::Owned(masked) => from_bytes(masked),
                };
                Origin::File { path, tracking: *tracking }
            }
            Origin::Stream { name } => Origin::Stream { name: self.text(name) },
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
        let mut finding = finding.clone();
        finding.secret = Secret::new(Vec::new());
        finding.origin = self.origin(&finding.origin);
        finding.snippet = self.snippet(&finding.snippet);
        for fact in &mut finding.facts {
            fact.value = self.text(&fact.value);
        }
        if let Proof::Holds(why) | Proof::Fails(why) = &mut finding.proof {
            *why = self.text(why);
        }
        if let Verdict::Allowed(allowed) = &mut finding.verdict {
            allowed.reason = self.text(&allowed.reason);
        }
        finding
    }

    /// The summary as a format may have it.
    pub(super) fn summary(&self, summary: &Summary) -> Summary {
        let mut summary = summary.clone();
        for skip in &mut summary.coverage.skips {
            skip.origin = self.origin(&skip.origin);
            skip.detail = self.text(&skip.detail);
        }
        summary
    }
}

/// The forms in which a secret is looked for, letters of either case: as it is, percent-encoded, as JSON writes it,
/// and in the three base64 texts that it makes depending on what stands before it.
fn forms(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([secret.to_vec(), escape::percent(secret).into_bytes()]);
    if let Some(json) = std::str::from_utf8(secret).ok().and_then(|text| serde_json::to_string(text).ok()) {
        forms.insert(json.as_bytes()[1..json.len() - 1].to_vec());
    }
    for lead in 0..3 {
        let shifted = [&[0; 2][..lead % 3], secret].concat();
        for encoding in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
            // Only the digits that no neighbour has a part in: 6 bits each, of whole bytes of the secret.
            let text = encoding.encode(&shifted);
            forms.insert(text.as_bytes()[(lead * 8).div_ceil(6)..shifted.len() * 8 / 6].to_vec());
        }
    }
    forms
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
        self.inner.begin(header)
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.mask.add(finding);
        let shown = match finding.verdict {
            Verdict::Reported => true,
            Verdict::Allowed(_) => self.show_allowed,
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
        for finding in self.held.take().unwrap_or_default() {
            self.inner.finding(&self.mask.finding(&finding))?;
        }
        self.inner.finish(&self.mask.summary(summary))
    }
}
