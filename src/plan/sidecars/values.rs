//! The values of the sidecars and the source of each: a flag, the existing sidecars, what runs, or the default.

use serde_json::Value;

use super::image::{NeedsFlag, proxyv2_image, sds_image};
use super::parts::{ISTIO_PROXY, SDS};
use super::state::{discovery_address, env, item};
use super::{Around, Flags, GatewayProxy};
use crate::error::Failure;
use crate::plan::istiod::{Because, Istiod, IstiodChoice, Told, choose_in_use as choose_istiod};
use crate::text::Image;

/// The defaults of the chart.
pub(crate) const MESH_ID: &str = "cluster.local";
pub(crate) const CLUSTER_ID: &str = "Kubernetes";

/// The source of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueSource {
    /// This flag.
    Flag(&'static str),
    /// The existing sidecars of the gateway.
    Gateway,
    Istiod,
    RunningGloo,
    Default,
}

impl ValueSource {
    /// Returns a short text: `--revision`, `gloo's image`.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Flag(flag) => flag,
            Self::Gateway => "the gateway's already",
            Self::Istiod => "istiod",
            Self::RunningGloo => "gloo's image",
            Self::Default => "default",
        }
    }
}

/// One value with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// `mesh id`
    pub what: &'static str,
    pub value: String,
    pub source: ValueSource,
}

/// All values. An unknown image is an error only if it is needed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Values {
    pub address: Option<Provenance>,
    pub mesh_id: Provenance,
    pub cluster_id: Provenance,
    pub sds_image: Result<Provenance, NeedsFlag>,
    pub proxy_image: Result<Provenance, NeedsFlag>,
}

/// Returns the address that the gateway's `istio-proxy` uses now.
pub(crate) fn current_address(proxy: &GatewayProxy) -> Option<String> {
    let container = proxy.container(ISTIO_PROXY)?;
    env(container, "CA_ADDR").map(str::to_owned).or_else(|| discovery_address(container))
}

/// Chooses the control plane for this proxy. `None` if the address is given by flag and no istiod of this cluster has
/// it.
///
/// # Errors
/// As [`choose_istiod`].
pub(crate) fn choose(istiods: &[Istiod], flags: &Flags, proxy: &GatewayProxy) -> Result<Option<IstiodChoice>, Failure> {
    let already = current_address(proxy);
    match choose_istiod(istiods, flags.revision.as_deref(), already.as_deref(), flags.in_use.as_deref()) {
        Err(_) if flags.revision.is_none() && flags.discovery_address.is_some() => {
            // The address in the flag may be that of one of several istiods here. Then that istiod determines the
            // image.
            let address = flags.discovery_address.as_deref();
            let kept = choose_istiod(istiods, None, address, None).ok();
            Ok(kept.filter(|choice| choice.istiod.is_some()))
        }
        answer => answer.map(Some),
    }
}

impl Values {
    /// Collects the values for this proxy.
    pub(super) fn collect(proxy: &GatewayProxy, flags: &Flags, around: &Around) -> Self {
        let container = proxy.container(ISTIO_PROXY);
        let istiod = around.choice.and_then(|choice| choice.istiod.as_ref());
        let first = |what, ways: [Option<(String, ValueSource)>; 4]| {
            ways.into_iter().flatten().next().map(|(value, source)| Provenance { what, value, source })
        };
        let flag = |typed: &Option<String>, name| typed.clone().map(|value| (value, ValueSource::Flag(name)));
        let there = |name| container.and_then(|it| env(it, name)).map(|value| (value.to_owned(), ValueSource::Gateway));
        let id = |what, typed, name, istiod: Option<(String, ValueSource)>, default: &str| {
            first(what, [typed, there(name), istiod, None]).unwrap_or_else(|| Provenance {
                what,
                value: default.to_owned(),
                source: ValueSource::Default,
            })
        };
        Self {
            address: first(
                "istiod",
                [
                    flag(&flags.discovery_address, "--istio-discovery-address"),
                    around.choice.filter(|choice| choice.because == Because::Flag).map(by_revision),
                    current_address(proxy).map(|address| (address, ValueSource::Gateway)),
                    around.choice.map(|choice| (choice.address.clone(), ValueSource::Istiod)),
                ],
            ),
            mesh_id: id(
                "mesh id",
                flag(&flags.mesh_id, "--istio-meta-mesh-id"),
                "ISTIO_META_MESH_ID",
                istiod.map(|istiod| (istiod.mesh_id.clone(), ValueSource::Istiod)),
                MESH_ID,
            ),
            cluster_id: id(
                "cluster id",
                flag(&flags.cluster_id, "--istio-meta-cluster-id"),
                "ISTIO_META_CLUSTER_ID",
                istiod.map(|istiod| match &istiod.cluster_id {
                    Told::ByIstiod(id) => (id.clone(), ValueSource::Istiod),
                    Told::Default(id) => (id.clone(), ValueSource::Default),
                }),
                CLUSTER_ID,
            ),
            sds_image: image(SDS, flag(&flags.sds_image, NeedsFlag::SDS), image_of(proxy.container(SDS)), || {
                running_sds(around.gloo)
            }),
            proxy_image: proxy_image(flags, image_of(container), around),
        }
    }

