//! Decides which chart reads the values: the one that is named near them, else the one whose keys they have.

use serde_json::Value;

use super::chart::Edition;
use super::keys::{EditionEvidence, evidence, has_any};
use super::named::NamedChart;
use crate::command::flag;
use crate::error::Failure;

/// What the command line says about the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChartWish<'w> {
    /// `--edition`
    pub edition: Option<Edition>,
    /// `--chart-alias`
    pub alias: Option<&'w str>,
}

/// The chart that reads the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChartChoice {
    pub edition: Edition,
    /// The key below which its values are, if a user's own chart is around it.
    pub below: Option<String>,
    /// The version of Gloo's chart, if it is named.
    pub version: Option<String>,
    /// The reason for the decision.
    pub why: String,
}

impl ChartChoice {
    /// Returns the decision and its reason in one line.
    pub(crate) fn line(&self) -> String {
        let below = self.below.as_ref().map(|key| format!(", values below {key}")).unwrap_or_default();
        format!("edition: {} (chart {}){below}: {}", self.edition.word(), self.edition.chart(), self.why)
    }
}

/// Decides for which chart the values are. Of several named charts the first that says it counts.
///
/// # Errors
/// It is not clear: `--edition` or `--chart-alias` must say it.
pub(crate) fn choose(values: &Value, named: &[NamedChart], wish: ChartWish<'_>) -> Result<ChartChoice, Failure> {
    for chart in named {
        if let Some(choice) = of_named(chart, wish)? {
            return Ok(match wish.edition {
                Some(typed) if typed != choice.edition => {
                    let why = format!("--edition, although {} names chart {}", chart.source, choice.edition.chart());
                    ChartChoice { edition: typed, why, ..choice }
                }
                _ => choice,
            });
        }
    }
    let Some(alias) = wish.alias else { return of_values(values, named, wish.edition) };
    let inner = &values[alias];
    let choice = match (wish.edition, Edition::of_chart(alias)) {
        (None, Some(edition)) if !evidence(inner).decides() => {
            let why = format!("--chart-alias {alias} is the name of the chart");
            ChartChoice { edition, below: None, version: None, why }
        }
        (typed, _) => of_values(inner, named, typed)?,
    };
    Ok(ChartChoice { below: Some(alias.to_owned()), ..choice })
}

fn of_named(chart: &NamedChart, wish: ChartWish<'_>) -> Result<Option<ChartChoice>, Failure> {
    let NamedChart { source, name, version, .. } = chart;
    if let Some(edition) = chart.edition() {
        return match wish.alias {
            Some(alias) => {
                Err(Failure::usage(format!("--chart-alias {alias}: {source} names Gloo's own chart, {name}")))
            }
            None => Ok(Some(ChartChoice {
                edition,
                below: None,
                version: version.clone(),
                why: match chart.name.as_str() {
                    "" => format!("{source} names the repository of this chart"),
                    _ => format!("{source} names this chart"),
                },
            })),
        };
    }
    let all = chart.on_gloo();
    let keys = || all.iter().map(|(it, _)| it.key()).collect::<Vec<_>>().join(", ");
    let wanted: Vec<_> = match wish.alias {
        Some(alias) => all.iter().filter(|(it, _)| it.key() == alias).collect(),
        None => all.iter().collect(),
    };
    match (wanted[..].split_first(), wish.alias) {
        (Some(((it, edition), [])), _) => Ok(Some(ChartChoice {
            edition: *edition,
            below: Some(it.key().to_owned()),
            version: it.version.clone(),
            why: format!("chart {name} depends on it ({source})"),
        })),
        (Some(_), _) => {
            Err(Failure::usage(format!("chart {name} ({source}) depends on several of Gloo's charts: {}", keys()))
                .hint(flag("--chart-alias").text(" NAME chooses one")))
        }
        (None, Some(alias)) if !all.is_empty() => {
            let message = format!("--chart-alias {alias}: chart {name} ({source}) has no such dependency");
            Err(Failure::usage(message).detail(format!("there: {}", keys())))
        }
        (None, _) => Ok(None),
    }
}

/// Decides by the keys alone. `named` are charts that are not Gloo's, nor around it as far as one knows.
fn of_values(values: &Value, named: &[NamedChart], typed: Option<Edition>) -> Result<ChartChoice, Failure> {
    let choice = |edition, why: String| Ok(ChartChoice { edition, below: None, version: None, why });
    if let Some(edition) = typed {
        return choice(edition, "--edition".to_owned());
    }
    let EditionEvidence { only_enterprise, below_gloo, only_open_source } = evidence(values);
    let list = |keys: &[String]| keys.join(", ");
    match (&only_enterprise[..], &below_gloo[..], &only_open_source[..]) {
        // Nothing of the open source chart has these keys, wherever the others are.
        ([_, ..], ..) => choice(Edition::Enterprise, format!("only this chart reads {}", list(&only_enterprise))),
        ([], [_, ..], []) => choice(Edition::Enterprise, format!("only this chart reads {}", list(&below_gloo))),
        ([], [], [_, ..]) => choice(Edition::OpenSource, format!("only this chart reads {}", list(&only_open_source))),
        ([], [], []) if is_empty(values) && named.is_empty() => {
            Err(say_the_chart(Failure::usage("--edition is required: there are no values that tell gloo from gloo-ee")))
        }
        ([], [], []) if !has_any(values) => Err(not_gloos(named)),
        ([], below, at_the_top) => {
            let failure = Failure::usage("--edition is required: the values do not tell gloo from gloo-ee");
            let failure = match (below, at_the_top) {
                ([], []) => failure.detail("both charts read all their keys".to_owned()),
                _ => failure
                    .detail(format!("only gloo reads:    {}", list(at_the_top)))
                    .detail(format!("only gloo-ee reads: {}", list(below))),
            };
            Err(say_the_chart(failure))
        }
    }
}

fn is_empty(values: &Value) -> bool {
    values.is_null() || values.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Values without a key of Gloo's charts. Another product may read them, or a chart around Gloo's.
fn not_gloos(named: &[NamedChart]) -> Failure {
    let failure = Failure::usage("--edition is required: the values have no key of Gloo's charts");
    let line = |chart: &NamedChart| match chart.name.as_str() {
        "" => format!("{} names no chart of Gloo's", chart.source),
        name => format!("{} names chart {name}, which is not Gloo's", chart.source),
    };
    let failure = named.iter().fold(failure, |failure, chart| failure.detail(line(chart)));
    say_the_chart(failure).hint(flag("--chart-alias").text(" NAME names Gloo's key in the values of a chart around it"))
}

fn say_the_chart(failure: Failure) -> Failure {
    failure.hint(
        flag("--edition")
            .text(" open-source or ")
            .flag("--edition")
            .text(" enterprise names the chart")
            .or_else(", ", flag("--chart").text(" FILE.tgz|DIR gives it")),
    )
}

#[cfg(test)]
mod tests;
