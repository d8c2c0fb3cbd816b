//! A map that keeps the order in which it was written, for JSON objects whose first entry means something.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// Named values in the order of insertion; a JSON object. Names are unique.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered<T>(Vec<(String, T)>);

impl<T> Ordered<T> {
    /// Returns the value called `name`.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, v)| v)
    }

    /// Returns the first name and value.
    pub fn first(&self) -> Option<(&str, &T)> {
        self.iter().next()
    }

    /// Iterates over names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<N: Into<String>, T> FromIterator<(N, T)> for Ordered<T> {
    /// Collects pairs whose names differ.
    fn from_iter<I: IntoIterator<Item = (N, T)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(n, v)| (n.into(), v)).collect())
    }
}

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = Ordered<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with unique names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Ordered<T>, A::Error> {
        let mut map = Ordered(Vec::new());
        while let Some((name, value)) = entries.next_entry::<String, T>()? {
            if map.get(&name).is_some() {
                return Err(A::Error::custom(format_args!("`{name}` is given twice")));
            }
            map.0.push((name, value));
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_text() {
        let text = r#"{"top5":2,"top1":1,"ap":3}"#;
        let map: Ordered<u32> = serde_json::from_str(text).unwrap();
        assert_eq!(map.first(), Some(("top5", &2)));
        assert_eq!(map.get("ap"), Some(&3));
        assert_eq!(map.get("fid"), None);
        assert_eq!(serde_json::to_string(&map).unwrap(), text);
    }

    #[test]
    fn a_name_given_twice_is_an_error() {
        let error = serde_json::from_str::<Ordered<u32>>(r#"{"a":1,"a":2}"#).unwrap_err();
        assert!(error.to_string().contains("`a` is given twice"), "{error}");
    }
}
