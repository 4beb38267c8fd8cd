# SPDX-License-Identifier: Apache-2.0
"""vmcpd's metrics: well-formed, bounded, and they move as requests are made."""
import http.client
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import DOMAIN, MACHINE, eventually, run, write_json

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)+)\})? (-?[0-9.]+)')


class Scrape(dict):
    """{(name, label, …): value}, each label as name=value."""

    def __init__(self, text):
        super().__init__()
        self.text, self.types, self.helps = text, {}, {}
        assert text.endswith("\n") and "\n\n" not in text
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, self.types[name] = line.split(" ")
            elif line.startswith("# HELP "):
                _, _, name, self.helps[name] = line.split(" ", 3)
            else:
                self.add(line)

    def add(self, line):
        name, labels, value = SAMPLE.fullmatch(line).groups()
        family = re.sub("_(bucket|sum|count)$", "", name)
        assert family in self.types or name in self.types, line
        key = (name, *sorted(f"{k}={v}" for k, v in re.findall(r'([a-z]+)="([^"]*)"',
                                                               labels or "")))
        assert key not in self, f"twice: {line}"
        self[key] = float(value)

    def __missing__(self, key):
        return 0

    def named(self, name):
        return {key[1:]: value for key, value in self.items() if key[0] == name}


@pytest.fixture
def server(vmcpd, scratch):
    return vmcpd({"web": {"serial": 1, "machine": MACHINE}, "db": MACHINE}, "--metrics",
                 "127.0.0.1:0", "--control", scratch / "control", "--access-log", "off")


