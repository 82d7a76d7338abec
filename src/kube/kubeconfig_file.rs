//! Reads one kubeconfig file. kube's own reader panics at half a character of UTF-16, and has no limit for aliases.

use std::path::{MAIN_SEPARATOR_STR, Path};

use ::kube::config::{AuthInfo, Kubeconfig};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Exit, Failure, Reason, plain};
use crate::file;

/// A failure of the kubeconfig. No request was sent, and trying again does not help.
pub(super) fn refused(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Failed, Reason::Kubeconfig, message)
}

/// As kubectl, which refuses `password: 1234` and `namespace: no`. The value is not shown: it may be a secret.
const WRONG_TYPE: &str = "a value has the wrong type; a text that looks like a number or a boolean needs quotes";

/// The kubeconfig in the file, with absolute paths; `None` if the file does not exist. No failure contains the text of
/// the file, which holds secrets.
pub(super) fn read(path: &Path) -> Result<Option<Kubeconfig>, Failure> {
    let bad = |why: &str| refused(format!("kubeconfig {}{why}", path.display()));
    let bytes = match file::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(&format!(": {}", plain(&error))).caused_by(&error)),
    };
    let mut config =
        decode(&bytes).ok_or(": not text".to_owned()).and_then(|text| parse(&text)).map_err(|why| bad(&why))?;
    if let Some(directory) = path.parent() {
        resolve(&mut config, directory);
    }
    Ok(Some(config))
}

/// The text, in UTF-8 or in UTF-16 with a mark, which is what PowerShell writes.
fn decode(bytes: &[u8]) -> Option<String> {
    let (rest, from): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => return String::from_utf8(rest.to_vec()).ok(),
        bytes => return String::from_utf8(bytes.to_vec()).ok(),
    };
    let (pairs, odd) = rest.as_chunks();
    let units: Vec<u16> = pairs.iter().map(|pair| from(*pair)).collect();
    String::from_utf16(&units).ok().filter(|_| odd.is_empty())
}

/// The documents of the text, merged; the first that sets a field wins.
///
/// # Errors
/// Where the text is not YAML or not a kubeconfig, to be said after the name of the file.
pub(super) fn parse(text: &str) -> Result<Kubeconfig, String> {
    let documents = crate::yaml::documents(text).map_err(|problem| match problem.line {
        0 => format!(": not YAML: {}", problem.message),
        line => format!(", line {line}: not a kubeconfig, or not YAML"),
    })?;
    documents.into_iter().try_fold(Kubeconfig::default(), |merged, document| {
        merged.merge(from_value(document)?).map_err(|error| format!(": {error}"))
    })
}

fn from_value(mut document: Value) -> Result<Kubeconfig, String> {
    let mut entries = |section: &str| match document.get_mut(section).map(Value::take) {
        Some(Value::Array(entries)) => Ok(entries),
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(_) => Err(format!(": {section} is not a list")),
    };
    let (clusters, users, contexts) = (entries("clusters")?, entries("users")?, entries("contexts")?);
    let rest = serde_json::from_value::<Kubeconfig>(document);
    Ok(Kubeconfig {
        clusters: typed(clusters, "clusters")?,
        auth_infos: typed(users, "users")?,
        contexts: typed(contexts, "contexts")?,
        ..rest.map_err(|_| format!(": {WRONG_TYPE}"))?
    })
}

fn typed<T: DeserializeOwned>(entries: Vec<Value>, section: &str) -> Result<Vec<T>, String> {
    let typed =
        |(index, entry)| serde_json::from_value(entry).map_err(|_| format!(": {section}[{index}]: {WRONG_TYPE}"));
    entries.into_iter().enumerate().map(typed).collect()
}

/// Makes the paths of the file absolute: they are relative to its directory. A plugin's command is a path only if it
/// contains a separator; otherwise it is looked up in PATH.
fn resolve(config: &mut Kubeconfig, directory: &Path) {
    let absolute = |file: &mut Option<String>| {
        if let Some(file) = file.as_mut().filter(|file| !file.is_empty()) {
            *file = directory.join(&*file).to_string_lossy().into_owned();
        }
    };
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        absolute(&mut cluster.certificate_authority);
    }
    for user in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        let AuthInfo { client_certificate, client_key, token_file, exec, .. } = user;
        [client_certificate, client_key, token_file].into_iter().for_each(absolute);
        if let Some(exec) = exec
            && exec.command.as_ref().is_some_and(|command| command.contains(MAIN_SEPARATOR_STR))
        {
            absolute(&mut exec.command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "current-context: a\ncontexts: [{name: \u{e9}\u{1f600}, context: {cluster: a}}]\n";

    #[test]
    fn what_cannot_be_used_is_named_and_not_shown() {
        for (text, place) in [
            ("users: [{name: a}, {name: b, user: hunter2}]", ": users[1]: a value has"),
            ("users: [{name: b, user: {password: 1234}}]", ": users[0]: a value has"),
            ("contexts: [{name: b, context: {cluster: a, namespace: no}}]", ": contexts[0]: a value has"),
            ("users: hunter2", ": users is not a list"),
            ("hunter2", ": a value has"),
            ("kind: {a: hunter2}", ": a value has"),
            ("current-context: 1234", ": a value has"),
            ("a: 1\nb: hunter2\n  c: [", ", line 3: not a kubeconfig, or not YAML"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with(place) && !said.contains("hunter2") && !said.contains("1234"), "{text} {said}");
        }
    }

    #[test]
    fn several_documents_are_merged_and_the_first_wins() {
        let config = parse("---\ncurrent-context: a\n---\n---\ncurrent-context: b\nusers: [{name: u}]\n").unwrap();
        assert_eq!((config.current_context.as_deref(), config.auth_infos.len()), (Some("a"), 1));
        assert!(parse("").unwrap().contexts.is_empty());
    }

    #[test]
    fn each_encoding_that_editors_write_is_read_and_half_a_character_is_no_text() {
        let units: Vec<u16> = CONFIG.encode_utf16().collect();
        let little: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(units.iter().flat_map(|unit| unit.to_le_bytes())).collect();
        let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(units.iter().flat_map(|unit| unit.to_be_bytes())).collect();
        for bytes in [CONFIG.as_bytes(), &format!("\u{feff}{CONFIG}").into_bytes(), &little, &big] {
            assert_eq!(decode(bytes).as_deref(), Some(CONFIG));
        }
        assert_eq!(decode(&little[..little.len() - 1]), None);
        assert_eq!(decode(&[0xff]), None);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let text = "clusters: [{name: a, cluster: {certificate-authority: ca.crt}}]\nusers: [{name: a, user: {\
                    client-certificate: /c, client-key: '', tokenFile: t/x, exec: {command: ./p}}},\
                    {name: b, user: {exec: {command: aws}}}]";
        let mut config = parse(text).unwrap();
        resolve(&mut config, Path::new("/k"));
        let user = |index: usize| config.auth_infos[index].auth_info.clone().unwrap();
        let command = |index| user(index).exec.unwrap().command;
        assert_eq!(config.clusters[0].cluster.clone().unwrap().certificate_authority.as_deref(), Some("/k/ca.crt"));
        assert_eq!(user(0).client_certificate.as_deref(), Some("/c"));
        assert_eq!((user(0).client_key.as_deref(), user(0).token_file.as_deref()), (Some(""), Some("/k/t/x")));
        assert_eq!((command(0).as_deref(), command(1).as_deref()), (Some("/k/./p"), Some("aws")));
    }
}
