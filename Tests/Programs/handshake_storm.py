#!/usr/bin/env python3
"""TLS handshakes one after the other on several threads; each must end with the right certificate.

usage: handshake_storm.py PORT NAME FINGERPRINT SECONDS

It prints `N handshakes, N failed`, and the first failures on standard error.
"""

import hashlib
import socket
import ssl
import sys
import threading
import time


def main():
    port, name, fingerprint, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
    expected = bytes.fromhex(fingerprint.replace(":", ""))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    end = time.monotonic() + seconds
    handshakes, failures = [], []

    def run():
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
                    with context.wrap_socket(plain, server_hostname=name) as tls:
                        seen = hashlib.sha256(tls.getpeercert(binary_form=True)).digest()
                if seen != expected:
                    raise ValueError("another site's certificate")
                handshakes.append(1)
            except (OSError, ValueError) as error:
                failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures[:5]:
        print(repr(failure), file=sys.stderr)
    print(f"{len(handshakes)} handshakes, {len(failures)} failed")
    sys.exit(1 if failures or not handshakes else 0)


main()
