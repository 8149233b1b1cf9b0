//! JSON Web Tokens: alone, or inside a token of GitHub's or GitLab's.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::{Proven, gitlab};
use crate::finding::Fact;
use crate::rule::Confidence;

/// Claims are shown up to this many characters: an issuer or a subject has no need of more.
const LONGEST_VALUE: usize = 200;

/// `<base64url header>.<base64url payload>.<signature>` (RFC 7519), where header and payload are JSON objects and the
/// header names an algorithm. What stands before the `eyJ` of the header is a prefix: `glcbt-`, `ghs_<app id>_`.
/// The signature is not checked: its key is the issuer's. UNVERIFIED: that GitLab's claims `o`, `u`, `p`, `g` are
/// always base36 (seen in a test vector of google/osv-scalibr), and the claims of GitHub's stateless tokens.
pub(super) fn web_token(token: &[u8], now: i64) -> Proven {
    let Some((prefix, header, payload)) = decode(token) else {
        return Proven::fails("header and payload do not decode as a JSON Web Token");
    };
    let mut facts = prefix_facts(prefix);
    for (claims, claim, name) in
        [(&header, "alg", "jwt.algorithm"), (&payload, "iss", "jwt.issuer"), (&payload, "sub", "jwt.subject")]
    {
        facts.extend(claims.get(claim).and_then(Value::as_str).map(|text| Fact { name, value: shorten(text) }));
    }
    facts.extend(payload.get("exp").and_then(Value::as_f64).into_iter().flat_map(|exp| expiry(exp, now)));
    if prefix.ends_with(b"glcbt-") {
        let claim = |key: &str| gitlab::fact(key.as_bytes(), payload.get(key)?.as_str()?.as_bytes());
        facts.extend(["g", "o", "p", "u"].into_iter().filter_map(claim));
    }
    let (most, why) = worth(&header, &payload, now);
    Proven { most, ..Proven::holds(why, facts) }
}

/// How sure a token that decodes makes us at most, and why. The example of <https://jwt.io> is in every tutorial, its
/// names are nobody's; without a signature (RFC 7519 section 6) nobody made it; an expired one opens nothing. Supabase's key of the role
/// `anon` is made for browsers (<https://supabase.com/docs/guides/api/api-keys>).
fn worth(header: &Claims, payload: &Claims, now: i64) -> (Confidence, &'static str) {
    let says = |claims: &Claims, claim: &str, values: &[&str]| {
        claims.get(claim).and_then(Value::as_str).is_some_and(|text| values.contains(&text))
    };
    if says(payload, "sub", &["1234567890"]) && payload.get("name").is_none_or(|_| says(payload, "name", NOBODIES)) {
        return (Confidence::Low, "it decodes as a JSON Web Token, the example of jwt.io");
    }
    if header.get("alg").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case("none")) {
        return (Confidence::Low, "it decodes as a JSON Web Token, which says that it has no signature");
    }
    if says(payload, "iss", &["supabase", "supabase-demo"]) && says(payload, "role", &["anon"]) {
        return (Confidence::Low, "it decodes as a JSON Web Token, of the role that Supabase gives everybody");
    }
    if payload.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp <= now as f64) {
        return (Confidence::Medium, "it decodes as a JSON Web Token, which has expired");
    }
    (Confidence::High, "header and payload decode as a JSON Web Token")
}

/// Names in examples.
const NOBODIES: &[&str] = &["John Doe", "Jane Doe", "John", "Alice", "Test User"];

type Claims = Map<String, Value>;

fn decode(token: &[u8]) -> Option<(&[u8], Claims, Claims)> {
    let mut parts = token.split(|&byte| byte == b'.');
    let (head, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    let payload = object(payload)?;
    // An instance prefix may itself contain the letters.
    let starts = head.windows(3).enumerate().filter(|(_, letters)| letters == b"eyJ");
    let (at, header) = starts.filter_map(|(at, _)| Some((at, object(&head[at..])?))).next()?;
    header.get("alg").is_some_and(Value::is_string).then_some((&head[..at], header, payload))
}

fn object(part: &[u8]) -> Option<Claims> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part).ok()?).ok()
}

/// `ghs_<app id>_`
fn prefix_facts(prefix: &[u8]) -> Vec<Fact> {
    let id = prefix.strip_prefix(b"ghs_").and_then(|rest| rest.strip_suffix(b"_"));
    let id = id.filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
    let value = id.and_then(|digits| String::from_utf8(digits.to_vec()).ok());
    value.map(|value| Fact { name: "github.app_id", value }).into_iter().collect()
}

