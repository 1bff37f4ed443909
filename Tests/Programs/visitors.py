#!/usr/bin/env python3
"""Visits a site many times at once: each opens a TLS connection with the name and finishes the handshake.

usage: visitors.py PORT NAME COUNT SECONDS

Prints one JSON object: how many handshakes succeeded, how the others ended, and the times in milliseconds.
"""

import asyncio
import collections
import json
import ssl
import sys
import time


async def visit(port, name, limit, context):
    start = time.monotonic()
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name), limit
        )
        took = (time.monotonic() - start) * 1000
        writer.transport.abort()
        return "ok", took
    except ssl.SSLError as error:
        return error.reason or "TLS", (time.monotonic() - start) * 1000
    except (OSError, asyncio.TimeoutError) as error:
        return type(error).__name__, (time.monotonic() - start) * 1000


async def main():
    port, name, count, limit = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    results = await asyncio.gather(*(visit(port, name, limit, context) for _ in range(count)))
    times = sorted(took for _, took in results)
    print(
        json.dumps(
            {
                "ok": sum(1 for outcome, _ in results if outcome == "ok"),
                "outcomes": collections.Counter(outcome for outcome, _ in results),
                "p50_ms": round(times[len(times) // 2], 1),
                "longest_ms": round(times[-1], 1),
            }
        )
    )


asyncio.run(main())
