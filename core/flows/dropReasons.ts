// SPDX-License-Identifier: Apache-2.0

/** What the datapath's reasons mean where no policy decided: bpf/lib/common.h and the places that return them, Cilium 1.19. */
export interface ReasonNote {
  /** A sentence's end: "the packet was dropped because …". */
  readonly because: string
  /** Where to look. */
  readonly look: string
  /** Maps that hold what was missing or decided; `#` stands for the family's digit. */
  readonly maps: readonly string[]
  readonly remedy: string | null
  /** The Service that the packet was for is part of the answer. */
  readonly service?: 'backends' | 'sourceRanges' | 'clusterIP'
}

const BUG = "the agent's log and metrics of the node (cilium_drop_count_total), and its version"

const NOTES: Readonly<Record<string, ReasonNote>> = {
  INVALID_SOURCE_IP: {
    because: 'its source is none of the addresses that the sending endpoint has',
    look: 'the addresses of the sending pod, and of the endpoint as Cilium knows it',
    maps: ['cilium_lxc'],
    remedy: 'a sender that uses its own address',
  },
  CT_TRUNCATED_OR_INVALID_HEADER: {
    because: 'its headers are cut off, so that no connection can be looked up for it',
    look: 'a capture at the sender',
    maps: [],
    remedy: 'a whole packet',
  },
  CT_MISSING_TCP_ACK_FLAG: {
    because: 'it is too long for the way and may not be fragmented',
    look: 'the MTU of the devices on the way',
    maps: [],
    remedy: 'the same MTU on the whole way, or a smaller one in the pods',
  },
  CT_UNKNOWN_L4_PROTOCOL: {
    because: 'connection tracking has no place for its protocol',
    look: 'the protocol of the packet: TCP, UDP, SCTP and ICMP are tracked',
    maps: [],
    remedy: 'a protocol that Cilium tracks',
  },
  UNSUPPORTED_L3_PROTOCOL: {
    because: 'it is of a network protocol that this datapath does not carry, such as IPv6 where IPv6 is off',
    look: "enable-ipv4 and enable-ipv6 in Cilium's configuration; pods ask for IPv6 routers whether it is on or not",
    maps: [],
    remedy: 'the protocol switched on; if nobody uses it, the drop is harmless',
  },
  UNSUPPORTED_L2_PROTOCOL: {
    because: 'it is neither IP nor ARP',
    look: 'the Ethernet type in a capture at the sender',
    maps: [],
    remedy: null,
  },
  MISSED_TAIL_CALL: {
    because: 'a part of the program is not loaded, which happens while an endpoint is being regenerated',
    look: "whether the endpoint is ready, and what the agent's log says of it",
    maps: ['cilium_call_policy'],
    remedy: 'an endpoint that is ready',
  },
  UNKNOWN_L3_TARGET_ADDRESS: {
    because: 'nobody has its destination address here',
    look: 'the destination in the ipcache and among the endpoints of the node',
    maps: ['cilium_ipcache_v2', 'cilium_lxc'],
    remedy: 'a destination that exists',
  },
  STALE_OR_UNROUTABLE_IP: {
    because: 'the node routed it to Cilium, and nobody is known at its destination: the pod may be gone',
    look: 'whether the pod is gone, and whether an EndpointSlice still lists it',
    maps: ['cilium_lxc', 'cilium_ipcache_v2'],
    remedy: 'a destination that still exists',
  },
  CT_MAP_INSERTION_FAILED: {
    because: 'the table of connections is full',
    look: 'how full the connection tracking maps are, and bpf-ct-global-tcp-max',
    maps: ['cilium_ct#_global', 'cilium_ct_any#_global'],
    remedy: 'a larger table, or fewer connections',
  },
  IP_FRAGMENTATION_NOT_SUPPORTED: {
    because: 'it is a fragment, and fragments are not tracked',
    look: "enable-ipv4-fragment-tracking in Cilium's configuration",
    maps: ['cilium_ipv#_frag_datagrams'],
    remedy: 'fragment tracking, or packets that fit the MTU',
  },
  FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND: {
    because: 'it is a fragment whose first part, with the ports, was not seen here',
    look: 'whether fragments come in another order or by another node',
    maps: ['cilium_ipv#_frag_datagrams'],
    remedy: 'packets that fit the MTU',
  },
  SERVICE_BACKEND_NOT_FOUND: {
    because: 'the service it was for has no backend that may answer here',
    look: "the Service's endpoints, and its entry in the node's service map",
    maps: ['cilium_lb#_services_v2', 'cilium_lb#_backends_v3'],
    remedy: 'a ready endpoint of the Service',
    service: 'backends',
  },
  NO_TUNNEL_OR_ENCAPSULATION_ENDPOINT: {
    because: 'nobody told which node its destination is behind',
    look: 'the destination in the ipcache',
    maps: ['cilium_ipcache_v2'],
    remedy: 'an entry of the ipcache with the node of the destination',
  },
  UNKNOWN_CONNECTION_TRACKING_STATE: {
    because: 'the connection is in a state the program does not know',
    look: 'the connection in the map of connections',
    maps: ['cilium_ct#_global'],
    remedy: 'a new connection',
  },
  LOCAL_HOST_IS_UNREACHABLE: {
    because: 'the node does not let this endpoint reach it',
    look: "allow-localhost, and what the endpoint's policies say of the node",
    maps: [],
    remedy: 'a policy with entity host',
  },
  NO_MAPPING_FOR_NAT_MASQUERADE: {
    because: 'it is an answer that no translation of the node is for: the connection is unknown, has ended, or its ports ran out',
    look: 'the translation in the NAT map, and how full the map is',
    maps: ['cilium_snat_v#_external'],
    remedy: 'a new connection; a larger NAT map, if it is full',
  },
  UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE: {
    because: 'addresses of its protocol can not be translated on the way out',
    look: 'the protocol: TCP, UDP, SCTP and ICMP are translated',
    maps: [],
    remedy: "a destination in the network that sees pods' own addresses",
  },
  FIB_LOOKUP_FAILED: {
    because: 'the node has no route or no neighbour for its destination',
    look: '`ip route get` and `ip neigh` on the node',
    maps: [],
    remedy: 'a route to the destination',
  },
  ENCAPSULATION_TRAFFIC_IS_PROHIBITED: {
    because: "a pod sent a tunnel's packet itself",
    look: "the UDP port of the packet: it is the tunnel's",
    maps: [],
    remedy: 'another port',
  },
  INVALID_IDENTITY: {
    because: 'it claims an identity that nobody can have from there',
    look: 'where the packet came from, and the identity in the ipcache',
    maps: ['cilium_ipcache_v2'],
    remedy: null,
  },
  UNKNOWN_SENDER: {
    because: 'nobody is known at its source address',
    look: 'the source address in the ipcache',
    maps: ['cilium_ipcache_v2'],
    remedy: 'an entry of the ipcache for the sender',
  },
  IS_A_CLUSTERIP: {
    because: 'a cluster IP is for the cluster alone, and it came from outside',
    look: 'bpf-lb-external-clusterip, and how the sender came to the address',
    maps: ['cilium_lb#_services_v2'],
    remedy: 'a node port, external or load balancer address of the Service',
    service: 'clusterIP',
  },
  FORBIDDEN_ICMPV6_MESSAGE: {
    because: 'pods may not send this ICMPv6 message',
    look: 'the type of the message: neighbour advertisements for others and router messages are refused',
    maps: [],
    remedy: null,
  },
  DENIED_BY_LB_SRC_RANGE_CHECK: {
    because: "the client is in none of the Service's source ranges",
    look: 'loadBalancerSourceRanges of the Service, and the map of ranges',
    maps: ['cilium_lb#_source_range'],
    remedy: "a source range of the Service with the client's address",
    service: 'sourceRanges',
  },
  VLAN_FILTERED: {
    because: 'it has a VLAN tag that is not allowed',
    look: "vlan-bpf-bypass in Cilium's configuration",
    maps: [],
    remedy: 'the VLAN in vlan-bpf-bypass',
  },
  AUTH_REQUIRED: {
    because: 'a policy asks for mutual authentication, and both ends have not authenticated each other',
    look: 'the pair of identities in the map of authentications, and the SPIRE server',
    maps: ['cilium_auth_map'],
    remedy: 'an authentication that succeeds',
  },
  CT_NO_MAP_FOUND: { because: 'a map of connections is missing', look: BUG, maps: ['cilium_ct#_global'], remedy: null },
  SNAT_NO_MAP_FOUND: { because: 'a map of translations is missing', look: BUG, maps: ['cilium_snat_v#_external'], remedy: null },
  NO_EGRESS_GATEWAY: {
    because: 'an egress gateway policy selects it, and no node is its gateway',
    look: 'nodeSelector of the CiliumEgressGatewayPolicy',
    maps: ['cilium_egress_gw_policy_v4'],
    remedy: 'a node that the egress gateway policy selects',
  },
  DROP_NO_EGRESS_IP: {
    because: 'an egress gateway policy selects it, and the gateway has no address for it',
    look: 'egressIP or interface of the CiliumEgressGatewayPolicy',
    maps: ['cilium_egress_gw_policy_v4'],
    remedy: 'an address on the gateway',
  },
  UNENCRYPTED_TRAFFIC: {
    because: 'strict encryption is on, and it is not encrypted',
    look: 'encryption-strict-mode-cidr, and whether the other node encrypts',
    maps: ['cilium_encrypt_state'],
    remedy: 'encryption on both nodes',
  },
  TTL_EXCEEDED: {
    because: 'its time to live is used up, as in a loop of routes',
    look: '`ip route get` on every node of the way',
    maps: [],
    remedy: 'a way without a loop',
  },
  NO_NODE_ID: {
    because: 'the node behind its destination has no number here',
    look: 'the node in the map of nodes',
    maps: ['cilium_node_map_v2'],
    remedy: 'an entry in the map of nodes',
  },
  DROP_RATE_LIMITED: {
    because: 'ICMP answers of the node are limited in number',
    look: 'the rate limits',
    maps: ['cilium_ratelimit'],
    remedy: null,
  },
  REACHED_EDT_RATE_LIMITING_DROP_HORIZON: {
    because: 'the pod sends more than its bandwidth annotation allows',
    look: 'kubernetes.io/egress-bandwidth of the pod',
    maps: ['cilium_throttle'],
    remedy: 'a larger kubernetes.io/egress-bandwidth',
  },
  DROP_HOST_NOT_READY: {
    because: 'the datapath of the node itself is not loaded yet',
    look: "the agent's start on this node",
    maps: [],
    remedy: 'an agent that has started',
  },
  DROP_EP_NOT_READY: {
    because: 'the policy program of the receiving endpoint is not loaded, as when it is just being created or removed',
    look: 'the state of the endpoint',
    maps: ['cilium_call_policy'],
    remedy: 'an endpoint that is ready',
  },
}

/** What a reason means. Reasons without a note of their own are told as they are. */
export function reasonNote(reason: string): ReasonNote {
  return (
    NOTES[reason] ?? {
      because: `of ${reason.toLowerCase().replaceAll('_', ' ')}`,
      look: "the place in the datapath's source that Hubble names, and the agent's log",
      maps: [],
      remedy: null,
    }
  )
}
