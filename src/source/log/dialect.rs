//! What CI systems and log drivers put before a line: recognised line by line, so that it does not matter where a log
//! is cut, and a log that holds another system's log is read, too.

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Every kind of prefix is recognised, wherever it stands.
    #[default]
    Auto,
    /// GitHub Actions, Gitea, Forgejo.
    Github,
    /// GitLab traces.
    Gitlab,
    /// Bitbucket Pipelines.
    Bitbucket,
    /// Jenkins, with or without the timestamper.
    Jenkins,
    /// CircleCI.
    Circleci,
    /// Azure Pipelines.
    Azure,
    /// Travis CI.
    Travis,
    /// Buildkite.
    Buildkite,
    /// Taskcluster.
    Taskcluster,
    /// `docker logs`, `docker compose logs`, and the files of the `json-file` driver.
    Docker,
    /// `kubectl logs` and the files of a container runtime (CRI).
    Kubernetes,
    /// `journalctl` and syslog.
    Journald,
    /// No prefixes: only control sequences, overwrites and wrapped lines are undone.
    Plain,
}

/// What kinds of prefix there are, as bits.
mod kind {
    pub const ISO: u8 = 1;
    pub const GITLAB: u8 = 2;
    pub const CRI: u8 = 4;
    pub const JSON: u8 = 8;
    pub const BRACKET: u8 = 16;
    pub const SYSLOG: u8 = 32;
    pub const COMPOSE: u8 = 64;
    pub const JOURNAL: u8 = 128;
}

impl Dialect {
    /// Every dialect, in the order in which help texts list them.
    pub const ALL: [Dialect; 14] = [
        Dialect::Auto,
        Dialect::Github,
        Dialect::Gitlab,
        Dialect::Bitbucket,
        Dialect::Jenkins,
        Dialect::Circleci,
        Dialect::Azure,
        Dialect::Travis,
        Dialect::Buildkite,
        Dialect::Taskcluster,
        Dialect::Docker,
        Dialect::Kubernetes,
        Dialect::Journald,
        Dialect::Plain,
    ];

    /// The word `--log-dialect` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Auto => "auto",
            Dialect::Github => "github",
            Dialect::Gitlab => "gitlab",
            Dialect::Bitbucket => "bitbucket",
            Dialect::Jenkins => "jenkins",
            Dialect::Circleci => "circleci",
            Dialect::Azure => "azure",
            Dialect::Travis => "travis",
            Dialect::Buildkite => "buildkite",
            Dialect::Taskcluster => "taskcluster",
            Dialect::Docker => "docker",
            Dialect::Kubernetes => "kubernetes",
            Dialect::Journald => "journald",
            Dialect::Plain => "plain",
        }
    }

    /// The dialect of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == word)
    }

    fn kinds(self) -> u8 {
        match self {
            Dialect::Auto => u8::MAX,
            Dialect::Github | Dialect::Azure | Dialect::Circleci => kind::ISO,
            Dialect::Gitlab => kind::GITLAB,
            Dialect::Jenkins | Dialect::Taskcluster => kind::BRACKET | kind::ISO,
            Dialect::Docker => kind::ISO | kind::JSON | kind::COMPOSE,
            Dialect::Kubernetes => kind::ISO | kind::CRI | kind::JSON | kind::BRACKET,
            Dialect::Journald => kind::SYSLOG | kind::ISO | kind::JOURNAL,
            Dialect::Bitbucket | Dialect::Travis | Dialect::Buildkite | Dialect::Plain => 0,
        }
    }

    /// What stands before the text of `line`, which has no newline at its end. Two layers at most: a pod's name and a
    /// time, a runner's time and a program's.
    #[inline]
    pub fn prefix(self, line: &[u8]) -> Prefix {
        let mut prefix = Prefix::default();
        for _ in 0..2 {
            match self.layer(&line[prefix.len as usize..]) {
                Some(layer) => prefix = prefix.and(layer),
                None => break,
            }
            if prefix.form != Form::Plain {
                break;
            }
        }
        prefix
    }

    #[inline]
    fn layer(self, line: &[u8]) -> Option<Prefix> {
        let (first, kinds) = (*line.first()?, self.kinds());
        match first {
            b'0'..=b'9' if kinds & (kind::ISO | kind::GITLAB | kind::CRI) != 0 => stamped(line, kinds),
            b'[' if kinds & kind::BRACKET != 0 => bracketed(line),
            b'{' => {
                let driver = if kinds & kind::JSON != 0 { json_driver(line) } else { None };
                driver.or_else(|| if kinds & kind::JOURNAL != 0 { journal(line) } else { None })
            }
            b'A'..=b'Z' | b'a'..=b'z' => match kinds {
                _ if kinds & kind::SYSLOG != 0 && first.is_ascii_uppercase() && line.get(3) == Some(&b' ') => {
                    syslog(line)
                }
                _ if kinds & kind::COMPOSE != 0 => compose(line),
                _ => None,
            },
            _ => None,
        }
    }
}

