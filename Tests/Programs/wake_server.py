#!/usr/bin/env python3
"""Listens on a unix socket for wake messages, as a yardmaster does, and prints each as `SECONDS MESSAGE`.

usage: wake_server.py PATH
"""

import socket
import sys
import time


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    print("listening", sys.argv[1], file=sys.stderr, flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            message = b""
            while part := connection.recv(4096):
                message += part
        print(f"{time.monotonic():.3f} {message!r}", flush=True)


main()
