//! One spelling for each enum: what a flag takes, a file holds and a page shows.

use crate::Error;

/// Gives an enum without fields its names: `Display`, `FromStr`, and the list of them.
macro_rules! spelled {
    ($type:ident, $what:literal: $first:ident $first_name:literal $(, $variant:ident $name:literal)* $(,)?) => {
        impl $type {
            /// How each is spelled, in the order of the variants.
            pub const NAMES: &'static [&'static str] = &[$first_name $(, $name)*];
            /// The same as a usage line has it: `a|b`.
            pub const USAGE: &'static str = concat!($first_name $(, "|", $name)*);
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.pad(match self {
                    $type::$first => $first_name,
                    $($type::$variant => $name,)*
                })
            }
        }
        impl std::str::FromStr for $type {
            type Err = crate::Error;

            fn from_str(text: &str) -> crate::Result<$type> {
                match text {
                    $first_name => Ok($type::$first),
                    $($name => Ok($type::$variant),)*
                    _ => Err(crate::spelling::none($what, text, &$type::NAMES.join(", "))),
                }
            }
        }
        crate::spelling::as_text!($type);
    };
}

/// Makes a type with `Display` and `FromStr` a text in files.
macro_rules! as_text {
    ($type:ident) => {
        #[cfg(feature = "files")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        #[cfg(feature = "files")]
        impl<'a> serde::Deserialize<'a> for $type {
            fn deserialize<D: serde::Deserializer<'a>>(from: D) -> std::result::Result<$type, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {as_text, spelled};

/// A seed is a text in files: TOML's integers end at 2^63.
#[cfg(feature = "files")]
pub(crate) mod seed {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(seed: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(seed)
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<u64, D::Error> {
        match Seed::deserialize(from)? {
            Seed::Number(seed) => Ok(seed),
            Seed::Text(text) => text.parse().map_err(|_| de::Error::custom(WHAT)),
        }
    }

    /// A seed in files: text as they are written, or a number as a person writes it.
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a seed is a whole number from 0 to 18446744073709551615")]
    enum Seed {
        Number(u64),
        Text(String),
    }

    const WHAT: &str = "a seed is a whole number from 0 to 18446744073709551615";
}

/// The error for a text that is not one of the known names.
pub(crate) fn none(what: &str, text: &str, known: &str) -> Error {
    let text: String = text.chars().take(40).collect();
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    Error::argument(what, format!("`{text}` is not {article} {what}"), format!("Use one of {known}."))
}

/// At most 40 characters, with no control characters.
#[cfg(feature = "files")]
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use crate::data::Scale;
    use crate::nn::{Activation, CodeActivation, Corruption, Layer, Output, Sparsity, TopK};
    use crate::{Loss, Schedule};
    use std::fmt::Display;
    use std::str::FromStr;

    fn all<T: FromStr<Err = crate::Error> + Display>(names: &[&str]) {
        names.iter().for_each(|name| assert_eq!(name.parse::<T>().map_err(|e| e.to_string()).unwrap().to_string(), *name));
    }

    #[test]
    fn what_is_written_is_read_again() {
        all::<Activation>(Activation::NAMES);
        all::<CodeActivation>(CodeActivation::NAMES);
        all::<Output>(Output::NAMES);
        all::<Loss>(Loss::NAMES);
        all::<Scale>(Scale::NAMES);
        all::<Schedule>(&["constant", "step:3:0.5", "cosine", "cosine:0.00001"]);
        all::<Corruption>(&["gaussian:0.4", "mask:0.3", "salt-pepper:0.1"]);
        all::<TopK>(&["topk:25", "batchtopk:3"]);
        all::<Sparsity>(&["l1:0.001", "kl:0.05:0.1"]);
        all::<Layer>(&["dense:128", "dropout:0.25", "relu", "tanh"]);
        assert_eq!("cosine:1e-5".parse::<Schedule>().unwrap(), Schedule::Cosine { to: 1e-5 });
    }

    #[test]
    fn what_is_no_name_is_refused_with_those_that_are() {
        let said = "relo".parse::<Activation>().unwrap_err().to_string();
        assert_eq!(said, format!("activation: `relo` is not an activation. Use one of {}.", Activation::NAMES.join(", ")));
        assert_eq!(Output::USAGE, "sigmoid|linear");
        for text in ["", "cosin", "step:5", "step:a:1", "cosine:x", "constant:1"] {
            assert!(text.parse::<Schedule>().unwrap_err().to_string().contains("is not a schedule. Use one of constant"), "{text}");
        }
        for text in ["dense", "dense:-1", "dense:x", "dropout", "relu:1"] {
            assert!(text.parse::<Layer>().unwrap_err().to_string().contains("is not a layer. Use one of dense:WIDTH"), "{text}");
        }
    }
}
