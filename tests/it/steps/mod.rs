//! A signal or a panic at each step of each command that writes: before the first write, during each write, and during
//! the wait after it. Either everything is as before, or what remains is said.

mod panics;
mod signals;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::stage::GLOO;
use crate::support::stub;
use crate::support::world::{State, World};
use crate::support::{Output, Sandbox};

const ISTIO: &str = include_str!("../../fixtures/istio.yaml");
const SHOP: &str = include_str!("shop.yaml");

/// A command that writes, and what it finds.
struct Row {
    line: &'static str,
    begins: Begins,
    writes: usize,
    /// After how many of its writes it may end: it is several transactions, one after the other.
    stands: &'static [usize],
}

/// The state that a command finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// As the guide begins.
    Clean,
    /// With sidecars in the gateway, the shop in the mesh, mutual TLS to it, and STRICT.
    Meshed,
}

const fn row(line: &'static str, begins: Begins, writes: usize, stands: &'static [usize]) -> Row {
    Row { line, begins, writes, stands }
}

/// Every kind of transaction. What is independent for each object stands once it is made: mutual TLS of an Upstream, and
/// a workload whose new pods are ready.
const ROWS: [Row; 15] = [
    row("istio inject --revision 1-28", Begins::Clean, 2, &[0]),
    row("istio uninject --force --yes", Begins::Meshed, 2, &[0]),
    row("istio enroll shop --revision 1-28 --force", Begins::Clean, 2, &[0, 2]),
    row("istio enroll shop --ambient --force", Begins::Clean, 1, &[0]),
    row("istio unenroll shop --yes --force", Begins::Meshed, 2, &[0, 2]),
    row("istio peer-auth strict -n shop --yes --force", Begins::Clean, 1, &[0]),
    row("istio peer-auth permissive -n shop --yes", Begins::Meshed, 1, &[0]),
    row("istio peer-auth remove -n shop --yes", Begins::Meshed, 1, &[0]),
    row("istio auto-mtls enable --yes --force", Begins::Clean, 1, &[0, 1]),
    row("istio auto-mtls disable --upstream shop-cart-80 --force --yes", Begins::Clean, 1, &[0, 1]),
    row("istio enable-mtls --upstream shop-cart-80 --force --yes", Begins::Clean, 1, &[0, 1]),
    row("istio disable-mtls --upstream shop-cart-80 --force --yes", Begins::Meshed, 1, &[0, 1]),
    row("proxy restart", Begins::Meshed, 1, &[0]),
    row(SETUP, Begins::Clean, 6, &[0, 2, 4, 5, 6]),
    row(TEARDOWN, Begins::Meshed, 6, &[0, 1, 2, 4, 6]),
];

const SETUP: &str = "istio setup --via inject --namespace-to-enroll shop --upstream shop-cart-80 --revision 1-28 \
    --strict --no-verify --yes --force";

const TEARDOWN: &str = "istio teardown --all --yes --force";

/// When it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// While a change is tried as a dry run, or while the last thing is read: nothing is written yet.
    Before,
    /// While the answer to this write is on its way: it is made.
    Write(usize),
    /// While the first request after this write is on its way.
    After(usize),
}

/// Each moment of a command with this many writes that another request follows.
fn moments(states: &[State], follows: &[bool]) -> Vec<Moment> {
    let writes = 0..states.len() - 1;
    let after = writes.clone().filter(|write| follows[*write]).map(Moment::After);
    std::iter::once(Moment::Before).chain(writes.map(Moment::Write)).chain(after).collect()
}

/// The world as an API server.
struct Server {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    writes: AtomicUsize,
    /// The state at the start, and after each write.
    states: Mutex<Vec<State>>,
    /// Whether a read came after each write and before the next.
    follows: Mutex<Vec<bool>>,
    at: Option<Moment>,
    reached: AtomicBool,
    open: AtomicBool,
}

impl Server {
    /// The answer to the request of that moment waits until it may go.
    fn start(world: &World, at: Option<Moment>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            world: Mutex::new(world.clone()),
            writes: AtomicUsize::new(0),
            states: Mutex::new(vec![world.state()]),
            follows: Mutex::default(),
            at,
            reached: AtomicBool::new(false),
            open: AtomicBool::new(false),
        });
        let of_server = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_server);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { port, shared }
    }

    fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "world",
            "clusters": [{"name": "world", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "contexts": [{"name": "world", "context": {"cluster": "world", "user": "world"}}],
            "users": [{"name": "world", "user": {}}],
        })
        .to_string()
    }

    fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new().port(self.port);
        sandbox.kubeconfig(self.kubeconfig());
        sandbox
    }

    fn run(&self, line: &str) -> Output {
        self.sandbox().run(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn world(&self) -> World {
        lock(&self.shared.world).clone()
    }

    fn states(&self) -> Vec<State> {
        lock(&self.shared.states).clone()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        stub::answered(stream, |request| {
            let (status, answer, wrote) = {
                let mut world = lock(&self.world);
                let answered = world.answer(request);
                self.note(answered.2, request.method == "GET", &world);
                answered
            };
            if self.at == Some(self.moment(wrote, request)) && !self.reached.swap(true, Ordering::Relaxed) {
                while !self.open.load(Ordering::Relaxed) {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            }
            (status, answer)
        });
    }

    fn note(&self, wrote: bool, reads: bool, world: &World) {
        let mut follows = lock(&self.follows);
        if wrote {
            self.writes.fetch_add(1, Ordering::Relaxed);
            lock(&self.states).push(world.state());
            follows.push(false);
        } else if let (Some(last), true) = (follows.last_mut(), reads) {
            *last = true;
        }
    }

    /// The moment that a request is. Of a command without a dry run no request is the last before its writes.
    fn moment(&self, wrote: bool, request: &stub::Request) -> Moment {
        match (self.writes.load(Ordering::Relaxed), wrote) {
            (writes, true) => Moment::Write(writes - 1),
            (0, false) if request.path.contains("/namespaces/") || request.method != "GET" => Moment::Before,
            (0, false) => Moment::After(usize::MAX),
            (writes, false) => Moment::After(writes - 1),
        }
    }
}

/// The worlds that the commands find, made by the commands themselves.
struct Worlds {
    clean: World,
    meshed: World,
}

impl Worlds {
    fn new() -> Self {
        let clean = World::of(&[ISTIO, GLOO, SHOP]);
        let server = Server::start(&clean, None);
        let output = server.run(SETUP);
        assert_eq!(output.code, Some(0), "{output:#?}");
        Self { clean, meshed: server.world().later() }
    }

    fn of(&self, begins: Begins) -> &World {
        match begins {
            Begins::Clean => &self.clean,
            Begins::Meshed => &self.meshed,
        }
    }

    /// The states of a command that nothing disturbs, and whether something is read after each write.
    fn undisturbed(&self, row: &Row) -> (Vec<State>, Vec<bool>) {
        let server = Server::start(self.of(row.begins), None);
        let output = server.run(row.line);
        assert_eq!(output.code, Some(0), "{} {output:#?}", row.line);
        let states = server.states();
        assert_eq!(states.len(), row.writes + 1, "{} {output:#?}", row.line);
        (states, lock(&server.shared.follows).clone())
    }
}

/// Which of the states that the command goes through this is.
#[track_caller]
fn which(states: &[State], is: &State, what: &str) -> usize {
    states.iter().position(|state| state == is).unwrap_or_else(|| {
        let differs: Vec<_> = is.iter().filter(|(path, it)| states[0].get(*path) != Some(it)).collect();
        panic!("{what}: the state is none that the command goes through: {differs:#?}")
    })
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
