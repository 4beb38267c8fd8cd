#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A man in the middle between VM-1 and vmcpd.

usage: proxy.py LISTEN_ADDR:PORT UPSTREAM_ADDR:PORT MODE_FILE

Forwards questions and answers. The first word of MODE_FILE, read for each question, says what it
does with an answer:

  pass    nothing; the answer is remembered
  change  changes one character of the machine
  replay  gives the last answer that passed, whatever is asked now
  swap    asks for another machine (the second word of the file) with the victim's salt and host id
"""
import base64
import http.client
import http.server
import json
import re
import sys
import urllib.parse

UPSTREAM = sys.argv[2]
MODE_FILE = sys.argv[3]
remembered = None


def ask(path, accept):
    """One question to the real responder: (status, content type, body)."""
    connection = http.client.HTTPConnection(UPSTREAM, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


def change_one_character(jws):
    """Another digit in the machine's memory; header and signature stay as they were."""
    header, payload, signature = jws.split(b".")
    text = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)).decode()
    digit = re.search(r'"memory":\d*(\d)', text)
    other = str((int(digit.group(1)) + 1) % 10)
    text = text[:digit.start(1)] + other + text[digit.end(1):]
    json.loads(text)
    payload = base64.urlsafe_b64encode(text.encode()).rstrip(b"=")
    return b".".join([header, payload, signature])


def other_machine(path, name):
    url = urllib.parse.urlsplit(path)
    query = [(k, name if k == "vm" else v) for k, v in urllib.parse.parse_qsl(url.query)]
    return urllib.parse.urlunsplit(url._replace(query=urllib.parse.urlencode(query)))


def attack(mode, path, accept):
    global remembered
    if mode[0] == "swap":
        return ask(other_machine(path, mode[1]), accept)
    if mode[0] == "replay":
        return remembered
    status, kind, body = ask(path, accept)
    if mode[0] == "change":
        body = change_one_character(body)
    elif status == 200 and kind == "application/jose":
        remembered = (status, kind, body)
    return status, kind, body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(MODE_FILE, encoding="ascii") as f:
            mode = f.read().split()
        status, kind, body = attack(mode, self.path, self.headers.get("Accept", "*/*"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        print(self.client_address[0], self.path.split("?")[0], flush=True)


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    print(f"proxy: ready on http://{host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
