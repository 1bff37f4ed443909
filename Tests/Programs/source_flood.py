#!/usr/bin/env python3
"""What one address gets while another one floods the edge with connections.

usage: source_flood.py PORT NAME ATTEMPTS

Both are loopback addresses. The flood runs in a process of its own. It prints a line
`quiet=MEDIAN quietP99=… flooded=MEDIAN p99=… count=… flood=SECONDS refused=N` with times of whole TLS handshakes in
microseconds.
"""

import multiprocessing
import socket
import ssl
import statistics
import sys
import time


def connect(port, source):
    plain = socket.socket()
    plain.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    plain.bind((source, 0))
    plain.settimeout(10)
    plain.connect(("127.0.0.1", port))
    return plain


def flood(port, attempts, results):
    start = time.monotonic()
    kept, refused = [], 0
    for _ in range(attempts):
        try:
            plain = connect(port, "127.0.0.3")
        except OSError:
            refused += 1
            continue
        kept.append(plain)
        if len(kept) == 256:
            # Those over the limit have been reset by now; closing one is then for nothing, and it is gone.
            for plain in kept:
                plain.setblocking(False)
                try:
                    plain.recv(1)
                except BlockingIOError:
                    pass
                except OSError:
                    refused += 1
                plain.close()
            kept = []
    results.put((time.monotonic() - start, refused))


def handshake(context, port, name):
    start = time.perf_counter()
    with connect(port, "127.0.0.2") as plain:
        with context.wrap_socket(plain, server_hostname=name):
            return (time.perf_counter() - start) * 1e6


def main():
    port, name, attempts = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # The limit of the flooding address is used up for the whole time.
    held = [connect(port, "127.0.0.3") for _ in range(16)]
    for _ in range(20):
        handshake(context, port, name)
    quiet = [handshake(context, port, name) for _ in range(200)]
    results = multiprocessing.Queue()
    process = multiprocessing.Process(target=flood, args=(port, attempts, results))
    process.start()
    flooded = []
    while process.is_alive() and len(flooded) < 100_000:
        flooded.append(handshake(context, port, name))
        if not results.empty():
            break
    seconds, refused = results.get()
    process.join()
    quiet.sort()
    flooded.sort()
    print(
        f"quiet={statistics.median(quiet):.0f} quietP99={quiet[len(quiet) * 99 // 100]:.0f} "
        f"flooded={statistics.median(flooded):.0f} "
        f"p99={flooded[len(flooded) * 99 // 100]:.0f} count={len(flooded)} flood={seconds:.2f} refused={refused}"
    )
    for plain in held:
        plain.close()


main()
