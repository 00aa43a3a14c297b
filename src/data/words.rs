//! Words of texts, and the vocabulary by which a text becomes a row.
//!
//! A word is what stands between two boundaries of Unicode (UAX #29) and holds a letter, a digit or a picture, in
//! lower case. Chinese has no blanks: there each character is a word. Code points are compared as they are: an `ü` in
//! one and one in two are different.

use crate::spelling::spelled;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use unicode_segmentation::UnicodeSegmentation;

/// The most words of a vocabulary.
pub(super) const MOST_WORDS: usize = 1 << 16;

/// What a row holds for each word of the vocabulary: a number in [0, 1].
///
/// With `n` times the word in the text, `t` training texts and `d` of them with the word:
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weighting {
    /// `n (1 + ln((1 + t) / (1 + d)))`, divided by the length of the row: what is in every text counts little (Salton
    /// and Buckley 1988, with the smoothing of scikit-learn).
    #[default]
    TfIdf,
    /// `n` over the number of all known words of the text: the word's probability (Hinton and Salakhutdinov 2006).
    Counts,
    /// 1 if the text has the word.
    Binary,
}

spelled!(Weighting, "weighting": TfIdf "tfidf", Counts "counts", Binary "binary");

/// The words of a text, in their order.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let is_word = |part: &&str| part.chars().any(|c| c.is_alphanumeric() || is_picture(c));
    text.split_word_bounds().filter(is_word).map(str::to_lowercase)
}

/// Whether it is an emoji or another pictograph, which is no letter: those of the blocks from Miscellaneous Technical
/// to Dingbats, of Miscellaneous Symbols and Arrows, and of the planes above.
fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x2300..=0x23ff | 0x2600..=0x27bf | 0x2b00..=0x2bff | 0x1f000..=0x1faff)
}

/// The words that make rows, learnt from the training texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub(super) struct Vocabulary {
    /// The most frequent first; of equally frequent ones in the order of their code points.
    words: Vec<String>,
    /// How many of the texts have each.
    documents: Vec<u32>,
    /// How many texts they were learnt from.
    texts: u32,
    weighting: Weighting,
    places: HashMap<String, u32>,
}

/// A vocabulary as a file holds it, not yet checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    weighting: Weighting,
    texts: u32,
    words: Vec<String>,
    documents: Vec<u32>,
}

impl From<Vocabulary> for Parts {
    fn from(vocabulary: Vocabulary) -> Parts {
        let Vocabulary { words, documents, texts, weighting, .. } = vocabulary;
        Parts { weighting, texts, words, documents }
    }
}

impl TryFrom<Parts> for Vocabulary {
    type Error = Error;

    fn try_from(Parts { weighting, texts, words, documents }: Parts) -> Result<Vocabulary> {
        let refuse = |problem: String| Err(Error::argument("words", problem, "Train the model again."));
        if words.len() != documents.len() || words.is_empty() || words.len() > MOST_WORDS {
            return refuse(format!("there are {} words, and {} numbers of texts", words.len(), documents.len()));
        }
        if let Some(at) = documents.iter().position(|&count| count == 0 || count > texts) {
            return refuse(format!("`{}` is in {} of {texts} texts", words[at], documents[at]));
        }
        let places: HashMap<String, u32> = words.iter().cloned().zip(0..).collect();
        match places.len() == words.len() {
            true => Ok(Vocabulary { words, documents, texts, weighting, places }),
            false => refuse("a word is there twice".into()),
        }
    }
}

