//! Delay, jitter, reordering and duplicates between real processes, by a proxy of our own.
//!
//! ```text
//!   n1 ──► front of n2, the address that n2 advertises ──► a socket that stands for n1 ──► where n2 listens
//!   n1 ◄────────────────────── front of n2 ◄────────────── the same socket ◄────────────── n2
//! ```
//! Nodes know nothing of each other but what they advertise, so every datagram between two of them passes a front, in
//! both directions. A front changes nothing in a datagram. It needs neither root nor another program.

use crate::servers::{Cluster, LOOPBACK, three};
use crate::workloads::play;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::btree_map::{BTreeMap, Entry};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;

/// The longest datagram.
const LONGEST: usize = 65_536;

/// What happens to datagrams on their way.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// How long each takes at least.
    delay: Duration,
    /// How much longer it takes at most: with jitter, later ones overtake earlier ones.
    jitter: Duration,
    /// How probably it arrives twice.
    duplicates: f64,
}

const CALM: Weather = Weather { delay: Duration::ZERO, jitter: Duration::ZERO, duplicates: 0.0 };
const SLOW: Weather = Weather { delay: Duration::from_millis(40), ..CALM };
const ROUGH: Weather = Weather { jitter: Duration::from_millis(40), ..CALM };
const DOUBLE: Weather = Weather { duplicates: 0.5, ..CALM };
const STORM: Weather = Weather { delay: SLOW.delay, jitter: ROUGH.jitter, duplicates: DOUBLE.duplicates };

/// The network between the nodes.
struct Network {
    weather: Mutex<Weather>,
    rng: Mutex<StdRng>,
    counts: Counts,
}

/// Datagrams.
#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    delayed: AtomicU64,
    duplicated: AtomicU64,
    /// Those that arrived after a later one.
    overtaken: AtomicU64,
}

/// From one socket to one address.
struct Way {
    network: Arc<Network>,
    from: Arc<UdpSocket>,
    to: SocketAddr,
    /// The number of the last datagram that came in.
    came: AtomicU64,
    /// The highest number of those that went out.
    went: AtomicU64,
}

impl Network {
    fn new() -> Arc<Network> {
        let rng = Mutex::new(StdRng::seed_from_u64(1));
        Arc::new(Network { weather: Mutex::new(CALM), rng, counts: Counts::default() })
    }

    /// How long each copy of the next datagram takes.
    fn times(&self) -> Vec<Duration> {
        let weather = *self.weather.lock().unwrap();
        let mut rng = self.rng.lock().unwrap();
        let copies = if rng.random_bool(weather.duplicates) { 2 } else { 1 };
        (0..copies).map(|_| weather.delay + weather.jitter.mul_f64(rng.random_range(0.0..1.0))).collect()
    }

    /// Some weather for a while; what it did to datagrams.
    async fn blow(&self, weather: Weather, time: Duration) -> [u64; 3] {
        let before = self.counts.of_faults();
        *self.weather.lock().unwrap() = weather;
        tokio::time::sleep(time).await;
        *self.weather.lock().unwrap() = CALM;
        let after = self.counts.of_faults();
        std::array::from_fn(|at| after[at] - before[at])
    }
}

impl Counts {
    /// Delayed, duplicated, overtaken.
    fn of_faults(&self) -> [u64; 3] {
        [&self.delayed, &self.duplicated, &self.overtaken].map(|count| count.load(Relaxed))
    }
}

impl Way {
    fn new(network: &Arc<Network>, from: &Arc<UdpSocket>, to: SocketAddr) -> Arc<Way> {
        let (came, went) = Default::default();
        Arc::new(Way { network: network.clone(), from: from.clone(), to, came, went })
    }

    async fn carry(self: &Arc<Way>, datagram: &[u8]) {
        let number = self.came.fetch_add(1, Relaxed) + 1;
        let times = self.network.times();
        self.network.counts.duplicated.fetch_add(times.len() as u64 - 1, Relaxed);
        for (copy, time) in times.into_iter().enumerate() {
            // A copy overtakes nobody, nor is it overtaken.
            let number = if copy == 0 { number } else { 0 };
            if time.is_zero() {
                self.deliver(number, datagram).await;
                continue;
            }
            self.network.counts.delayed.fetch_add(1, Relaxed);
            let (way, datagram) = (self.clone(), datagram.to_vec());
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                way.deliver(number, &datagram).await;
            });
        }
    }

    async fn deliver(&self, number: u64, datagram: &[u8]) {
        if number > 0 && self.went.fetch_max(number, Relaxed) > number {
            self.network.counts.overtaken.fetch_add(1, Relaxed);
        }
        self.network.counts.passed.fetch_add(1, Relaxed);
        // It may be lost, as on any network.
        drop(self.from.send_to(datagram, self.to).await);
    }
}

/// Carries what peers send to the server that listens at `server`, and what it answers.
async fn run_front(network: Arc<Network>, front: Arc<UdpSocket>, server: SocketAddr) {
    let mut ways: BTreeMap<SocketAddr, Arc<Way>> = BTreeMap::new();
    let mut bytes = vec![0; LONGEST];
    loop {
        let (length, peer) = front.recv_from(&mut bytes).await.unwrap();
        let way = match ways.entry(peer) {
            Entry::Occupied(way) => way.into_mut(),
            Entry::Vacant(none) => {
                let stands_for_peer = bind().await;
                tokio::spawn(carry_answers(stands_for_peer.clone(), Way::new(&network, &front, peer)));
                none.insert(Way::new(&network, &stands_for_peer, server))
            }
        };
        way.carry(&bytes[..length]).await;
    }
}

async fn carry_answers(from: Arc<UdpSocket>, back: Arc<Way>) {
    let mut bytes = vec![0; LONGEST];
    loop {
        let (length, _) = from.recv_from(&mut bytes).await.unwrap();
        back.carry(&bytes[..length]).await;
    }
}

async fn bind() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind((LOOPBACK, 0)).await.unwrap())
}

/// A cluster whose nodes see each other only through fronts.
async fn start(network: &Arc<Network>, root: &std::path::Path) -> Cluster {
    let mut servers = three(root, [LOOPBACK; 3]);
    for server in &mut servers {
        let front = bind().await;
        server.advertise = Some(front.local_addr().unwrap());
        tokio::spawn(run_front(network.clone(), front, server.node_address()));
    }
    Cluster::of(servers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_datagrams_are_late_and_doubled() {
    let root = tempfile::tempdir().unwrap();
    let network = Network::new();
    let mut cluster = start(&network, root.path()).await;
    assert_eq!(network.counts.of_faults(), [0, 0, 0]);
    let mut weathers = [SLOW, ROUGH, DOUBLE, STORM].into_iter().cycle();
    for name in ["list-append", "register", "bank", "long-fork"] {
        play(&mut cluster, name, "datagrams delayed, reordered, doubled", async |_, rng| {
            let weather = weathers.next().unwrap();
            let did = network.blow(weather, Duration::from_millis(rng.random_range(1_000..3_000))).await;
            check(weather, did);
        })
        .await;
    }
    println!("datagrams: {:?}", network.counts);
}

/// The weather did what it does, and nothing else.
fn check(weather: Weather, [delayed, duplicated, overtaken]: [u64; 3]) {
    assert_eq!(delayed > 0, !(weather.delay + weather.jitter).is_zero(), "{weather:?}: {delayed} delayed");
    assert_eq!(duplicated > 0, weather.duplicates > 0.0, "{weather:?}: {duplicated} duplicated");
    assert!(overtaken > 0 || weather.jitter.is_zero(), "{weather:?}: nothing was reordered");
}
