//! Merges Istio's settings: explicit values win, and an existing istiod address is kept unless a flag changes it.

use serde_json::{Value, json};

use super::image;
use super::proxies::{self, ChartProxyKind, ProxyEntry};
use super::under_way::Merge;
use super::{Chart, PROXY_KEYS, Switch, ValuesPlan, ValuesWish, is_on, then};
use crate::command::{flag, gloo_rs};
use crate::error::Failure;
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};
use crate::plan::istiod::{Because, Istiod, IstiodChoice, Told, choose, choose_in_use};
use crate::plan::sidecars::{CLUSTER_ID, Flags, MESH_ID};

/// Plans the values with Istio's settings.
///
/// # Errors
/// The values have another type where a key must be, a proxy does not exist, or no istiod can be chosen.
pub(crate) fn merge(
    values: &Value,
    chart: &Chart,
    wish: &ValuesWish,
    flags: &Flags,
    all: &[Istiod],
) -> Result<ValuesPlan, Failure> {
    let mut merge = Merge { values, chart, plan: ValuesPlan::default() };
    let proxies::SelectedProxies { entries, advice } = proxies::selected(values, chart, wish)?;
    merge.plan.advice.extend(advice);
    merge.switches(wish)?;
    let mut choices = Vec::new();
    for entry in &entries {
        choices.push(chosen(all, flags, address_of(values, entry))?);
    }
    for kind in ChartProxyKind::ALL {
        let of_kind = |(entry, choice): (&ProxyEntry, _)| (entry.kind == kind).then_some(choice);
        let mut of_kind = entries.iter().zip(&choices).filter_map(of_kind);
        if let Some(first) = of_kind.next() {
            image::merge(&mut merge, kind, flags, first.as_ref())?;
        }
    }
    for (entry, choice) in entries.iter().zip(&choices) {
        merge.proxy(entry, flags, choice.as_ref())?;
    }
    for advice in choices.iter().flatten().flat_map(|choice| choice.advice.clone()) {
        merge.advise(advice);
    }
    merge.plan.istiod = choices.iter().flatten().next().and_then(told);
    Ok(merge.plan)
}

/// Returns whether the istiods of the cluster must be read.
///
/// # Errors
/// A named proxy does not exist.
pub(crate) fn needs_istiod(values: &Value, chart: &Chart, wish: &ValuesWish, flags: &Flags) -> Result<bool, Failure> {
    let proxies = proxies::selected(values, chart, wish)?.entries;
    let lacks_address = proxies.iter().any(|entry| address_of(values, entry).is_none());
    let needs_address = flags.discovery_address.is_none() && lacks_address;
    Ok(!proxies.is_empty() && (flags.revision.is_some() || needs_address))
}

fn address_of<'v>(values: &'v Value, entry: &ProxyEntry) -> Option<&'v str> {
    then(&entry.path, PROXY_KEYS[0]).get(values).and_then(Value::as_str)
}

/// Chooses as `inject` does. The address in the flag may be that of one of several istiods here. Then that istiod
/// determines the image.
fn chosen(all: &[Istiod], flags: &Flags, already: Option<&str>) -> Result<Option<IstiodChoice>, Failure> {
    match choose_in_use(all, flags.revision.as_deref(), already, flags.in_use.as_deref()) {
        Err(_) if flags.revision.is_none() && flags.discovery_address.is_some() => {
            let kept = choose(all, None, flags.discovery_address.as_deref()).ok();
            Ok(kept.filter(|choice| choice.istiod.is_some()))
        }
        // The cluster was not read if the values have an address, so it is unknown whether an istiod has it.
        Ok(choice) if all.is_empty() && choice.istiod.is_none() => Ok(None),
        answer => answer.map(Some),
    }
}

fn told(choice: &IstiodChoice) -> Option<String> {
    let istiod = choice.istiod.as_ref()?;
    let why = match choice.because {
        Because::Flag => "--revision",
        Because::Already => "the values' already",
        Because::InUse => "in use",
        Because::Only => "the only one",
    };
    let image = istiod.image.as_deref().unwrap_or("image unknown");
    Some(format!("istiod {} ({why}), {image}", istiod.revision))
}

