#!/usr/bin/env python3
"""Many TLS clients at once that wait for their handshake; each must end with its name's certificate.

usage: waiting_clients.py PORT COUNT NAME=FINGERPRINT...

It prints `N served, N failed`, and the first failures on standard error.
"""

import hashlib
import socket
import ssl
import sys
import threading


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    names = [argument.split("=") for argument in sys.argv[3:]]
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    served, failures = [], []

    def run(number):
        name, fingerprint = names[number % len(names)]
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
                with context.wrap_socket(plain, server_hostname=name) as tls:
                    seen = hashlib.sha256(tls.getpeercert(binary_form=True)).digest()
            if seen != bytes.fromhex(fingerprint.replace(":", "")):
                raise ValueError("another site's certificate")
            served.append(name)
        except (OSError, ValueError) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures[:5]:
        print(repr(failure), file=sys.stderr)
    print(f"{len(served)} served, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
