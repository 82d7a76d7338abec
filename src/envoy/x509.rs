//! The parts of a certificate that an operator reads: serial number, subject, issuer, validity (RFC 5280).
//!
//! Nothing is verified here: Envoy verifies certificates itself, or reports why it could not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The serial number in lower-case hexadecimal digits without leading zeros, as Envoy prints it.
    pub serial: String,
    /// The subject, `O=cluster.local,CN=x`; empty for an Istio workload, whose name is in `uris`.
    pub subject: String,
    pub issuer: String,
    /// The start of the validity: `2026-11-23T08:17:06Z`.
    pub not_before: String,
    pub not_after: String,
    /// The URIs of its subject alternative names: SPIFFE IDs.
    pub uris: Vec<String>,
    /// The complete certificate, for comparisons.
    pub der: Vec<u8>,
}

/// The certificates of a PEM text. Blocks that cannot be parsed are skipped.
#[must_use]
pub(crate) fn of_pem(pem: &str) -> Vec<Certificate> {
    ders(pem).filter_map(|der| of_der(&der)).collect()
}

/// Only the serial numbers, also of certificates that cannot be parsed completely.
#[must_use]
pub(crate) fn serials_of_pem(pem: &str) -> Vec<String> {
    ders(pem).filter_map(|der| Some(opened(&der)?.0)).collect()
}

fn ders(pem: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = pem.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END));
    blocks.filter_map(|(body, _)| decoded(body))
}

/// Decodes base64 that contains white space.
#[must_use]
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.split_whitespace().collect();
    BASE64.decode(packed).ok()
}

/// The serial number, and the fields after it.
fn opened(der: &[u8]) -> Option<(String, Der<'_>)> {
    let whole = Der::new(der).next()?.inside(SEQUENCE)?;
    let mut fields = Der::new(whole).next()?.tagged(SEQUENCE)?.fields();
    let mut field = fields.next()?;
    if field.tag == VERSION {
        field = fields.next()?;
    }
    let serial = field.inside(INTEGER)?.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    Some((serial.trim_start_matches('0').to_owned(), fields))
}

/// Parses one certificate.
#[must_use]
pub(crate) fn of_der(der: &[u8]) -> Option<Certificate> {
    let (serial, mut fields) = opened(der)?;
    let (_algorithm, issuer, validity, subject) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let mut times = validity.tagged(SEQUENCE)?.fields();
    let extensions = fields.find(|field| field.tag == EXTENSIONS);
    Some(Certificate {
        serial,
        subject: name(subject)?,
        issuer: name(issuer)?,
        not_before: time(times.next()?)?,
        not_after: time(times.next()?)?,
        uris: extensions.map(uris).unwrap_or_default(),
        der: der.to_vec(),
    })
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// The tag of a URI in the subject alternative names.
const URI: u8 = 0x86;
/// The object identifier 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// The names of attributes in a distinguished name, 2.5.4.x.
const ATTRIBUTES: [(u8, &str); 6] = [(3, "CN"), (6, "C"), (7, "L"), (8, "ST"), (10, "O"), (11, "OU")];

/// One element: its tag and its content.
#[derive(Clone, Copy)]
struct Element<'d> {
    tag: u8,
    content: &'d [u8],
}

impl<'d> Element<'d> {
    fn tagged(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }

    fn inside(self, tag: u8) -> Option<&'d [u8]> {
        self.tagged(tag).map(|element| element.content)
    }

    fn fields(self) -> Der<'d> {
        Der::new(self.content)
    }
}

/// A sequence of elements. It ends at the first incomplete one.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }
}

impl<'d> Iterator for Der<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, content })
    }
}

fn name(element: Element<'_>) -> Option<String> {
    let parts = element.tagged(SEQUENCE)?.fields().filter_map(|set| {
        let mut attribute = set.tagged(SET)?.fields().next()?.tagged(SEQUENCE)?.fields();
        let id = attribute.next()?.inside(OBJECT_ID)?;
        let key = ATTRIBUTES.iter().find(|(last, _)| id == [0x55, 0x04, *last])?.1;
        Some(format!("{key}={}", String::from_utf8_lossy(attribute.next()?.content)))
    });
    Some(parts.collect::<Vec<_>>().join(","))
}

/// A time as `YYMMDDHHMMSSZ`, or with a year of four digits.
fn time(element: Element<'_>) -> Option<String> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    let text = match element.tag {
        // Years of two digits are from 1950 to 2049.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| &text[at..at + 2];
    Some(format!("{}-{}-{}T{}:{}:{}Z", &text[..4], part(4), part(6), part(8), part(10), part(12)))
}

fn uris(extensions: Element<'_>) -> Vec<String> {
    let list = extensions.fields().next().map(Element::fields);
    let of_names = list.into_iter().flatten().filter_map(|extension| {
        let mut fields = extension.tagged(SEQUENCE)?.fields();
        (fields.next()?.inside(OBJECT_ID)? == ALTERNATIVE_NAMES).then_some(())?;
        let octets = fields.find(|field| field.tag == OCTETS)?;
        Der::new(octets.content).next()?.tagged(SEQUENCE).map(Element::fields)
    });
    let uris = of_names.flatten().filter(|name| name.tag == URI);
    uris.map(|name| String::from_utf8_lossy(name.content).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SerialNumber};

    use super::*;

    fn pem(serial: &[u8]) -> String {
        let mut params = CertificateParams::new(["a".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(serial));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn the_serial_numbers_of_all_roots_are_read() {
        let text = format!("# a bundle\n{}\n{}", pem(&[0x0a, 0xff]), pem(&[0x7f; 16]));
        assert_eq!(serials_of_pem(&text), ["aff".to_owned(), "7f".repeat(16)]);
        let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----";
        for text in ["", broken, "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n!!"] {
            assert_eq!(serials_of_pem(text), [""; 0], "{text}");
        }
    }
}
