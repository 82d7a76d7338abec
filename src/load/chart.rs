//! Reads a local chart, from a package or a directory.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::bounded;
use crate::error::{Exit, Failure, Reason, plain};
use crate::file;
use crate::helm::{File, RecordProblem, unpacked};
use crate::plan::values::known::ChartKeys;
use crate::plan::values::{Dependency, Edition, NamedChart, merged};
use crate::yaml;

/// The maximum depth of directories, for a chart and its subcharts.
const DEPTH: usize = 12;

/// What a chart contains.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AtHand {
    pub name: String,
    pub version: String,
    pub dependencies: Vec<Dependency>,
    /// The charts of Gloo that it depends on, and does not contain yet.
    pub lacks: Vec<String>,
    /// The default values of the chart, with those of the charts in it below their keys.
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
    // Charts of the first API version have them in a file of their own.
    let dependencies = [dependencies(&chart), dependencies(&parsed("requirements.yaml")?)].concat();
    let defaults = defaults(&files, "", &dependencies).map_err(failure)?;
    let schema = file("values.schema.json").and_then(|file| bounded::inside(file.text.as_bytes()));
    let others = files.iter().filter(|file| file.path != "values.yaml");
    let others = others.map(|file| (file.path.as_str(), file.text.as_str()));
    let is_crd = |file: &File| file.path.starts_with("crds/") || file.path.contains("/crds/");
    Ok(AtHand {
        lacks: lacks(&files, &dependencies),
        has_crds: files.iter().any(is_crd),
        name: text("name"),
        version: text("version"),
        dependencies,
        known: ChartKeys::new(defaults.clone(), schema, others),
        defaults,
    })
}

impl AtHand {
    /// The chart as it is named on the command line.
    pub(crate) fn named(&self) -> NamedChart {
        NamedChart {
            source: "--chart".to_owned(),
            name: self.name.clone(),
            version: Some(self.version.clone()).filter(|version| !version.is_empty()),
            dependencies: self.dependencies.clone(),
            ..NamedChart::default()
        }
    }
}

/// The chart in whose directory this values file is, if there is one.
///
/// # Errors
/// Its `Chart.yaml` cannot be read.
pub(crate) fn beside(values: &Path) -> Result<Option<NamedChart>, Failure> {
    match values.parent() {
        Some(directory) => in_directory(directory, directory),
        None => Ok(None),
    }
}

/// The chart in a directory, if there is one. `shown` is the name of the directory for messages.
///
/// # Errors
/// Its `Chart.yaml` cannot be read.
pub(crate) fn in_directory(directory: &Path, shown: &Path) -> Result<Option<NamedChart>, Failure> {
    let read = |name: &str| {
        let path = shown.join(name);
        let failure = |why: String| Failure::new(Exit::Failed, Reason::File, format!("{}: {why}", path.display()));
        let bytes = file::read(&directory.join(name)).map_err(|error| failure(plain(&error)).caused_by(&error))?;
        yaml::parse(&String::from_utf8_lossy(&bytes))
            .map_err(|problem| failure(format!("line {}: {}", problem.line, problem.message)))
    };
    let there = |name: &str| directory.join(name).is_file();
    if !there("Chart.yaml") {
        return Ok(None);
    }
    let chart = read("Chart.yaml")?;
    let text = |key: &str| chart[key].as_str().map(str::to_owned);
    let Some(name) = text("name") else { return Ok(None) };
    let mut all = dependencies(&chart);
    if there("requirements.yaml") {
        all.extend(dependencies(&read("requirements.yaml")?));
    }
    let source = shown.join("Chart.yaml").display().to_string();
    Ok(Some(NamedChart { source, name, version: text("version"), dependencies: all, repository: None }))
}

fn dependencies(chart: &Value) -> Vec<Dependency> {
    let dependency = |it: &Value| {
        let text = |key: &str| it[key].as_str().map(str::to_owned);
        let (alias, version, repository) = (text("alias"), text("version"), text("repository"));
        Some(Dependency { name: text("name")?, alias, version, repository })
    };
    chart["dependencies"].as_array().into_iter().flatten().filter_map(dependency).collect()
}

