//! Tokens a part of which is base64 of JSON, or of text in a form that is known.

use std::ops::Range;
use std::sync::LazyLock;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use regex::bytes::Regex;
use serde_json::Value;

use super::{Proven, fact, from_base64, jwt};
use crate::finding::Fact;

/// Where the base64 stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Behind the prefix.
    Rest,
    /// Behind the prefix, up to the first of these.
    UpTo(u8),
    /// Behind the prefix, up to the last of these.
    UpToLast(u8),
    /// Behind the first of these; the prefix begins it.
    Behind(u8),
    /// Behind the last of these.
    BehindLast(u8),
}

/// What the base64 encodes.
enum Inner {
    /// A JSON object with these keys. One that does not decode is no token: its first letters say that it is JSON.
    Json(&'static [&'static str]),
    /// Text of the form's pattern. Another text proves nothing.
    Text,
}

/// The form of a kind of token.
struct Form {
    /// What the token begins with, the base64's own first letters included where nothing else tells it apart.
    begins: &'static [&'static str],
    /// How many letters of that are not of the base64.
    skip: usize,
    part: Part,
    inner: Inner,
    /// What the base64 encodes, as a pattern: texts have it, and what is minted is drawn from it.
    pattern: &'static str,
    /// JSON pointers (`/key`) or names of the pattern's groups, and the facts that they are.
    facts: &'static [(&'static str, &'static str)],
    /// Letters of base64url without padding, or the standard's with it.
    url: bool,
}

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

/// Each form is that of published tokens; where a page or the provider's source states it, the rule's references name
/// it. What is told (account, host, expiry) is never what the provider compares.
const FORMS: &[Form] = &[
    Form {
        begins: &["ops_eyJ"],
        skip: 4,
        part: Part::Rest,
        inner: Inner::Json(&["signInAddress", "userAuth", "email", "srpX", "muk", "secretKey", "deviceUuid"]),
        pattern: r#"\{"signInAddress":"[a-z]{8}\.1password\.test","userAuth":\{"method":"SRPg-4096"\},"email":"[a-z0-9]{13}@1passwordserviceaccounts\.test","srpX":"[0-9a-f]{64}","muk":\{"k":"[0-9A-Za-z]{43}"\},"secretKey":"[0-9A-Z]{26}","deviceUuid":"[a-z0-9]{26}"\}"#,
        facts: &[("/signInAddress", "1password.address"), ("/email", "1password.email")],
        url: true,
    },
    Form {
        begins: &["glc_eyJ"],
        skip: 4,
        part: Part::Rest,
        inner: Inner::Json(&["o", "n", "k"]),
        pattern: r#"\{"o":"[1-9][0-9]{5}","n":"[a-z]{8}","k":"[0-9A-Za-z]{24}","m":\{"r":"[a-z]{2}"\}\}"#,
        facts: &[("/o", "grafana.organization"), ("/n", "grafana.token"), ("/m/r", "grafana.region")],
        url: false,
    },
    Form {
        begins: &["eyJrIjoi"],
        skip: 0,
        part: Part::Rest,
        inner: Inner::Json(&["k", "n", "id"]),
        pattern: r#"\{"k":"[0-9A-Za-z]{32}","n":"[a-z]{8}","id":[1-9]\}"#,
        facts: &[("/n", "grafana.token"), ("/id", "grafana.organization")],
        url: false,
    },
    Form {
        begins: &["sk.eyJ", "tk.eyJ", "pk.eyJ"],
        skip: 3,
        part: Part::UpTo(b'.'),
        inner: Inner::Json(&["u", "a"]),
        pattern: r#"\{"u":"[a-z]{9}","a":"c[0-9a-z]{24}"\}"#,
        facts: &[("/u", "mapbox.account")],
        url: true,
    },
    Form {
        begins: &["eyJhIjoi"],
        skip: 0,
        part: Part::Rest,
        inner: Inner::Json(&["a", "t", "s"]),
        pattern: r#"\{"a":"[0-9a-f]{32}","t":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}","s":"[0-9A-Za-z]{43}="\}"#,
        facts: &[("/a", "cloudflare.account"), ("/t", "cloudflare.tunnel")],
        url: false,
    },
    Form {
        begins: &["prod:", "dev:", "preview:", "project:"],
        skip: 0,
        part: Part::Behind(b'|'),
        inner: Inner::Json(&["v2"]),
        pattern: r#"\{"v2":"[0-9a-f]{64}"\}"#,
        facts: &[],
        url: false,
    },
    Form {
        begins: &["sntrys_eyJ"],
        skip: 7,
        part: Part::UpToLast(b'_'),
        inner: Inner::Json(&["iat", "url", "org"]),
        pattern: r#"\{"iat":1[6-8][0-9]{8}\.[0-9]{6},"url":"https://sentry\.test","region_url":"https://[a-z]{2}\.sentry\.test","org":"[a-z]{8}"\}"#,
        facts: &[("/org", "sentry.organization"), ("/region_url", "sentry.region")],
        url: false,
    },
    Form {
        begins: &["p.eyJ1IjogI"],
        skip: 2,
        part: Part::UpTo(b'.'),
        inner: Inner::Json(&["u", "id", "host"]),
        pattern: r#"\{"u": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "id": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "host": "[a-z]{2}_shared"\}"#,
        facts: &[("/u", "tinybird.workspace"), ("/host", "tinybird.host")],
        url: true,
    },
    Form {
        begins: &["eyJVc2VySUQi"],
        skip: 0,
        part: Part::Rest,
        inner: Inner::Json(&["UserID", "Password"]),
        pattern: r#"\{"UserID":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}","Password":"[0-9a-f]{32}"\}"#,
        facts: &[("/UserID", "upstash.user")],
        url: false,
    },
    Form {
        begins: &["eyJ0eXAiOiAiVENWMiJ9."],
        skip: 0,
        part: Part::BehindLast(b'.'),
        inner: Inner::Text,
        pattern: UUID,
        facts: &[],
        url: true,
    },
    Form {
        begins: &["cmVmdGtu"],
        skip: 0,
        part: Part::Rest,
        inner: Inner::Text,
        pattern: "reftkn:01:(?P<seconds>[01][0-9]{9}):[0-9A-Za-z]{27}",
        facts: &[("seconds", EXPIRES)],
        url: true,
    },
    Form {
        begins: &["ABSK"],
        skip: 4,
        part: Part::Rest,
        inner: Inner::Text,
        pattern: r"BedrockAPIKey-[0-9a-z]{4}-at-(?P<account>[0-9]{12}):[0-9A-Za-z+/]{58,76}={0,2}",
        facts: &[("account", "aws.account")],
        url: false,
    },
    Form {
        begins: &["dG9rO"],
        skip: 0,
        part: Part::Rest,
        inner: Inner::Text,
        pattern: "tok:[0-9a-f]{8}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{12}:1:[0-9]",
        facts: &[],
        url: false,
    },
    Form {
        begins: &["sk_live_a2V5XzAx", "sk_test_a2V5XzAx"],
        skip: 8,
        part: Part::Rest,
        inner: Inner::Text,
        pattern: "key_(?P<key>01[0-9A-HJKMNP-TV-Z]{24}),[0-9A-Za-z]{25,40}",
        facts: &[("key", "workos.key")],
        url: false,
    },
    Form { begins: &["sec-c-"], skip: 6, part: Part::Rest, inner: Inner::Text, pattern: UUID, facts: &[], url: true },
    Form {
        begins: &["M", "N", "O"],
        skip: 0,
        part: Part::UpTo(b'.'),
        inner: Inner::Text,
        pattern: "(?P<user>[1-9][0-9]{16,19})",
        facts: &[("user", "discord.user")],
        url: true,
    },
    Form {
        begins: &[""],
        skip: 0,
        part: Part::Rest,
        inner: Inner::Text,
        pattern: "[0-9A-Za-z_-]{20}:[0-9A-Za-z_-]{22}",
        facts: &[],
        url: true,
    },
];

