"""A site for migrations: acknowledges what visitors write only once it is in its data, and writes a file of its own
fifty times a second, as a database would.

GET /write/NUMBER appends the number to /data/writes and answers with the client's address; GET / says how many
there are. Connections begin with a PROXY header, version 2, if $PROXY is set. Port 80 answers challenges of certificate
authorities with files of /data/acme.
"""

import os
import random
import signal
import socket
import ssl
import struct
import threading
import time

DATA = "/data"
lock = threading.Lock()


def database():
    path = f"{DATA}/database"
    with open(path, "r+b" if os.path.exists(path) else "w+b") as file:
        file.truncate(8 << 20)
        count = 0
        while True:
            count += 1
            file.seek(random.randrange(2048) * 4096)
            file.write(struct.pack("<Qd", count, time.time()) * 256)
            file.flush()
            time.sleep(0.02)


def exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("it ended early")
        data += part
    return data


def address(connection):
    """The client's address out of a PROXY header; none for a connection of the proxy itself."""
    head = exactly(connection, 16)
    body = exactly(connection, struct.unpack("!H", head[14:])[0])
    if head[12] & 15 == 0:
        return "nobody"
    return socket.inet_ntop(socket.AF_INET, body[:4]) if head[13] >> 4 == 1 else "other"


def serve(connection, context, peer):
    try:
        connection.settimeout(10)
        if os.environ.get("PROXY"):
            peer = address(connection)
        with context.wrap_socket(connection, server_side=True) as tls:
            path = tls.recv(4096).split(b" ")[1].decode()
            with lock:
                if path.startswith("/write/"):
                    writes.write(path.removeprefix("/write/") + "\n")
                    writes.flush()
                    body = peer
                else:
                    body = str(writes.tell())
            tls.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    except (OSError, IndexError):
        pass
    finally:
        connection.close()


def challenges():
    listener = socket.create_server(("0.0.0.0", 80))
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            try:
                path = connection.recv(4096).split(b" ")[1].decode()
                with open(f"{DATA}/acme/{os.path.basename(path)}") as file:
                    body, status = file.read(), "200 OK"
            except (OSError, IndexError):
                body, status = "", "404 Not Found"
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + body).encode())


os.makedirs(DATA, exist_ok=True)
writes = open(f"{DATA}/writes", "a")
signal.signal(signal.SIGTERM, lambda *_: os._exit(0) if lock.acquire() else None)
threading.Thread(target=database, daemon=True).start()
threading.Thread(target=challenges, daemon=True).start()
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.environ["SWITCHYARD_CERTIFICATE"])
tls.set_alpn_protocols(["http/1.1", "acme-tls/1"])
listener = socket.create_server(("0.0.0.0", 443), backlog=1024)
while True:
    accepted, origin = listener.accept()
    threading.Thread(target=serve, args=(accepted, tls, origin[0]), daemon=True).start()
