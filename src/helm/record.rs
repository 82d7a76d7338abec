//! Reads the record of one revision of a release, as Helm 3 and 4 store it.
//!
//! The record of Gloo's chart has 480 kB, unpacked 4 MB. The values, the name of the chart and the state are read; the
//! templates are skipped without parsing.

use crate::command::{CommandLine, Driver, helm};
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bounded;

use super::release_id::{ReleaseId, ReleaseName, ReleaseNamespace};

/// The limit of an unpacked record, larger than that of any chart whose record fits into a Secret of 1 MiB: most of it is
/// base64, which gzip makes a quarter smaller. It stops a decompression bomb.
const LIMIT: u64 = 16 * 1024 * 1024;
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Helm's storage driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// The API's own base64 wraps Helm's base64.
    Secret,
    ConfigMap,
}

impl Storage {
    /// The name of the driver in `HELM_DRIVER`.
    #[must_use]
    pub(crate) fn driver(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::ConfigMap => "configmap",
        }
    }
}

/// The contents of a revision's record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub name: ReleaseName,
    pub namespace: ReleaseNamespace,
    pub revision: u64,
    /// The status: `deployed`, `superseded`, `failed`, `pending-upgrade` and others.
    pub status: String,
    pub description: String,
    pub chart: String,
    pub chart_version: String,
    /// The charts that the chart contains. Their templates are not in the record.
    pub dependencies: Vec<ChartDependency>,
    /// The user-supplied values.
    pub values: Value,
    /// The default values of the chart.
    pub defaults: Value,
    /// `csa` or `ssa`, since Helm 4; empty before.
    pub apply_method: String,
    pub storage: Storage,
}

impl Record {
    /// Whether the API server applied it (server-side apply), as for releases that Helm 4 installed.
    #[must_use]
    pub(crate) fn is_server_side(&self) -> bool {
        self.apply_method == "ssa"
    }

    /// The Helm command for a shell, so that it finds the record: without `HELM_DRIVER` it looks in Secrets.
    #[must_use]
    pub(crate) fn command(&self) -> &'static str {
        match self.storage {
            Storage::Secret => "helm",
            Storage::ConfigMap => "HELM_DRIVER=configmap helm",
        }
    }

    /// The command that rolls back to this revision.
    #[must_use]
    pub(crate) fn rollback(&self) -> CommandLine {
        self.rollback_to(self.revision)
    }

    /// The command that rolls back to a revision of this release.
    #[must_use]
    pub(crate) fn rollback_to(&self, revision: u64) -> CommandLine {
        let command = helm(self.driver(), "rollback").value(self.name.to_string()).value(revision.to_string());
        command.fixed("-n").value(self.namespace.to_string())
    }

    /// The command that shows the release's state.
    #[must_use]
    pub(crate) fn status_command(&self) -> CommandLine {
        helm(self.driver(), "status").value(self.name.to_string()).fixed("-n").value(self.namespace.to_string())
    }

    fn driver(&self) -> Driver {
        match self.storage {
            Storage::Secret => Driver::Secret,
            Storage::ConfigMap => Driver::ConfigMap,
        }
    }
}

/// A dependency in the metadata of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ChartDependency {
    /// The alias if there is one: Helm renames it.
    pub name: String,
    pub alias: Option<String>,
    pub version: Option<String>,
    pub repository: Option<String>,
}

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordProblem(pub String);

/// Why the record of an object is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefusedRecord {
    Broken(RecordProblem),
    /// The record is of another release or revision than its object. Contains that release and revision.
    OfAnother(String),
}

impl From<RecordProblem> for RefusedRecord {
    fn from(problem: RecordProblem) -> Self {
        Self::Broken(problem)
    }
}

/// The fields of Helm's own format that are read. All others are skipped.
#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    version: u64,
    info: Option<Info>,
    chart: Chart,
    #[serde(default, deserialize_with = "bounded::map")]
    config: Option<Map<String, Value>>,
    #[serde(default)]
    apply_method: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    status: String,
    description: String,
}

#[derive(Deserialize)]
struct Chart {
    metadata: Metadata,
    #[serde(default, deserialize_with = "bounded::map")]
    values: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default, deserialize_with = "bounded::list")]
    dependencies: Vec<ChartDependency>,
}

impl Stored {
    /// Whether the record is of this release and revision. Other programs get the values of the object, so a record
    /// that differs is refused.
    fn is_of(&self, id: &ReleaseId) -> bool {
        (self.name.as_str(), self.namespace.as_str(), self.version) == (&*id.name, &*id.namespace, id.revision)
    }
}

