//! The resources that Gloo's control plane serves: reading from memory and from a stream gives the same result.

use crate::envoy::state;
use crate::gloo::{Collected, Offers, ServedFilter, ServedSection, compare, read};
use crate::render::diff::Secrets;
use crate::render::served;

const ROLE: &str = "gloo-system~gateway-proxy";

pub(super) fn run(data: &[u8]) {
    let upstream = Some(("ns".to_owned(), "x".to_owned()));
    let filters = [
        ServedFilter::default(),
        ServedFilter { port: Some(8080), ..ServedFilter::default() },
        ServedFilter { domain: Some("a.example.com".to_owned()), upstream, ..ServedFilter::default() },
    ];
    for filter in filters {
        let mut kept = Collected::new(ROLE.to_owned(), filter.clone(), served::as_value(Secrets::Masked));
        let whole = read(&mut serde_json::Deserializer::from_slice(data), &mut kept);
        let mut streamed = Collected::new(ROLE.to_owned(), filter.clone(), served::as_value(Secrets::Masked));
        let stream = read(&mut serde_json::Deserializer::from_reader(data), &mut streamed);
        assert_eq!(whole.as_ref().ok(), stream.as_ref().ok());
        if whole.is_ok() {
            let (all, again) = (kept.end(), streamed.end());
            assert_eq!(all, again);
            let _ = (served::lines(&all), served::value(ROLE, all));
            let mut rows = Collected::new(ROLE.to_owned(), filter, served::as_row);
            read(&mut serde_json::Deserializer::from_slice(data), &mut rows).expect("it was read before");
            let _ = served::lines(&rows.end());
        }
    }
    let mut offers = Offers::new(ROLE.to_owned());
    if read(&mut serde_json::Deserializer::from_slice(data), &mut offers).is_ok() {
        for section in ServedSection::ALL {
            let _ = compare(section, &offers.take(section), &state::LoadedResources::default());
        }
    }
}
