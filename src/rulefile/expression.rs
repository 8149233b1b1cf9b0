//! betterleaks' `filter` expressions, as far as a rule's entropy and allowlists can say the same.
//!
//! An expression that is true throws a finding away. Read are alternatives (`||`, `or`) of
//! `entropy(finding["secret"]) <= N` (also `<`), `matchesAny(…, [regexes])` and `containsAny(…, [words])` of
//! `finding["secret"]`, `finding["match"]`, `finding["line"]` and `get(attributes, "path", "")`, with `filter.` before the
//! functions or without. That is what betterleaks itself makes of gitleaks' keys, and most of what its own rules say.

use crate::rule::RegexTarget;

/// What an expression says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filter {
    /// Secrets of less are thrown away, in bits per character.
    pub entropy: Option<f64>,
    /// Each is thrown away by itself.
    pub lists: Vec<List>,
}

/// One call of `matchesAny` or `containsAny`.
#[derive(Debug, PartialEq)]
pub(super) struct List {
    /// `None`: the path.
    pub target: Option<RegexTarget>,
    /// Go's regexes; of words such as match them in any case.
    pub regexes: Vec<String>,
}

/// Reads an expression; `None` if it says anything else.
pub(super) fn read(text: &str) -> Option<Filter> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, filter: Filter::default() };
    reader.alternatives()?;
    reader.tokens.is_empty().then_some(reader.filter)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

const SIGNS: [&str; 9] = ["||", "<=", "<", "(", ")", "[", "]", ",", "."];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let len = if let Some(comment) = rest.strip_prefix("//") {
            comment.find('\n').map_or(rest.len(), |end| end + 2)
        } else if matches!(first, '"' | '\'' | '`') {
            let (token, len) = quoted(rest, first)?;
            tokens.push(Token::Text(token));
            len
        } else if first.is_ascii_digit() {
            let len = span(rest, |c| c.is_ascii_digit() || c == '.');
            tokens.push(Token::Number(rest[..len].parse().ok()?));
            len
        } else if first.is_ascii_alphabetic() || first == '_' {
            let len = span(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            tokens.push(Token::Name(rest[..len].to_owned()));
            len
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[len..].trim_start();
    }
    Some(tokens)
}

fn span(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

/// A text in quotes, and how many bytes it takes. Between backquotes everything stands for itself.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let (mut text, mut chars) = (String::new(), rest.char_indices().skip(1));
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((text, at + 1)),
            '\\' if quote != '`' => text.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                c @ ('\\' | '"' | '\'') => c,
                _ => return None,
            }),
            c => text.push(c),
        }
    }
    None
}

struct Reader<'t> {
    tokens: &'t [Token],
    filter: Filter,
}

impl Reader<'_> {
    fn sign(&mut self, sign: &str) -> Option<()> {
        let (first, rest) = self.tokens.split_first()?;
        matches!(first, Token::Sign(it) if *it == sign).then(|| self.tokens = rest)
    }

    fn name(&mut self) -> Option<String> {
        let (Token::Name(name), rest) = self.tokens.split_first()? else { return None };
        self.tokens = rest;
        Some(name.clone())
    }

    fn text(&mut self) -> Option<String> {
        let (Token::Text(text), rest) = self.tokens.split_first()? else { return None };
        self.tokens = rest;
        Some(text.clone())
    }

    fn or(&mut self) -> bool {
        let is_word = self.tokens.first() == Some(&Token::Name("or".to_owned()));
        if is_word {
            self.tokens = &self.tokens[1..];
        }
        is_word || self.sign("||").is_some()
    }

    fn alternatives(&mut self) -> Option<()> {
        self.term()?;
        while self.or() {
            self.term()?;
        }
        Some(())
    }

    fn term(&mut self) -> Option<()> {
        if self.sign("(").is_some() {
            self.alternatives()?;
            return self.sign(")");
        }
        let mut function = self.name()?;
        if function == "filter" && self.sign(".").is_some() {
            function = self.name()?;
        }
        self.sign("(")?;
        let target = self.subject()?;
        match function.as_str() {
            "entropy" if target == Some(RegexTarget::Secret) => self.entropy(),
            "matchesAny" => self.list(target, |regex| regex),
            "containsAny" => self.list(target, |word| format!("(?i){}", regex_syntax::escape(&word))),
            _ => None,
        }
    }

    /// What is looked at; `None` in it is the path.
    fn subject(&mut self) -> Option<Option<RegexTarget>> {
        match self.name()?.as_str() {
            "finding" => {
                self.sign("[")?;
                let field = self.text()?;
                self.sign("]")?;
                Some(Some(match field.as_str() {
                    "secret" => RegexTarget::Secret,
                    "match" => RegexTarget::Match,
                    "line" => RegexTarget::Line,
                    _ => return None,
                }))
            }
            "get" => {
                self.sign("(")?;
                (self.name()? == "attributes").then_some(())?;
                self.sign(",")?;
                (self.text()? == "path").then_some(())?;
                self.sign(",")?;
                self.text()?.is_empty().then_some(())?;
                self.sign(")")?;
                Some(None)
            }
            _ => None,
        }
    }

    fn entropy(&mut self) -> Option<()> {
        self.sign(")")?;
        let least_goes = self.sign("<=").is_some();
        if !least_goes {
            self.sign("<")?;
        }
        let (Token::Number(bits), rest) = self.tokens.split_first()? else { return None };
        self.tokens = rest;
        let least = if least_goes { bits.next_up() } else { *bits };
        self.filter.entropy = Some(self.filter.entropy.map_or(least, |known| known.max(least)));
        Some(())
    }

    fn list(&mut self, target: Option<RegexTarget>, regex: impl Fn(String) -> String) -> Option<()> {
        self.sign(",")?;
        self.sign("[")?;
        let mut regexes = Vec::new();
        while self.sign("]").is_none() {
            regexes.push(regex(self.text()?));
            if self.sign(",").is_none() {
                self.sign("]")?;
                break;
            }
        }
        self.sign(")")?;
        self.filter.lists.push(List { target, regexes });
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_said_otherwise_is_read() {
        let filter = read(
            r#"(filter.entropy(finding["secret"]) < 3.5 // few characters
               || matchesAny(finding['match'], [`\d+`, "a\\b",]) or containsAny(get(attributes, "path", ""), ["x.y"]))"#,
        );
        let list =
            |target, regexes: &[&str]| List { target, regexes: regexes.iter().map(|it| it.to_string()).collect() };
        let lists = vec![list(Some(RegexTarget::Match), &[r"\d+", r"a\b"]), list(None, &[r"(?i)x\.y"])];
        assert_eq!(filter, Some(Filter { entropy: Some(3.5), lists }));
        assert!(read(r#"entropy(finding["secret"]) <= 3"#).unwrap().entropy.unwrap() > 3.0);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "true",
            r#"entropy(finding["secret"]) > 3"#,
            r#"entropy(finding["match"]) < 3"#,
            r#"!matchesAny(finding["secret"], [`a`])"#,
            r#"entropy(finding["secret"]) < 3 && containsAny(finding["secret"], ["a"])"#,
            r#"entropy(finding["secret"]) < 3 ||"#,
            r#"matchesAny(finding["secret"], [`a`"#,
            r#"matchesAny(finding["context"], [`a`])"#,
            r#"failsTokenEfficiency(finding["secret"])"#,
            "entropy(finding[\"secret\"]) < 3.4.5",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
