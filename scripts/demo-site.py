#!/usr/bin/env python3
"""A small TLS web site for the demo: one certificate, one page that says which site answered.

usage: demo-site.py NAME CERTIFICATE KEY PORT_FILE TEXT

It listens on a free port of 127.0.0.1 and writes the port to PORT_FILE once it serves.
"""

import http.server
import os
import ssl
import sys
import threading
import time


def page_handler(name, text):
    class PageHandler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"This is {name}: {text}\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """The edge's log is the one to watch."""

    return PageHandler


class Site(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that goes away in the middle is no news for a demo."""


def end_with(parent):
    """Ends this process once its parent is gone, even if that had no time to say so."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def main():
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    name, certificate, key, port_file, text = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site = Site(("127.0.0.1", 0), page_handler(name, text))
    # The handshake belongs to the connection's own thread: at accept, one slow client would stop them all.
    site.socket = context.wrap_socket(site.socket, server_side=True, do_handshake_on_connect=False)
    with open(port_file + ".new", "w") as file:
        file.write(f"{site.server_address[1]}\n")
    os.rename(port_file + ".new", port_file)
    site.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
