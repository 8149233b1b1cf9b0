//! What a path says about what is found there.

use super::sign::{self, Sign};
use super::value::is_in;

/// Names of lock files.
const LOCKS: &[&str] = &[
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "npm-shrinkwrap.json",
    "composer.lock",
    "cargo.lock",
    "gemfile.lock",
    "poetry.lock",
    "pipfile.lock",
    "uv.lock",
    "go.sum",
    "flake.lock",
    "podfile.lock",
    "mix.lock",
    "bun.lock",
    "packages.lock.json",
    ".terraform.lock.hcl",
    "pubspec.lock",
    "deno.lock",
];

/// How minified and generated files end.
const MINIFIED: &[&str] = &[".min.js", ".min.css", ".map", ".bundle.js", ".chunk.js", ".svg"];

/// Folders of translations, and how their files end.
const LOCALES: &[&str] =
    &["i18n", "locale", "locales", "localization", "lang", "langs", "languages", "translations", "l10n", "_locales"];
const TRANSLATIONS: &[&str] = &[".po", ".pot", ".arb", ".xlf", ".xliff", ".strings", ".resx", "_strings.xml"];

/// Codes of languages, as files of translations are called.
const LANGUAGES: &[&str] = &[
    "ar", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "gl", "he", "hi", "hr", "hu",
    "id", "is", "it", "ja", "ko", "lt", "lv", "nb", "nl", "nn", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "th",
    "tr", "uk", "vi", "zh",
];

/// Folders of tests and examples, and what is in the names of their files.
const TEST_FOLDERS: &[&str] = &[
    "test",
    "tests",
    "testing",
    "spec",
    "specs",
    "__tests__",
    "testdata",
    "fixtures",
    "fixture",
    "examples",
    "example",
    "mock",
    "mocks",
    "samples",
    "t",
];
const TESTS: &[&str] = &["_test.", ".test.", ".spec.", "_spec.", "test_", "mock", "example", "sample", "fixture"];

/// Folders of documentation, and how documents end.
const DOCUMENT_FOLDERS: &[&str] = &["doc", "docs", "documentation"];
const DOCUMENTS: &[&str] = &[".md", ".rst", ".adoc", ".txt", ".html", ".mdx"];

/// Folders of code of others.
const VENDORED: &[&str] =
    &["node_modules", "vendor", "vendored", "third_party", "thirdparty", "site-packages", "bower_components"];

/// How files of source code end in which literals have quotes.
const SOURCES: &[&str] = &[
    ".py", ".pyi", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".go", ".rs", ".c", ".h", ".cc", ".cpp", ".hpp", ".java",
    ".kt", ".scala", ".swift", ".cs", ".rb", ".php", ".pl", ".pm", ".lua", ".dart", ".ex", ".exs", ".erl", ".hs", ".m",
    ".mm", ".vb", ".sql", ".vue", ".groovy", ".clj", ".gradle", ".kts", ".bicep", ".r", ".jl", ".zig", ".nim",
];

/// The signs of a path, `/`-separated. `bare` tells that the value has no quotes, `nominal` that it looks like a name.
pub(super) fn signs(path: &[u8], bare: bool, nominal: bool) -> Vec<&'static Sign> {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit(|byte| *byte == b'/').next().unwrap_or(&lower);
    let folders = || lower.split(|byte| *byte == b'/').rev().skip(1);
    let within = |names: &[&str]| folders().any(|folder| names.iter().any(|name| folder == name.as_bytes()));
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end.as_bytes()));
    let has = |parts: &[&str]| parts.iter().any(|part| memchr::memmem::find(name, part.as_bytes()).is_some());
    let given = [
        (&sign::LOCK_FILE, ends(LOCKS)),
        (&sign::MINIFIED_FILE, ends(MINIFIED)),
        (&sign::LOCALE_FILE, within(LOCALES) || ends(TRANSLATIONS) || is_of_language(&lower, name) || is_bundle(name)),
        (&sign::TEST_FILE, within(TEST_FOLDERS) || has(TESTS)),
        (&sign::DOCUMENT, within(DOCUMENT_FOLDERS) || ends(DOCUMENTS)),
        (&sign::VENDORED, within(VENDORED)),
        (&sign::REFERENCE, nominal && ends(SOURCES)),
        (&sign::SOURCE_CODE, bare && !nominal && ends(SOURCES)),
    ];
    given.into_iter().filter(|(_, holds)| *holds).map(|(sign, _)| sign).collect()
}