/// The dependencies on Gloo's charts that are not among the files: `charts/gloo/`, or `charts/gloo-1.17.7/` where it
/// was packed.
fn lacks(files: &[File], dependencies: &[Dependency]) -> Vec<String> {
    let inner = |file: &File| Some(file.path.strip_prefix("charts/")?.split_once('/')?.0.to_owned());
    let there: Vec<_> = files.iter().filter_map(inner).collect();
    let editions = |name: &str| [name.to_owned(), format!("{name}.tgz")].iter().find_map(|it| Edition::of_chart(it));
    let is_missing = |it: &&Dependency| {
        Edition::of_chart(&it.name).is_some_and(|edition| !there.iter().any(|name| editions(name) == Some(edition)))
    };
    dependencies.iter().filter(is_missing).map(|it| it.name.clone()).collect()
}

/// The default values of the chart in this directory, and below their keys those of the charts in it.
fn defaults(files: &[File], directory: &str, dependencies_of: &[Dependency]) -> Result<Value, String> {
    let read = |path: &str| {
        let text = files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
        yaml::parse(text).map_err(|problem| format!("{path}:{}: {}", problem.line, problem.message))
    };
    let mut all = Map::new();
    for file in files {
        let inner = file.path.strip_prefix(directory).and_then(|path| path.strip_suffix("/Chart.yaml"));
        let Some(name) = inner.and_then(|inner| inner.strip_prefix("charts/")).filter(|it| !it.contains('/')) else {
            continue;
        };
        let chart = read(&file.path)?;
        let name = chart["name"].as_str().unwrap_or(name);
        let alias = dependencies_of.iter().find(|it| it.name == name).and_then(|it| it.alias.as_deref());
        let directory = file.path.strip_suffix("Chart.yaml").unwrap_or_default();
        let inner = defaults(files, directory, &dependencies(&chart))?;
        all.insert(alias.unwrap_or(name).to_owned(), inner);
    }
    let own = read(&format!("{directory}values.yaml"))?;
    Ok(match own {
        Value::Null => Value::Object(all),
        own => merged(Value::Object(all), Some(&own)),
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
            let bytes = file::read(&entry.path())?;
            // What helm dependency build puts into charts/.
            let packed = path.strip_suffix(".tgz").and_then(|stem| Some((stem, unpacked(&bytes).ok()?)));
            match packed {
                Some((stem, inner)) => {
                    files.extend(inner.into_iter().map(|it| File { path: format!("{stem}/{}", it.path), ..it }));
                }
                None => files.push(File { path, text: String::from_utf8_lossy(&bytes).into_owned() }),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chart(files: &[(&str, &str)]) -> AtHand {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        read(directory.path()).unwrap()
    }

    const EDGE: &str = "name: edge\ndependencies:\n- {name: gloo, alias: ingress, version: 1.18.2}\n- {name: redis}\n";

    #[test]
    fn the_values_of_charts_in_a_chart_are_below_their_keys() {
        let all = chart(&[
            ("Chart.yaml", EDGE),
            ("values.yaml", "ingress: {a: 1, gone: null}\nown: 2\n"),
            ("charts/gloo/Chart.yaml", "name: gloo\n"),
            ("charts/gloo/values.yaml", "a: 0\nb: 3\ngone: 4\n"),
        ]);
        assert_eq!(all.defaults, json!({"ingress": {"b": 3, "a": 1}, "own": 2}));
        assert_eq!((all.lacks, all.dependencies.len()), (Vec::new(), 2));
        assert_eq!(chart(&[("Chart.yaml", EDGE), ("charts/gloo-ee/Chart.yaml", "name: gloo-ee\n")]).lacks, ["gloo"]);
    }

    #[test]
    fn packed_charts_in_a_directory_are_read() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let inner = crate::helm::packed(&[file("Chart.yaml", "name: gloo\n"), file("values.yaml", "b: 3\n")]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("charts")).unwrap();
        fs::write(directory.path().join("Chart.yaml"), EDGE).unwrap();
        fs::write(directory.path().join("charts/gloo-1.18.2.tgz"), inner).unwrap();
        let all = read(directory.path()).unwrap();
        assert_eq!((all.defaults, all.lacks), (json!({"ingress": {"b": 3}}), Vec::new()));
    }
}