/// How a machine writes the text of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// As it is.
    #[default]
    Plain,
    /// As a string of JSON.
    Json,
    /// As an array of JSON with the number of each byte.
    Numbers,
}

/// A machine's part at the start of a line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Prefix {
    /// Length in bytes; 0: there is none.
    pub len: u32,
    /// Which of the streams that are mixed in the log the line belongs to; 0 where nothing says.
    pub stream: u16,
    /// The line goes on where the last one of its stream stopped.
    pub continues: bool,
    /// The next line of the stream goes on where this one stops.
    pub open: bool,
    /// How the text is written; in JSON it ends at `end`.
    pub form: Form,
    /// Where the text ends, if not with the line.
    pub end: Option<u32>,
    /// Where the time of the line is written: its first byte, and behind its last.
    pub time: Option<(u32, u32)>,
}

impl Prefix {
    /// This prefix, and behind it another.
    fn and(self, next: Prefix) -> Prefix {
        let len = self.len;
        Prefix {
            len: len + next.len,
            stream: if next.stream != 0 { next.stream } else { self.stream },
            continues: self.continues | next.continues,
            open: self.open | next.open,
            form: next.form,
            end: next.end.map(|end| len + end),
            time: self.time.or(next.time.map(|(from, to)| (len + from, len + to))),
        }
    }
}