/// `values-de/strings.xml`, but not `values/strings.xml`, which programs for Android have their keys in; `de.json`, `pt_BR.yml`.
fn is_of_language(path: &[u8], name: &[u8]) -> bool {
    let stem = [".json", ".yml", ".yaml", ".inc", ".php"].iter().find_map(|end| name.strip_suffix(end.as_bytes()));
    let code = |stem: &[u8]| {
        let mut parts = stem.split(|byte| matches!(byte, b'_' | b'-'));
        parts.next().is_some_and(|first| is_in(LANGUAGES, first)) && parts.all(|part| part.len() == 2)
    };
    (name == b"strings.xml" && !path.ends_with(b"values/strings.xml")) || stem.is_some_and(code)
}

/// `messages.nl.yml`, `labels_de.properties`, `labels_pt_br.properties`, in lower case: texts of a program in one language.
/// `messages`, `messages-20261123.gz` are logs.
fn is_bundle(name: &[u8]) -> bool {
    const TEXTS: [&[u8]; 10] =
        [b".properties", b".yml", b".yaml", b".json", b".xml", b".php", b".js", b".ts", b".py", b".rb"];
    if name.starts_with(b"messages") && TEXTS.iter().any(|end| name.ends_with(end)) {
        return true;
    }
    let last = |stem: &[u8]| stem.iter().rposition(|byte| *byte == b'_').map(|at| stem[at + 1..].to_vec());
    // `LoginRes_de.java` extends `ListResourceBundle`; `Load_db.java` does something.
    let coded = name.strip_suffix(b".java").and_then(last).is_some_and(|code| is_in(LANGUAGES, &code));
    let named = name.strip_suffix(b".properties").and_then(last);
    coded || named.is_some_and(|code| code.len() == 2 && code.iter().all(u8::is_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::detect::evidence::Class;

    /// A scan of a history does not look up where something was that is not worth reporting without its path.
    #[test]
    fn no_path_speaks_for_a_candidate() {
        let all =
            ["test/docs/vendor/lang/yarn.lock", "a.min.js", "a.py"].map(|path| signs(path.as_bytes(), true, false));
        let all: BTreeMap<_, _> = all.into_iter().flatten().map(|sign| (sign.name, sign)).collect();
        assert_eq!(all.len(), 7);
        for class in [Class::Generic, Class::Context, Class::Prefixed, Class::Placed] {
            assert!(all.values().all(|sign| sign.weight(class) <= 0));
        }
    }

    #[test]
    fn paths_say_what_they_are() {
        let names = |path: &str| signs(path.as_bytes(), true, false).iter().map(|sign| sign.name).collect::<Vec<_>>();
        assert_eq!(names("web/yarn.lock"), ["lock-file"]);
        assert_eq!(names("src/main.py"), ["source-code"]);
        assert_eq!(names("tests/api_test.go"), ["test-file", "source-code"]);
        assert_eq!(names("docs/intro.md"), ["document"]);
        assert_eq!(names("config/.env"), [""; 0]);
        assert_eq!(names(""), [""; 0]);
        assert_eq!(names("app/res/values-de/strings.xml"), ["locale-file"]);
        assert_eq!(names("app/res/values/strings.xml"), [""; 0]);
        assert_eq!(names("config/pt_BR.yml"), ["locale-file"]);
        assert_eq!(names("config/db.yml"), [""; 0]);
        assert_eq!(names("de/corp/LoginRes_de.java"), ["locale-file", "source-code"]);
        assert_eq!(names("de/corp/Load_db.java"), ["source-code"]);
        assert_eq!(names("a.xlsx!/xl/sharedStrings.xml"), [""; 0]);
        assert_eq!((names("translations/messages.nl.yml"), names("var/log/messages")), (vec!["locale-file"], vec![]));
    }
}
