//! The key under which a Kubernetes Secret manifest, YAML or JSON, has an encoded value.

use std::ops::Range;

use memchr::memmem;

use super::KEY_FACT;
use crate::finding::Fact;

/// How far around a value its manifest is looked for, in bytes. A Secret holds 1 MiB, but few have more than some keys.
const MANIFEST: usize = 8 << 10;

/// Longest key that Kubernetes takes, in bytes.
const KEY: usize = 253;

/// The fact that names the key of a value that begins at `start`, where that is in a Secret.
pub(super) fn facts(bytes: &[u8], start: usize) -> Vec<Fact> {
    let Some(key) = key(bytes, start).filter(|_| is_in_secret(bytes, start)) else { return Vec::new() };
    vec![Fact { name: KEY_FACT, value: key }]
}

fn is_in_secret(bytes: &[u8], at: usize) -> bool {
    let (from, to) = (at.saturating_sub(MANIFEST), bytes.len().min(at + MANIFEST));
    let from = memmem::rfind(&bytes[from..at], b"\n---").map_or(from, |mark| from + mark);
    let to = memmem::find(&bytes[at..to], b"\n---").map_or(to, |mark| at + mark);
    let around = &bytes[from..to];
    memmem::find_iter(around, b"kind").any(|kind| {
        let rest = &around[kind + 4..];
        let between = rest.iter().take(5).take_while(|byte| matches!(byte, b' ' | b'"' | b':')).count();
        let name = &rest[between..];
        between > 0 && name.starts_with(b"Secret") && !name.get(6).is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// The key before `start`: on the same line, or where a block scalar begins.
fn key(bytes: &[u8], start: usize) -> Option<String> {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let from = start.saturating_sub(KEY + 200);
    let mut before = &bytes[from..start];
    let trim = |text: &mut &[u8], set: &[u8]| {
        let len = text.len() - text.iter().rev().take_while(|byte| set.contains(byte)).count();
        *text = &text[..len];
    };
    trim(&mut before, b" \t\r\n\"'|>-+");
    before = before.strip_suffix(b":")?;
    trim(&mut before, b" \"'");
    let len = before.iter().rev().take_while(|byte| is_key(byte)).count();
    let key: Range<usize> = before.len() - len..before.len();
    (1..=KEY).contains(&len).then(|| String::from_utf8_lossy(&before[key]).into_owned())
}
