//! Parses untrusted JSON into a value within a limit of memory.
//!
//! One byte of JSON may become forty bytes of values, so a limit of the bytes read does not limit the memory.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The size of a value in a list.
const VALUE: usize = size_of::<Value>();
/// The size of an entry of a map: its hash, its key and its value, and two words for its share of the index.
const ENTRY: usize = size_of::<(usize, String, Value)>() + 2 * size_of::<usize>();
/// What the allocator adds to a piece of memory: its header, and what rounding leaves unused.
const PIECE: usize = 24;

/// The initial capacity of a list.
const FEWEST: usize = 4;
/// The initial capacity of a map, which is that of a hash table of four places.
const FEWEST_ENTRIES: usize = 3;

/// The memory left for values. As a deserializer seed it makes one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    left: usize,
    is_exceeded: bool,
}

impl Budget {
    /// A budget of about this many bytes.
    #[must_use]
    pub fn with_budget(bytes: usize) -> Self {
        Self { left: bytes, is_exceeded: false }
    }

    /// Whether the last error was caused by this limit.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    fn take<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        let Some(left) = self.left.checked_sub(bytes) else {
            self.is_exceeded = true;
            return Err(E::custom("it takes too much memory"));
        };
        self.left = left;
        Ok(())
    }

    /// Takes the memory for a larger piece, then gives back that of the smaller one: while what is in it moves, there
    /// are both.
    fn replace<E: Error>(&mut self, piece: &mut usize, larger: usize) -> Result<(), E> {
        self.take(PIECE + larger)?;
        self.left = self.left.saturating_add(*piece);
        *piece = PIECE + larger;
        Ok(())
    }
}

/// A budget as the seed of a value whose place in a list or a map is paid for.
struct Placed<'b>(&'b mut Budget);

impl<'de> DeserializeSeed<'de> for Placed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}

/// Why a text gave no value.
#[derive(Debug)]
pub(crate) enum NoValue {
    /// The value takes more memory than allowed.
    TooLarge,
    /// The text is not JSON.
    Json(serde_json::Error),
}

/// Parses a JSON text into a value that takes at most `most` bytes.
///
/// # Errors
/// The value takes more memory, or the text is not JSON.
pub(crate) fn value(json: &[u8], most: usize) -> Result<Value, NoValue> {
    let mut budget = Budget::with_budget(most);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = budget.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| if budget.is_exceeded { NoValue::TooLarge } else { NoValue::Json(error) })
}

/// Parses several JSON texts into values that together take at most `most` bytes. `None`: they take more, or one is not
/// JSON.
pub(crate) fn values<'j>(texts: impl Iterator<Item = &'j [u8]>, most: usize) -> Option<Vec<Value>> {
    let mut budget = Budget::with_budget(most);
    texts.map(|text| (&mut budget).deserialize(&mut serde_json::Deserializer::from_slice(text)).ok()).collect()
}

/// What the values of a text in an object take at most: an annotation, a token, a field of a release's record.
const MOST_INSIDE: usize = 12 << 20;

/// Parses a JSON text that is a part of something else. `None`: it is not JSON, or its value takes more than 12 MiB.
pub(crate) fn inside(json: &[u8]) -> Option<Value> {
    value(json, MOST_INSIDE).ok()
}

/// Deserializes a field, which takes at most 12 MiB.
///
/// # Errors
/// Its value takes more memory, or it is not JSON.
pub(crate) fn field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Budget::with_budget(MOST_INSIDE).deserialize(deserializer)
}

/// Deserializes a field that is a map or null, which takes at most 12 MiB.
///
/// # Errors
/// Its value takes more memory, or it is something else.
pub(crate) fn map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Map<String, Value>>, D::Error> {
    match field(deserializer)? {
        Value::Null => Ok(None),
        Value::Object(map) => Ok(Some(map)),
        _ => Err(D::Error::custom("not a map")),
    }
}

/// The elements of a declared list at most.
const MOST_ELEMENTS: usize = 10_000;

/// Deserializes a list, or null, of at most 10,000 elements.
///
/// # Errors
/// It has more elements, or it is something else.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                if list.len() == MOST_ELEMENTS {
                    return Err(A::Error::custom("a list has too many elements"));
                }
                list.push(item);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(Few(PhantomData))
}

