//! The program of the archive where there is nothing else: no library, no loader, no shell.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{name, scratch, succeeds, unpacked};
use crate::stage::{self, Plane, tools};
use crate::support::Sandbox;

/// A name that the certificate of the plane has, and that only the hosts file of the test knows.
const HOST: &str = "kubernetes.default.svc";

/// The kubeconfig of the plane, in one file, with this host.
fn kubeconfig(plane: &Plane, host: &str) -> Result<String> {
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(plane.kubeconfig())?)?;
    let cluster = &mut config["clusters"].as_array_mut().context("clusters")?[0]["cluster"];
    let authority = std::fs::read(cluster["certificate-authority"].as_str().context("a file")?)?;
    let port = plane.server().rsplit_once(':').context("a port")?.1.to_owned();
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, authority);
    *cluster = json!({"server": format!("https://{host}:{port}"), "certificate-authority-data": data});
    Ok(config.to_string())
}

/// Runs a program below another root directory; who is not root becomes so in a user namespace of his own.
fn in_root(root: &Path, args: &[&str]) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if is_root { "chroot" } else { "unshare" });
    if !is_root {
        command.args(["--map-root-user", "chroot"]);
    }
    command
        .arg(root)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("KUBECONFIG", "/kubeconfig");
    command
}

#[test]
fn the_program_is_static() {
    let top = unpacked(&scratch("ldd"));
    let output = Command::new("ldd").arg(top.join("gloo-rs")).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
}

#[test]
fn in_an_empty_root_it_resolves_a_host_name_and_finds_the_gateway() -> Result<()> {
    let plane = stage::shared();
    let gloo = plane.install_gloo("empty-root")?;
    let root = scratch("root");
    unpacked(&root);
    std::fs::create_dir(root.join("etc"))?;
    std::fs::write(root.join("etc/hosts"), format!("127.0.0.1 {HOST}\n"))?;
    // A module that cannot be loaded, and after which nothing else is asked: the program asks its own ones.
    std::fs::write(root.join("etc/nsswitch.conf"), "hosts: nosuch [UNAVAIL=return] files\npasswd: nosuch\n")?;
    let program = format!("/{}/gloo-rs", name());
    let url = [program.as_str(), "proxy", "url", "-n", gloo.as_str()];

    std::fs::write(root.join("kubeconfig"), kubeconfig(plane, HOST)?)?;
    assert_eq!(succeeds(&mut in_root(&root, &url)), "http://34.162.22.180:80\n");
    assert!(succeeds(&mut in_root(&root, &[&program, "--version"])).starts_with("gloo-rs "));

    std::fs::write(root.join("kubeconfig"), kubeconfig(plane, "kubernetes.default")?)?;
    let output = in_root(&root, &url).output()?;
    let stderr = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(9), "{stderr}");
    assert!(stderr.contains("name not resolved"), "{stderr}");
    Ok(())
}

#[test]
fn the_real_kubectl_runs_it_as_its_plugin() -> Result<()> {
    let plane = stage::shared();
    let gloo = plane.install_gloo("plugin")?;
    let sandbox = Sandbox::new();
    let top = unpacked(sandbox.dir());
    let plugin = |args: &[&str]| {
        let mut command = Command::new(tools::kubectl());
        command
            .args(args)
            .env_clear()
            .env("PATH", &top)
            .env("HOME", sandbox.dir())
            .env("KUBECONFIG", plane.kubeconfig());
        command
    };
    assert_eq!(succeeds(&mut plugin(&["gloo", "proxy", "url", "-n", &gloo])), "http://34.162.22.180:80\n");
    let listed = succeeds(&mut plugin(&["plugin", "list", "--name-only"]));
    assert!(listed.ends_with("\nkubectl-gloo\n"), "{listed}");
    let wrong = plugin(&["gloo", "proxy", "no-such-command"]).output()?;
    assert_eq!(wrong.status.code(), Some(2), "the exit code is the program's");
    Ok(())
}
