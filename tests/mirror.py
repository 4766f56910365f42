"""A mirror on this machine that misbehaves as told, with small files of its own."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from mnistlib.data import write_idx
from mnistlib.data.official import OFFICIAL_FILES, OfficialFile

QUICK = (1.0, 1.0)  # seconds to wait for a connection and for data


def write(folder, contents):
    """Write files, given as bytes by name, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def small_files(folder):
    """Write stand-ins for the official files; return their bytes and their records."""
    rng = np.random.default_rng(0)
    contents, files = {}, {}
    for key, official in OFFICIAL_FILES.items():
        shape = (50, 28, 28) if "images" in key else (50,)
        write_idx(folder / official.name, rng.integers(0, 10, shape).astype(np.uint8))
        content = (folder / official.name).read_bytes()
        contents[official.name] = content
        files[key] = OfficialFile(
            official.name,
            len(content),
            hashlib.sha256(content).hexdigest(),
            hashlib.sha256(gzip.decompress(content)).hexdigest(),
        )
    return contents, files


def whole(content):
    yield content


def wrong(content):
    yield bytes(len(content))


def half(content):
    yield content[: len(content) // 2]


def stop(content):
    yield content[: len(content) * 3 // 4]
    time.sleep(30)


def drip(content):
    for byte in content[:100]:
        yield bytes([byte])
        time.sleep(0.1)


def endless(content):
    while True:
        yield content


PIECES = {each.__name__: each for each in (wrong, half, stop, drip, endless)}


class Mirror(ThreadingHTTPServer):
    """Serves ``contents``, in the way that ``behaviour`` names."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, contents, behaviour):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.behaviour = contents, behaviour
        self.requests, self.num_bytes = Counter(), 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, *_):
        """Let a client hang up."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        content = self.server.contents[name]
        behaviour = self.server.behaviour
        self.server.requests[name] += 1
        if behaviour == "hang":
            time.sleep(30)
        elif behaviour == "garbage":
            self.wfile.write(b"what?\r\n\r\n")
        elif behaviour.isdigit():  # a redirect goes nowhere
            self.send_response(int(behaviour))
            self.end_headers()
        else:
            self.send_response(200)
            if behaviour != "endless":
                self.send_header("Content-Length", str(len(content)))
            if behaviour == "labelled":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            for piece in PIECES.get(behaviour, whole)(content):
                self.wfile.write(piece)
                self.wfile.flush()
                self.server.num_bytes += len(piece)

    def log_message(self, *_):
        pass


@contextmanager
def mirror(contents, behaviour="good"):
    server = Mirror(contents, behaviour)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