def get(server, path="/metrics", method="GET"):
    [place] = re.findall(r"^vmcpd: metrics on http://(127\.0\.0\.1:\d+)/metrics$",
                         "".join(server.lines), re.M)
    connection = http.client.HTTPConnection(place, timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def scrape(server):
    status, headers, text = get(server)
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(text)


def when(server, condition):
    """A scrape that meets the condition: a request counts after its answer has gone."""
    return eventually(lambda: (s := scrape(server)) and condition(s) and s)


def test_requests_and_refusals(server):
    for _ in range(3):
        assert server.v2("/vmcp/web").status == 200
    assert server.ask("/vmcp?vm=db&cvm_salt=S").status == 200
    assert server.ask("/healthz").status == 200
    assert server.ask("/vmcp/web").status == 400
    assert server.ask("/vmcp/none?cvm_salt=S").status == 404
    for i in range(5):
        assert server.ask(f"/nothing-{i}?x={i}").status == 404
    assert server.ask("/vmcp/web", method="PATCH").status == 405
    s = when(server, lambda s: sum(s.named("vmcpd_requests_total").values()) == 13)
    assert s.named("vmcpd_requests_total") == {
        ("route=/vmcp/{name}", "status=200"): 3, ("route=/vmcp", "status=200"): 1,
        ("route=/healthz", "status=200"): 1, ("route=/vmcp/{name}", "status=400"): 1,
        ("route=/vmcp/{name}", "status=404"): 1, ("route=other", "status=404"): 5,
        ("route=other", "status=405"): 1}
    assert s.named("vmcpd_refusals_total") == {
        ("code=salt-missing",): 1, ("code=machine-unknown",): 1, ("code=not-found",): 5,
        ("code=method-not-allowed",): 1}
    assert s.named("vmcpd_signatures_total") == {("alg=EdDSA",): 3, ("alg=RS512",): 1}
    assert s.named("vmcpd_request_duration_seconds_count") == {
        ("route=/vmcp/{name}",): 5, ("route=/vmcp",): 1, ("route=/healthz",): 1,
        ("route=other",): 6}


@pytest.mark.parametrize("name,label", [("vmcpd_request_duration_seconds", "route=/vmcp/{name}"),
                                        ("vmcpd_signing_duration_seconds", "alg=EdDSA")])
def test_histograms(server, name, label):
    start = time.monotonic()
    for i in range(200):
        server.v2("/vmcp/web", salt=f"S-{i}")
    took = time.monotonic() - start
    s = when(server, lambda s: s[f"{name}_count", label] == 200)
    buckets = sorted((float(part[3:]), value)
                     for key, value in s.named(f"{name}_bucket").items() if label in key
                     for part in key if part.startswith("le="))
    assert len(buckets) == 18 and buckets[-1] == (float("inf"), 200)
    assert [v for _, v in buckets] == sorted(v for _, v in buckets)
    assert 0 < s[f"{name}_sum", label] < took
    assert dict(buckets)[0.5] == 200 and dict(buckets)[2.5e-05] < 200


def test_the_catalogue_and_its_reloads(server):
    ready = server.ask("/readyz").json
    s = scrape(server)
    assert s.named("vmcpd_catalogue_info") == {(f"digest={ready['digest']}",): 1}
    assert s["vmcpd_catalogue_generation",] == 1 and s["vmcpd_machines",] == 2
    assert s.named("vmcpd_reloads_total") == {("outcome=done",): 0, ("outcome=failed",): 0}
    assert s["vmcpd_last_reload_successful",] == 1
    assert abs(s["vmcpd_last_load_success_timestamp_seconds",] - time.time()) < 20
    assert s.named("vmcpd_keys") == {("status=active",): 2, ("status=next",): 0,
                                     ("status=retired",): 0}
    web = server.folder / "configs/web.json"
    web.write_text("{")
    server.process.send_signal(signal.SIGHUP)
    bad = when(server, lambda s: s["vmcpd_reloads_total", "outcome=failed"] == 1)
    assert bad["vmcpd_last_reload_successful",] == 0 and bad["vmcpd_catalogue_generation",] == 1
    assert bad.named("vmcpd_catalogue_info") == s.named("vmcpd_catalogue_info")
    write_json(web, {"serial": 2, "machine": MACHINE})
    time.sleep(1.1)
    server.process.send_signal(signal.SIGHUP)
    good = when(server, lambda s: s["vmcpd_reloads_total", "outcome=done"] == 1)
    assert good["vmcpd_last_reload_successful",] == 1
    assert good["vmcpd_catalogue_generation",] == 2
    assert good.named("vmcpd_catalogue_info") != s.named("vmcpd_catalogue_info")
    assert (good["vmcpd_last_load_success_timestamp_seconds",]
            > s["vmcpd_last_load_success_timestamp_seconds",])
    assert good["vmcpd_reloads_total", "outcome=failed"] == 1


def test_connections(server):
    sockets = [server.connect() for _ in range(7)]
    assert when(server, lambda s: s["vmcpd_connections",] == 7)
    for s in sockets:
        s.close()
    assert when(server, lambda s: s["vmcpd_connections",] == 0)


def test_lines_that_were_dropped(vmcpd):
    server = vmcpd({"web": MACHINE}, "--metrics", "127.0.0.1:0", "--access-log", "/dev/full")
    assert scrape(server)["vmcpd_log_lines_dropped_total",] == 0
    for _ in range(5):
        assert server.v2().status == 200
    assert when(server, lambda s: s["vmcpd_log_lines_dropped_total",] == 5)


def test_the_address_of_its_own(server, bin, keys):
    assert server.ask("/metrics").status == 404
    for path in ("/", "/vmcp/web?cvm_salt=S", "/healthz", "/metrics/"):
        assert get(server, path)[0] == 404
    assert get(server, method="POST")[0] == 405 and get(server, method="HEAD")[2] == ""
    before = when(server, lambda s: s["vmcpd_requests_total", "route=other", "status=404"]).named(
        "vmcpd_requests_total")
    assert scrape(server).named("vmcpd_requests_total") == before  # scrapes do not count
    taken = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
                server.folder / "configs", "--listen", "127.0.0.1:0", "--metrics",
                f"127.0.0.1:{server.port}")
    assert taken.code != 0 and str(server.port) in taken.err


def test_nobody_outside_makes_series(server):
    for i in range(300):
        server.ask(f"/vmcp/vm-{i}?cvm_salt=S", headers={"X-Forwarded-For": f"192.0.2.{i}"})
        server.ask(f"/path-{i}", method=f"METHOD{i % 9}")
        server.ask(f"/.well-known/jwks.json?{i}")
    few = when(server, lambda s: s["vmcpd_refusals_total", "code=machine-unknown"] == 300)
    assert len(few) < 200
    for name in ("vm-", "path-", "METHOD", "192.0.2", "127.0.0", DOMAIN, MACHINE["secret"]):
        assert name not in few.text, name


def test_promtool(server):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not here (Debian's package prometheus)")
    for _ in range(3):
        server.v2("/vmcp/web")
        server.v1("/vmcp/web")
        server.ask("/x")
    s = when(server, lambda s: s["vmcpd_refusals_total", "code=not-found"] == 3)
    done = subprocess.run(["promtool", "check", "metrics"], input=s.text, text=True,
                          capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert set(s.types) == set(s.helps) and all(s.helps.values())
    for name, kind in s.types.items():
        assert kind in ("counter", "gauge", "histogram") and (kind == "counter") == (
            name.endswith("_total")), name
    wrong = subprocess.run(["promtool", "check", "metrics"], input=s.text.replace("_total", "_x"),
                           text=True, capture_output=True, timeout=60, check=False)
    assert wrong.returncode != 0  # it does look
