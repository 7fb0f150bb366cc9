"""Runs a command on a network of its own, in which a host is far away: `unshare --net --mount python3 far_network.py FAR FOLDER COMMAND…`

FAR is JSON: `rttMs`, the round trip; `names`, for each host name its addresses. A file server of FOLDER listens on port 8080 of 10.99.0.1,
and 10.99.0.2 to 10.99.0.254 lead to it over the far way. Every IPv6 address swallows what is sent to it, as a broken tunnel does.

The way is a TUN device: each IPv4 packet comes back after half a round trip with its two addresses exchanged, so that what is sent to
10.99.0.2 arrives at 10.99.0.1 as if from 10.99.0.2. The exchange changes no checksum.
"""
import fcntl
import heapq
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
DEVICE, HERE, HERE_6, PORT = "far0", "10.99.0.1", "2001:db8:99::1", 8080


def open_tun():
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    for words in (
        ["link", "set", "lo", "up"],
        ["address", "add", f"{HERE}/24", "dev", DEVICE],
        ["link", "set", DEVICE, "txqueuelen", "10000", "up"],
        ["-6", "address", "add", f"{HERE_6}/64", "dev", DEVICE, "nodad"],
    ):
        subprocess.run(["ip", *words], check=True)
    return tun


def carry(tun, half_s):
    """Sends each IPv4 packet back after the time that its way takes, and no IPv6 packet."""
    under_way, count = [], 0
    while True:
        wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        if select.select([tun], [], [], wait)[0]:
            packet = os.read(tun, 65536)
            if packet[0] >> 4 == 4:
                count += 1
                exchanged = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                heapq.heappush(under_way, (time.monotonic() + half_s, count, exchanged))
        while under_way and under_way[0][0] <= time.monotonic():
            os.write(tun, heapq.heappop(under_way)[2])


def name_hosts(names):
    """In this mount namespace alone."""
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("127.0.0.1 localhost\n")
        for name, addresses in names.items():
            file.writelines(f"{address} {name}\n" for address in addresses)
    os.chmod(file.name, 0o644)
    subprocess.run(["mount", "--bind", file.name, "/etc/hosts"], check=True)
    return file.name


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


far, folder, command = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
hosts = name_hosts(far["names"])
try:
    threading.Thread(target=carry, args=(open_tun(), far["rttMs"] / 2000), daemon=True).start()
    server = ThreadingHTTPServer((HERE, PORT), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = subprocess.run(command).returncode
finally:
    os.unlink(hosts)
sys.exit(code)