/// The fact of a number of seconds since 1970, 0 for never: it is told as a time, and whether it has passed.
const EXPIRES: &str = "expires";

/// The patterns of [`FORMS`], each for the whole text.
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let whole = |form: &Form| Regex::new(&format!("^(?-u:{})$", form.pattern));
    FORMS.iter().map(|form| whole(form).expect("our own patterns compile, which a test shows")).collect()
});

/// Decodes the part of the token that its form says. See [`FORMS`]. `now` is in seconds since 1970.
pub(super) fn base64(token: &[u8], now: i64) -> Proven {
    let Some((index, range)) = find(token) else { return Proven::absent(Vec::new()) };
    let (form, raw) = (&FORMS[index], from_base64(&token[range]));
    match form.inner {
        Inner::Json(keys) => form.json(token, raw.as_deref(), keys),
        Inner::Text => {
            let found = raw.as_ref().and_then(|raw| PATTERNS[index].captures(raw));
            let Some(found) = found else { return Proven::absent(Vec::new()) };
            let value = |name: &str| std::str::from_utf8(found.name(name)?.as_bytes()).ok();
            let facts = form.facts.iter().filter_map(|&(from, name)| Some((name, value(from)?)));
            Proven::holds(
                "it decodes to a text of the form",
                facts.flat_map(|(name, text)| told(name, text, now)).collect(),
            )
        }
    }
}

/// The form of a token, and where its base64 stands.
fn find(token: &[u8]) -> Option<(usize, Range<usize>)> {
    let forms = FORMS.iter().enumerate().filter(|(_, form)| form.begins(token));
    forms.filter_map(|(index, form)| Some((index, form.part(token)?))).next()
}

