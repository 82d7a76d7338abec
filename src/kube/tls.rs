//! Finds why no answer came: reads the innermost errors of the chain as causes that an operator can act on.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;
use rustls::CertificateError as Certificate;

use super::failure::{ApiCause, TlsFault};
use crate::error::plain;

/// The cause for a connection error. `sent` is set if the request may have been sent.
pub(crate) fn cause_of(error: &(dyn Error + 'static)) -> ApiCause {
    let chain = chain(error);
    let find = |wanted: fn(&(dyn Error + 'static)) -> Option<ApiCause>| chain.iter().find_map(|error| wanted(*error));
    if let Some(cause) = find(tls).or_else(|| find(proxy)) {
        return cause;
    }
    // A connect error means that the request was not sent.
    let connecting =
        chain.iter().any(|error| error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect));
    let why = chain.iter().rev().find_map(|error| why(*error)).unwrap_or_else(|| "connection lost".to_owned());
    ApiCause::Unreachable { why, sent: !connecting }
}

/// The error and the errors below it. `io::Error` hides the error it wraps from `source`.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut out = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        out.push(error);
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    out
}

fn why(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(match error.kind() {
            io::ErrorKind::TimedOut => "no answer to the connection within 5s".to_owned(),
            _ => resolver(&plain(error)),
        });
    }
    let hyper = error.downcast_ref::<hyper::Error>()?;
    if hyper.is_parse() {
        return Some("the answer is not HTTP".to_owned());
    }
    (hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled()).then(|| "connection cut".to_owned())
}

/// A shorter form of `failed to lookup address information: Name or service not known`.
fn resolver(text: &str) -> String {
    match text.strip_prefix("failed to lookup address information: ") {
        Some(rest) => format!("name not resolved: {}", rest.to_lowercase()),
        None => text.to_owned(),
    }
}

/// The cause for an error of a proxy. hyper-util does not export the types of these errors, so their text is compared.
fn proxy(error: &(dyn Error + 'static)) -> Option<ApiCause> {
    let text = error.to_string();
    let said = match text.strip_prefix("tunnel error: ") {
        Some("proxy authorization required") => "demands a login",
        Some("unsuccessful") => "refused to connect",
        Some("unexpected end of file") => "cut the connection",
        Some("failed to create underlying connection") => "is not reachable",
        Some(_) => "does not answer as an HTTP proxy",
        None if text == "SOCKS error: failed to create underlying connection" => "is not reachable",
        None if text.starts_with("SOCKS error: ") => "does not answer as a SOCKS proxy",
        None => return None,
    };
    Some(ApiCause::Unreachable { why: format!("the proxy {said}"), sent: false })
}

fn tls(error: &(dyn Error + 'static)) -> Option<ApiCause> {
    use rustls::Error as E;
    Some(ApiCause::Tls(match error.downcast_ref::<E>()? {
        E::InvalidMessage(_) => TlsFault::NotTls,
        E::AlertReceived(alert) => TlsFault::Alert(format!("{alert:?}")),
        E::InvalidCertificate(certificate) => match certificate {
            Certificate::UnknownIssuer | Certificate::BadSignature => TlsFault::UnknownAuthority,
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => TlsFault::WrongName,
            Certificate::Expired | Certificate::ExpiredContext { .. } => TlsFault::Expired,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => TlsFault::NotYetValid,
            other => TlsFault::Other(format!("the certificate is not accepted: {other}")),
        },
        other => TlsFault::Other(other.to_string()),
    }))
}