/// Reads the value of `release` in the data of the object for `id`.
///
/// # Errors
/// Which layer of the record is broken, or of which other release it is.
pub(crate) fn read(data: &str, storage: Storage, id: ReleaseId) -> Result<Record, RefusedRecord> {
    let json = opened(data, storage)?;
    let stored: Stored =
        serde_json::from_slice(&json).map_err(|error| RecordProblem(format!("not a release in JSON: {error}")))?;
    if !stored.is_of(&id) {
        let Stored { name, namespace, version, .. } = stored;
        return Err(RefusedRecord::OfAnother(format!("release {namespace}/{name}, revision {version}")));
    }
    let object = |map: Option<Map<String, Value>>| map.map_or(Value::Null, Value::Object);
    let info = stored.info.unwrap_or_default();
    Ok(Record {
        name: id.name,
        namespace: id.namespace,
        revision: id.revision,
        status: info.status,
        description: info.description,
        chart: stored.chart.metadata.name,
        chart_version: stored.chart.metadata.version,
        dependencies: stored.chart.metadata.dependencies,
        values: object(stored.config),
        defaults: object(stored.chart.values),
        apply_method: stored.apply_method,
        storage,
    })
}

/// The JSON of a record.
pub(super) fn opened(data: &str, storage: Storage) -> Result<Vec<u8>, RecordProblem> {
    let inner = match storage {
        Storage::Secret => decoded(data.as_bytes())?,
        Storage::ConfigMap => data.as_bytes().to_vec(),
    };
    let bytes = decoded(&inner)?;
    if bytes.starts_with(&GZIP) { inflated(&bytes) } else { Ok(bytes) }
}

pub(super) fn decoded(text: &[u8]) -> Result<Vec<u8>, RecordProblem> {
    STANDARD.decode(text.trim_ascii()).map_err(|error| RecordProblem(format!("not base64: {error}")))
}

