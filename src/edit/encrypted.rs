//! Recognises encrypted texts by their marks. They are not edited: the tool that decrypts them would reject them
//! afterwards, or the plain text would be stored in their place.

use std::fmt;

use serde_json::Value;

/// The tool that encrypted a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    Sops,
    /// Values as `ENC[...]`, without the metadata that says by which tool.
    Values,
    Age,
    Pgp,
    GitCrypt,
    AnsibleVault,
}

/// The marks at the start of a text that is encrypted as a whole.
const WHOLE: [(&[u8], Encryption); 5] = [
    (b"\0GITCRYPT\0", Encryption::GitCrypt),
    (b"age-encryption.org/", Encryption::Age),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", Encryption::Age),
    (b"-----BEGIN PGP MESSAGE-----", Encryption::Pgp),
    (b"$ANSIBLE_VAULT;", Encryption::AnsibleVault),
];

impl Encryption {
    /// What to do instead of an edit by this program.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Sops => "make the change with the tool: sops edit FILE",
            Self::Values => "make the change with the tool that encrypted its values",
            Self::Age => "decrypt it with age, make the change, encrypt it again",
            Self::Pgp => "decrypt it with gpg, make the change, encrypt it again",
            Self::GitCrypt => "unlock the repository first: git-crypt unlock",
            Self::AnsibleVault => "make the change with the tool: ansible-vault edit FILE",
        }
    }
}

/// Formats why a text is not edited: `the file is encrypted with SOPS`.
impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self {
            Self::Sops => "SOPS",
            Self::Values => return f.write_str("the file has encrypted values (ENC[...])"),
            Self::Age => "age",
            Self::Pgp => "PGP",
            Self::GitCrypt => "git-crypt",
            Self::AnsibleVault => "Ansible Vault",
        };
        write!(f, "the file is encrypted with {by}")
    }
}

/// The encryption of a file as a whole, by its first bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Encryption> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let from_text = bytes.trim_ascii_start();
    WHOLE.iter().find(|(mark, _)| bytes.starts_with(mark) || from_text.starts_with(mark)).map(|(_, by)| *by)
}

/// The encryption of one document.
pub(crate) fn of_document(document: &Value) -> Option<Encryption> {
    if document.get("sops").is_some_and(Value::is_object) {
        return Some(Encryption::Sops);
    }
    has_encrypted_value(document).then_some(Encryption::Values)
}

/// Whether this is a value that SOPS or another tool encrypted in its place.
pub(crate) fn is_encrypted_value(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with("ENC[") && text.trim_end().ends_with(']'))
}

fn has_encrypted_value(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_encrypted_value),
        Value::Object(map) => map.values().any(has_encrypted_value),
        other => is_encrypted_value(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::manifest;

    #[test]
    fn each_mark_names_its_tool() {
        let table = [
            ("a: 1\nsops:\n  mac: ENC[AES256_GCM,data:x]\n", Some(Encryption::Sops)),
            ("{\"a\": 1, \"sops\": {\"version\": \"3.9.0\"}}", Some(Encryption::Sops)),
            ("a: 1\n---\nb: 1\nsops: {version: 3.9.0}\n", Some(Encryption::Sops)),
            ("a: {b: [\"ENC[PKCS7,abc]\"]}\n", Some(Encryption::Values)),
            ("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n", Some(Encryption::Age)),
            ("age-encryption.org/v1\n-> X25519 x\n", Some(Encryption::Age)),
            ("\n-----BEGIN PGP MESSAGE-----\n", Some(Encryption::Pgp)),
            ("$ANSIBLE_VAULT;1.1;AES256\n3132\n", Some(Encryption::AnsibleVault)),
            ("\0GITCRYPT\0\u{1}", Some(Encryption::GitCrypt)),
            ("# sops: see README\na: 1\nsops: true\n", None),
            ("a: see ENC[x] in the docs\n", None),
            ("a: |\n  -----BEGIN PGP MESSAGE-----\n", None),
            ("", None),
        ];
        for (text, wanted) in table {
            assert_eq!(manifest::encryption(text), wanted, "{text:?}");
        }
    }
}
