#!/usr/bin/env python3
"""A TLS backend for the end-to-end tests, with Python's ssl.

usage: tls_server.py ADDRESS CERTIFICATE KEY NAME
       ADDRESS is HOST:PORT, [HOST]:PORT or unix:PATH; port 0 takes a free one

It prints `listening PORT` once it serves, and answers HTTP requests on these paths:

  /             a line that says who answered
  /digest       (POST, PUT) the SHA-256 of the body
  /reset        the head, half of the body that the head announces, then a reset of the connection
"""

import hashlib
import http.server
import socket
import socketserver
import ssl
import struct
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/reset":
            self.reset_in_the_middle()
        else:
            self.answer(f"{self.server.site} answered by python\n")

    def do_PUT(self):
        digest = hashlib.sha256()
        left = int(self.headers["Content-Length"])
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                return
            digest.update(piece)
            left -= len(piece)
        self.answer(digest.hexdigest() + "\n")

    do_POST = do_PUT

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset_in_the_middle(self):
        self.send_response(200)
        self.send_header("Content-Length", "200000")
        self.end_headers()
        self.wfile.write(b"x" * 100000)
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw = socket.socket(fileno=self.connection.detach())
        raw.close()
        self.close_connection = True

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass


def main():
    address, certificate, key, site = sys.argv[1:]
    if address.startswith("unix:"):
        Server.address_family = socket.AF_UNIX
        Server.allow_reuse_address = False
        where = address.removeprefix("unix:")
        Handler.address_string = lambda self: "unix"
    else:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        Server.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        where = (host, int(port))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(where, Handler)
    server.site = site
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    port = 0 if address.startswith("unix:") else server.server_address[1]
    print(f"listening {port}", file=sys.stderr, flush=True)
    server.serve_forever()


main()