    /// Returns the values in the order of printing. Unknown ones are left out.
    pub(super) fn provenance(&self) -> Vec<Provenance> {
        let images = [&self.sds_image, &self.proxy_image].into_iter().filter_map(|image| image.as_ref().ok());
        self.address.iter().chain([&self.mesh_id, &self.cluster_id]).chain(images).cloned().collect()
    }
}

fn by_revision(choice: &IstiodChoice) -> (String, ValueSource) {
    (choice.address.clone(), ValueSource::Flag("--revision"))
}

fn image_of(container: Option<&Value>) -> Option<String> {
    container.and_then(|container| container["image"].as_str()).map(str::to_owned)
}

fn image(
    what: &'static str,
    typed: Option<(String, ValueSource)>,
    there: Option<String>,
    told: impl FnOnce() -> Result<(String, ValueSource), NeedsFlag>,
) -> Result<Provenance, NeedsFlag> {
    let (value, source) = match typed.or_else(|| there.map(|image| (image, ValueSource::Gateway))) {
        Some(found) => found,
        None => told()?,
    };
    Ok(Provenance { what, value, source })
}

fn running_sds(gloo: Option<&Value>) -> Result<(String, ValueSource), NeedsFlag> {
    let containers = gloo.map_or(&Value::Null, |gloo| &gloo["spec"]["template"]["spec"]["containers"]);
    let image = item(containers, "gloo").and_then(|container| container["image"].as_str());
    let image = image.ok_or_else(|| NeedsFlag::unseen(NeedsFlag::SDS, "no running gloo shows the sds image"))?;
    Ok((sds_image(image)?.to_string(), ValueSource::RunningGloo))
}

fn proxy_image(flags: &Flags, there: Option<String>, around: &Around) -> Result<Provenance, NeedsFlag> {
    let pilot = around.choice.and_then(|choice| choice.istiod.as_ref()).and_then(|istiod| istiod.image.as_deref());
    let told = |source| {
        let pilot = pilot
            .ok_or_else(|| NeedsFlag::unseen(NeedsFlag::ISTIO_PROXY, "no istiod here shows the istio-proxy image"))?;
        Ok((proxyv2_image(pilot)?.to_string(), source))
    };
    let typed = flags.proxy_image.clone().map(|image| (image, ValueSource::Flag(NeedsFlag::ISTIO_PROXY)));
    let moves = around.choice.is_some_and(|choice| choice.because == Because::Flag);
    match &there {
        // A mirror with the same version is kept, because --revision selects a version, not a registry.
        Some(there) if typed.is_none() && moves && !same_tag(there, pilot) => {
            let (value, source) = told(ValueSource::Flag("--revision"))?;
            Ok(Provenance { what: ISTIO_PROXY, value, source })
        }
        _ => image(ISTIO_PROXY, typed, there, || told(ValueSource::Istiod)),
    }
}

/// Returns whether two images have the same tag.
pub(super) fn same_tag(image: &str, other: Option<&str>) -> bool {
    let tag = |image: &str| Image::parse(image).ok().and_then(|image| image.tag);
    tag(image).is_some() && tag(image) == other.and_then(tag)
}
