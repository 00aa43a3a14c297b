//! 15. Texts as bags of words: what is about the same lies near each other, also where it shares no word.

use narrows::data::Options;
use narrows::nn::Output;
use narrows::tasks::{Metric, Neighbours};
use narrows::{Autoencoder, Device, Fit};

/// Words of three topics.
const TOPICS: [(&str, [&str; 8]); 3] = [
    ("kitchen", ["bread", "salt", "butter", "oven", "flour", "soup", "pepper", "dough"]),
    ("sea", ["boat", "harbour", "wave", "sail", "anchor", "fish", "storm", "island"]),
    ("Wetter", ["regen", "schnee", "wärme", "nebel", "天", "雨", "☀️", "föhn"]),
];

fn main() -> narrows::Result<()> {
    // 300 texts, each of four words of its topic, as often as not with one that all have.
    let text = |at: usize| {
        let (_, words) = TOPICS[at % 3];
        let word = |i: usize| words[(at / 3 + i * (1 + at / 24 % 7)) % 8];
        format!("The {}, {}: {} and {}{}", word(0), word(1), word(2), word(3), if at.is_multiple_of(2) { " today!" } else { "" })
    };
    let texts: Vec<String> = (0..300).map(text).collect();
    let rows = Options::default().words(100).texts(&texts)?;

    let ae = Autoencoder::builder(rows.columns()).hidden([16]).code(3).output(Output::Linear).build(&Device::cpu()?)?;
    ae.fit(&rows, &Fit::default().epochs(60).learning_rate(5e-3))?;

    // What was learnt of words is kept with the rows, so that other texts are read the same way.
    let questions = ["warm butter", "a storm", "SCHNEE, 雨 and ☀️"];
    let schema = rows.schema().expect("rows of texts have one");
    let (gallery, asked) = (ae.encode(&rows)?, ae.encode(&schema.texts(&questions)?)?);
    let found = Neighbours::of(ae.device(), &gallery, &asked, 20, Metric::Cosine)?;
    for (question, near) in questions.iter().zip(found.rows.chunks(found.k)) {
        let of = |topic: usize| near.iter().filter(|&&row| row as usize % 3 == topic).count();
        let counts: Vec<String> = (0..3).map(|topic| format!("{} of {}", of(topic), TOPICS[topic].0)).collect();
        println!("{question:20} {}; the nearest: {}", counts.join(", "), texts[near[0] as usize]);
    }
    Ok(())
}