impl Vocabulary {
    /// The most frequent words of these texts, each a list of words and how often it has each; `None` where they have
    /// no word.
    pub(super) fn learn<'a>(
        names: &[String],
        texts: impl Iterator<Item = &'a [(u32, u32)]>,
        most: usize,
        weighting: Weighting,
    ) -> Option<Vocabulary> {
        let (mut counts, mut documents, mut total) = (vec![0u64; names.len()], vec![0u32; names.len()], 0);
        for text in texts {
            total += 1;
            for &(word, count) in text {
                counts[word as usize] += u64::from(count);
                documents[word as usize] += 1;
            }
        }
        let mut order: Vec<usize> = (0..names.len()).filter(|&word| counts[word] > 0).collect();
        order.sort_unstable_by(|&a, &b| (Reverse(counts[a]), &names[a]).cmp(&(Reverse(counts[b]), &names[b])));
        order.truncate(most);
        let parts = Parts {
            weighting,
            texts: total,
            words: order.iter().map(|&word| names[word].clone()).collect(),
            documents: order.iter().map(|&word| documents[word]).collect(),
        };
        Vocabulary::try_from(parts).ok()
    }

    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    pub(super) fn weighting(&self) -> Weighting {
        self.weighting
    }

    /// The place of a word.
    pub(super) fn place(&self, word: &str) -> Option<u32> {
        self.places.get(word).copied()
    }

    /// The places of the known words of a text, ascending, and how often it has each.
    pub(super) fn count(&self, text: &str) -> Vec<(u32, u32)> {
        let mut counts = BTreeMap::new();
        for place in words(text).filter_map(|word| self.place(&word)) {
            *counts.entry(place).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// Appends the row of a text with these words, whose places ascend. Without any it is all zeros.
    pub(super) fn weigh(&self, counts: &[(u32, u32)], row: &mut Vec<f64>) {
        let start = row.len();
        row.resize(start + self.words.len(), 0.0);
        let texts = 1.0 + f64::from(self.texts);
        let weight = |&(place, count): &(u32, u32)| match self.weighting {
            Weighting::TfIdf => f64::from(count) * (1.0 + libm::log(texts / (1.0 + f64::from(self.documents[place as usize])))),
            Weighting::Counts => f64::from(count),
            Weighting::Binary => 1.0,
        };
        let weights: Vec<f64> = counts.iter().map(weight).collect();
        let whole = match self.weighting {
            Weighting::TfIdf => weights.iter().map(|x| x * x).sum::<f64>().sqrt(),
            Weighting::Counts => weights.iter().sum(),
            Weighting::Binary => 1.0,
        };
        for ((place, _), weight) in counts.iter().zip(weights) {
            row[start + *place as usize] = weight / whole;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_unicode_in_lower_case_and_pictures_are_words() {
        let all = |text: &str| words(text).collect::<Vec<_>>();
        assert_eq!(all("Die Straße ist GRÜN, nicht \"blau\"!"), ["die", "straße", "ist", "grün", "nicht", "blau"]);
        assert_eq!(all("我喜欢猫。"), ["我", "喜", "欢", "猫"]);
        assert_eq!(all("so 😀👍🏽 -- ❤️ 👩‍👩‍👧 🇩🇪 …"), ["so", "😀", "👍🏽", "❤️", "👩‍👩‍👧", "🇩🇪"]);
        assert_eq!(all("can't 3.14 foo_bar x86-64"), ["can't", "3.14", "foo_bar", "x86", "64"]);
        assert_eq!(all(" ,;- \t\n"), [""; 0]);
    }

    fn learnt(texts: &[&str], most: usize, weighting: Weighting) -> Vocabulary {
        let names: Vec<String> = texts.iter().flat_map(|text| words(text)).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let count = |text: &&str| {
            let all: Vec<String> = words(text).collect();
            let of = |name: &String| all.iter().filter(|word| *word == name).count() as u32;
            names.iter().map(of).zip(0..).filter(|(count, _)| *count > 0).map(|(count, at)| (at, count)).collect::<Vec<_>>()
        };
        let counted: Vec<_> = texts.iter().map(count).collect();
        Vocabulary::learn(&names, counted.iter().map(Vec::as_slice), most, weighting).unwrap()
    }

    #[test]
    fn the_most_frequent_words_are_kept_and_weighed() {
        let texts = ["a a b", "a c", "a b d"];
        let of = |most, weighting, text: &str| {
            let (vocabulary, mut row) = (learnt(&texts, most, weighting), Vec::new());
            vocabulary.weigh(&vocabulary.count(text), &mut row);
            row
        };
        assert_eq!(learnt(&texts, 3, Weighting::Binary).words(), ["a", "b", "c"]);
        assert_eq!(of(3, Weighting::Binary, "c C a x"), [1.0, 0.0, 1.0]);
        assert_eq!(of(3, Weighting::Counts, "c C a b x"), [0.25, 0.25, 0.5]);
        assert_eq!(of(4, Weighting::Counts, "x y"), [0.0; 4]);
        // a is in 3 of 3 texts and b in 2: 1 + ln(4 / 4), twice 1 + ln(4 / 3).
        let (a, b): (f64, f64) = (1.0, 2.0 * (1.0 + libm::log(4.0 / 3.0)));
        let length = (a * a + b * b).sqrt();
        assert_eq!(of(2, Weighting::TfIdf, "b a B"), [a / length, b / length]);
        assert!(Vocabulary::learn(&[], [].into_iter(), 5, Weighting::Binary).is_none());
    }

    #[test]
    fn a_vocabulary_that_is_none_is_refused() {
        let vocabulary = learnt(&["ä 猫 😀", "ä"], 9, Weighting::TfIdf);
        let text = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(serde_json::from_str::<Vocabulary>(&text).unwrap(), vocabulary);
        for (from, to) in [("[2,1,1]", "[2,1]"), ("[2,1,1]", "[3,1,1]"), ("[2,1,1]", "[2,0,1]"), ("猫", "ä"), ("tfidf", "tf")] {
            assert!(text.contains(from) && serde_json::from_str::<Vocabulary>(&text.replace(from, to)).is_err(), "{from} {to} {text}");
        }
    }
}