impl Merge<'_> {
    fn switches(&mut self, wish: &ValuesWish) -> Result<(), Failure> {
        let mut with_sds = wish.sds;
        if self.chart.has_integration() {
            self.set(&self.chart.integration(self.values), true, "default")?;
            self.auto_mtls(wish.auto_mtls)?;
        } else {
            if wish.sds == Switch::NotTyped {
                with_sds = Switch::On;
            }
            self.plan.advice.push(
                Advice::note(
                    Code::OldChart,
                    "the chart is older than 1.17: it has no istioIntegration and no auto-mTLS",
                )
                .hint(gloo_rs("istio enable-mtls").after("istioSDS renders the sidecars; each Upstream needs: ")),
            );
        }
        let sds = self.chart.sds(self.values);
        match with_sds {
            Switch::On => self.set(&sds, true, if wish.sds == Switch::On { "--sds" } else { "chart before 1.17" }),
            Switch::Off if is_on(sds.get(self.values)) => self.set(&sds, false, "--no-sds"),
            Switch::Off | Switch::NotTyped | Switch::Kept => Ok(()),
        }
    }

    fn auto_mtls(&mut self, wish: Switch) -> Result<(), Failure> {
        let path = self.chart.auto_mtls(self.values);
        let there = path.get(self.values);
        match (wish, there) {
            (Switch::On, _) => self.set(&path, true, "--auto-mtls"),
            (Switch::Off, Some(there)) if is_on(Some(there)) => self.set(&path, false, "--no-auto-mtls"),
            (Switch::NotTyped, None) => self.set(&path, true, "default"),
            (Switch::NotTyped, Some(there)) if !is_on(Some(there)) => {
                self.plan.advice.push(
                    Advice::note(Code::Explicit, format!("{path} stays {there}: it is set explicitly"))
                        .hint(flag("--auto-mtls").text(" turns it on")),
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn proxy(&mut self, entry: &ProxyEntry, flags: &Flags, choice: Option<&IstiodChoice>) -> Result<(), Failure> {
        let [address, mesh_id, cluster_id] = PROXY_KEYS.map(|key| then(&entry.path, key));
        let already = address.get(self.values).is_some();
        match (&flags.discovery_address, choice) {
            (Some(typed), _) => self.set(&address, typed.as_str(), "--istio-discovery-address")?,
            (None, Some(choice)) if choice.because == Because::Flag => {
                self.set(&address, choice.address.as_str(), "--revision")?;
            }
            (None, Some(choice)) if !already => self.set(&address, choice.address.as_str(), "istiod")?,
            _ => {}
        }
        let istiod = choice.and_then(|choice| choice.istiod.as_ref());
        let mesh = istiod.map(|istiod| istiod.mesh_id.as_str());
        self.id(&mesh_id, (flags.mesh_id.as_deref(), "--istio-meta-mesh-id"), mesh, MESH_ID)?;
        let cluster = istiod.and_then(|istiod| match &istiod.cluster_id {
            Told::ByIstiod(id) => Some(id.as_str()),
            Told::Default(_) => None,
        });
        self.id(&cluster_id, (flags.cluster_id.as_deref(), "--istio-meta-cluster-id"), cluster, CLUSTER_ID)
    }

    /// Sets an id: the one in the flag, otherwise the existing one, otherwise istiod's if the chart's default differs.
    fn id(
        &mut self,
        path: &FieldPath,
        typed: (Option<&str>, &str),
        told: Option<&str>,
        usual: &str,
    ) -> Result<(), Failure> {
        let (typed, flag) = typed;
        if let Some(typed) = typed {
            return self.set(path, typed, flag);
        }
        let own = path.get(&self.chart.defaults).cloned().unwrap_or_else(|| json!(usual));
        match told {
            Some(told) if path.get(self.values).is_none() && own != *told => self.set(path, told, "istiod"),
            _ => Ok(()),
        }
    }
}
