//! Values and charts, and the edition that they show.

use serde_json::json;

use super::*;
use crate::plan::values::Dependency;

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
    assert_eq!((choice.edition, &*choice.why), (Edition::Enterprise, "--edition, although --chart names chart gloo"));
    assert_eq!(choose(&values, &[named("gloo-ee", &[])], typed).unwrap().why, "--chart names this chart");
    let by_repository =
        NamedChart { repository: Some("https://storage.googleapis.com/gloo-ee-helm/".to_owned()), ..named("", &[]) };
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
