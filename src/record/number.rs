//! Floating-point numbers in JSON that may be NaN or infinite, which JSON lacks: those are the strings `"NaN"`, `"inf"`
//! and `"-inf"`, so that a diverged result is never mistaken for an absent one (`null`).
//!
//! For fields: `#[serde(with = "number")]`, and `#[serde(with = "number::optional")]` for an `Option`.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A number that survives JSON whatever its value, for use where a field attribute cannot stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Repr::deserialize(deserializer)? {
            Repr::Number(value) => Ok(Self(value)),
            Repr::Word(word) => word
                .parse()
                .ok()
                .filter(|value: &f64| !value.is_finite())
                .map(Self)
                .ok_or_else(|| {
                    D::Error::custom(format_args!(
                        "`{word}` is not a number, expected a number, `NaN`, `inf` or `-inf`"
                    ))
                }),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number, `\"NaN\"`, `\"inf\"` or `\"-inf\"`"
)]
enum Repr {
    Number(f64),
    Word(String),
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is what serde's `with` calls"
)]
pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Number::deserialize(deserializer).map(|number| number.0)
}

/// The same for an `Option<f64>`, where `null` says that there is no number.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Number, Serialize, Serializer};

    #[expect(
        clippy::ref_option,
        reason = "the signature is what serde's `with` calls"
    )]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Number).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        Option::deserialize(deserializer).map(|number| number.map(|Number(value)| value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(value: f64) -> f64 {
        let text = serde_json::to_string(&Number(value)).unwrap();
        serde_json::from_str::<Number>(&text).unwrap().0
    }

    #[test]
    fn non_finite_numbers_are_words() {
        for (value, text) in [
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"inf\""),
            (f64::NEG_INFINITY, "\"-inf\""),
            (0.25, "0.25"),
        ] {
            assert_eq!(serde_json::to_string(&Number(value)).unwrap(), text);
            assert_eq!(round_trip(value).to_bits(), value.to_bits(), "{value}");
        }
    }

    #[test]
    fn integers_are_numbers_and_other_words_are_not() {
        assert_eq!(serde_json::from_str::<Number>("3").unwrap(), Number(3.0));
        for text in ["\"3\"", "\"many\"", "null", "[1]"] {
            let error = serde_json::from_str::<Number>(text)
                .unwrap_err()
                .to_string();
            assert!(error.contains("expected a number"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn every_finite_number_survives_to_the_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(round_trip(value).to_bits(), bits);
        }
    }
}
