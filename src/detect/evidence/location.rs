//! Values that say where something is: paths, files, hosts, packages and addresses.

use super::language;
use super::pattern::is_account;
use super::syntax;
use super::value::has;

/// How names of files and hosts end.
const ENDS: &[&str] = &[
    ".pem",
    ".key",
    ".json",
    ".yml",
    ".yaml",
    ".txt",
    ".crt",
    ".cer",
    ".jks",
    ".p12",
    ".pfx",
    ".html",
    ".php",
    ".js",
    ".py",
    ".xml",
    ".properties",
    ".com",
    ".org",
    ".net",
    ".local",
    ".io",
    ".sh",
    ".env",
];

/// How paths, addresses and references begin.
const STARTS: &[&str] =
    &["./", "../", "~/", "file:", "arn:", "secretsmanager:", "ssm:", "classpath:", "mailto:", "www.", "urn:", "exec:"];

pub(super) fn is_location(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let drive = matches!(value, [disk, b':', b'\\' | b'/', _, ..] if disk.is_ascii_alphabetic());
    let worded = || language::read(value).words >= 0.6;
    has(&lower, "://")
        || drive
        || STARTS.iter().any(|start| lower.starts_with(start.as_bytes()))
        || ["aws4_request", "goog4_request"].iter().any(|end| lower.ends_with(end.as_bytes()))
        || is_media_type(&lower)
        || is_mount(value)
        || is_file(value)
        || is_class(value)
        || (ENDS.iter().any(|end| lower.ends_with(end.as_bytes())) && worded())
        || (value.iter().filter(|byte| **byte == b'/').count() >= 1 && worded())
        || is_absolute(value)
        || is_address(value)
        || is_account(value)
        || is_package(value)
        || is_coordinate(value)
        || is_attribute(value)
        || is_of_amazon(value)
        || lower.starts_with("jdbc:".as_bytes()) && !value.contains(&b'@')
        || std::str::from_utf8(value).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
        || syntax::is_registered(value)
        || (value.starts_with(b"@/") && is_absolute(&value[1..]))
        || value.strip_prefix(b"/").is_some_and(is_folder)
        || (lower.starts_with(b"%2f") && is_written_path(value))
}

/// `%2Fen%2Fhome`: a path as a URL has it in its query.
fn is_written_path(value: &[u8]) -> bool {
    let path = String::from_utf8_lossy(value).replace("%2F", "/").replace("%2f", "/");
    !path.contains('%') && is_location(path.as_bytes())
}

/// `foo` of `/foo`.
fn is_folder(name: &[u8]) -> bool {
    (1..=16).contains(&name.len()) && name.iter().all(u8::is_ascii_lowercase)
}

/// `application/cose-key+cbor`.
pub(super) fn is_media_type(lower: &[u8]) -> bool {
    const TOPS: [&[u8]; 8] = [b"application", b"text", b"image", b"audio", b"video", b"multipart", b"font", b"message"];
    let rest = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".+-".contains(byte);
    let parts = lower.iter().position(|byte| *byte == b'/').map(|at| (&lower[..at], &lower[at + 1..]));
    parts.is_some_and(|(top, name)| TOPS.contains(&top) && !name.is_empty() && name.iter().all(rest))
}

/// `token:/etc/creds/token`: a name and where what it names is.
fn is_mount(value: &[u8]) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let at = value.iter().position(|byte| !name(byte)).unwrap_or(0);
    at > 0 && value[at..].starts_with(b":/") && is_absolute(&value[at + 1..])
}

/// `a1/v4/pr_source.png`: folders, and a name that ends as one of a file does. Base64 has no dot.
pub(super) fn is_file(value: &[u8]) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-%~@".contains(byte);
    let name = value.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let end = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    value.iter().filter(|byte| **byte == b'/').count() >= 2
        && value.iter().all(part)
        && end.len() < name.len()
        && (2..=5).contains(&end.len())
        && end.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// `Symfony\Component\Security\RememberMeToken`, `SOFTWARE\Policies\Microsoft`: a class of PHP or a key of Windows' registry.
fn is_class(value: &[u8]) -> bool {
    let name =
        |part: &[u8]| part.first().is_some_and(u8::is_ascii_alphabetic) && part.iter().all(u8::is_ascii_alphanumeric);
    let parts = || value.split(|byte| *byte == b'\\').filter(|part| !part.is_empty());
    parts().count() >= 3 && parts().all(name) && language::read(value).words >= 0.5
}

/// `/run/app/passwd`: no base64 has so few kinds of characters.
fn is_absolute(value: &[u8]) -> bool {
    let part = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(byte);
    value.starts_with(b"/") && value.iter().all(part) && value.iter().filter(|byte| **byte == b'/').count() >= 2
}

/// `com.corp.app.TOKEN`: a name in a package, as Java and Android have them.
fn is_package(value: &[u8]) -> bool {
    const TOPS: &[&[u8]] = &[b"com", b"org", b"net", b"io", b"dev", b"java", b"javax", b"android", b"androidx"];
    let name = |part: &[u8]| {
        part.first().is_some_and(u8::is_ascii_alphabetic)
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let mut parts = value.split(|byte| *byte == b'.');
    parts.next().is_some_and(|top| TOPS.contains(&top)) && parts.clone().count() >= 2 && parts.all(name)
}

/// `jjwt-impl:0.11.2`, `org.example:name:1.2.0:classes`: an artifact of Maven or Gradle and its version, behind its group or not.
fn is_coordinate(value: &[u8]) -> bool {
    let name = |part: &[u8]| {
        part.first().is_some_and(u8::is_ascii_alphabetic)
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte))
    };
    let version = |part: &[u8]| {
        let digits = part.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (1..=4).contains(&digits) && part.get(digits) == Some(&b'.') && part.len() <= 24 && name(&[b"v", part].concat())
    };
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b':').collect();
    let at = parts.iter().position(|part| version(part));
    (2..=4).contains(&parts.len())
        && at.is_some_and(|at| (1..=2).contains(&at) && at + 2 >= parts.len())
        && parts.iter().enumerate().all(|(place, part)| Some(place) == at || name(part))
}

/// `someone@host.tld`.
/// `azuread_administrator.0.login`: a member of something, by its number.
fn is_attribute(value: &[u8]) -> bool {
    let number = |part: &[u8]| (1..=2).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let name = |part: &[u8]| part.len() >= 3 && part.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    let parts = || value.split(|byte| *byte == b'.');
    parts().count() >= 3 && parts().any(number) && parts().all(|part| name(part) || number(part))
}

/// `amzn1.ask.skill.…`: what Amazon calls its things. A client's secret begins so, too.
fn is_of_amazon(value: &[u8]) -> bool {
    value.starts_with(b"amzn1.") && !value.starts_with(b"amzn1.oa2-cs")
}

fn is_address(value: &[u8]) -> bool {
    let Some(at) = value.iter().position(|byte| *byte == b'@') else { return false };
    let (user, host) = (&value[..at], &value[at + 1..]);
    let plain =
        |part: &[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+'));
    let top = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    !user.is_empty()
        && plain(user)
        && plain(host)
        && host.len() > top.len() + 1
        && (2..=6).contains(&top.len())
        && top.iter().all(u8::is_ascii_lowercase)
}
