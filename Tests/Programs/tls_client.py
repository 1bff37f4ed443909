#!/usr/bin/env python3
"""A TLS client for the end-to-end tests, with Python's ssl over a connection that this program feeds by hand.

usage: tls_client.py HOST PORT NAME [--hello-bytes N] [--hello-records N] [--path PATH]

  --hello-bytes N     send the ClientHello in TCP segments of N bytes
  --hello-records N   cut the ClientHello into TLS records of N bytes
  NAME -              sends no server name

It prints the SHA-256 fingerprint of the certificate that it got, and the body of the answer.
"""

import argparse
import hashlib
import socket
import ssl
import time


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("name")
    parser.add_argument("--hello-bytes", type=int, default=0)
    parser.add_argument("--hello-records", type=int, default=0)
    parser.add_argument("--path", default="/")
    return parser.parse_args()


def cut_into_records(hello, size):
    """One TLS record with the hello becomes many; the message inside stays the same."""
    version, payload = hello[1:3], hello[5:]
    pieces = [payload[at:at + size] for at in range(0, len(payload), size)]
    return b"".join(b"\x16" + version + len(piece).to_bytes(2, "big") + piece for piece in pieces)


class Connection:
    def __init__(self, options):
        self.options = options
        self.socket = socket.create_connection((options.host, options.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        name = None if options.name == "-" else options.name
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.is_first = True

    def send_pending(self):
        data = self.outgoing.read()
        if not data:
            return
        if self.is_first and self.options.hello_records:
            data = cut_into_records(data, self.options.hello_records)
        if self.is_first and self.options.hello_bytes:
            step = self.options.hello_bytes
            for at in range(0, len(data), step):
                self.socket.sendall(data[at:at + step])
                time.sleep(0.0005)
        else:
            self.socket.sendall(data)
        self.is_first = False

    def until_done(self, operation):
        while True:
            try:
                result = operation()
                self.send_pending()
                return result
            except ssl.SSLWantReadError:
                self.send_pending()
                data = self.socket.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()


def main():
    options = parse()
    connection = Connection(options)
    connection.until_done(connection.tls.do_handshake)
    digest = hashlib.sha256(connection.tls.getpeercert(binary_form=True)).hexdigest().upper()
    print("fingerprint=" + ":".join(digest[at:at + 2] for at in range(0, 64, 2)))
    request = f"GET {options.path} HTTP/1.0\r\nHost: {options.name}\r\n\r\n".encode()
    connection.until_done(lambda: connection.tls.write(request))
    answer = b""
    while True:
        try:
            piece = connection.until_done(lambda: connection.tls.read(65536))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            break
        if not piece:
            break
        answer += piece
    print(answer.partition(b"\r\n\r\n")[2].decode(), end="")


main()
