//! Names of columns.

use super::LONGEST_NAME;

/// Names that say secret only beside an account.
const VAGUE: &[&str] = &["pass", "pw", "mdp", "clave", "senha", "token", "parola", "psk", "암호", "geheimnis"];

/// What says of a token that it is one to log in with.
const QUALIFIERS: &[&str] = &[
    "access",
    "auth",
    "oauth",
    "api",
    "bearer",
    "refresh",
    "bot",
    "session",
    "secret",
    "id",
    "github",
    "gitlab",
    "bitbucket",
    "slack",
    "user",
    "admin",
    "deploy",
    "personal",
    "service",
];

/// What is no secret, or one that nobody can use.
const HARMLESS: &[&str] = &[
    "hash",
    "hashed",
    "encrypted",
    "crypted",
    "no",
    "has",
    "is",
    "min",
    "max",
    "last",
    "forgot",
    "show",
    "hide",
    "reset",
    "expired",
    "require",
    "requires",
    "required",
    "change",
    "next",
    "page",
    "csrf",
    "xsrf",
    "pad",
    "unk",
    "eos",
    "bos",
    "sep",
    "mask",
    "special",
    "public",
    "wrong",
    "invalid",
    "bad",
    "check",
    "use",
    "uses",
    "needs",
];

/// Parts of names of columns that say who logs in, or where.
const ACCOUNTS: &[&str] = &[
    "user",
    "login",
    "mail",
    "host",
    "server",
    "account",
    "acct",
    "url",
    "domain",
    "service",
    "system",
    "device",
    "ssid",
    "router",
    "benutzer",
    "nutzer",
    "konto",
    "usuario",
    "usuário",
    "utilis",
    "utente",
    "cuenta",
    "compte",
    "identifiant",
    "correo",
    "customer",
    "client",
    "tenant",
    "website",
    "portal",
    "machine",
    "database",
    "gateway",
    "camera",
    "switch",
    "anmelde",
    "courriel",
    "endpoint",
];

/// Whether it may be the name of a column: code and numbers are none.
pub(super) fn may_be(cell: &[u8]) -> bool {
    let cell = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell);
    let cell = cell.strip_suffix(b":").unwrap_or(cell);
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b" _.-/?#@*&+%'".contains(byte);
    // `Password (initial)`, but no `call(password)`.
    let (own, remark) = match cell.iter().position(|byte| matches!(byte, b'(' | b'[')) {
        Some(at) if at == 0 || cell[at - 1] == b' ' => (&cell[..at], &cell[at + 1..]),
        _ => (cell, &b""[..]),
    };
    let remark = remark.strip_suffix(b")").or(remark.strip_suffix(b"]")).unwrap_or(remark);
    cell.len() <= LONGEST_NAME
        && own.iter().chain(remark).all(is_sign)
        && cell.first().is_none_or(|first| !first.is_ascii_digit() && !b"+&".contains(first))
        && !cell.starts_with(b"/")
}

/// Whether a name of a secret, with what stands before and behind it in its cell, says that the column has secrets.
pub(super) fn is_meant<'b, O: Iterator<Item = &'b [u8]>>(
    before: &[u8],
    name: &[u8],
    behind: &[u8],
    others: impl Fn() -> O,
) -> bool {
    let is_of = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b" _.-/".contains(byte);
    let lower = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
    let (name, prefix) = (lower(name), lower(before));
    let words = || prefix.split([' ', '_', '.', '-', '/']).filter(|word| !word.is_empty());
    let is_harmless = words().any(|word| HARMLESS.contains(&word));
    let is_vague = VAGUE.contains(&name.as_str())
        && !(name == "token" && words().any(|word| QUALIFIERS.iter().any(|one| word.ends_with(one))));
    let of_account = |other: &[u8]| {
        let other = lower(other);
        other == "ip" || other.starts_with("ip ") || other == "app" || ACCOUNTS.iter().any(|part| other.contains(part))
    };
    before.iter().all(is_of) && !is_harmless && is_end(&lower(behind)) && (!is_vague || others().any(of_account))
}

/// Whether nothing stands behind a name but a number, a remark or a mark.
fn is_end(behind: &str) -> bool {
    let end = behind.trim_end_matches(['*', ':', '?', ' ', '_', '`', '\'']);
    let end = end.trim_start_matches([' ', '_', '-', '*', '`', '\'']);
    let is_remark = end.starts_with(['(', '[']) && end.ends_with([')', ']']) && !end.contains("hash");
    is_remark || matches!(end, "" | "value" | "text" | "plain" | "plaintext" | "clear" | "cleartext" | "s") || {
        end.len() <= 2 && end.bytes().all(|byte| byte.is_ascii_digit())
    }
}
