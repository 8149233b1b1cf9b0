//! What `--inspect` adds to a scan.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::Result;

use super::scan::Search;
use super::{message, respond};
use crate::finding::{Finding, Verdict};
use crate::http::Http;
use crate::respond::incident;
use crate::scan::Watch;
use crate::summary::{Asked, FailOn, Summary};

/// What asks the providers about findings.
pub(super) struct Inspector(Http);

impl Inspector {
    pub(super) fn new(search: &Search) -> Result<Self> {
        let file = respond::settings(&search.first().unwrap_or_else(|| ".".into()), search.config.as_deref())?;
        Ok(Inspector(respond::door(&file, false)?))
    }

    /// Asks about every secret that counts, or that the baseline knows, and writes down what is said.
    pub(super) fn ask(
        &self,
        findings: &mut [Finding],
        summary: &mut Summary,
        watch: &Watch,
        fail_on: Option<FailOn>,
        quiet: bool,
    ) {
        let wanted = |it: &&Finding| matches!(it.verdict, Verdict::Reported | Verdict::Baselined { .. });
        let incidents = incident::gather(&findings.iter().filter(wanted).cloned().collect::<Vec<_>>());
        if !quiet && !incidents.is_empty() {
            message::note(&format!("asking the providers about {} secrets", incidents.len()));
        }
        let cases = crate::respond::inspect(&self.0, incidents, &mut |_| match watch.interrupt.load(Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        let mut asked = Asked { fail_on: fail_on.unwrap_or_default(), ..Asked::default() };
        for finding in findings {
            let case = cases.iter().find(|case| case.incident.secret == finding.secret);
            finding.inspected = case.map(|case| case.said.brief()).filter(|_| wanted(&&*finding));
            if finding.verdict == Verdict::Reported {
                asked.count(finding.inspected.as_ref());
            }
        }
        summary.asked = Some(asked);
        summary.interrupted |= watch.interrupt.load(Relaxed);
    }
}
