//! Answers of an API server: either every item of a list has a valid name, or the list is refused.

use super::choice;
use crate::kube::fuzzing::answer;

const STATUS: [u16; 16] = [200, 200, 200, 200, 201, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 302];

pub(super) fn run(data: &[u8]) {
    let (which, body) = choice(data);
    let retry_after = (which >= 128).then_some(u64::MAX - which as u64);
    match answer(STATUS[which % STATUS.len()], retry_after, body) {
        Ok(items) => {
            for item in items {
                let name = item["metadata"]["name"].as_str().expect("every item has a name");
                assert!(!name.is_empty() && !matches!(name, "." | ".."), "{name:?}");
                assert!(!name.contains(['/', '%']) && !name.contains(char::is_control), "{name:?}");
            }
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && !line.contains('\n') && error.exit().code() != 0, "{line:?}");
        }
    }
}
