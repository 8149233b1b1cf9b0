use proptest::prelude::*;

use super::*;
use crate::detect::tests::rule;

fn proved(regex: &str, keyword: &str, kind: ProofKind) -> Rule {
    Rule { proof: Some(kind), ..rule("r", regex, &[keyword]) }
}

fn classic() -> Rule {
    proved(r"ghp_[0-9A-Za-z]{36}\b", "ghp_", ProofKind::GithubCrc32)
}

#[test]
fn examples_expand_as_they_say() {
    let rule = classic();
    let parts = |text: &str| expand(&rule, text, 3).map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let tokens = parts("<mint> <mint> <mint:2> <mint:2> <mint:broken>").unwrap();
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(tokens[2], tokens[3]);
    assert!(holds(&rule, tokens[0].as_bytes()));
    assert!(!holds(&rule, tokens[4].as_bytes()));
    assert_eq!(parts("no token").unwrap(), ["no", "token"]);
    for wrong in ["<mint:two>", "<mint", "<minty>", "<mint:>"] {
        assert_eq!(parts(wrong), None, "{wrong}");
    }
}

#[test]
fn a_rule_without_a_pattern_mints_nothing() {
    for regex in ["", "("] {
        assert_eq!(mint(&rule("r", regex, &[]), 0), None);
        assert_eq!(mint_broken(&rule("r", regex, &[]), 0), None);
    }
    assert_eq!(mint_broken(&rule("r", "[a-z]{20}", &[]), 0), None, "nothing can be wrong with it");
}

#[test]
fn no_token_looks_like_a_placeholder() {
    let mut rule = rule("r", "[x-z]{12}", &[]);
    rule.allowlists.push(crate::rule::Allowlist { stopwords: vec!["xyz".to_owned()], ..Default::default() });
    for seed in 0..50 {
        let token = mint(&rule, seed).unwrap();
        assert!(!token.contains("xyz") && !token.contains("xxxx"), "{token}");
    }
}

/// Minting passes over draws that the evidence does not believe, so no example can show that it believes too little.
#[test]
fn the_evidence_believes_what_is_drawn() {
    const DRAWS: u64 = 400;
    let mut offenders = Vec::new();
    for rule in crate::builtin::with_examples().rules {
        let press = Press::new(&rule).unwrap();
        let drawn: Vec<_> = (0..DRAWS)
            .filter_map(|seed| {
                let mut random = Random::new(seed);
                let drawn = sample(&press.hir, press.group, &mut random)?;
                rule.proof.map_or(Some(drawn.clone()), |kind| seal(&rule, kind, &drawn, &mut random))
            })
            .collect();
        // What is brief is doubted for that alone, and no example is.
        let doubted = drawn.iter().filter(|token| token.len() >= 6 && !is_credible(&rule, token)).count();
        // Not every draw can be given a proof: a JWT may be too short for it.
        // The form of what a rule leads to is drawn half of the time.
        let least = if rule.leads() { DRAWS / 3 } else { DRAWS / 2 };
        assert!(drawn.len() as u64 >= least, "{}: {}", rule.id, drawn.len());
        // A password has no least length worth the name; of five characters one in twenty may look like nothing. One that
        // may be made of any signs may look like a template, too, and a number of 18 digits like any number.
        let is = |parts: &[&str]| parts.iter().any(|part| rule.id.contains(part));
        let most = match () {
            () if rule.leads() || is(&["generic-", "-url-credentials", "-netrc"]) => drawn.len() / 20,
            () if is(&["url-", "netrc-", "pgpass-", "command-line-", "django-", "http-auth-", "password-hash-"]) => {
                drawn.len() / 5
            }
            () if is(&["adyen-api-key", "salesforce-session-id", "salesforce-sfdx-auth-url"]) => drawn.len() / 50,
            () if is(&["salesforce-consumer-secret"]) => drawn.len() / 2,
            () => 0,
        };
        if doubted > most {
            offenders.push(format!("{}: {doubted}", rule.id));
        }
    }
    assert!(offenders.is_empty(), "{offenders:?}");
}

#[test]
fn every_proof_can_be_minted_for() {
    let jwt = r"eyJ[\w-]{16,99}\.eyJ[\w-]{16,300}\.[\w-]{40,700}";
    let rules = [
        classic(),
        proved(r"github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}\b", "github_pat_", ProofKind::GithubPatSha256),
        proved(r"(?:[\w-]{1,20}-)?glrt-(?:t[1-3]_)?[\w-]{27,300}\.01\.[0-9a-z]{9}", "glrt-", ProofKind::GitlabRoutable),
        proved(r"glpat-[\w-]{27,300}\.[0-9a-z]{9}", "glpat-", ProofKind::GitlabRoutable),
        proved(r"ATATT3[\w-]{20,500}(?:=|\\=|%3D){0,2}[0-9A-F]{8}", "atatt3", ProofKind::AtlassianCrc32),
        proved(r"(?:BBDC-)?(?:[0-9A-Za-z+/]|\\/|%2B){44}", "bbdc-", ProofKind::DataCenter),
        proved(&format!("ghs_[0-9]{{1,9}}_{jwt}"), "ghs_", ProofKind::Jwt),
        proved(jwt, "eyj", ProofKind::Jwt),
    ];
    for rule in rules {
        let press = Press::new(&rule).unwrap();
        for seed in 0..50 {
            let token = press.token(seed).unwrap_or_else(|| panic!("{} {seed}", rule.regex));
            assert!(holds(&rule, token.as_bytes()), "{token}");
            assert_eq!(press.token(seed), Some(token), "the same seed, the same token");
        }
    }
}

proptest! {
    /// Where the pattern is the token, minting gives what it matches.
    #[test]
    fn what_is_minted_matches(
        prefix in "([a-z]{1,9}[-_])?",
        class in prop::sample::select(vec!["a-z", "0-9a-f", "A-Za-z0-9_-", "+/0-9", "^ ", "!-~"]),
        (least, more) in (20u32..60, 0u32..40),
        seed: u64,
    ) {
        let regex = format!("{prefix}[{class}]{{{least},{}}}", least + more);
        let rule = rule("r", &regex, &[]);
        let pattern = compile(&format!("^(?:{regex})$")).unwrap();
        if let Some(token) = mint(&rule, seed) {
            prop_assert!(pattern.is_match(token.as_bytes()), "{}", token);
        }
    }
}