impl<'de> DeserializeSeed<'de> for &mut Budget {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.take(VALUE)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Budget {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.take(PIECE + text.len())?;
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        self.take(PIECE + text.len())?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (mut list, mut piece) = (Vec::new(), 0);
        while let Some(item) = items.next_element_seed(Placed(self))? {
            if list.len() == list.capacity() {
                // Doubling the capacity could leave half of it unused.
                let more = FEWEST.max(list.len() / 4);
                self.replace(&mut piece, (list.len() + more) * VALUE)?;
                list.reserve_exact(more);
            }
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (mut map, mut piece, mut room) = (Map::new(), 0, 0);
        while let Some(key) = entries.next_key::<String>()? {
            self.take(PIECE + key.len())?;
            if map.len() == room {
                // As its hash table grows: to 7, 14, 28.
                room = if room == 0 { FEWEST_ENTRIES } else { 2 * room + 1 };
                self.replace(&mut piece, room * ENTRY)?;
            }
            map.insert(key, entries.next_value_seed(Placed(self))?);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_the_one_that_serde_reads() {
        for text in [
            "null",
            "true",
            "-7",
            "18446744073709551615",
            "1e3",
            "-0.0",
            r#""\u00e4\n""#,
            "[]",
            "{}",
            r#"{"z": [1, {"a": null}], "a": "x", "z": 2}"#,
            " [ 1 , 2 ] ",
        ] {
            let plain: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value(text.as_bytes(), 1 << 20).unwrap().to_string(), plain.to_string());
        }
        for text in ["", "[1", "[1] 2", "{\"a\" 1}", "nul", "1e999", &"[".repeat(200)] {
            assert!(matches!(value(text.as_bytes(), 1 << 20), Err(NoValue::Json(_))), "{text}");
        }
    }

    #[test]
    fn what_takes_more_than_it_may_is_refused_whatever_it_is_made_of() {
        let many = 2_000;
        let keys: Vec<_> = (0..many).map(|number| format!("\"{number}\":0")).collect();
        for text in [
            format!("[{}0]", "0,".repeat(many)),
            format!("[{}[]]", "[],".repeat(many)),
            format!("[{}{{}}]", "{},".repeat(many)),
            format!("[{}\"\"]", "\"\",".repeat(many)),
            format!("{{{}}}", keys.join(",")),
        ] {
            assert!(value(text.as_bytes(), 1 << 20).is_ok());
            assert!(matches!(value(text.as_bytes(), many * VALUE), Err(NoValue::TooLarge)), "{text}");
        }
        let long = json!({"text": "x".repeat(10_000)}).to_string();
        assert!(matches!(value(long.as_bytes(), 10_000), Err(NoValue::TooLarge)));
    }

    /// Each small list and map is a piece of memory of its own, and a list that grows is there twice for a moment.
    #[test]
    fn what_is_counted_is_what_the_allocator_takes() {
        let fits = |text: &str, most: usize| value(text.as_bytes(), most).is_ok();
        let (one, none) = (format!("[{}0]", "{\"a\":{}},".repeat(999)), format!("[{}0]", "{},".repeat(999)));
        let map = FEWEST_ENTRIES * ENTRY;
        assert!(!fits(&one, 1000 * (map + VALUE)) && fits(&one, 1000 * (map + 5 * VALUE)));
        assert!(fits(&none, 1000 * 3 * VALUE));
        assert!(!fits(&format!("[{}0]", "[0],".repeat(999)), 1000 * (FEWEST + 1) * VALUE));
        assert!(!fits(&format!("[{}0]", "0,".repeat(9_999)), 10_000 * VALUE * 3 / 2));
    }

    #[test]
    fn one_budget_is_for_all_that_is_read_with_it() {
        let mut budget = Budget::with_budget(3 * VALUE);
        let read = |budget: &mut Budget| budget.deserialize(&mut serde_json::Deserializer::from_str("7"));
        assert!((0..3).all(|_| read(&mut budget).is_ok()) && !budget.is_exceeded());
        assert!(read(&mut budget).is_err() && budget.is_exceeded());
    }
}
