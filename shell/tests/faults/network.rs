//! Partitions, one-way cuts and loss between real processes, by iptables.
//!
//! The test starts itself again in a network namespace of its own: the rules that it makes are nobody else's, and vanish
//! with it.

use crate::runs;
use crate::servers::Cluster;
use crate::workloads::play;
use rand::RngExt;
use rand::rngs::StdRng;
use std::process::Command;
use std::time::Duration;

/// Set in the namespace.
const INSIDE: &str = "QUORATE_TEST_NAMESPACE";
const ADDRESSES: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];

#[test]
fn workloads_hold_while_the_network_is_cut() {
    if !runs("unshare", &["--net", "ip", "link", "set", "lo", "up"]) || !runs("unshare", &["--net", "iptables", "-L"]) {
        return;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "network::cuts_in_a_namespace", "--nocapture"]).env(INSIDE, "1");
    let ran = command.output().unwrap();
    let text = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
    text.lines().filter(|line| line.contains(" committed, ")).for_each(|line| println!("{line}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn cuts_in_a_namespace() {
    if std::env::var_os(INSIDE).is_none() {
        eprintln!("skipped: it changes the firewall of its network namespace, which must be its own");
        return;
    }
    let mut cluster = Cluster::start(ADDRESSES).await;
    for name in ["list-append", "register", "bank", "long-fork"] {
        play(&mut cluster, name, "links cut", cut).await;
    }
}

/// Cuts some links for a while.
async fn cut(cluster: &mut Cluster, rng: &mut StdRng) {
    let ips: Vec<String> = cluster.servers.iter().map(|server| server.ip.clone()).collect();
    let at = rng.random_range(0..ips.len());
    let (one, other) = (&ips[at], &ips[(at + 1) % ips.len()]);
    match rng.random_range(0..3) {
        // One server hears and is heard by nobody.
        0 => {
            for ip in ips.iter().filter(|ip| *ip != one) {
                drop_datagrams(one, ip, &[]);
                drop_datagrams(ip, one, &[]);
            }
        }
        1 => drop_datagrams(one, other, &[]),
        _ => {
            for (from, to) in [(one, other), (other, one)] {
                drop_datagrams(from, to, &["-m", "statistic", "--mode", "random", "--probability", "0.3"]);
            }
        }
    }
    tokio::time::sleep(Duration::from_millis(rng.random_range(1_000..5_000))).await;
    let dropped: u64 = iptables(&["-n", "-v", "-x", "-L", "INPUT"]).lines().filter_map(dropped_by).sum();
    assert!(dropped > 0, "the rules met nothing");
    iptables(&["-F", "INPUT"]);
}

/// Between two servers only datagrams travel.
fn drop_datagrams(from: &str, to: &str, when: &[&str]) {
    let rule = ["-A", "INPUT", "-p", "udp", "-s", from, "-d", to];
    iptables(&[&rule, when, &["-j", "DROP"]].concat());
}

/// The datagrams that a rule of a listing has met.
fn dropped_by(rule: &str) -> Option<u64> {
    rule.contains("DROP").then(|| rule.split_whitespace().next()?.parse().ok())?
}

/// Runs iptables; what it says.
fn iptables(arguments: &[&str]) -> String {
    let ran = Command::new("iptables").args(arguments).output().unwrap();
    assert!(ran.status.success(), "iptables {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}