/// `exp` counts seconds since 1970 and may have a fraction (RFC 7519 section 2, NumericDate).
pub(super) fn expiry(exp: f64, now: i64) -> Vec<Fact> {
    let Ok(expires) = jiff::Timestamp::from_second(exp.floor() as i64) else { return Vec::new() };
    let expired = exp <= now as f64;
    vec![Fact { name: "expires", value: expires.to_string() }, Fact { name: "expired", value: expired.to_string() }]
}

fn shorten(text: &str) -> String {
    text.chars().take(LONGEST_VALUE).collect()
}

/// A token: `prefix`, a header and a payload that decode, and `signature` as it is. It never expires within this
/// century, so that examples stay as they are.
pub(in crate::detect) fn make(prefix: &[u8], id: u64, signature: &[u8]) -> Vec<u8> {
    let header = json!({ "alg": "RS256", "typ": "JWT" }).to_string();
    let payload = json!({ "exp": 4_102_444_799_i64, "iss": "https://issuer.test", "jti": id.to_string() }).to_string();
    let part = |text: String| BASE64URL_NOPAD.encode(text.as_bytes());
    [prefix, part(header).as_bytes(), b".", part(payload).as_bytes(), b".", signature].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use proptest::prelude::*;

    fn token(prefix: &str, payload: &Value) -> Vec<u8> {
        let part = |json: &Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
        format!("{prefix}{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(payload)).into_bytes()
    }

    fn fact<'p>(proven: &'p Proven, name: &str) -> Option<&'p str> {
        proven.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }

    #[test]
    fn expiry_is_read_and_compared() {
        let token = token("", &json!({ "exp": 1_000_000_000, "iss": "me" }));
        let before = web_token(&token, 999_999_999);
        assert_eq!(fact(&before, "expires"), Some("2001-09-09T01:46:40Z"));
        assert_eq!(fact(&before, "expired"), Some("false"));
        assert_eq!(fact(&before, "jwt.issuer"), Some("me"));
        assert_eq!(fact(&before, "jwt.algorithm"), Some("RS256"));
        assert_eq!(fact(&web_token(&token, 1_000_000_000), "expired"), Some("true"));
    }

    #[test]
    fn examples_and_what_has_expired_are_worth_less() {
        let most = |payload: Value, now| web_token(&token("", &payload), now).most;
        assert_eq!(most(json!({ "sub": "1234567890", "name": "John Doe", "iat": 1_516_239_022 }), 0), Confidence::Low);
        assert_eq!(most(json!({ "sub": "1234567890" }), 0), Confidence::Low);
        assert_eq!(most(json!({ "sub": "1234567890", "name": "Ada L." }), 0), Confidence::High);
        assert_eq!(most(json!({ "exp": 7 }), 6), Confidence::High);
        assert_eq!(most(json!({ "exp": 7 }), 7), Confidence::Medium);
        assert_eq!(most(json!({ "iss": "supabase", "role": "anon" }), 0), Confidence::Low);
        assert_eq!(most(json!({ "iss": "supabase", "role": "service_role" }), 0), Confidence::High);
        let unsigned = format!("{}.e30.c2ln", BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#));
        assert_eq!(web_token(unsigned.as_bytes(), 0).most, Confidence::Low);
    }

    #[test]
    fn prefixes_are_understood() {
        assert_eq!(fact(&web_token(&token("ghs_12345_", &json!({})), 0), "github.app_id"), Some("12345"));
        let job = token("eyJco-glcbt-", &json!({ "o": "1", "p": "1z", "sub": "gid://gitlab/Ci::Build/7" }));
        let job = web_token(&job, 0);
        assert_eq!(fact(&job, "gitlab.project"), Some("71"));
        assert_eq!(fact(&job, "jwt.subject"), Some("gid://gitlab/Ci::Build/7"));
    }

    #[test]
    fn what_does_not_decode_fails() {
        for text in ["", "eyJ.eyJ.x", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.e30", "eyJhbGciOiJSUzI1NiJ9.e30.", "e30.e30.c2ln"]
        {
            assert!(matches!(web_token(text.as_bytes(), 0).proof, Proof::Fails(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_expiry_panics(exp: f64, now: i64) {
            expiry(exp, now);
        }
    }
}
