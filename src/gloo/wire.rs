//! Reads fields of protobuf's wire format by their path of field numbers.
//!
//! Gloo's snapshot contains every `Any` as base64 of the message, so its content stays bytes.

/// All length-delimited fields with this number, in order. The first byte that cannot be parsed ends the list.
pub(crate) fn fields(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    Fields(message).filter_map(move |(number, bytes)| (number == wanted).then_some(bytes))
}

/// The texts at the end of a path of field numbers.
pub(crate) fn texts<'m>(message: &'m [u8], way: &[u64]) -> Vec<&'m str> {
    let Some((last, first)) = way.split_last() else { return Vec::new() };
    let mut messages = vec![message];
    for number in first {
        messages = messages.into_iter().flat_map(|message| fields(message, *number)).collect();
    }
    let ends = messages.into_iter().flat_map(|message| fields(message, *last));
    ends.filter_map(|bytes| std::str::from_utf8(bytes).ok()).collect()
}

struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    fn varint(&mut self) -> Option<u64> {
        const LONGEST: usize = 10;
        let mut value = 0;
        for at in 0..LONGEST {
            let byte = *self.0.get(at)?;
            value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'m [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = (u64, &'m [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let tag = self.varint()?;
            match tag & 7 {
                0 => {
                    self.varint()?;
                }
                1 => {
                    self.take(8)?;
                }
                2 => {
                    let length = self.varint()?;
                    return Some((tag >> 3, self.take(length)?));
                }
                5 => {
                    self.take(4)?;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_found_by_its_way_past_fields_of_every_type() {
        // 1: varint 300; 2: {1: "a", 1: "b"}; 3: fixed64; 5: fixed32; 2: {1: "c", 4: "d"}
        let message = b"\x08\xac\x02\x12\x06\x0a\x01a\x0a\x01b\x1912345678\x2d1234\x12\x06\x0a\x01c\x22\x01d";
        assert_eq!(texts(message, &[2, 1]), ["a", "b", "c"]);
        assert_eq!(texts(message, &[2, 4]), ["d"]);
        assert_eq!(texts(message, &[7]), [""; 0]);
        assert_eq!(texts(message, &[]), [""; 0]);
    }

    #[test]
    fn a_message_that_is_cut_off_ends_where_it_is() {
        assert_eq!(texts(b"\x0a\x01a\x0a\x09b", &[1]), ["a"]);
        assert_eq!(texts(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", &[1]), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200), way in prop::collection::vec(0..9u64, 0..4)) {
            texts(&bytes, &way);
        }
    }
}