impl Form {
    fn begins(&self, token: &[u8]) -> bool {
        self.begins.iter().any(|begin| token.starts_with(begin.as_bytes()))
    }

    fn part(&self, token: &[u8]) -> Option<Range<usize>> {
        let (start, end) = (self.skip, token.len());
        let first = |mark: u8| Some(start + token.get(start..)?.iter().position(|&byte| byte == mark)?);
        let last = |mark: u8| Some(start + token.get(start..)?.iter().rposition(|&byte| byte == mark)?);
        Some(match self.part {
            Part::Rest => start..end,
            Part::UpTo(mark) => start..first(mark)?,
            Part::UpToLast(mark) => start..last(mark)?,
            Part::Behind(mark) => first(mark)? + 1..end,
            Part::BehindLast(mark) => last(mark)? + 1..end,
        })
    }

    fn json(&self, token: &[u8], raw: Option<&[u8]>, keys: &[&str]) -> Proven {
        let value = raw.and_then(|raw| serde_json::from_slice::<Value>(raw).ok()).filter(Value::is_object);
        let Some(value) = value else { return Proven::fails("what should be base64 of JSON does not decode") };
        if !keys.iter().all(|key| value.get(key).is_some()) {
            return Proven::absent(Vec::new());
        }
        let text = |pointer: &str| match value.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let told = self.facts.iter().filter_map(|&(pointer, name)| fact(name, &text(pointer)?));
        let facts = told.chain(deployment(token)).collect();
        Proven::holds("it decodes to JSON with the keys of the kind", facts)
    }
}

/// `prod:<deployment>|…`
fn deployment(token: &[u8]) -> Option<Fact> {
    let head = &token[..token.iter().position(|&byte| byte == b'|')?];
    fact("convex.deployment", std::str::from_utf8(head).ok()?)
}

fn told(name: &'static str, text: &str, now: i64) -> Vec<Fact> {
    match (name, text.parse::<i64>()) {
        (EXPIRES, Ok(0)) => Vec::new(),
        (EXPIRES, Ok(seconds)) => jwt::expiry(seconds as f64, now),
        _ => fact(name, text).into_iter().collect(),
    }
}

/// The pattern of what is to be encoded in a token like `token`. `None` if no form is like it.
pub(in crate::detect) fn pattern(token: &[u8]) -> Option<&'static str> {
    find(token).map(|(index, _)| FORMS[index].pattern)
}

/// `token` with the base64 of `inner` where its form has it. `None` if no form is like it.
pub(in crate::detect) fn make(token: &[u8], inner: &[u8]) -> Option<Vec<u8>> {
    let (index, range) = find(token)?;
    let text = if FORMS[index].url { BASE64URL_NOPAD.encode(inner) } else { BASE64.encode(inner) };
    Some([&token[..range.start], text.as_bytes(), &token[range.end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;

    fn b64(text: &str) -> String {
        BASE64.encode(text.as_bytes())
    }

    fn facts(token: &str) -> Vec<(&'static str, String)> {
        let proven = base64(token.as_bytes(), 0);
        assert!(proven.proof.holds(), "{token}: {proven:?}");
        proven.facts.into_iter().map(|fact| (fact.name, fact.value)).collect()
    }

    #[test]
    fn owners_are_told() {
        let token = format!("glc_{}", b64(r#"{"o":"12","n":"me","k":"x","m":{"r":"eu"}}"#));
        let all = [("grafana.organization", "12"), ("grafana.token", "me"), ("grafana.region", "eu")];
        assert_eq!(facts(&token), all.map(|(name, value)| (name, value.to_owned())));
        let token = format!("prod:calm-owl-1|{}", b64(r#"{"v2":"00"}"#));
        assert_eq!(facts(&token), [("convex.deployment", "prod:calm-owl-1".to_owned())]);
        let token = b64("reftkn:01:1000000000:abcdefghijklmnopqrstuvwxyz0");
        assert_eq!(facts(&token)[0], ("expires", "2001-09-09T01:46:40Z".to_owned()));
        assert_eq!(facts(&b64("reftkn:01:0000000000:abcdefghijklmnopqrstuvwxyz0")), []);
    }

    #[test]
    fn json_that_does_not_decode_fails_and_other_json_is_not_doubted() {
        let cut = format!("glc_{}", &b64(r#"{"o":"12","n":"me"}"#)[..16]);
        assert!(matches!(base64(cut.as_bytes(), 0).proof, Proof::Fails(_)));
        let other = format!("glc_{}", b64(r#"{"o":"12"}"#));
        assert_eq!(base64(other.as_bytes(), 0).proof, Proof::Absent);
        assert_eq!(base64(b"cmVmdGtuOjAxxxx", 0).proof, Proof::Absent);
    }

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), FORMS.len());
    }
}
