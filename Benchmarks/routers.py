"""The routers under test, each with the configuration that an operator would write for this job."""

import os
import subprocess

import harness
from harness import BIN, write_file

# The same for every router, so that slow hellos meet the same patience everywhere.
HELLO_TIMEOUT = "10s"


def edge_configuration(directory, port, workers=1, io="epoll", connections=9000, timeout=""):
    text = f"""listen tls 127.0.0.1:{port}
routes bench.routes
workers {workers}
io {io}
log stderr access=off
limit connections={connections} per-source={connections}
"""
    if timeout:
        text += f"timeout {timeout}\n"
    path = os.path.join(directory, "switchyard.conf")
    write_file(path, text)
    return path


def edge_routes(routes):
    return "".join(f"{name} {host}:{port}\n" for name, host, port in routes)


def haproxy_configuration(directory, port, routes, workers=1, hello_timeout=HELLO_TIMEOUT, idle_timeout="1h", maxconn=9000,
                          always_splice=False):
    targets = sorted({(host, target) for _, host, target in routes})
    label = {target: f"b{index}" for index, target in enumerate(targets)}
    write_file(os.path.join(directory, "haproxy.map"),
               "".join(f"{name} {label[(host, target)]}\n" for name, host, target in routes))
    splice = "\n    option splice-request\n    option splice-response" if always_splice else ""
    text = f"""global
    nbthread {workers}
    maxconn {maxconn}
    maxpipes 256
defaults
    mode tcp
    option splice-auto{splice}
    timeout connect 5s
    timeout client {idle_timeout}
    timeout server {idle_timeout}
frontend sni
    bind 127.0.0.1:{port}
    tcp-request inspect-delay {hello_timeout}
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    tcp-request content reject if WAIT_END
    use_backend %[req.ssl_sni,lower,map({directory}/haproxy.map)]
"""
    for host, target in targets:
        text += f"backend {label[(host, target)]}\n    server s {host}:{target}\n"
    path = os.path.join(directory, "haproxy.cfg")
    write_file(path, text)
    return path


def nginx_configuration(directory, port, routes, workers=1):
    modules = [module for module in ("/usr/lib/nginx/modules/ngx_stream_module.so",) if os.path.exists(module)]
    write_file(os.path.join(directory, "nginx.map"), "".join(f"{name} {host}:{target};\n" for name, host, target in routes))
    text = "".join(f"load_module {module};\n" for module in modules) + f"""
worker_processes {workers};
worker_rlimit_nofile 20000;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.error;
events {{ worker_connections 19000; }}
stream {{
    map_hash_max_size {max(2048, 2 * len(routes))};
    map_hash_bucket_size 128;
    map $ssl_preread_server_name $target {{
        include {directory}/nginx.map;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        ssl_preread on;
        preread_timeout {HELLO_TIMEOUT};
        proxy_connect_timeout 5s;
        proxy_timeout 1h;
        proxy_half_close on;
        proxy_pass $target;
    }}
}}
"""
    path = os.path.join(directory, "nginx.conf")
    write_file(path, text)
    return path


def sniproxy_configuration(directory, port, routes):
    table = "".join(f"    ^{name.replace('.', chr(92) + '.')}$ {host}:{target}\n" for name, host, target in routes)
    path = os.path.join(directory, "sniproxy.conf")
    write_file(path, f"""user root
pidfile {directory}/sniproxy.pid
listener 127.0.0.1:{port} {{
    proto tls
    table sites
    access_log {{
        filename /dev/null
    }}
}}
table sites {{
{table}}}
""")
    return path


def program_of(kind):
    return "haproxy" if kind == "haproxy-splice" else kind


class Router:
    """One router under test, with a directory, a port and a process of its own."""

    def __init__(self, kind, routes, workers=1, cpus=None, edge=None):
        self.kind, self.routes, self.workers, self.cpus, self.edge = kind, routes, workers, cpus, edge
        self.directory = harness.scratch_directory()
        self.port = harness.free_port()
        self.log = os.path.join(self.directory, "log")
        self.process = None

    def command(self):
        if self.kind in ("haproxy", "haproxy-splice"):
            return ["haproxy", "-db", "-f", haproxy_configuration(self.directory, self.port, self.routes, self.workers,
                                                                  always_splice=self.kind == "haproxy-splice")]
        if self.kind == "nginx":
            return ["nginx", "-p", self.directory, "-e", os.path.join(self.directory, "nginx.error"),
                    "-c", nginx_configuration(self.directory, self.port, self.routes, self.workers)]
        if self.kind == "sniproxy":
            return ["sniproxy", "-f", "-n", "19000", "-c", sniproxy_configuration(self.directory, self.port, self.routes)]
        path = os.path.join(self.directory, "bench.routes")
        write_file(path, edge_routes(self.routes))
        if self.kind == "relay":
            return [os.path.join(BIN, "relay"), "--listen", f"127.0.0.1:{self.port}", "--routes", path,
                    "--workers", str(self.workers)]
        io = "io_uring" if self.kind == "edge-uring" else "epoll"
        return [self.edge, "--config", edge_configuration(self.directory, self.port, self.workers, io,
                                                             timeout=f"hello={HELLO_TIMEOUT}")]

    def start(self):
        with open(self.log, "w") as log:
            self.process = harness.start(self.command(), self.cpus, stdout=log, stderr=log)
        harness.wait_for_port("127.0.0.1", self.port, self.process, self.log)

    def stop(self):
        if self.process:
            harness.end(self.process)
            self.process = None

    def said(self):
        """The end of its log."""
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as file:
            return file.read()[-2000:]

    def version(self):
        if self.kind in ("relay", "edge", "edge-uring"):
            return "this tree"
        program = program_of(self.kind)
        said = subprocess.run([program, "-V" if program == "sniproxy" else "-v"], capture_output=True, text=True)
        lines = (said.stdout + said.stderr).strip().splitlines()
        return lines[0].removeprefix("nginx version: ").partition(" 20")[0] if lines else "?"
