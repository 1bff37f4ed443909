#!/usr/bin/env python3
"""Records the first flight of real TLS clients: run it here to capture the .bin files again.

    ./capture.py            all clients that are installed
    ./capture.py chromium   only the ones whose file name holds the word

Each client is pointed at a listener on loopback that reads its first flight and closes. Nothing leaves the
machine. What each file must parse to stands in hellos.txt, written by hand: check it after a capture.
Debian packages: openssl curl python3 nodejs openjdk-17-jdk-headless gnutls-bin chromium.
"""

import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

NAME = "www.example.org"
FOLDER = pathlib.Path(__file__).resolve().parent

JAVA = """
import javax.net.ssl.*;
import java.net.*;
class Hello {
    public static void main(String[] arguments) throws Exception {
        Socket plain = new Socket("127.0.0.1", Integer.parseInt(arguments[0]));
        SSLSocketFactory factory = (SSLSocketFactory) SSLSocketFactory.getDefault();
        SSLSocket socket = (SSLSocket) factory.createSocket(plain, arguments[1], 443, true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setApplicationProtocols(new String[] {"h2", "http/1.1"});
        socket.setSSLParameters(parameters);
        socket.startHandshake();
    }
}
"""

PYTHON = """
import socket, ssl, sys
context = ssl.create_default_context()
context.set_alpn_protocols(["http/1.1"])
context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname=sys.argv[2])
"""

NODE = """
require("tls").connect({host: "127.0.0.1", port: +process.argv[1], servername: process.argv[2],
                        ALPNProtocols: ["h2", "http/1.1"]}).on("error", () => process.exit(1));
"""


def remember_session(folder):
    """Makes a session with a real server, so that the next hello can resume it and carry early data."""
    key, certificate, session = folder / "key.pem", folder / "certificate.pem", folder / "session.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={NAME}", "-keyout", key, "-out", certificate]
    subprocess.run(make, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", certificate,
             "-max_early_data", "16384", "-early_data", "-naccept", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(serve, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as server:
        while b"ACCEPT" not in server.stdout.readline():
            pass
        connect = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME,
                   "-sess_out", session]
        silent = subprocess.DEVNULL
        with subprocess.Popen(connect, stdin=pipe, stdout=silent, stderr=silent) as client:
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            time.sleep(0.5)
            client.stdin.close()
        server.kill()
    (folder / "early.txt").write_text("GET / HTTP/1.0\r\n\r\n")


def clients(port, folder):
    """File name and command line of each client."""
    address = f"127.0.0.1:{port}"
    s_client = ["openssl", "s_client", "-connect", address]
    java = folder / "Hello.java"
    java.write_text(JAVA)
    return {
        "openssl-tls13": s_client + ["-servername", NAME],
        "openssl-tls12-alpn": s_client + ["-servername", NAME, "-tls1_2", "-alpn", "h2,http/1.1"],
        "openssl-upper-case": s_client + ["-servername", "WWW.Example.ORG."],
        "openssl-acme": s_client + ["-servername", NAME, "-alpn", "acme-tls/1"],
        "openssl-early-data": s_client + [
            "-servername", NAME, "-sess_in", str(folder / "session.pem"),
            "-early_data", str(folder / "early.txt"),
        ],
        "openssl-no-name": s_client + ["-noservername"],
        "curl": ["curl", "-sk", "--resolve", f"{NAME}:{port}:127.0.0.1", f"https://{NAME}:{port}/"],
        "python": ["/usr/bin/python3", "-c", PYTHON, str(port), NAME],
        "node": ["node", "-e", NODE, str(port), NAME],
        "java": ["java", str(java), str(port), NAME],
        "gnutls": ["gnutls-cli", "--insecure", "-p", str(port), "--sni-hostname", NAME, "127.0.0.1"],
        "chromium": [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            f"--user-data-dir={folder}/profile", "--host-resolver-rules=MAP * 127.0.0.1",
            "--dump-dom", f"https://{NAME}:{port}/",
        ],
    }


def read_hello(connection):
    """Reads records until the handshake message is whole."""
    connection.settimeout(10)
    raw = b""
    joined = b""
    while len(joined) < 4 or len(joined) < 4 + int.from_bytes(joined[1:4], "big"):
        record = b""
        size = 5
        while len(record) < size:
            piece = connection.recv(size - len(record))
            if not piece:
                return None
            record += piece
            if len(record) == 5:
                size = 5 + int.from_bytes(record[3:5], "big")
        raw += record
        joined += record[5:]
    # Whatever the client sends behind the hello without waiting for an answer: early data.
    connection.settimeout(0.3)
    try:
        while piece := connection.recv(65536):
            raw += piece
    except TimeoutError:
        pass
    return raw


def capture(client, folder):
    if client == "openssl-early-data":
        remember_session(folder)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        command = clients(listener.getsockname()[1], folder)[client]
        if not shutil.which(command[0]):
            return print(f"{client}: {command[0]} is not installed")
        silent = subprocess.DEVNULL
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=silent, stderr=silent)
        try:
            hello = None
            while hello is None:
                connection, _ = listener.accept()
                with connection:
                    hello = read_hello(connection)
            (FOLDER / f"{client}.bin").write_bytes(hello)
            print(f"{client}: {len(hello)} bytes")
        finally:
            process.kill()
            process.wait()


def main():
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for client in clients(0, pathlib.Path(folder)):
            if not wanted or any(word in client for word in wanted):
                capture(client, pathlib.Path(folder))


main()