/// Length of a time as RFC 3339 has it, with a space or a comma allowed where programs write them:
/// `2026-06-21T05:34:54.5256259Z`, `2026-06-21 05:34:54,525`, `2026-06-21T05:34:54+02:00`.
fn time(line: &[u8]) -> Option<usize> {
    let head = line.first_chunk::<19>()?;
    let separated = head[4] == b'-' && head[7] == b'-' && head[13] == b':' && head[16] == b':';
    let digits = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18];
    if !separated || !matches!(head[10], b'T' | b' ') || !digits.iter().all(|&at| head[at].is_ascii_digit()) {
        return None;
    }
    let mut len = 19;
    if matches!(line.get(len), Some(b'.' | b',')) {
        len += 1 + line[len + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    match line.get(len) {
        Some(b'Z') => len += 1,
        Some(b'+' | b'-') => {
            len +=
                1 + line[len + 1..].iter().take(5).take_while(|&&byte| byte.is_ascii_digit() || byte == b':').count();
        }
        _ => {}
    }
    Some(len)
}

/// A time and what runtimes write behind it.
fn stamped(line: &[u8], kinds: u8) -> Option<Prefix> {
    let len = time(line)?;
    let plain = Prefix { len: len as u32, time: Some((0, len as u32)), ..Prefix::default() };
    let rest = match line.get(len) {
        Some(b' ' | b'\t') => &line[len + 1..],
        None => return Some(plain),
        _ => return None,
    };
    if kinds & kind::GITLAB != 0
        && len == 27
        && let Some(&[high, low, stream @ (b'O' | b'E'), how @ (b'+' | b' ')]) = rest.first_chunk::<4>()
        && let (Some(high), Some(low)) = (hex(high), hex(low))
    {
        // FF_TIMESTAMPS (runner 17.0), lib/gitlab/ci/trace/stream.rb: number, O or E, `+` for a line that goes on.
        let stream = 0x8000 | u16::from(high) << 5 | u16::from(low) << 1 | u16::from(stream == b'E');
        return Some(Prefix { len: plain.len + 5, stream, continues: how == b'+', ..plain });
    }
    if kinds & kind::CRI != 0
        && let Some(rest) = rest.strip_prefix(b"std")
        && let Some(&[a, b, c, b' ', tag @ (b'F' | b'P'), b' ']) = rest.first_chunk::<6>()
        && let Some(stream) = standard_stream(&[a, b, c])
    {
        return Some(Prefix { len: plain.len + 10, stream, open: tag == b'P', ..plain });
    }
    (kinds & kind::ISO != 0).then_some(Prefix { len: plain.len + 1, ..plain })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn standard_stream(name: &[u8]) -> Option<u16> {
    match name {
        b"out" => Some(1),
        b"err" => Some(2),
        _ => None,
    }
}

/// `[2026-06-21T05:34:54.525Z] ` (Jenkins' timestamper), `[task 2026-06-21T05:34:54.525Z] ` (Taskcluster),
/// `[pod/name/container] ` (`kubectl logs --prefix`).
fn bracketed(line: &[u8]) -> Option<Prefix> {
    let close = memchr::memchr(b']', &line[..line.len().min(256)])?;
    let inner = &line[1..close];
    let word = inner.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let after_word = if word > 0 && inner.get(word) == Some(&b' ') { word + 1 } else { 0 };
    let time = time(&inner[after_word..]).filter(|len| after_word + len == inner.len());
    if time.is_none() && !inner.starts_with(b"pod/") {
        return None;
    }
    let len = if line.get(close + 1) == Some(&b' ') { close + 2 } else { close + 1 };
    let time = time.map(|len| (1 + after_word as u32, (1 + after_word + len) as u32));
    Some(Prefix { len: len as u32, time, ..Prefix::default() })
}

/// Docker's `json-file` driver: `{"log":"text\n","stream":"stdout","time":"2026-…"}`, one object a line; text that was
/// cut (at 16 KiB) lacks the `\n`.
fn json_driver(line: &[u8]) -> Option<Prefix> {
    const START: &[u8] = b"{\"log\":\"";
    let text = line.strip_prefix(START)?;
    let end = START.len() + string_end(text)?;
    let (text, rest) = (&line[START.len()..end], &line[end..]);
    let value = |name: &[u8]| {
        let from = end + memchr::memmem::find(rest, name)? + name.len();
        Some(from..from + string_end(&line[from..])?)
    };
    let stream = match value(b"\"stream\":\"std") {
        Some(name) => standard_stream(&line[name]).unwrap_or(0),
        None => 0,
    };
    Some(Prefix {
        len: START.len() as u32,
        stream: 0x4000 | stream,
        continues: false,
        open: !text.ends_with(b"\\n"),
        form: Form::Json,
        end: Some(u32::try_from(end).ok()?),
        time: value(b"\"time\":\"").and_then(|time| Some((time.start.try_into().ok()?, time.end.try_into().ok()?))),
    })
}

/// `{"__CURSOR":"…","MESSAGE":[27,91,49,109],…}`, as `journalctl -o json` writes a message that is not only text that can
/// be printed (systemd.io/JOURNAL_EXPORT_FORMATS). Others stand there as they are.
fn journal(line: &[u8]) -> Option<Prefix> {
    const KEY: &[u8] = b"\"MESSAGE\":[";
    let start = memchr::memmem::find(line, KEY)? + KEY.len();
    let len = line[start..].iter().take_while(|&&byte| byte.is_ascii_digit() || byte == b',').count();
    let (len, end) = (u32::try_from(start).ok()?, u32::try_from(start + len).ok()?);
    (line.get(end as usize) == Some(&b']')).then(|| Prefix {
        len,
        end: Some(end),
        form: Form::Numbers,
        ..Prefix::default()
    })
}

/// Where the JSON string that `text` begins within ends.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > text.len() {
            return None;
        }
    }
}

/// `Nov 20 12:34:56 host unit[123]: `, as `journalctl` and syslog write it.
fn syslog(line: &[u8]) -> Option<Prefix> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let head = line.first_chunk::<16>()?;
    let clock = head[9] == b':' && head[12] == b':' && head[6] == b' ' && head[15] == b' ';
    if !clock || !MONTHS.iter().any(|month| head.starts_with(*month)) {
        return None;
    }
    let window = &line[16..line.len().min(16 + 256)];
    let end = 16 + memchr::memmem::find(window, b": ")?;
    // Host and unit are two words.
    (memchr::memchr_iter(b' ', &line[16..end]).count() == 1).then(|| Prefix {
        len: end as u32 + 2,
        time: Some((0, 15)),
        ..Prefix::default()
    })
}

