//! Decides which chart reads the values: the one that is named near them, else the one whose keys they have.

use serde_json::Value;

use super::chart::Edition;
use super::keys::{Evidence, evidence, has_any};
use crate::command::flag;
use crate::error::Failure;

/// A chart that is named near the values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NamedChart {
    /// Where it is named: `--chart`, `release gloo`, `HelmRelease gloo`.
    pub source: String,
    /// Its name, or a reference such as `oci://registry/gloo-ee`. Empty if only the repository is named.
    pub name: String,
    pub repository: Option<String>,
    pub version: Option<String>,
    pub dependencies: Vec<Dependency>,
}

/// A dependency of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Dependency {
    pub name: String,
    pub alias: Option<String>,
    pub version: Option<String>,
    pub repository: Option<String>,
}

impl Dependency {
    /// Returns the edition if this is Gloo's chart. Helm records an alias as the name, so that only the repository shows
    /// the chart.
    fn edition(&self) -> Option<Edition> {
        let is_alias = self.alias.as_ref() == Some(&self.name);
        let by_repository = || self.repository.as_deref().filter(|_| is_alias).and_then(Edition::of_repository);
        Edition::of_chart(&self.name).or_else(by_repository)
    }

    /// Returns the key of its values.
    fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

impl NamedChart {
    /// Returns the edition if this is Gloo's own chart.
    fn edition(&self) -> Option<Edition> {
        let by_repository = || self.repository.as_deref().filter(|_| self.name.is_empty());
        Edition::of_chart(&self.name).or_else(|| by_repository().and_then(Edition::of_repository))
    }

    /// Returns its dependencies on Gloo's charts.
    fn on_gloo(&self) -> Vec<(&Dependency, Edition)> {
        self.dependencies.iter().filter_map(|it| Some((it, it.edition()?))).collect()
    }

    /// Returns whether this is Gloo's chart, or one around it.
    pub(crate) fn is_gloos(&self) -> bool {
        self.edition().is_some() || !self.on_gloo().is_empty()
    }
}

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
    let Evidence { only_enterprise, below_gloo, only_open_source } = evidence(values);
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
mod tests {
    use serde_json::json;

    use super::*;

    fn decided(values: &Value) -> Result<(Edition, String), Vec<String>> {
        match choose(values, &[], ChartWish::default()) {
            Ok(choice) => Ok((choice.edition, choice.why)),
            Err(failure) => Err(failure.details),
        }
    }

    #[test]
    fn keys_that_only_one_chart_reads_decide() {
        use Edition::{Enterprise, OpenSource};
        let table = [
            (json!({"gatewayProxies": {"gatewayProxy": {}}}), OpenSource, "gatewayProxies"),
            (json!({"gatewayProxies": {}, "settings": {}, "global": {}}), OpenSource, "gatewayProxies"),
            (json!({"kubeGateway": {"enabled": true}}), OpenSource, "kubeGateway"),
            (json!({"discovery": {"enabled": false}, "mine": 1}), OpenSource, "discovery"),
            // The open source chart has keys below gloo as well.
            (json!({"gloo": {"deployment": {"replicas": 2}}}), OpenSource, "gloo.deployment"),
            (json!({"gloo": {"logLevel": "debug"}, "gatewayProxies": {}}), OpenSource, "gatewayProxies, gloo.logLevel"),
            (json!({"gloo": {"gatewayProxies": {}}}), Enterprise, "gloo.gatewayProxies"),
            (json!({"gloo": {"gloo": {"deployment": {}}}, "settings": {}}), Enterprise, "gloo.gloo"),
            (json!({"license_key": "x"}), Enterprise, "license_key"),
            (json!({"gloo-fed": {"enabled": false}, "gloo": {"kubeGateway": {}}}), Enterprise, "gloo-fed"),
            // A block in the wrong place decides nothing next to keys of Enterprise.
            (json!({"grafana": {}, "prometheus": {}, "gatewayProxies": {}}), Enterprise, "grafana, prometheus"),
            (json!({"observability": {"enabled": false}, "gloo": {"deployment": {}}}), Enterprise, "observability"),
            (json!({"global": {"extensions": {"glooRedis": {}}}}), Enterprise, "global.extensions.glooRedis"),
            // Null removes a default. It shows no chart.
            (json!({"grafana": null, "gatewayProxies": {}}), OpenSource, "gatewayProxies"),
        ];
        for (values, edition, words) in table {
            let (decided, why) = decided(&values).unwrap_or_else(|details| panic!("{values}: {details:?}"));
            assert_eq!(decided, edition, "{values}");
            assert!(why.contains(words), "{values}: {why}");
        }
    }

    #[test]
    fn what_cannot_be_decided_needs_the_flag() {
        for values in [
            json!({"global": {"image": {"registry": "mirror.example"}}}),
            json!({"settings": {"create": true}}),
            // Keys of no chart of Gloo's: another product's, or those of a chart around it.
            json!({"mine": 1}),
            json!({}),
            Value::Null,
            json!({"edge": {"gatewayProxies": {}}}),
            json!({"gloo-ee": {"license_key": "x", "gloo": {}}}),
            json!({"gloo": {}}),
            json!({"gloo": {"mine": 1}}),
            json!({"gatewayProxies": {}, "gloo": {"gatewayProxies": {}}}),
            json!({"gloo": {"deployment": {}, "gatewayProxies": {}}}),
        ] {
            assert!(decided(&values).is_err(), "{values}");
            for edition in Edition::ALL {
                let wish = ChartWish { edition: Some(edition), alias: None };
                assert_eq!(choose(&values, &[], wish).unwrap().edition, edition);
            }
        }
        let failure = choose(&json!({"global": {"a": 1}}), &[], ChartWish::default()).unwrap_err();
        assert_eq!(failure.exit, crate::error::Exit::Usage);
    }

