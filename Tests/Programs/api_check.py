#!/usr/bin/env python3
"""Checks a running yardmaster against its description: every operation is asked, in good and bad ways, and each
answer must have a status and a content that the description knows.

usage: api_check.py SOCKET DESCRIPTION FOLDER IMAGE

FOLDER is that of a site which may be added, started, stopped and removed; IMAGE is one that exposes port 443.
"""

import json
import shutil
import socket
import sys

import jsonschema
import yaml


class Interface:
    def __init__(self, path, description):
        self.path = path
        self.description = description
        self.asked = set()
        self.faults = []

    def send(self, method, uri, content=None, accept="application/json"):
        """Status, content type and content."""
        body = b"" if content is None else content
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(self.path)
            lines = [
                f"{method} {uri} HTTP/1.1",
                "Host: yardmaster",
                f"Accept: {accept}",
                f"Content-Length: {len(body)}",
                "Connection: close",
            ]
            head = "\r\n".join(lines) + "\r\n\r\n"
            connection.sendall(head.encode() + body)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if headers.get("transfer-encoding") == "chunked":
            body = dechunked(body)
        return int(lines[0].split()[1]), headers.get("content-type", ""), body

    def ask(self, method, template, expected, accept="application/json", content=None, query="", **parameters):
        """Asks, and holds the answer against the description."""
        uri = template.format(**parameters) + query
        status, kind, body = self.send(method, uri, content, accept)
        self.asked.add((method.lower(), template))
        name = f"{method} {uri} -> {status}"
        if status != expected:
            self.faults.append(f"{name}: expected {expected}: {body[:200]!r}")
        operation = self.description["paths"][template][method.lower()]
        response = operation["responses"].get(str(status))
        if response is None:
            self.faults.append(f"{name}: the description has no such status")
            return None
        response = self.resolve(response)
        if kind not in response["content"]:
            self.faults.append(f"{name}: the description has no content {kind!r}")
            return None
        schema = dict(response["content"][kind]["schema"])
        schema["components"] = self.description["components"]
        texts = body.decode().splitlines() if kind.endswith("ndjson") else [body.decode()]
        value = None
        for text in texts:
            value = json.loads(text)
            for fault in jsonschema.Draft202012Validator(schema).iter_errors(value):
                self.faults.append(f"{name}: {fault.message[:300]}")
        return value

    def resolve(self, value):
        while "$ref" in value:
            target = self.description
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            value = target
        return value


def dechunked(body):
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size, 16)
        if count == 0:
            break
        content += body[:count]
        body = body[count + 2 :]
    return content


def main():
    path, description, folder, image = sys.argv[1:]
    with open(description) as file:
        interface = Interface(path, yaml.safe_load(file))
    ask = interface.ask
    site, add = "/v1/sites/{domain}", "/v1/sites"
    new = json.dumps({"folder": folder}).encode()
    ask("GET", "/v1/status", 200)
    ask("GET", add, 200)
    for bad in (b"", b"[]", b"{}", b'{"folder":7}', b'{"folder":"x","wish":"removed"}', b"x" * 100000):
        ask("POST", add, 400, content=bad)
    ask("POST", add, 404, content=b'{"folder":"/nonexistent"}')
    domain = ask("POST", add, 200, content=new)["domain"]
    ask("POST", add, 409, content=new)
    ask("GET", site, 200, domain=domain)
    for verb in ("start", "restart", "sleep", "wake"):
        ask("POST", f"{site}/{verb}", 200, domain=domain)
    ask("POST", site + "/stop", 200, domain=domain, accept="application/x-ndjson")
    ask("POST", site + "/start", 200, domain=domain, accept="application/x-ndjson")
    ask("GET", site + "/logs", 200, domain=domain, query="?lines=5")
    ask("GET", site + "/logs", 400, domain=domain, query="?lines=0")
    ask("GET", site + "/logs", 404, domain=domain, query="?part=nothing")
    image = json.dumps({"image": image, "audit_seconds": 1}).encode()
    ask("POST", "/v1/blueprints", 200, content=image)
    ask("POST", "/v1/blueprints", 200, content=image, accept="application/x-ndjson")
    ask("POST", "/v1/blueprints", 404, content=b'{"image":"none/such:1"}')
    for bad in (b"{}", b'{"image":"x","tls_port":0}', b'{"image":"x","audit_seconds":"x"}'):
        ask("POST", "/v1/blueprints", 400, content=bad)
    ask("GET", "/v1/operations", 200, query=f"?domain={domain}&limit=3")
    ask("GET", "/v1/operations", 400, query="?limit=x")
    archive = json.dumps({"path": folder + ".archive"}).encode()
    ask("POST", site + "/stop", 200, domain=domain)
    exported = ask("POST", site + "/export", 200, domain=domain, content=archive)
    ask("POST", site + "/export", 400, domain=domain, content=b'{"path":"relative"}')
    ask("DELETE", site, 200, domain=domain)
    ask("POST", "/v1/imports", 409, content=archive)
    shutil.rmtree(folder)
    imported = ask("POST", "/v1/imports", 200, content=archive)
    if exported["digest"] != imported["digest"]:
        interface.faults.append(f"exported {exported}, imported {imported}")
    ask("POST", "/v1/imports", 404, content=b'{"path":"/nonexistent"}')
    # Without peers in the configuration.
    ask("GET", "/v1/peers", 409)
    ask("POST", "/v1/peers", 409, content=b'{"token":"x"}')
    ask("POST", "/v1/peers/invitations", 409, content=b'{"name":"x"}')
    ask("DELETE", "/v1/peers/{name}", 409, name="x")
    ask("GET", "/v1/migrations", 409)
    ask("POST", "/v1/migrations", 409, content=b'{"site":"x","to":"y"}')
    for wish in ("resume", "revert", "finish"):
        ask("POST", "/v1/migrations/{domain}/" + wish, 409, domain="x")
    for verb in ("", "/start", "/stop", "/restart", "/sleep", "/wake", "/logs"):
        method = "GET" if verb in ("", "/logs") else "POST"
        ask(method, site + verb, 404, domain="none.example")
    ask("DELETE", site, 404, domain="%2e%2e")
    status, _, body = interface.send("GET", "/v1/nothing")
    if status != 404 or json.loads(body)["ok"] is not False:
        interface.faults.append(f"an unknown address: {status} {body!r}")
    methods = ("get", "post", "delete", "put", "patch")
    described = {(m, p) for p, item in interface.description["paths"].items() for m in item if m in methods}
    for method, address in sorted(described - interface.asked):
        interface.faults.append(f"{method} {address} was not asked")
    for fault in interface.faults:
        print(fault)
    print(f"{len(interface.asked)} operations, {len(interface.faults)} faults")
    sys.exit(1 if interface.faults else 0)


main()
