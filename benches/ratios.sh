#!/usr/bin/env bash
# Measures Quorate against PostgreSQL on this machine, in one run, with the same driver, and prints the ratios.
#
#   benches/ratios.sh [--warehouses 10] [--clients 8] [--seconds 15] [--runs 3] [--only single|repl|points|idle]
#
# Needs Debian's postgresql and postgresql-contrib (pgbench), and root (PostgreSQL runs as the user postgres). Starts
# one durable PostgreSQL, or a primary with two synchronous standbys (ANY 1), and one Quorate node or three processes;
# never two systems at once. Everything it starts, it stops; everything is below one temporary directory.
set -euo pipefail
cd "$(dirname "$0")/.."

warehouses=10 clients=8 seconds=15 runs=3 only=all
while [ $# -gt 0 ]; do
  case $1 in
    --warehouses) warehouses=$2 ;; --clients) clients=$2 ;; --seconds) seconds=$2 ;; --runs) runs=$2 ;; --only) only=$2 ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done

cargo build --release --quiet
quorate=$PWD/target/release/quorate
pg=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
dir=$(mktemp -d /var/tmp/ratios.XXXXXX)
chmod 755 "$dir"
chown postgres "$dir" # its sockets lie here
pids=()

as_postgres() { su postgres -c "$*"; }
stop_all() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
  for data in "$dir"/pg-*; do
    if [ -f "$data/postmaster.pid" ]; then as_postgres "$pg/pg_ctl -D $data -m fast -w stop" >/dev/null; fi
  done
}
trap 'stop_all; rm -rf "$dir"' EXIT

pg_settings() {
  printf "listen_addresses='127.0.0.1'\nport=%s\nunix_socket_directories='%s'\nshared_buffers=1GB\nfsync=on\n" "$1" "$dir"
  printf "synchronous_commit=on\nmax_connections=200\nmax_wal_size=8GB\nhot_standby=on\n"
  # With the default, transactions at SERIALIZABLE end with "out of shared memory" now and then.
  printf "max_pred_locks_per_transaction=1024\n"
  # A sequential scan of a small table locks all of it at SERIALIZABLE: an analyzed PostgreSQL would be three times slower.
  printf "enable_seqscan=off\n"
}
pg_primary() { # NAME PORT
  mkdir -p "$dir/$1" && chown postgres "$dir/$1"
  as_postgres "$pg/initdb -D $dir/$1 -A trust -U postgres --locale=C -E UTF8" >/dev/null
  pg_settings "$2" >>"$dir/$1/postgresql.conf"
  as_postgres "$pg/pg_ctl -D $dir/$1 -l $dir/$1/log -w start" >/dev/null
}
pg_standby() { # NAME PORT PRIMARY_PORT
  mkdir -p "$dir/$1" && chmod 700 "$dir/$1" && chown postgres "$dir/$1"
  as_postgres "$pg/pg_basebackup -h 127.0.0.1 -p $3 -U postgres -D $dir/$1 -R -d 'host=127.0.0.1 port=$3 user=postgres application_name=$1'"
  printf "port=%s\n" "$2" >>"$dir/$1/postgresql.conf"
  as_postgres "$pg/pg_ctl -D $dir/$1 -l $dir/$1/log -w start" >/dev/null
}
quorate_node() { # NAME SQL_PORT NODE_PORT [--join TOKEN]
  local name=$1 sql=$2 node=$3
  shift 3
  "$quorate" start "$dir/$name" --sql-addr "127.0.0.1:$sql" --node-addr "127.0.0.1:$node" "$@" >"$dir/$name.log" 2>&1 &
  pids+=($!)
  for _ in $(seq 100); do
    kill -0 "$!" 2>/dev/null || break
    psql -qAt -h 127.0.0.1 -p "$sql" -U root postgres -c 'select 1' >/dev/null 2>&1 && return
    sleep 0.2
  done
  echo "node $name does not answer:" >&2
  cat "$dir/$name.log" >&2
  exit 1
}

