//! What a log says about itself while it goes by: its job, the step it is in, its project, and whom a job token was
//! refused.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::{memchr, memmem, memrchr};

/// Longest title that is kept, in bytes. A longer one is left out whole: cut, a secret in it might not be recognised.
const TITLE: usize = 512;

/// How far before a refusal its circumstances are looked for, in bytes.
const LOOK_BACK: usize = 2 << 10;

/// What a log's lines are searched for, and what is told by what stands behind it.
const SIGNS: [(&str, Sign); 13] = [
    ("##[group]", Sign::Step),
    ("##[section]Starting: ", Sign::Step),
    ("section_start:", Sign::Section),
    ("section_end:", Sign::SectionEnd),
    ("travis_fold:start:", Sign::Step),
    ("[Pipeline] { (", Sign::Stage),
    ("Complete job name: ", Sign::Job),
    ("CI_JOB_NAME=", Sign::Job),
    ("CI_PROJECT_PATH=", Sign::Project),
    ("Git repository in /builds/", Sign::Checkout),
    ("fatal: repository '", Sign::GitRefused),
    ("ERROR 404: Not Found", Sign::ApiRefused),
    ("\"404 Project Not Found\"", Sign::ApiRefused),
];

/// No sign is longer, in bytes.
const LONGEST_SIGN: usize = 32;

#[derive(Clone, Copy, Debug)]
enum Sign {
    Step,
    Section,
    SectionEnd,
    Stage,
    Job,
    Project,
    Checkout,
    GitRefused,
    ApiRefused,
}

/// Something a line told. Texts are raw bytes of the log: they may hold a secret, and must be masked to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Step(Option<Vec<u8>>),
    Job(Vec<u8>),
    Project(Vec<u8>),
    Refused { callee: Vec<u8> },
}

/// A job token was not let in: GitLab answers 404, not 403 (doc/ci/jobs/ci_job_token.md, Troubleshooting).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where in the window the message stands.
    pub at: usize,
    /// Path of the project whose job asked, if the log names it.
    pub caller: Option<Vec<u8>>,
    /// Path or number of the project that was asked.
    pub callee: Vec<u8>,
}

/// Follows a log from window to window.
#[derive(Debug, Default)]
pub struct Context {
    /// What was told before the current window.
    base: State,
    /// What is told in the current window, with its place in the log.
    told: Vec<(u64, Told)>,
    /// Up to here the log was read.
    read: u64,
}

#[derive(Clone, Debug, Default)]
struct State {
    step: Option<Vec<u8>>,
    job: Option<Vec<u8>>,
    project: Option<Vec<u8>>,
}

impl State {
    fn hear(&mut self, told: &Told) {
        match told {
            Told::Step(step) => self.step.clone_from(step),
            Told::Job(job) => self.job = Some(job.clone()),
            Told::Project(project) => self.project = Some(project.clone()),
            Told::Refused { .. } => {}
        }
    }
}

/// Finds signs. Made once: there are logs that are smaller than it is.
static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    // Only leftmost searches have the fast path for few literals.
    let builder = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(SIGNS.map(|(text, _)| text));
    builder.expect("a dozen short literals")
});

impl Context {
    /// Reads the part `own` of a window that begins at `start` of the log; parts may overlap what was read before.
    /// Returns what was refused there.
    pub fn read(&mut self, window: &[u8], own: &Range<usize>, start: u64) -> Vec<Refusal> {
        let here = start + own.start as u64;
        let passed = self.told.partition_point(|(at, _)| *at < here);
        for (_, told) in self.told.drain(..passed) {
            self.base.hear(&told);
        }
        let mut refusals = Vec::new();
        let fresh = (self.read.saturating_sub(start) as usize).clamp(own.start, own.end);
        // A sign belongs to the part it begins in.
        let end = window.len().min(own.end + LONGEST_SIGN);
        let signs = FINDER.find_iter(&window[fresh..end]);
        for sign in signs.take_while(|sign| fresh + sign.start() < own.end) {
            let (at, end) = (fresh + sign.start(), fresh + sign.end());
            let Some(told) = interpret(SIGNS[sign.pattern().as_usize()].1, window, at, end) else { continue };
            if let Told::Refused { callee } = &told {
                let caller = self.state(start + at as u64).project;
                refusals.push(Refusal { at, caller, callee: callee.clone() });
            }
            self.told.push((start + at as u64, told));
        }
        self.read = self.read.max(start + own.end as u64);
        refusals
    }

