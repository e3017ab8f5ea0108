// SPDX-License-Identifier: Apache-2.0

import { type DataType, dataType, integer, IPV4, IPV6, MOMENT, SERVICE } from './types.ts'

/** Header fields and their types (nft's src/proto.c, src/exthdr.c), by the words a rule uses. */
type Fields = Readonly<Record<string, DataType>>

const PROTOCOL = dataType('inet_proto')
const MAC = dataType('ether_addr')
const ETHER_TYPE = dataType('ether_type')
const DSCP = dataType('dscp')
const ECN = dataType('ecn')
const PORTS: Fields = { sport: SERVICE, dport: SERVICE }

export const HEADERS: Readonly<Record<string, Fields>> = {
  ether: { saddr: MAC, daddr: MAC, type: ETHER_TYPE },
  vlan: { id: integer(12), cfi: integer(1), dei: integer(1), pcp: integer(3), type: ETHER_TYPE },
  arp: {
    htype: integer(16),
    ptype: ETHER_TYPE,
    hlen: integer(8),
    plen: integer(8),
    operation: dataType('arp_op'),
    'saddr ip': IPV4,
    'daddr ip': IPV4,
    'saddr ether': MAC,
    'daddr ether': MAC,
  },
  ip: {
    version: integer(4),
    hdrlength: integer(4),
    dscp: DSCP,
    ecn: ECN,
    length: integer(16),
    id: integer(16),
    'frag-off': integer(16),
    ttl: integer(8),
    protocol: PROTOCOL,
    checksum: integer(16),
    saddr: IPV4,
    daddr: IPV4,
  },
  ip6: {
    version: integer(4),
    dscp: DSCP,
    ecn: ECN,
    flowlabel: integer(20),
    length: integer(16),
    nexthdr: PROTOCOL,
    hoplimit: integer(8),
    saddr: IPV6,
    daddr: IPV6,
  },
  icmp: {
    type: dataType('icmp_type'),
    code: dataType('icmp_code'),
    checksum: integer(16),
    id: integer(16),
    sequence: integer(16),
    gateway: integer(32),
    mtu: integer(16),
  },
  icmpv6: {
    type: dataType('icmpv6_type'),
    code: dataType('icmpv6_code'),
    checksum: integer(16),
    'parameter-problem': integer(32),
    'packet-too-big': integer(32),
    mtu: integer(32),
    id: integer(16),
    sequence: integer(16),
    'max-delay': integer(16),
    taddr: IPV6,
    daddr: IPV6,
  },
  igmp: { type: dataType('igmp_type'), mrt: integer(8), checksum: integer(16), group: integer(32) },
  tcp: {
    ...PORTS,
    sequence: integer(32),
    ackseq: integer(32),
    doff: integer(4),
    reserved: integer(4),
    flags: dataType('tcp_flag'),
    window: integer(16),
    checksum: integer(16),
    urgptr: integer(16),
  },
  udp: { ...PORTS, length: integer(16), checksum: integer(16) },
  udplite: { ...PORTS, csumcov: integer(16), checksum: integer(16) },
  sctp: { ...PORTS, vtag: integer(32), checksum: integer(32) },
  dccp: { ...PORTS, type: dataType('dccp_pkttype') },
  th: PORTS,
  ah: { nexthdr: PROTOCOL, hdrlength: integer(8), reserved: integer(16), spi: integer(32), sequence: integer(32) },
  esp: { spi: integer(32), sequence: integer(32) },
  comp: { nexthdr: PROTOCOL, flags: integer(8), cpi: integer(16) },
  vxlan: { vni: integer(24), flags: integer(8) },
  geneve: { vni: integer(24), type: ETHER_TYPE },
  gre: { flags: integer(5), version: integer(3), protocol: ETHER_TYPE },
  gretap: {},
}

