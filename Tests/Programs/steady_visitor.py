#!/usr/bin/env python3
"""Visits a site again and again, a new TLS connection each time, until SIGTERM comes.

usage: steady_visitor.py PORT NAME PAUSE_SECONDS

Prints one JSON object at its end: how many were served, what became of the others, and the longest visit.
"""

import json
import signal
import socket
import ssl
import sys
import time


def visit(port, name, context):
    """Nothing if a page came, else what went wrong."""
    try:
        with socket.create_connection(("127.0.0.1", port), 25) as plain:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                answer = b""
                while part := secure.recv(65536):
                    answer += part
        return None if answer.startswith(b"HTTP/1.1 200 ") else f"answer {answer[:40]!r}"
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def main():
    port, name, pause = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    goes_on = [True]
    signal.signal(signal.SIGTERM, lambda *_: goes_on.clear())
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    served, failures, longest = 0, [], 0.0
    while goes_on:
        start = time.monotonic()
        failure = visit(port, name, context)
        longest = max(longest, time.monotonic() - start)
        if failure is None:
            served += 1
        else:
            failures.append(failure)
        time.sleep(pause)
    print(json.dumps({"served": served, "failures": failures, "longest_ms": round(longest * 1000, 1)}))


main()