fn inflated(bytes: &[u8]) -> Result<Vec<u8>, RecordProblem> {
    let mut json = Vec::new();
    let mut open = GzDecoder::new(bytes).take(LIMIT + 1);
    open.read_to_end(&mut json).map_err(|error| RecordProblem(format!("not gzip, or cut off: {error}")))?;
    if json.len() as u64 > LIMIT {
        return Err(RecordProblem("larger than 16 MiB unpacked".to_owned()));
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn release() -> Value {
        json!({
            "name": "gloo", "namespace": "gloo-system", "version": 7, "new": {"unknown": [1]},
            "info": {"status": "deployed", "description": "Upgrade complete", "last_deployed": "2026-01-01T00:00:00Z"},
            "chart": {"metadata": {"name": "gloo", "version": "1.17.7"}, "templates": [{"name": "a", "data": "eA=="}],
                      "values": {"global": {"a": 1}}, "lock": null},
            "config": {"z": 18_446_744_073_709_551_615_u64, "a": 1.5, "gone": null, "empty": {}},
            "manifest": "---\n",
        })
    }

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut zip = GzEncoder::new(Vec::new(), Compression::best());
        zip.write_all(bytes).unwrap();
        zip.finish().unwrap()
    }

    fn stored(bytes: &[u8]) -> String {
        STANDARD.encode(STANDARD.encode(bytes))
    }

    fn id(name: &str, namespace: &str, revision: u64) -> ReleaseId {
        let (name, namespace) = (ReleaseName::parse(name).unwrap(), ReleaseNamespace::parse(namespace).unwrap());
        ReleaseId { name, namespace, revision }
    }

    fn gloo() -> ReleaseId {
        id("gloo", "gloo-system", 7)
    }

    fn read_secret(bytes: &[u8]) -> Result<Record, RefusedRecord> {
        read(&stored(bytes), Storage::Secret, gloo())
    }

    #[test]
    fn a_record_of_another_release_than_its_object_holds_is_refused() {
        let data = stored(release().to_string().as_bytes());
        for id in [id("other", "gloo-system", 7), id("gloo", "other", 7), id("gloo", "gloo-system", 8)] {
            let inside = "release gloo-system/gloo, revision 7".to_owned();
            assert_eq!(read(&data, Storage::Secret, id), Err(RefusedRecord::OfAnother(inside)));
        }
        for field in ["name", "namespace", "version"] {
            let mut release = release();
            release.as_object_mut().unwrap().remove(field);
            let refused = read_secret(release.to_string().as_bytes()).unwrap_err();
            assert!(matches!(refused, RefusedRecord::OfAnother(_)), "{field}: {refused:?}");
        }
        let flag = release().to_string().replace(r#""name":"gloo","namespace""#, r#""name":"-h","namespace""#);
        let inside = "release gloo-system/-h, revision 7".to_owned();
        assert_eq!(read_secret(flag.as_bytes()), Err(RefusedRecord::OfAnother(inside)));
    }

    #[test]
    fn a_record_is_read_packed_or_not_from_a_secret_or_a_config_map() {
        let json = release().to_string();
        let packed = zipped(json.as_bytes());
        let record = read_secret(&packed).unwrap();
        assert_eq!(read_secret(json.as_bytes()), Ok(record.clone()));
        let in_map = Record { storage: Storage::ConfigMap, ..record.clone() };
        assert_eq!(in_map.command(), "HELM_DRIVER=configmap helm");
        assert_eq!(read(&STANDARD.encode(&packed), Storage::ConfigMap, gloo()), Ok(in_map));
        assert_eq!((&*record.name, record.revision, record.status.as_str()), ("gloo", 7, "deployed"));
        assert_eq!((record.chart.as_str(), record.chart_version.as_str()), ("gloo", "1.17.7"));
        assert_eq!(record.values.to_string(), r#"{"z":18446744073709551615,"a":1.5,"gone":null,"empty":{}}"#);
        assert_eq!(record.defaults, json!({"global": {"a": 1}}));
    }

    #[test]
    fn what_is_not_needed_is_skipped_unparsed() {
        // Half of a surrogate pair, and a number out of range: a JSON parser for values refuses both.
        let odd = r#"{"name":"a","data":"\ud800","size":1e999}"#;
        let json = release().to_string().replace(r#"{"name":"a","data":"eA=="}"#, odd);
        assert!(json.contains("ud800") && serde_json::from_str::<Value>(&json).is_err());
        assert_eq!(read_secret(json.as_bytes()), read_secret(release().to_string().as_bytes()));
    }

    #[test]
    fn a_broken_record_says_which_layer_is_broken() {
        let packed = zipped(release().to_string().as_bytes());
        for (bytes, why) in [
            (&packed[..packed.len() / 2], "cut off"),
            (&b"{\"name\": 3}"[..], "not a release in JSON"),
            (&b""[..], "not a release in JSON"),
        ] {
            let Err(RefusedRecord::Broken(problem)) = read_secret(bytes) else { panic!("{why}") };
            assert!(problem.0.contains(why), "{problem:?}");
        }
        let Err(RefusedRecord::Broken(problem)) = read("%%%", Storage::Secret, gloo()) else { panic!("no base64") };
        assert!(problem.0.contains("not base64"));
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let zeros = vec![b' '; 65 * 1024 * 1024];
        let bomb = zipped(&zeros);
        assert!(bomb.len() < 100 * 1024);
        assert_eq!(read_secret(&bomb), Err(RecordProblem("larger than 16 MiB unpacked".to_owned()).into()));
    }

    #[test]
    fn helm_4_says_how_it_applied() {
        let mut release = release();
        assert!(!read_secret(release.to_string().as_bytes()).unwrap().is_server_side());
        for (method, is_server_side) in [("ssa", true), ("csa", false)] {
            release["apply_method"] = json!(method);
            assert_eq!(read_secret(release.to_string().as_bytes()).unwrap().is_server_side(), is_server_side);
        }
    }

    #[test]
    fn the_dependencies_of_the_chart_are_read() {
        let mut release = release();
        release["chart"]["metadata"]["dependencies"] =
            json!([{"name": "gloo", "alias": "edge", "version": "1.18.x", "repository": "x"}, {"name": "redis"}]);
        let dependencies = read_secret(release.to_string().as_bytes()).unwrap().dependencies;
        let dependency = |name: &str, alias: Option<&str>, version: Option<&str>| ChartDependency {
            name: name.to_owned(),
            alias: alias.map(str::to_owned),
            version: version.map(str::to_owned),
            repository: version.map(|_| "x".to_owned()),
        };
        let wanted = [dependency("gloo", Some("edge"), Some("1.18.x")), dependency("redis", None, None)];
        assert_eq!(dependencies, wanted);
    }

    #[test]
    fn values_that_were_never_given_are_null() {
        let mut release = release();
        release["config"] = Value::Null;
        release["info"] = Value::Null;
        let record = read_secret(release.to_string().as_bytes()).unwrap();
        assert_eq!((record.values, record.status.as_str()), (Value::Null, ""));
    }
}
