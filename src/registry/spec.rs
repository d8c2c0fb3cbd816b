//! The grammar in which techniques are named: `erk`, `erk(power=0.5)`, `adam(lr=1e-3,decay=cosine)`, `fcpts:l2norm`.

use super::UnknownName;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Parameters of a [`Spec`], in the order in which they were written.
pub type Params = serde_json::Map<String, Value>;

/// A name with parameters, as typed: `name`, `name(key=value,...)`, or `name:init`, short for `name(init=...)`.
///
/// Values are numbers, `true`, `false`, or words. [`fmt::Display`] writes the form that [`FromStr`] reads back.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The name before the parenthesis.
    pub name: String,
    /// What stands between the parentheses.
    pub params: Params,
}

/// A spec that cannot be read or built.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The text does not follow the grammar.
    #[error("`{text}` is not a spec: {why}, expected `name` or `name(key=value,...)`")]
    Syntax {
        /// The text as typed.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No technique has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The technique refuses its parameters.
    #[error("bad parameters in `{spec}`")]
    Params {
        /// The spec as typed.
        spec: String,
        /// Which parameter, and why.
        source: serde_json::Error,
    },
}

impl Spec {
    /// Makes a spec without parameters.
    pub fn plain(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            params: Params::new(),
        }
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let fail = |why| SpecError::Syntax {
            text: text.to_owned(),
            why,
        };
        let (head, list) = match text.split_once('(') {
            None => (text, None),
            Some((head, rest)) => {
                let list = rest.strip_suffix(')').ok_or(fail("`)` is missing"))?;
                (head, Some(list))
            }
        };
        let (name, init) = match head.split_once(':') {
            None => (head, None),
            Some((name, init)) => (name, Some(init)),
        };
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(fail("the name is empty or has an illegal character"));
        }
        let init = init.map(|value| ("init", value));
        let pairs = list.filter(|list| !list.is_empty()).map(|list| {
            list.split(',')
                .map(|pair| pair.split_once('=').ok_or(fail("a parameter has no `=`")))
        });
        let mut params = Params::new();
        for pair in init.into_iter().map(Ok).chain(pairs.into_iter().flatten()) {
            let (key, value) = pair?;
            let (key, value) = (key.trim(), value.trim());
            if key.is_empty() || value.is_empty() || !value.chars().all(is_word) {
                return Err(fail("a parameter is empty or has an illegal character"));
            }
            if params.insert(key.to_owned(), read_value(value)).is_some() {
                return Err(fail("a parameter is given twice"));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            params,
        })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(Value::String(init)) = self.params.get("init") {
            write!(f, ":{init}")?;
        }
        let rest: Vec<String> = self
            .params
            .iter()
            .filter(|(key, value)| !(key.as_str() == "init" && value.is_string()))
            .map(|(key, value)| match value {
                Value::String(word) => format!("{key}={word}"),
                other => format!("{key}={other}"),
            })
            .collect();
        if rest.is_empty() {
            Ok(())
        } else {
            write!(f, "({})", rest.join(","))
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.')
}

fn read_value(text: &str) -> Value {
    serde_json::from_str(text)
        .ok()
        .filter(|value: &Value| value.is_number() || value.is_boolean())
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_written_back() {
        for text in [
            "erk",
            "erk(power=0.5)",
            "adam(lr=0.003,decay=cosine)",
            "fcpts:l2norm",
            "fcpts:l2norm(temperature=4)",
            "weight+bias",
        ] {
            let spec: Spec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn values_have_types() {
        let spec: Spec = "adam(lr=1e-3, decay=cosine, nesterov=true)"
            .parse()
            .unwrap();
        assert_eq!(spec.params["lr"].as_f64(), Some(1e-3));
        assert_eq!(spec.params["decay"].as_str(), Some("cosine"));
        assert_eq!(spec.params["nesterov"].as_bool(), Some(true));
    }

    #[test]
    fn bad_specs_say_why() {
        for (text, why) in [
            ("erk(power=1", "`)` is missing"),
            ("erk(power)", "no `=`"),
            ("erk(power=1,power=2)", "twice"),
            ("", "empty"),
            ("../erk", "illegal"),
            ("erk(power=<b>)", "illegal"),
        ] {
            let message = text.parse::<Spec>().unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