    fn named(name: &str, dependencies: &[(&str, Option<&str>)]) -> NamedChart {
        let dependency = |(name, alias): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            alias: alias.map(str::to_owned),
            version: Some("1.18.2".to_owned()),
            repository: None,
        };
        NamedChart {
            source: "--chart".to_owned(),
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
            ..NamedChart::default()
        }
    }

    #[test]
    fn a_named_chart_decides_before_the_keys() {
        let values = json!({"gatewayProxies": {}});
        for (name, edition) in [
            ("gloo", Edition::OpenSource),
            ("gloo-ee", Edition::Enterprise),
            ("glooe/gloo-ee", Edition::Enterprise),
            ("oci://registry.example/charts/gloo-ee:1.18.2", Edition::Enterprise),
            ("https://charts.example/gloo-1.17.7.tgz", Edition::OpenSource),
            ("https://charts.example/gloo-ee-v1.17.7.tgz", Edition::Enterprise),
        ] {
            let choice = choose(&values, &[named(name, &[])], ChartWish::default()).unwrap();
            assert_eq!((choice.edition, choice.below), (edition, None), "{name}");
        }
        let ee = json!({"gloo": {"gatewayProxies": {}}});
        for name in ["mine", "gloo-fed", "gloo-portal", "gloo-x.tgz"] {
            let choice = choose(&ee, &[named(name, &[])], ChartWish::default()).unwrap();
            assert!(choice.why.contains("gloo.gatewayProxies"), "{name}: {}", choice.why);
        }
        // A typed edition is told as such.
        let typed = ChartWish { edition: Some(Edition::Enterprise), alias: None };
        let choice = choose(&values, &[named("gloo", &[])], typed).unwrap();
        assert_eq!(
            (choice.edition, &*choice.why),
            (Edition::Enterprise, "--edition, although --chart names chart gloo")
        );
        assert_eq!(choose(&values, &[named("gloo-ee", &[])], typed).unwrap().why, "--chart names this chart");
        let by_repository = NamedChart {
            repository: Some("https://storage.googleapis.com/gloo-ee-helm/".to_owned()),
            ..named("", &[])
        };
        assert_eq!(choose(&values, &[by_repository], ChartWish::default()).unwrap().edition, Edition::Enterprise);
    }

    #[test]
    fn another_products_chart_is_never_taken_for_gloos() {
        for name in ["ingress-nginx", "redis", "traefik"] {
            for values in [json!({}), json!({"controller": {"replicaCount": 2}}), json!({"global": {"a": 1}})] {
                let failure = choose(&values, &[named(name, &[])], ChartWish::default()).unwrap_err();
                assert_eq!(failure.exit, crate::error::Exit::Usage, "{name}: {values}");
            }
            let wish = ChartWish { edition: Some(Edition::OpenSource), alias: None };
            assert_eq!(choose(&json!({}), &[named(name, &[])], wish).unwrap().why, "--edition");
        }
    }

    #[test]
    fn a_chart_around_gloos_has_the_values_below_its_dependency() {
        let none = ChartWish::default();
        let edge = named("edge", &[("redis", None), ("gloo", Some("ingress"))]);
        let choice = choose(&json!({}), std::slice::from_ref(&edge), none).unwrap();
        assert_eq!((choice.edition, choice.below.as_deref()), (Edition::OpenSource, Some("ingress")));
        assert_eq!(choice.version.as_deref(), Some("1.18.2"));
        let of = |alias| ChartWish { edition: None, alias: Some(alias) };
        assert_eq!(
            choose(&json!({}), std::slice::from_ref(&edge), of("ingress")).unwrap().below.as_deref(),
            Some("ingress")
        );
        assert_eq!(choose(&json!({}), &[edge], of("gloo")).unwrap_err().details, ["there: ingress"]);

        // As Helm records it.
        let mut recorded = named("edge", &[("ingress", Some("ingress"))]);
        assert!(!recorded.is_gloos());
        recorded.dependencies[0].repository = Some(Edition::Enterprise.repository().to_owned());
        let choice = choose(&json!({}), &[recorded], none).unwrap();
        assert_eq!((choice.edition, choice.below.as_deref()), (Edition::Enterprise, Some("ingress")));

        let two = named("edge", &[("gloo", Some("a")), ("gloo-ee", Some("b"))]);
        assert!(choose(&json!({}), std::slice::from_ref(&two), none).unwrap_err().message.contains("several"));
        assert_eq!(choose(&json!({}), &[two], of("b")).unwrap().edition, Edition::Enterprise);
        assert!(choose(&json!({}), &[named("gloo-ee", &[("gloo", None)])], of("gloo")).is_err());
    }

    #[test]
    fn an_alias_without_a_chart_is_decided_by_what_is_below_it() {
        let of = |alias| ChartWish { edition: None, alias: Some(alias) };
        let choice = choose(&json!({"edge": {"gatewayProxies": {}}}), &[], of("edge")).unwrap();
        assert_eq!((choice.edition, choice.below.as_deref()), (Edition::OpenSource, Some("edge")));
        let choice = choose(&json!({"edge": {"license_key": "x"}}), &[], of("edge")).unwrap();
        assert_eq!(choice.edition, Edition::Enterprise);
        let choice = choose(&json!({"global": {}}), &[], of("gloo-ee")).unwrap();
        assert_eq!((choice.edition, choice.below.as_deref()), (Edition::Enterprise, Some("gloo-ee")));
        let typed = ChartWish { edition: Some(Edition::Enterprise), alias: Some("edge") };
        assert_eq!(choose(&json!({}), &[], typed).unwrap().edition, Edition::Enterprise);
    }
}
