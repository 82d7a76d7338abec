//! The image of istio-proxy. The chart's default is fixed at 1.22.0, whatever istiod runs.

use serde_json::Value;

use super::IMAGE_PARTS;
use super::proxies::{ChartProxyKind, image_path};
use super::under_way::Merge;
use crate::error::Failure;
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};
use crate::plan::istiod::{Because, IstiodChoice};
use crate::plan::sidecars::Flags;
use crate::plan::sidecars::image::{NeedsFlag, proxyv2_image};
use crate::text::Image;

/// The chart's default `registry`, `repository` and `tag`.
const USUAL: [&str; 3] = ["docker.io/istio", "proxyv2", "1.22.0"];

/// Sets the image of these proxies: the one in the flag, or istiod's if the values have none or `--revision` changes it.
///
/// # Errors
/// The image in the flag is invalid, or the values have another type where the keys must be.
pub(super) fn merge(
    merge: &mut Merge<'_>,
    kind: ChartProxyKind,
    flags: &Flags,
    choice: Option<&IstiodChoice>,
) -> Result<(), Failure> {
    let place = ImagePlace { kind };
    if let Some(typed) = &flags.proxy_image {
        let image = Image::parse(typed)
            .map_err(|why| Failure::usage(format!("{} {typed:?}: {why}", NeedsFlag::ISTIO_PROXY)))?;
        return place.set(merge, &image, NeedsFlag::ISTIO_PROXY, Keep::Nothing);
    }
    let tag = place.text(merge, "tag");
    let pilot = choice.and_then(|choice| choice.istiod.as_ref()).and_then(|istiod| istiod.image.as_deref());
    let Some(pilot) = pilot else {
        if tag.is_none() {
            merge.advise(stays("no istiod was read"));
        }
        return Ok(());
    };
    let image = match proxyv2_image(pilot) {
        Ok(image) => image,
        Err(needs) => {
            merge.advise(stays(&needs.why));
            return Ok(());
        }
    };
    let moves = choice.is_some_and(|choice| choice.because == Because::Flag);
    match tag {
        Some(tag) if image.tag.as_ref() == Some(&tag) => Ok(()),
        Some(tag) if !moves => {
            let wanted = image.tag.as_deref().unwrap_or("another");
            let message = format!("{} stays {tag}, istiod runs {wanted}", place.path(merge, "tag"));
            let hint = format!("{} {image}", NeedsFlag::ISTIO_PROXY);
            merge.advise(Advice::warning(Code::OldImage, message).hint(hint));
            Ok(())
        }
        _ => place.set(merge, &image, if moves { "--revision" } else { "istiod" }, Keep::Mirror),
    }
}

fn stays(why: &str) -> Advice {
    let message = format!("istio-proxy stays at the chart's own image ({}): {why}", USUAL[2]);
    Advice::note(Code::OldImage, message).hint(format!("{} REGISTRY/istio/proxyv2:TAG", NeedsFlag::ISTIO_PROXY))
}

/// What is kept of an explicit image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    /// Registry and repository, because they are a mirror with the same versions.
    Mirror,
}

/// The keys of the image that proxies of this kind run.
#[derive(Clone, Copy)]
struct ImagePlace {
    kind: ChartProxyKind,
}

impl ImagePlace {
    fn path(self, merge: &Merge<'_>, part: &str) -> FieldPath {
        image_path(self.kind, part, merge.values, merge.chart)
    }

    /// The part of the image that the values set.
    fn text(self, merge: &Merge<'_>, part: &str) -> Option<String> {
        self.path(merge, part).get(merge.values).and_then(Value::as_str).map(str::to_owned)
    }

    fn set(self, merge: &mut Merge<'_>, image: &Image, source: &str, keep: Keep) -> Result<(), Failure> {
        let registry = image.registry.as_deref().unwrap_or("docker.io");
        let whole = format!("{registry}/{}", image.repository);
        let (registry, repository) = whole.rsplit_once('/').expect("a slash stands behind the registry");
        let wanted = [Some(registry), Some(repository), image.tag.as_deref(), image.digest.as_deref()];
        for (number, (part, wanted)) in IMAGE_PARTS.into_iter().zip(wanted).enumerate() {
            let path = self.path(merge, part);
            let there = self.text(merge, part);
            let own = path.get(&merge.chart.defaults).and_then(Value::as_str).or(USUAL.get(number).copied());
            match wanted {
                Some(_) if number < 2 && keep == Keep::Mirror && there.is_some() => {}
                Some(wanted) if there.is_none() && own == Some(wanted) => {}
                Some(wanted) => merge.set(&path, wanted, source)?,
                None => merge.unset(&path, source),
            }
        }
        Ok(())
    }
}