/// `service-1  | `, as `docker compose logs` writes it.
fn compose(line: &[u8]) -> Option<Prefix> {
    let window = &line[..line.len().min(64)];
    memchr::memchr(b'|', window)?;
    let name = window.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)).count();
    let blanks = window[name..].iter().take_while(|&&byte| byte == b' ').count();
    let len = name + blanks;
    (blanks > 0 && window[len..].starts_with(b"| ")).then(|| Prefix { len: len as u32 + 2, ..Prefix::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(line: &str) -> &str {
        let prefix = Dialect::Auto.prefix(line.as_bytes());
        &line[prefix.len as usize..prefix.end.map_or(line.len(), |end| end as usize)]
    }

    #[test]
    fn each_systems_prefix_is_left_out() {
        for line in [
            "2026-06-21T05:34:54.5256259Z text",
            "2026-06-21 05:34:54,525 text",
            "2026-06-21T05:34:54.525256Z 01O text",
            "2026-06-21T05:34:54.525256Z a0E+text",
            "2026-06-21T05:34:54.525256789Z stdout F text",
            "2026-06-21T05:34:54.525256789+02:00 stderr P text",
            "[2026-06-21T05:34:54.525Z] text",
            "[task 2026-06-21T05:34:54.525Z] text",
            "[pod/web-0/nginx] 2026-06-21T05:34:54.525256789Z text",
            r#"{"log":"text","stream":"stderr","time":"2026-06-21T05:34:54.525256789Z"}"#,
            "Nov 20 12:34:56 host kubelet[123]: text",
            "Nov  2 12:34:56 host kernel: text",
            "web-1  | text",
        ] {
            assert_eq!(text(line), "text", "{line}");
        }
        for line in
            ["text", "2026 things", "[INFO] text", "{\"log\":1}", "Now 20 is", "May be 12:34:56 x: y", "a | b |"]
        {
            let found = Dialect::Auto.prefix(line.as_bytes());
            assert!(found.len == 0 || line.starts_with("a |"), "{line}");
        }
    }

    #[test]
    fn streams_and_their_continuations_are_known() {
        let of = |line: &str| {
            let prefix = Dialect::Auto.prefix(line.as_bytes());
            (prefix.stream, prefix.continues, prefix.open)
        };
        let (one, plus) = (of("2026-06-21T05:34:54.525256Z 01O a"), of("2026-06-21T05:34:54.525256Z 01O+b"));
        assert_eq!((one.0, plus.1, plus.2), (plus.0, true, false));
        assert_ne!(of("2026-06-21T05:34:54.525256Z 01E a").0, one.0);
        assert!(of("2026-06-21T05:34:54.525256789Z stdout P a").2);
        assert!(of(r#"{"log":"cut","stream":"stdout"}"#).2);
        assert!(!of(r#"{"log":"whole\n","stream":"stdout"}"#).2);
    }

    #[test]
    fn a_named_dialect_sees_only_its_own() {
        assert_eq!(Dialect::Plain.prefix(b"2026-06-21T05:34:54.5256259Z text").len, 0);
        assert_eq!(Dialect::Gitlab.prefix(b"2026-06-21T05:34:54.5256259Z text").len, 0);
        assert_eq!(Dialect::Github.prefix(b"2026-06-21T05:34:54.5256259Z text").len, 29);
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::parse(dialect.as_str()), Some(dialect));
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(start in prop::sample::select(vec![
            "", "{\"MESSAGE\":[1,2", "2026-06-21T05:34:54.525256Z ", "2026-06-21T05:34:54.525256Z 01O+", "{\"log\":\"", "[task ",
            "Nov 20 12:34:56 h", "[pod/a] ", "2026-06-21T05:34:54+02:00 stdout P ", "web-1 ",
        ]), cut in 0usize..40, rest in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut line = start.as_bytes()[..cut.min(start.len())].to_vec();
            line.extend(rest);
            for dialect in Dialect::ALL {
                let prefix = dialect.prefix(&line);
                let len = line.len() as u32;
                prop_assert!(prefix.len <= prefix.end.unwrap_or(len));
                prop_assert!(prefix.end.is_none_or(|end| end <= len));
                prop_assert!(prefix.time.is_none_or(|(from, to)| from <= to && to <= len));
            }
        }
    }
}
