#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast: ratios against what the machine could do at most, all measured in one run.

usage: bench.py BUILD_FOLDER [--rounds N] [--seconds S] [--svg FILE]

For a signed answer the most is 1 / (t_sign + t_http): t_sign is EVP_DigestSign with the same key on
a message as long as the signing input, t_http a bare libmicrohttpd handler that returns as many
bytes. All of them run in turn, in several rounds, and the median of the rounds' ratios counts. Time
is CPU time of the server's process, so the load generator does not count.
"""
import argparse
import base64
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import chart
import instances
import launch
import load

DOMAIN = "cfg.example.org"
QUERY = f"cvm_salt={'s' * 64}&cvm_hostid={'h' * 64}"
JOSE = "application/jose"
TARGETS = {"v1_rsa2048_of_limit": 0.95, "v2_ed25519_of_limit": 0.85, "v2_p256_of_limit": 0.85,
           "healthz_of_bare": 0.85, "metadata_of_bare": 0.80, "catalogue_1000_of_1": 0.95, "connections_1000_of_16": 0.95,
           "launch_cpu_ms": 15, "launch_rss_mb": 20, "instances_1000_s": 10}
AT_MOST = {"launch_cpu_ms", "launch_rss_mb", "instances_1000_s"}


def machine(i):
    """2 KiB of machine."""
    user_data = "#!/bin/bash\n" + "echo the quick brown fox jumps over the lazy dog\n" * 38
    return {"serial": i, "machine": {"name": f"m{i}", "secret": "a-long-enough-secret", "cpus": 2,
                                     "memory": 2048, "disk": 10240, "userData": user_data}}


def fetch(server, path, accept=None):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}",
                                     headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


class Bench:
    def __init__(self, build, folder, seconds):
        self.build, self.folder, self.seconds = build, folder, seconds
        self.keys = {}
        for alg in ("ed25519", "p-256", "rsa-2048"):
            self.keys[alg] = folder / f"{alg}.key"
            subprocess.run([build / "bin/vmcp", "keygen", "--alg", alg, "--out", self.keys[alg]],
                           check=True, capture_output=True)
        for count in (1, 1000):
            (folder / f"configs-{count}").mkdir()
            for i in range(count):
                path = folder / f"configs-{count}" / f"m{i}.json"
                path.write_text(json.dumps(machine(i)))

    def vmcpd(self, alg, count=1, *options):
        return load.vmcpd(self.build / "bin/vmcpd", self.folder, DOMAIN, [self.keys[alg]],
                          self.folder / f"configs-{count}", "--default", "m0",
                          *self.no_limits(), *options)

    def no_limits(self):
        """Per-address limits are off, for all requests come from one address."""
        text = subprocess.run([self.build / "bin/vmcpd", "--help"], capture_output=True, text=True,
                              check=True).stdout
        wanted = (("--rate", "0"), ("--max-connections-each", "0"))
        return [word for pair in wanted if pair[0] in text for word in pair]

    def http(self, length, connections=16):
        """Seconds of a bare handler for an answer of this length."""
        server = load.Server([self.build / "bench/bare", length, max(1100, connections)],
                             stdin=subprocess.PIPE)
        try:
            return load.wrk(server, "/", self.seconds, connections)[0]
        finally:
            server.stop()

    def sign(self, alg, digest, length):
        done = subprocess.run([self.build / "bench/sign", self.keys[alg], digest, str(length),
                               str(self.seconds / 4)], capture_output=True, text=True, check=True,
                              preexec_fn=load.pinned(load.SERVER_CORE))
        return float(done.stdout) / 1e9

    def serve(self, alg, path, accept=None, count=1, connections=16, script=None, options=()):
        """Seconds of vmcpd for one answer, and requests per second of the clock."""
        server = self.vmcpd(alg, count, *options)
        try:
            return load.wrk(server, path, self.seconds, connections, accept, script)
        finally:
            server.stop()

    def metadata(self):
        """Seconds of gce-emulator for one read of the metadata server, and bytes of the answer."""
        server = load.Server([self.build / "bin/gce-emulator", "--vm-driver", "none", "--metadata",
                              "127.0.0.1:0", "--api", "127.0.0.1:0", "--folder",
                              self.folder / "cloud"], ready=r"metadata http://127\.0\.0\.1:(\d+)")
        path, headers = "/computeMetadata/v1/instance/id", {"Metadata-Flavor": "Google"}
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}",
                                             headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                length = len(answer.read())
            lines = [f"{k}: {v}" for k, v in headers.items()]
            return load.wrk(server, path, self.seconds, headers=lines)[0], length
        finally:
            server.stop()

    def nginx(self, length):
        """Seconds of nginx for a file of this length."""
        root = self.folder / "www"
        root.mkdir(exist_ok=True)
        (root / "healthz").write_bytes(b"x" * length)
        config = root / "nginx.conf"
        port = 18999
        user = "user root; " if os.geteuid() == 0 else ""
        config.write_text(f"{user}daemon off; pid {root}/pid; error_log /dev/null; worker_processes 1;\n"
                          "events { worker_connections 2048; }\n"
                          f"http {{ access_log off; keepalive_requests 1000000000; "
                          f"client_body_temp_path {root}/b; proxy_temp_path {root}/p; "
                          f"fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; "
                          f"scgi_temp_path {root}/s;\n"
                          f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n")
        server = load.Server(["nginx", "-c", config, "-p", root], port=port)
        try:
            for _ in range(100):
                try:
                    fetch(server, "/healthz")
                    break
                except OSError:
                    launch.sleep(0.02)
            return load.wrk(server, "/healthz", self.seconds)[0]
        finally:
            server.stop()


def lengths(bench):
    """Bytes of the answers and of what is signed in them."""
    found = {}
    for alg in ("ed25519", "p-256"):
        server = bench.vmcpd(alg)
        answer = fetch(server, f"/vmcp/m0?{QUERY}", JOSE)
        found[alg] = {"body": len(answer), "input": answer.rindex(b".")}
        server.stop()
    server = bench.vmcpd("rsa-2048")
    answer = fetch(server, f"/vmcp/m0?{QUERY}")
    params = json.loads(answer)
    signature = params.pop("signature")
    assert len(base64.b64decode(signature)) == 256
    text = "".join(f"{k}={params[k]}\n" for k in sorted(params))
    found["rsa-2048"] = {"body": len(answer), "input": len(text) + 64 + len("cvm_salt=\n")}
    found["healthz"] = {"body": len(fetch(server, "/healthz"))}
    server.stop()
    return found


def one_round(bench, size, rows):
    """Each figure once; `rows` collects {name: [ratio, …]}."""

    def note(name, ratio):
        rows.setdefault(name, []).append(ratio)
        print(f"  {name:32} {ratio:.3f}", flush=True)

    for name, alg, digest, accept in (("v1_rsa2048", "rsa-2048", "SHA512", None),
                                      ("v2_ed25519", "ed25519", "-", JOSE),
                                      ("v2_p256", "p-256", "SHA256", JOSE)):
        signing, http = bench.sign(alg, digest, size[alg]["input"]), bench.http(size[alg]["body"])
        limit = signing + http
        used, rate = bench.serve(alg, f"/vmcp/m0?{QUERY}", accept)
        note(f"{name}_of_limit", limit / used)
        rows.setdefault(f"{name}_per_cpu_second", []).append(1 / used)
        rows.setdefault(f"{name}_per_second", []).append(rate)
        logged, _ = bench.serve(alg, f"/vmcp/m0?{QUERY}", accept, options=bench.log_options)
        note(f"{name}_of_limit_logged", limit / logged)
        if alg == "ed25519":
            limit_1000 = signing + bench.http(size[alg]["body"], 1000)
            used_1000, _ = bench.serve(alg, f"/vmcp/m0?{QUERY}", accept, connections=1000)
            note("connections_1000_of_16", (limit_1000 / used_1000) / (limit / used))
            one, _ = bench.serve(alg, f"/vmcp/m0?{QUERY}", accept)
            many, _ = bench.serve(alg, "/", accept, count=1000, script=bench.names)
            note("catalogue_1000_of_1", one / many)
    used, rate = bench.serve("ed25519", "/healthz")
    note("healthz_of_bare", bench.http(size["healthz"]["body"]) / used)
    rows.setdefault("healthz_per_cpu_second", []).append(1 / used)
    used, length = bench.metadata()
    note("metadata_of_bare", bench.http(length) / used)
    if shutil.which("nginx"):
        note("healthz_of_nginx", bench.nginx(size["healthz"]["body"]) / used)


def verdict(name, value):
    if name not in TARGETS:
        return ""
    good = value <= TARGETS[name] if name in AT_MOST else value >= TARGETS[name]
    return f"{'<=' if name in AT_MOST else '>='} {TARGETS[name]:<5}  {'met' if good else 'MISSED'}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each load")
    parser.add_argument("--svg", type=Path)
    args = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory(prefix="vmcp-bench-") as folder:
        load.SPIN = Path(folder) / "spin.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", load.SPIN,
                        Path(__file__).with_name("spin.c")], check=True)
        bench = Bench(args.build.resolve(), Path(folder), args.seconds)
        bench.names = Path(__file__).with_name("names.lua")
        bench.log_options = ("--access-log", Path(folder) / "access.log")
        size = lengths(bench)
        for i in range(args.rounds):
            print(f"round {i + 1} of {args.rounds}", flush=True)
            one_round(bench, size, rows)
        rows.update(launch.measure(args.build.resolve(), Path(folder)))
        rows.update(instances.measure(args.build.resolve(), Path(folder)))
    figures = {name: round(statistics.median(values), 3) for name, values in rows.items()}
    print(f"\n{'':34}{'median':>10}  {'least':>9} {'most':>9}   target")
    for name, values in rows.items():
        print(f"{name:34}{figures[name]:>10}  {min(values):>9.3f} {max(values):>9.3f}   "
              f"{verdict(name, figures[name])}")
    out = args.build.parent / "bench.json"
    out.write_text(json.dumps(figures, indent=1) + "\n")
    if args.svg:
        args.svg.write_text(chart.draw(figures, TARGETS))
    print(f"\nwritten: {out}{f', {args.svg}' if args.svg else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