    /// Title of the step that a place of the log is in.
    pub fn step(&self, at: u64) -> Option<Vec<u8>> {
        self.state(at).step
    }

    /// Name of the job that a place of the log is in.
    pub fn job(&self, at: u64) -> Option<Vec<u8>> {
        self.state(at).job
    }

    fn state(&self, at: u64) -> State {
        let mut state = self.base.clone();
        self.told.iter().take_while(|(place, _)| *place <= at).for_each(|(_, told)| state.hear(told));
        state
    }
}

/// What the sign at `at..end` tells together with what stands around it.
fn interpret(sign: Sign, window: &[u8], at: usize, end: usize) -> Option<Told> {
    let line_end = memchr(b'\n', &window[end..]).map_or(window.len(), |len| end + len);
    let rest = &window[end..line_end];
    let title = |stop: fn(u8) -> bool| {
        let len = rest.iter().position(|&byte| byte < b' ' || stop(byte)).unwrap_or(rest.len());
        (len > 0 && len <= TITLE).then(|| rest[..len].to_vec())
    };
    match sign {
        Sign::Step => Some(Told::Step(title(|_| false))),
        // section_start:UNIX:NAME[options]
        Sign::Section => {
            let name = &rest[memchr(b':', rest)? + 1..];
            let len = name.iter().position(|&byte| !is_name(byte)).unwrap_or(name.len());
            Some(Told::Step((len > 0 && len <= TITLE).then(|| name[..len].to_vec())))
        }
        Sign::SectionEnd => Some(Told::Step(None)),
        Sign::Stage => Some(Told::Step(title(|byte| byte == b')'))),
        Sign::Job => title(|byte| byte == b'"').map(Told::Job),
        Sign::Project => title(|byte| !is_path(byte)).map(Told::Project),
        Sign::Checkout => {
            let path = &rest[..rest.iter().position(|&byte| !is_path(byte)).unwrap_or(rest.len())];
            let path = path.strip_suffix(b"/").unwrap_or(path);
            path.strip_suffix(b"/.git").filter(|path| path.len() <= TITLE).map(|path| Told::Project(path.to_vec()))
        }
        Sign::GitRefused => git_refused(&window[at.saturating_sub(LOOK_BACK)..at], rest),
        Sign::ApiRefused => api_refused(&window[at.saturating_sub(LOOK_BACK)..at]),
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

fn is_path(byte: u8) -> bool {
    is_name(byte) || byte == b'/'
}

/// `fatal: repository 'https://gitlab-ci-token:[MASKED]@host/group/project.git/' not found`, after git's server said why.
fn git_refused(before: &[u8], rest: &[u8]) -> Option<Told> {
    let url = &rest[..memchr(b'\'', rest)?];
    memmem::find(before, b"or you don't have permission to view it")?;
    let user = memchr(b'@', url).filter(|&at| memmem::find(&url[..at], b"gitlab-ci-token").is_some())?;
    let path = &url[user + 1..];
    let path = path[memchr(b'/', path)? + 1..].split(|&byte| byte == b'?').next()?;
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b".git").unwrap_or(path);
    (!path.is_empty() && path.iter().copied().all(is_path)).then(|| Told::Refused { callee: path.to_vec() })
}

/// A 404 for a project's API that was asked with a job token.
fn api_refused(before: &[u8]) -> Option<Told> {
    let with_job_token = [&b"JOB-TOKEN"[..], b"job_token", b"CI_JOB_TOKEN", b"gitlab-ci-token"];
    if !with_job_token.iter().any(|sign| memmem::find(before, sign).is_some()) {
        return None;
    }
    const API: &[u8] = b"/api/v4/projects/";
    let from = memmem::rfind(before, API)? + API.len();
    let project = &before[from..];
    let len = project.iter().position(|&byte| !is_name(byte) && byte != b'%').unwrap_or(project.len());
    let callee = String::from_utf8_lossy(&project[..len]).replace("%2F", "/").replace("%2f", "/");
    (!callee.is_empty()).then(|| Told::Refused { callee: callee.into_bytes() })
}

/// The line of `window` that `at` is in, without its newline.
pub fn line_around(window: &[u8], at: usize) -> Range<usize> {
    let start = memrchr(b'\n', &window[..at]).map_or(0, |newline| newline + 1);
    let end = memchr(b'\n', &window[at..]).map_or(window.len(), |len| at + len);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> (Context, Vec<Refusal>) {
        let mut context = Context::default();
        let refusals = context.read(log.as_bytes(), &(0..log.len()), 0);
        (context, refusals)
    }

    fn step(log: &str) -> Option<String> {
        let (context, _) = read(log);
        context.step(log.find("HERE").unwrap() as u64).map(|step| String::from_utf8(step).unwrap())
    }

    #[test]
    fn steps_of_every_system_are_known() {
        assert_eq!(step("t ##[group]Run make\nt ##[endgroup]\nHERE").as_deref(), Some("Run make"));
        assert_eq!(
            step("\x1b[0Ksection_start:17:step_script[collapsed=true]\r\x1b[0KTitle\nHERE").as_deref(),
            Some("step_script")
        );
        assert_eq!(step("section_start:17:a\r\x1b[0K\nsection_end:18:a\r\x1b[0K\nHERE"), None);
        assert_eq!(step("travis_fold:start:install.1\r\x1b[0K\nHERE").as_deref(), Some("install.1"));
        assert_eq!(step("[Pipeline] { (Deploy)\nHERE\n[Pipeline] { (Later)").as_deref(), Some("Deploy"));
        assert_eq!(step("t ##[section]Starting: Build\nHERE").as_deref(), Some("Build"));
    }

    #[test]
    fn what_was_told_in_one_window_holds_in_the_next_and_is_read_once() {
        let log = b"Complete job name: build\n##[group]One\nx\n##[group]Two\ny\n";
        let mut context = Context::default();
        context.read(log, &(0..41), 0);
        context.read(&log[20..], &(5..log.len() - 20), 20);
        assert_eq!((context.step(39), context.step(55)), (Some(b"One".to_vec()), Some(b"Two".to_vec())));
        assert_eq!(context.job(55), Some(b"build".to_vec()));
    }

    #[test]
    fn a_refused_job_token_names_both_ends() {
        let log = "Reinitialized existing Git repository in /builds/team/caller/.git/\n\
            remote: The project you were looking for could not be found or you don't have permission to view it.\n\
            fatal: repository 'https://gitlab-ci-token:[MASKED]@gitlab.example/team/sub/callee.git/' not found\n";
        let (_, refusals) = read(log);
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].caller.as_deref(), Some(&b"team/caller"[..]));
        assert_eq!(refusals[0].callee, b"team/sub/callee");
        let log = "CI_PROJECT_PATH=team/caller\n$ wget --header=\"JOB-TOKEN: $CI_JOB_TOKEN\" $URL\n\
            https://gitlab.example/api/v4/projects/team%2Fcallee/packages/generic/a\n2026 ERROR 404: Not Found.\n";
        let (_, refusals) = read(log);
        assert_eq!(refusals[0].callee, b"team/callee");
    }

    #[test]
    fn other_failures_are_no_refusals() {
        assert_eq!(read("fatal: repository 'https://user@host/a/b.git/' not found\n").1, []);
        assert_eq!(read("wget https://example/x\nERROR 404: Not Found.\n").1, []);
    }
}
