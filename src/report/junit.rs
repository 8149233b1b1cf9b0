//! JUnit XML as Jenkins, GitLab and others read it: every finding that makes the run fail is a failed test, what was
//! not read is an error.

use std::io;

use crate::coverage::Skip;
use crate::finding::{Finding, Verdict};

use super::common::{Run, Whole, counts, description, message, unread};
use super::escape::xml;
use super::{Out, Style};

pub(super) fn new(out: Out, _: Style) -> Whole {
    Whole::new(out, draw)
}

fn draw(run: &Run<'_>) -> io::Result<String> {
    let summary = run.summary;
    let skips = &summary.coverage.skips;
    let mut cases: Vec<String> = run.findings.iter().map(|finding| case(run, finding)).collect();
    cases.extend(skips.iter().map(|skip| not_read(run, skip)));
    if cases.is_empty() {
        // Several readers take a suite without tests for a broken one.
        cases.push("    <testcase classname=\"stanch\" name=\"no leaked secrets\"/>\n".to_owned());
    }
    let failures = run.findings.iter().filter(|finding| fails(run, finding)).count();
    let errors = summary.unaccepted() + usize::from(summary.interrupted);
    if summary.interrupted {
        let name = "the run was interrupted";
        cases.push(format!(
            "    <testcase classname=\"stanch\" name=\"{name}\">\n      <error message=\"{name}\"/>\n    </testcase>\n"
        ));
    }
    let skipped = run.findings.len() - failures + skips.len() - summary.unaccepted();
    let tests = cases.len();
    let totals = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"");
    let property = |(name, value): (&str, u64)| format!("      <property name=\"{name}\" value=\"{value}\"/>\n");
    let properties: String = counts(summary).into_iter().map(property).collect();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    text += &format!("<testsuites {totals}>\n  <testsuite name=\"stanch\" {totals}>\n");
    text += &format!("    <properties>\n{properties}    </properties>\n");
    text.extend(cases);
    text += "  </testsuite>\n</testsuites>\n";
    Ok(text)
}

fn case(run: &Run<'_>, finding: &Finding) -> String {
    let place = run.visible_place(finding);
    let (id, what) = (xml(&finding.rule.id), xml(&description(&finding.rule)));
    let text = xml(&format!("{place} {} (fingerprint {})", message(finding), finding.fingerprint));
    let outcome = match fails(run, finding) {
        true => format!("<failure type=\"{id}\" message=\"{what}\">{text}</failure>"),
        false => format!("<skipped message=\"{text}\"/>"),
    };
    test(run, &finding.origin, &format!("{} at {place}", finding.rule.id), &outcome)
}

/// A test fails where the run does: not for what `--fail-on` lets pass.
fn fails(run: &Run<'_>, finding: &Finding) -> bool {
    let asked = run.summary.asked.as_ref();
    finding.verdict == Verdict::Reported && asked.is_none_or(|asked| asked.fails(finding.inspected.as_ref()))
}

fn not_read(run: &Run<'_>, skip: &Skip) -> String {
    let text = xml(&unread(skip));
    let outcome = match run.summary.accepted.contains(&skip.why) {
        true => format!("<skipped message=\"{text}\"/>"),
        false => format!("<error type=\"{}\" message=\"{text}\"/>", skip.why.as_str()),
    };
    test(run, &skip.origin, &format!("not read: {}", run.visible_path(&skip.origin)), &outcome)
}

fn test(run: &Run<'_>, origin: &crate::origin::Origin, name: &str, outcome: &str) -> String {
    let file = xml(&run.visible_path(origin));
    format!("    <testcase classname=\"{file}\" name=\"{}\">\n      {outcome}\n    </testcase>\n", xml(name))
}
