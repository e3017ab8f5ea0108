// SPDX-License-Identifier: Apache-2.0

import type { Extension } from './extension.ts'
import * as packet from './matches/packet.ts'
import * as special from './matches/special.ts'
import * as tracking from './matches/tracking.ts'
import * as transport from './matches/transport.ts'
import * as marks from './targets/mark.ts'
import * as nat from './targets/nat.ts'
import * as verdicts from './targets/verdict.ts'

export const MATCHES: ReadonlyMap<string, Extension> = new Map(
  Object.entries({
    comment: special.comment,
    tcp: transport.tcp,
    udp: transport.udp,
    udplite: transport.udplite,
    sctp: transport.sctp,
    dccp: transport.dccp,
    icmp: transport.icmp,
    icmp6: transport.icmp6,
    icmpv6: transport.icmp6,
    'ipv6-icmp': transport.icmp6,
    multiport: transport.multiport,
    iprange: packet.iprange,
    mark: packet.mark,
    connmark: packet.connmark,
    mac: packet.mac,
    ttl: packet.ttl,
    hl: packet.hl,
    dscp: packet.dscp,
    tos: packet.tos,
    length: packet.length,
    pkttype: packet.pkttype,
    physdev: packet.physdev,
    devgroup: packet.devgroup,
    conntrack: tracking.conntrack,
    state: tracking.state,
    helper: tracking.helper,
    statistic: special.statistic,
    set: special.set,
    addrtype: special.addrtype,
    owner: special.owner,
    rpfilter: special.rpfilter,
    socket: special.socket,
    policy: special.policy,
    recent: special.recent,
  }),
)

/** Matches whose result depends on earlier packets: undecidable from rules alone. */
export const RATE_MATCHES: ReadonlySet<string> = new Set([
  'limit',
  'hashlimit',
  'quota',
  'quota2',
  'connlimit',
  'connbytes',
  'rateest',
])

/** Matches that are known by name, and undecidable here because the packet model has no fact for them. */
export const OPAQUE_MATCHES: ReadonlySet<string> = new Set([
  'ah',
  'bpf',
  'cgroup',
  'cluster',
  'connlabel',
  'cpu',
  'dst',
  'ecn',
  'esp',
  'eui64',
  'frag',
  'hbh',
  'ipcomp',
  'ipv6header',
  'ipvs',
  'l2tp',
  'mh',
  'nfacct',
  'osf',
  'realm',
  'rt',
  'string',
  'tcpmss',
  'time',
  'u32',
])

export const TARGETS: ReadonlyMap<string, Extension> = new Map(
  Object.entries({
    ACCEPT: verdicts.accept,
    DROP: verdicts.drop,
    RETURN: verdicts.leave,
    QUEUE: verdicts.queue,
    REJECT: verdicts.reject,
    NFQUEUE: verdicts.nfqueue,
    LOG: verdicts.log,
    NFLOG: verdicts.nflog,
    TRACE: verdicts.trace,
    NOTRACK: verdicts.notrack,
    CT: verdicts.ct,
    SET: verdicts.set,
    TEE: verdicts.tee,
    SYNPROXY: verdicts.synproxy,
    DNAT: nat.dnat,
    SNAT: nat.snat,
    MASQUERADE: nat.masquerade,
    REDIRECT: nat.redirect,
    NETMAP: nat.netmap,
    TPROXY: nat.tproxy,
    MARK: marks.mark,
    CONNMARK: marks.connmark,
    DSCP: marks.dscp,
    TTL: marks.ttl,
    HL: marks.hl,
    CLASSIFY: marks.classify,
    TCPMSS: verdicts.sideEffect({ '--set-mss': 1, '--clamp-mss-to-pmtu': 0 }),
    TCPOPTSTRIP: verdicts.sideEffect({ '--strip-options': 1 }),
    CHECKSUM: verdicts.sideEffect({ '--checksum-fill': 0 }),
    ECN: verdicts.sideEffect({ '--ecn-tcp-remove': 0, '--ecn-tcp-cwr': 1, '--ecn-tcp-ece': 1, '--ecn-ip-ect': 1 }),
    TOS: verdicts.sideEffect({ '--set-tos': 1, '--and-tos': 1, '--or-tos': 1, '--xor-tos': 1 }),
    AUDIT: verdicts.sideEffect({ '--type': 1 }),
    LED: verdicts.sideEffect({ '--led-trigger-id': 1, '--led-delay': 1, '--led-always-blink': 0 }),
    IDLETIMER: verdicts.sideEffect({ '--timeout': 1, '--label': 1, '--alarm': 0 }),
    RATEEST: verdicts.sideEffect({ '--rateest-name': 1, '--rateest-interval': 1, '--rateest-ewmalog': 1 }),
    SECMARK: verdicts.sideEffect({ '--selctx': 1 }),
    CONNSECMARK: verdicts.sideEffect({ '--save': 0, '--restore': 0 }),
    ULOG: verdicts.sideEffect({ '--ulog-nlgroup': 1, '--ulog-prefix': 1, '--ulog-cprange': 1, '--ulog-qthreshold': 1 }),
  }),
)