field() { python3 -c "import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])" "$1" "$2"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
tpcc() { # LABEL URL PROTOCOL -> median NOPM
  for run in $(seq "$runs"); do
    "$quorate" bench tpcc run --url "$2" --protocol "$3" -w "$warehouses" --clients "$clients" \
      --duration "${seconds}s" --ramp 3s --seed "$run" --json >"$dir/run.json" 2>"$dir/run.err" || { cat "$dir/run.err" >&2; }
    field "$dir/run.json" nopm
  done | tee -a "$dir/$1.$3" | median
}
load() { "$quorate" bench tpcc init --url "$1" -w "$warehouses" >/dev/null; }
check() { "$quorate" bench tpcc check --url "$1" -w "$warehouses"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
resident() { awk '/VmRSS/ { printf "%.0f MiB\n", $2 / 1024 }' "/proc/$1/status"; }
cpu_ticks() { local sum=0; for pid in "${pids[@]}"; do sum=$((sum + $(awk '{ print $14 + $15 }' "/proc/$pid/stat"))); done; echo "$sum"; }

pg_url=postgres://postgres@127.0.0.1:6432/postgres
pg_repl_url=postgres://postgres@127.0.0.1:6440/postgres
q_url=postgres://root@127.0.0.1:7432/postgres

compare() { # KIND PG_URL
  load "$2"
  psql -qc 'vacuum analyze' "$2"
  local pg_simple pg_prepared q_simple q_prepared
  pg_simple=$(tpcc "pg-$1" "$2" simple)
  pg_prepared=$(tpcc "pg-$1" "$2" prepared)
  stop_all
  "start_quorate_$1"
  load "$q_url"
  echo "$1: resident after the load: $(resident "${pids[0]}")"
  q_simple=$(tpcc "quorate-$1" "$q_url" simple)
  q_prepared=$(tpcc "quorate-$1" "$q_url" prepared)
  check "$q_url"
  printf '%-8s %-9s PostgreSQL %10.1f   Quorate %10.1f   ratio %s\n' \
    "$1" simple "$pg_simple" "$q_simple" "$(ratio "$q_simple" "$pg_simple")" \
    "$1" prepared "$pg_prepared" "$q_prepared" "$(ratio "$q_prepared" "$pg_prepared")"
}
start_quorate_single() { quorate_node q1 7432 7433; }
start_quorate_repl() {
  quorate_node q1 7432 7433
  for n in 2 3; do
    token=$("$quorate" cluster token create "$q_url")
    quorate_node "q$n" "750$n" "751$n" --join "$token"
  done
  for _ in $(seq 100); do
    [ "$(psql -qAt -h 127.0.0.1 -p 7432 -U root postgres -c 'show ranges' | grep -c '{1,2,3}')" -ge 4 ] && return
    sleep 0.3
  done
  echo "the ranges did not get three replicas" >&2
  exit 1
}

if [ "$only" = all ] || [ "$only" = single ]; then
  pg_primary pg-a 6432
  compare single "$pg_url"
  stop_all
  rm -rf "$dir"/pg-* "$dir"/q?
fi
if [ "$only" = all ] || [ "$only" = repl ]; then
  pg_primary pg-p 6440
  pg_standby pg-s1 6441 6440
  pg_standby pg-s2 6442 6440
  psql -h 127.0.0.1 -p 6440 -U postgres -qc "alter system set synchronous_standby_names='ANY 1 (\"pg-s1\",\"pg-s2\")'" \
    -c 'select pg_reload_conf()' postgres >/dev/null
  compare repl "$pg_repl_url"
  stop_all
  rm -rf "$dir"/pg-* "$dir"/q?
fi
if [ "$only" = all ] || [ "$only" = points ]; then
  points() { # PORT USER
    pgbench -i -q -s 1 -h 127.0.0.1 -p "$1" -U "$2" postgres >/dev/null 2>&1
    for _ in $(seq "$runs"); do
      pgbench -S -M prepared -c 8 -j 2 -T "$seconds" -h 127.0.0.1 -p "$1" -U "$2" postgres 2>/dev/null | awk '/^tps/ { print $3 }'
    done | median
  }
  pg_primary pg-b 6432
  pg_points=$(points 6432 postgres)
  stop_all
  quorate_node q1 7432 7433
  q_points=$(points 7432 root)
  stop_all
  printf 'points   prepared  PostgreSQL %10.1f   Quorate %10.1f   ratio %s\n' "$pg_points" "$q_points" "$(ratio "$q_points" "$pg_points")"
  rm -rf "$dir"/pg-* "$dir"/q?
fi
if [ "$only" = all ] || [ "$only" = idle ]; then
  start_quorate_repl
  sleep 5
  before=$(cpu_ticks)
  sleep 20
  after=$(cpu_ticks)
  awk -v t="$((after - before))" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "idle: three nodes use %.2f %% of one core\n", t / hz / 20 * 100 }'
  stop_all
fi
