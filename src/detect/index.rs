//! Which bytes make which rules worth a try. Read off the rules before anything is searched: off the built-in ones when
//! the program is built, as it takes a third of the time of a short run.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::prefilter::{Keyword, Prefilter};
use crate::rule::Rule;
use crate::shape::Shape;

/// What to look for, and which rules to try where it stands.
#[derive(Debug, Serialize, Deserialize)]
pub struct Index {
    pub(super) prefilter: Prefilter,
    /// For each anchor of the prefilter: its least length, and where among the owners its own end. They begin where those of
    /// the anchor before end.
    anchors: Vec<(usize, usize)>,
    owners: Vec<Owner>,
    /// Rules that have to be tried on everything, because no keyword need be in their matches.
    pub(super) unanchored: Vec<usize>,
}

/// A rule that has an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub rule: usize,
    /// Which of its keywords the anchor is.
    pub keyword: usize,
}

impl Index {
    /// Of these rules, in their order, each with its shape.
    pub fn new<'r>(rules: impl Iterator<Item = (&'r Rule, Option<&'r Shape>)>) -> Self {
        let mut keywords: BTreeMap<&str, (Keyword, Vec<Owner>)> = BTreeMap::new();
        let (mut unanchored, mut stencils, mut fitting) = (Vec::new(), Vec::new(), Vec::new());
        for (rule, (of, shape)) in rules.enumerate().filter(|(_, (rule, _))| !rule.regex.is_empty()) {
            let Some(shape) = shape else {
                unanchored.push(rule);
                continue;
            };
            if let Some(stencil) = shape.stencil.clone().zip(shape.run) {
                stencils.push(stencil);
                fitting.push(Owner { rule, keyword: 0 });
            }
            for (keyword, text) in of.keywords.iter().enumerate() {
                let needed = Keyword {
                    text: text.clone(),
                    lower_case: shape.lower_case,
                    near: shape.run,
                    digit: of.requires_digit && shape.one_run,
                };
                let (all, owners) = keywords.entry(text).or_insert((needed.clone(), Vec::new()));
                // A keyword of several rules is looked for where, and in the cases in which, any of them needs it.
                all.near = all.near.zip(needed.near).map(|(one, other)| one.or(other));
                all.lower_case &= needed.lower_case;
                all.digit &= needed.digit;
                owners.push(Owner { rule, keyword });
            }
        }
        let mut index = Index {
            prefilter: Prefilter::new(keywords.values().map(|(keyword, _)| keyword.clone()).collect(), stencils),
            anchors: Vec::new(),
            owners: Vec::new(),
            unanchored,
        };
        keywords.into_iter().for_each(|(text, (_, owners))| index.add(text.len(), &owners));
        fitting.iter().for_each(|owner| index.add(1, &[*owner]));
        index
    }

    fn add(&mut self, len: usize, owners: &[Owner]) {
        self.owners.extend(owners);
        self.anchors.push((len, self.owners.len()));
    }

    /// The least length of an anchor of the prefilter, and whose it is.
    #[inline]
    pub(super) fn owners(&self, anchor: usize) -> (usize, &[Owner]) {
        let first = anchor.checked_sub(1).map_or(0, |before| self.anchors[before].1);
        let (len, end) = self.anchors[anchor];
        (len, &self.owners[first..end])
    }

    /// Rules with the same key have the same index.
    pub fn key<'r>(rules: impl Iterator<Item = &'r Rule>) -> u64 {
        let mut hasher = DefaultHasher::new();
        rules.for_each(|rule| (&rule.regex, &rule.keywords, rule.requires_digit).hash(&mut hasher));
        hasher.finish()
    }
}
