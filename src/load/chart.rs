//! Reads a local chart, from a package or a directory.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::error::{Exit, Failure, Reason, plain};
use crate::file;
use crate::helm::{File, RecordProblem, unpacked};
use crate::plan::values::known::ChartKeys;
use crate::yaml;

/// The maximum depth of directories, for a chart and its subcharts.
const DEPTH: usize = 12;

/// What a chart contains.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AtHand {
    pub name: String,
    pub version: String,
    /// The default values of the chart.
    pub defaults: Value,
    pub known: ChartKeys,
    /// Whether it contains CRDs, which Helm installs but does not upgrade.
    pub has_crds: bool,
}

/// Reads a chart.
///
/// # Errors
/// It does not exist, or is not a chart.
pub(crate) fn read(path: &Path) -> Result<AtHand, Failure> {
    let failure = |why: String| Failure::new(Exit::Failed, Reason::File, format!("--chart {}: {why}", path.display()));
    let cannot = |error: std::io::Error| failure(format!("cannot be read: {}", plain(&error))).caused_by(&error);
    let mut files = Vec::new();
    if fs::metadata(path).map_err(cannot)?.is_dir() {
        walk(path, "", DEPTH, &mut files).map_err(cannot)?;
    } else {
        files = unpacked(&file::read(path).map_err(cannot)?).map_err(|RecordProblem(why)| failure(why))?;
    }
    let file = |name: &str| files.iter().find(|file| file.path == name);
    let parsed = |name: &str| {
        let text = file(name).map_or("", |file| file.text.as_str());
        yaml::parse(text).map_err(|problem| failure(format!("{name}:{}: {}", problem.line, problem.message)))
    };
    let chart = parsed("Chart.yaml")?;
    let text = |key: &str| chart[key].as_str().unwrap_or_default().to_owned();
    if text("name").is_empty() {
        return Err(failure("no chart: it has no Chart.yaml with a name".to_owned()));
    }
    let defaults = parsed("values.yaml")?;
    let schema = file("values.schema.json").and_then(|file| serde_json::from_str(&file.text).ok());
    let words = files.iter().filter(|file| file.path != "values.yaml").map(|file| file.text.as_str());
    let is_crd = |file: &File| file.path.starts_with("crds/") || file.path.contains("/crds/");
    Ok(AtHand {
        has_crds: files.iter().any(is_crd),
        name: text("name"),
        version: text("version"),
        known: ChartKeys::new(defaults.clone(), schema, words),
        defaults,
    })
}

fn walk(root: &Path, below: &str, depth: usize, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            walk(root, &path, depth - 1, files)?;
        } else if kind.is_file() {
            let text = String::from_utf8_lossy(&file::read(&entry.path())?).into_owned();
            files.push(File { path, text });
        }
    }
    Ok(())
}
