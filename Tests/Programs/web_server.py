#!/usr/bin/env python3
"""A backend in plain HTTP for the end-to-end tests.

usage: web_server.py ADDRESS
       ADDRESS is HOST:PORT

It prints `listening` on standard error once it serves. Each request it answers with one line, which it prints on
standard output, too: METHOD PATH BYTES SHA-256, of the content that came.
"""

import hashlib
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        digest = hashlib.sha256(content).hexdigest()
        line = f"{self.command} {self.path} {len(content)} {digest}\n"
        sys.stdout.write(line)
        sys.stdout.flush()
        self.send_response(200)
        self.send_header("Content-Length", str(len(line)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(line.encode())

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *arguments):
        pass


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    print("listening", file=sys.stderr, flush=True)
    server.serve_forever()


main()
