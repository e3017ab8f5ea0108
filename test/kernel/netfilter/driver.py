#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends raw packets from one namespace and tells where they were seen.

Arguments: names of the client's, the node's and the server's network namespace.
Standard input, one JSON object a line: {"from": "client"|"server"|"node", "packet": hex, "uid": 0, "gid": 0, "tag": 7}.
Standard output, one line for each: {"client": [hex], "server": [hex], "local": [hex], "error": null}, IP packets that carry the
tag (IPv4 identification, IPv6 flow label), or that are errors about such a packet. "local": what NFLOG group 7 of the node
reported. TCP resets carry no tag; they are told by their ports.
"""

import ctypes
import json
import os
import select
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
NFLOG_GROUP = 7
# How long to wait for a packet that may have been dropped, and for a second copy after the first.
PATIENCE = float(os.environ.get("PLUMBLINE_PATIENCE", "0.03"))
SETTLE = 0.003


def inside(name, make):
    """Runs `make` in a network namespace; sockets stay there."""
    with open("/proc/self/ns/net") as own, open(f"/run/netns/{name}") as other:
        if LIBC.setns(other.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            return make()
        finally:
            LIBC.setns(own.fileno(), CLONE_NEWNET)


def capture(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((device, 0))
    sock.setblocking(False)
    return sock


def sender(family, uid, gid):
    """A raw socket that belongs to a user: xt_owner looks at who made it."""
    LIBC.setfsgid(gid)
    LIBC.setfsuid(uid)
    try:
        sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    finally:
        LIBC.setfsuid(0)
        LIBC.setfsgid(0)
    if family == socket.AF_INET6:
        sock.setsockopt(41, 36, 1)  # IPV6_HDRINCL
    return sock


def netlink_message(kind, payload, family):
    body = struct.pack("=BBH", family, 0, socket.htons(NFLOG_GROUP)) + payload
    return struct.pack("=IHHII", 16 + len(body), (4 << 8) | kind, 5, 0, 0) + body


def nflog():
    """Subscribes to an NFLOG group (net/netfilter/nfnetlink_log.c)."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    sock.bind((0, 0))
    attribute = lambda kind, data: struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)
    bind = attribute(1, struct.pack("=B", 1))
    mode = attribute(2, struct.pack("!IBB", 0xFFFF, 2, 0))
    flush = attribute(4, struct.pack("!I", 0)) + attribute(5, struct.pack("!I", 1))
    for payload in (bind, mode + flush):
        sock.send(netlink_message(1, payload, 0))
        answer = sock.recv(4096)
        code = struct.unpack("=i", answer[16:20])[0]
        if code != 0:
            raise OSError(-code, "nflog")
    sock.setblocking(False)
    return sock


def logged(data):
    """Payloads of NFULNL_MSG_PACKET messages."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack("=IH", data[at : at + 6])
        if kind == (4 << 8) | 0:
            inner = at + 20
            while inner + 4 <= at + length:
                size, what = struct.unpack("=HH", data[inner : inner + 4])
                if size < 4:
                    break
                if what & 0x7FFF == 9:
                    yield data[inner + 4 : inner + size]
                inner += (size + 3) & ~3
        at += (length + 3) & ~3
        if length == 0:
            return


def tag_of(packet):
    if not packet:
        return None
    if packet[0] >> 4 == 4 and len(packet) >= 20:
        return struct.unpack("!H", packet[4:6])[0]
    if packet[0] >> 4 == 6 and len(packet) >= 40:
        return struct.unpack("!I", packet[0:4])[0] & 0xFFFFF
    return None


def quoted(packet):
    """The packet an ICMP error is about."""
    if packet[0] >> 4 == 4 and packet[9] == 1 and len(packet) > 48 and packet[20] in (3, 4, 5, 11, 12):
        return packet[28:]
    if packet[0] >> 4 == 6 and packet[6] == 58 and len(packet) > 88 and packet[40] < 128:
        return packet[48:]
    return None


def ports(packet):
    """(protocol, source port, destination port), and whether it is a TCP reset."""
    if packet[0] >> 4 == 4:
        protocol, start = packet[9], (packet[0] & 15) * 4
    else:
        protocol, start = packet[6], 40
    if protocol != 6 or len(packet) < start + 14:
        return None
    source, destination = struct.unpack("!HH", packet[start : start + 4])
    return source, destination, packet[start + 13] & 4


def concerns(packet, tag, sent):
    if tag_of(packet) == tag:
        return True
    inner = quoted(packet)
    if inner is not None:
        return tag_of(inner) == tag
    own, seen = ports(sent), ports(packet)
    return own is not None and seen is not None and bool(seen[2]) and seen[1] == own[0] and seen[0] == own[1]


class Driver:
    def __init__(self, client, node, server):
        self.names = {"client": client, "node": node, "server": server}
        self.captures = {
            inside(client, lambda: capture("c0")): "client",
            inside(server, lambda: capture("s0")): "server",
        }
        # Frames of client and server go straight to the node's port, whatever the addresses in them.
        self.links = {}
        for place, name, device, port in (("client", client, "c0", "n0"), ("server", server, "s0", "n1")):
            own = inside(name, lambda: capture(device))
            far = inside(node, lambda: capture(port))
            self.links[place] = (own, far.getsockname()[4] + own.getsockname()[4])
            far.close()
        self.log = inside(node, nflog)
        self.senders = {}

    def sender(self, family, uid, gid):
        key = (family, uid, gid)
        if key not in self.senders:
            self.senders[key] = inside(self.names["node"], lambda: sender(family, uid, gid))
        return self.senders[key]

    def send(self, place, packet, uid, gid):
        family = socket.AF_INET if packet[0] >> 4 == 4 else socket.AF_INET6
        if place in self.links:
            sock, addresses = self.links[place]
            sock.send(addresses + (b"\x08\x00" if family == socket.AF_INET else b"\x86\xdd") + packet)
        elif family == socket.AF_INET:
            self.sender(family, uid, gid).sendto(packet, (socket.inet_ntop(family, packet[16:20]), 0))
        else:
            self.sender(family, uid, gid).sendto(packet, (socket.inet_ntop(family, packet[24:40]), 0, 0, 0))

    def drain(self):
        for sock in [*self.captures, self.log, *(link[0] for link in self.links.values())]:
            try:
                while True:
                    sock.recv(65536)
            except BlockingIOError:
                pass

    def watch(self, tag, sent):
        found = {"client": [], "server": [], "local": []}
        deadline = time.monotonic() + PATIENCE
        while True:
            ready, _, _ = select.select([*self.captures, self.log], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return found
            for sock in ready:
                for where, packet in self.read(sock):
                    if concerns(packet, tag, sent):
                        found[where].append(packet.hex())
                        deadline = min(deadline, time.monotonic() + SETTLE)

    def read(self, sock):
        try:
            if sock is self.log:
                return [("local", packet) for packet in logged(sock.recv(65536))]
            frame, address = sock.recvfrom(65536)
            if address[2] == PACKET_OUTGOING or frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
                return []
            return [(self.captures[sock], frame[14:])]
        except BlockingIOError:
            return []

    def answer(self, request):
        packet = bytes.fromhex(request["packet"])
        self.drain()
        error = None
        try:
            self.send(request["from"], packet, request.get("uid", 0), request.get("gid", 0))
        except OSError as failure:
            error = failure.strerror
        return {**self.watch(request["tag"], packet), "error": error}


def main():
    driver = Driver(*sys.argv[1:4])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(driver.answer(json.loads(line))), flush=True)


main()