/** IPv6 extension headers. `rt` also begins the routing expression, told apart by the field. */
export const EXTENSION_HEADERS: Readonly<Record<string, Fields>> = {
  hbh: { nexthdr: PROTOCOL, hdrlength: integer(8) },
  dst: { nexthdr: PROTOCOL, hdrlength: integer(8) },
  rt: { nexthdr: PROTOCOL, hdrlength: integer(8), type: integer(8), 'seg-left': integer(8) },
  rt0: {},
  rt2: { addr: IPV6 },
  srh: { flags: integer(8), tag: integer(16), 'last-entry': integer(8) },
  frag: {
    nexthdr: PROTOCOL,
    reserved: integer(8),
    'frag-off': integer(13),
    reserved2: integer(2),
    'more-fragments': integer(1),
    id: integer(32),
  },
  mh: {
    nexthdr: PROTOCOL,
    hdrlength: integer(8),
    type: dataType('mh_type'),
    reserved: integer(8),
    checksum: integer(16),
  },
}

const TEXT_META = new Set(['iifname', 'oifname', 'ibrname', 'obrname', 'iifkind', 'oifkind', 'sdifname'])

const META_TYPES: Readonly<Record<string, string>> = {
  protocol: 'ether_type',
  nfproto: 'nf_proto',
  l4proto: 'inet_proto',
  mark: 'mark',
  priority: 'classid',
  iif: 'iface_index',
  oif: 'iface_index',
  sdif: 'iface_index',
  iiftype: 'iface_type',
  oiftype: 'iface_type',
  iifgroup: 'devgroup',
  oifgroup: 'devgroup',
  skuid: 'uid',
  skgid: 'gid',
  pkttype: 'pkt_type',
  rtclassid: 'realm',
  ibrvproto: 'ether_type',
  ibrhwaddr: 'ether_addr',
  day: 'day',
  hour: 'hour',
  ipsec: 'boolean',
}

/** Keys of `meta`; those in BARE_META_KEYS need no `meta` before them. */
export const META_KEYS = new Set([
  ...TEXT_META,
  ...Object.keys(META_TYPES),
  'time',
  'length',
  'nftrace',
  'cpu',
  'cgroup',
  'random',
  'secmark',
  'secpath',
  'ibrpvid',
  'ibriport',
  'obriport',
  'broute',
])

export const BARE_META_KEYS = new Set(
  'mark iif iifname iiftype iifgroup oif oifname oiftype oifgroup skuid skgid nftrace rtclassid ibrname obrname pkttype cpu cgroup'.split(
    ' ',
  ),
)

export function metaType(key: string): DataType {
  if (key === 'time') return MOMENT
  return TEXT_META.has(key) || key === 'ibriport' || key === 'obriport'
    ? dataType('ifname')
    : dataType(META_TYPES[key] ?? 'integer')
}

const CT_TYPES: Readonly<Record<string, string>> = {
  state: 'ct_state',
  status: 'ct_status',
  direction: 'ct_dir',
  event: 'ct_event',
  mark: 'mark',
  label: 'ct_label',
  expiration: 'time',
  helper: 'string',
  l3proto: 'nf_proto',
  protocol: 'inet_proto',
  'proto-src': 'inet_service',
  'proto-dst': 'inet_service',
  'ip saddr': 'ipv4_addr',
  'ip daddr': 'ipv4_addr',
  'ip6 saddr': 'ipv6_addr',
  'ip6 daddr': 'ipv6_addr',
}

export const CT_KEYS = new Set([
  ...Object.keys(CT_TYPES),
  'saddr',
  'daddr',
  'secmark',
  'bytes',
  'packets',
  'avgpkt',
  'zone',
  'count',
  'id',
])

/** `saddr` and `daddr` alone have the type of the table's family, which the caller knows. */
export function ctType(key: string): DataType {
  return key === 'bytes' || key === 'packets' || key === 'avgpkt' ? integer(64) : dataType(CT_TYPES[key] ?? 'integer')
}
