#!/bin/bash
# The startup script of the machine flask-app: a small web application on port 5000.
# It runs at every boot, as root; a second run replaces the first.
set -eu

if ! python3 -c 'import flask' 2>/dev/null; then
    apt-get update -q
    apt-get install -y -q --no-install-recommends python3-flask
fi

# Where the script is not root (a VM of the emulator's process driver), /srv is not its own.
folder=/srv/flask-app
[ -w /srv ] || folder=$HOME/flask-app
mkdir -p "$folder"
cat > "$folder/app.py" <<'APP'
import socket
from flask import Flask

app = Flask(__name__)


@app.get("/")
def home():
    return f"<!doctype html><title>{socket.gethostname()}</title><h1>It works: {socket.gethostname()}</h1>\n"


@app.get("/healthz")
def healthz():
    return "ok\n"
APP

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3
cd "$folder"
nohup setsid "$PYTHON" -m flask --app app run --host 0.0.0.0 --port 5000 >flask.log 2>&1 &
echo "flask-app: serving on port 5000"
