//! Helm releases as stored in their Secrets, one of them with the size of Gloo's real chart.

use std::io::Write as _;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};

/// The Secret in which Helm stores a deployed revision of Gloo's chart.
pub fn release(name: &str, namespace: &str, revision: u64, chart_version: &str) -> Result<Value> {
    let record = json!({
        "name": name, "namespace": namespace, "version": revision, "info": {"status": "deployed"},
        "chart": {"metadata": {"name": "gloo", "version": chart_version}, "templates": [], "values": {}},
        "config": {"mine": 1},
    });
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {
            "name": format!("sh.helm.release.v1.{name}.v{revision}"), "namespace": namespace,
            "labels": {"owner": "helm", "name": name, "status": "deployed", "version": revision.to_string()},
        },
        "data": {"release": stored(&record.to_string())?},
    }))
}

/// A record as Helm stores it, without the API's own base64.
fn packed(record: &str) -> Result<String> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(record.as_bytes())?;
    Ok(STANDARD.encode(zip.finish()?))
}

/// A record as it is in the data of a Secret.
pub fn stored(record: &str) -> Result<String> {
    Ok(STANDARD.encode(packed(record)?))
}

/// The record from the data of a Secret.
pub fn opened(data: &str) -> Result<Value> {
    let zipped = STANDARD.decode(STANDARD.decode(data)?)?;
    Ok(serde_json::from_reader(GzDecoder::new(zipped.as_slice()))?)
}

/// The Secret in which Helm stores revision 3 of the release `gloo`: about 4 MB unpacked.
pub fn release_of_real_size() -> Result<Value> {
    let record = json!({
        "name": "gloo", "namespace": "gloo-system", "version": 3,
        "info": {"status": "deployed", "description": "Upgrade complete"},
        "chart": {"metadata": {"name": "gloo", "version": "1.18.2"}, "templates": templates(), "values": {}},
        "config": {"mine": 1, "global": {"image": {"tag": "1.18.2"}}},
        "manifest": "---\n",
    })
    .to_string();
    let stored = packed(&record)?;
    ensure!((3_500_000..4_800_000).contains(&record.len()), "{} unpacked", record.len());
    ensure!((380_000..600_000).contains(&stored.len()), "{} packed", stored.len());
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": release_metadata(),
        "data": {"release": STANDARD.encode(stored)},
    }))
}

/// The metadata of that Secret.
pub fn release_metadata() -> Value {
    json!({
        "name": "sh.helm.release.v1.gloo.v3", "namespace": "gloo-system",
        "labels": {"owner": "helm", "name": "gloo", "status": "deployed", "version": "3"},
    })
}

/// The templates that read Istio's settings.
const OF_ISTIO: [&str; 4] = [
    include_str!("../fixtures/charts/gloo/templates/gateway-proxies.yaml"),
    include_str!("../fixtures/charts/gloo/templates/gatewayparameters.yaml"),
    include_str!("../fixtures/charts/gloo/templates/gloo.yaml"),
    include_str!("../fixtures/charts/gloo/templates/settings.yaml"),
];

/// Text of the size of the real chart, and similarly hard to compress: the templates that read Istio's settings, and
/// lines with small differences.
fn templates() -> Vec<Value> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let word = |number: u64| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 36);
    let filling = (0..60).map(|_| {
        let mut text = String::new();
        while text.len() < 49_000 {
            let (depth, key, value) = (next(6), next(300), next(300));
            let line = format!(
                "{}{}: {{{{ .Values.global.{} | default {} }}}}\n",
                "  ".repeat(usize::try_from(depth).unwrap_or(0)),
                word(key),
                word(value),
                word(value / 2)
            );
            text.push_str(&line.repeat(1 + usize::try_from(next(8)).unwrap_or(0)));
        }
        text
    });
    let texts = OF_ISTIO.map(str::to_owned).into_iter().chain(filling);
    let template = |(number, text)| json!({"name": format!("templates/{number}.yaml"), "data": STANDARD.encode(text)});
    texts.enumerate().map(template).collect()
}
