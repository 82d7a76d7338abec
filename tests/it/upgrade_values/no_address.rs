//! `--rollback-on-failure` where Helm 3 cannot wait: a load balancer's address never comes.

use anyhow::Result;

use super::{REVISION, Shop, copied, open_source, text};
use crate::stage;

const BALANCER: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: public}\n\
    spec: {type: LoadBalancer, selector: {gloo: gateway-proxy}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";

#[test]
fn a_failed_upgrade_is_rolled_back_without_helms_wait() -> Result<()> {
    let shop = Shop::with(stage::helm(), "no-address")?.noting()?;
    let values = "gatewayProxies: {gatewayProxy: {podTemplate: {httpPort: 8081}}}\n";
    shop.install("gloo", &open_source(), values)?;
    let chart = copied(&shop.sandbox, "balanced")?;
    shop.sandbox.write("balanced/templates/balancer.yaml", BALANCER);
    shop.helm(&["upgrade", "gloo", text(&chart)?, "--reuse-values"])?;
    let before = shop.values("gloo")?;

    // An object that only the API server knows to be wrong, and a gateway that never rolls out.
    let held = std::fs::read_to_string(chart.join("templates/gateway-proxies.yaml"))?;
    let held = held.replace("spec:\n  replicas:", "spec:\n  paused: true\n  replicas:");
    for (file, content) in [
        ("bad.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NOT_A_NAME}\n"),
        ("gateway-proxies.yaml", held.as_str()),
    ] {
        let broken = copied(&shop.sandbox, &format!("broken-{file}"))?;
        shop.sandbox.write(&format!("broken-{file}/templates/balancer.yaml"), BALANCER);
        shop.sandbox.write(&format!("broken-{file}/templates/{file}"), content);
        let apply = ["--chart", text(&broken)?, "--apply", "--yes", "--rollback-on-failure"];
        let back = shop.run(&[&apply[..], &REVISION].concat());
        assert_eq!(back.code, Some(5), "{file}: {back:#?}");
        let rolled_back = if file == "bad.yaml" { "; rolled back\n" } else { "\n  rolled back to revision 4\n" };
        for words in ["would wait for the load balancer's address of Service public", rolled_back] {
            assert!(back.stderr.contains(words), "{file}: {words}: {}", back.stderr);
        }
        assert!(!shop.asked()?.contains("--atomic"), "{}", shop.asked()?);
        assert_eq!(shop.values("gloo")?, before, "{file}");
        assert_eq!(shop.history("gloo")?.last().map(String::as_str), Some("deployed"), "{file}");
        assert_eq!(shop.settings()?["enableIntegration"], false, "{file}");
    }
    Ok(())
}
