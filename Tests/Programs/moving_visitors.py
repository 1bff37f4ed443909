#!/usr/bin/env python3
"""Visits a site again and again, so many new TLS connections a second, each of which writes a number of its own.

usage: moving_visitors.py HOST PORT NAME PER_SECOND NUMBERS_FILE

Ends with SIGTERM, and then tells in one line of JSON how many there were, which failed, the longest one, the
addresses by which the site has seen them. NUMBERS_FILE gets the numbers that were acknowledged.
"""

import json
import signal
import socket
import ssl
import sys
import threading
import time

host, port, name, rate, path = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
lock = threading.Lock()
failures, seen, longest, handshakes, acknowledged = [], {}, 0.0, [], []


def visit(number):
    global longest
    begin = time.monotonic()
    try:
        with socket.create_connection((host, port), timeout=30) as connection:
            with context.wrap_socket(connection, server_hostname=name) as tls:
                shaken = time.monotonic() - begin
                tls.sendall(f"GET /write/{number} HTTP/1.0\r\n\r\n".encode())
                answer = b""
                while part := tls.recv(4096):
                    answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head[:20]:
            raise ConnectionError(f"no answer: {answer[:60]!r}")
        with lock:
            acknowledged.append(number)
            handshakes.append(shaken)
            longest = max(longest, shaken)
            seen[body.decode()] = seen.get(body.decode(), 0) + 1
    except OSError as error:
        with lock:
            failures.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}")


number = 0
begin = time.monotonic()
threads = []
while not over.is_set():
    threads.append(threading.Thread(target=visit, args=(number,), daemon=True))
    threads[-1].start()
    number += 1
    if number % 500 == 0:
        threads = [thread for thread in threads if thread.is_alive()]
    over.wait(max(0, begin + number / rate - time.monotonic()))
for thread in threads:
    thread.join(timeout=40)
with open(path, "w") as file:
    file.write("\n".join(map(str, acknowledged)))
handshakes.sort()
print(
    json.dumps(
        {
            "visits": number,
            "acknowledged": len(acknowledged),
            "failures": failures[:10],
            "failed": len(failures),
            "longest": round(longest, 3),
            "median": round(handshakes[len(handshakes) // 2], 4) if handshakes else None,
            "seen": seen,
        }
    )
)
