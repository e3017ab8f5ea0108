// SPDX-License-Identifier: Apache-2.0

import type { Family } from '../../core/net/address.ts'

/**
 * nft rule sets whose evaluation is compared with the kernel's, packet by packet and rule by rule: every rule counts, at the
 * place where its matches have held. The node is 10.1.0.1 and fd01::1 (n0, clients), 10.2.0.1 and fd02::1 (n1, servers).
 */
export interface NftCase {
  readonly name: string
  readonly families: readonly Family[]
  readonly nft: string
}

const FORWARD = 'type filter hook forward priority filter; policy accept;'

export const NFT_CASES: readonly NftCase[] = [
  {
    name: 'sets: intervals, concatenations, catch-all, negation',
    families: [4],
    nft: `table ip t {
      set nets { type ipv4_addr; flags interval; elements = { 10.9.0.0/30, 10.9.0.5-10.9.0.7, 10.1.0.2 } }
      set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.9.0.0/29 . 80-81, 10.1.0.2 . 443, 0.0.0.0/0 . 8080-9090 } }
      set exact { type ipv4_addr . inet_proto . inet_service; elements = { 10.2.0.2 . tcp . 80, 10.2.0.2 . udp . 53 } }
      set empty { type ipv4_addr; }
      map fall { type inet_service : verdict; flags interval; elements = { 80-81 : jump a, 443 : drop, * : jump rest } }
      chain a { counter return; }
      chain rest { counter; }
      chain forward { ${FORWARD}
        ip saddr @nets counter
        ip saddr != @nets counter
        ip saddr @empty counter drop
        ip saddr != @empty counter
        ip saddr . th dport @pairs counter
        ip daddr . meta l4proto . th dport @exact counter
        ip daddr . meta l4proto . th dport != @exact counter
        ip saddr != { 10.9.0.0/30, 10.1.0.0/24 } counter
        ip saddr . ip daddr { 10.9.0.0/16 . 10.2.0.2, 10.1.0.2 . 10.2.0.0/24 } counter
        tcp dport != { 80, 443, 8000-9000 } counter
        meta l4proto { tcp, udp } th dport vmap @fall
        numgen random mod 4 vmap { 1 : jump a, * : jump rest }
        counter
      }
    }`,
  },
  {
    name: 'verdicts: jump, goto, return, continue, and a policy of drop',
    families: [4, 6],
    nft: `table inet t {
      chain deep { meta l4proto udp counter return; counter goto deeper; counter; }
      chain deeper { th dport 80 counter accept; th dport 443 counter drop; counter return; }
      chain after { counter; }
      chain forward { type filter hook forward priority filter; policy drop;
        th dport { 22, 53 } counter continue
        meta l4proto tcp counter jump deep
        counter
        meta l4proto udp counter goto after
        counter
        meta l4proto { icmp, ipv6-icmp } counter return
        th dport 81 counter accept
        counter
      }
      chain later { type filter hook forward priority filter + 10; policy accept; counter; th dport 81 counter drop; }
    }`,
  },
  {
    name: 'accept ends its own chain only; drop ends all; order of priorities',
    families: [4],
    nft: `table ip one { chain c { type filter hook forward priority -10; policy accept; counter; th dport 80 counter accept; meta mark set meta mark | 0x1; th dport 443 counter drop; counter; }; }
    table inet two { chain c { type filter hook forward priority 0; policy accept; counter; meta mark & 0x1 == 0x1 counter; meta mark & 0x2 == 0x2 counter; meta mark set meta mark | 0x4; th dport 80 counter drop; }; }
    table ip three { chain c { type filter hook forward priority -5; policy accept; counter; meta mark set meta mark | 0x2; meta mark & 0x4 == 0x4 counter; }; }
    table ip four { chain c { type filter hook postrouting priority 0; policy accept; meta mark 0x7 counter; meta mark 0x6 counter; }; }`,
  },
  {
    name: 'chains of one priority',
    families: [4],
    nft: `table ip first { chain a { type filter hook forward priority 0; policy accept; counter; meta mark set 1; meta mark != 1 counter; }
      chain b { type filter hook forward priority 0; policy accept; meta mark 1 counter; meta mark 2 counter; meta mark 3 counter; meta mark set 2; }; }
    table ip second { chain a { type filter hook forward priority 0; policy accept; meta mark 0 counter; meta mark 1 counter; meta mark 2 counter; meta mark set 3; }; }
    table inet third { chain a { type filter hook forward priority 0; policy accept; meta mark 0 counter; meta mark 1 counter; meta mark 2 counter; meta mark 3 counter; }; }`,
  },
  {
    name: 'translation: dnat maps, generators, redirect, masquerade, original tuples',
    families: [4],
    nft: `table ip nat {
      map backends { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 10.60.0.1 . 80 : 10.2.0.2 . 8080, 10.60.0.1 . 443 : 10.2.0.3 . 8443 } }
      map addresses { type ipv4_addr : ipv4_addr; elements = { 10.60.0.2 : 10.2.0.3 } }
      chain prerouting { type nat hook prerouting priority dstnat; policy accept;
        ip daddr 10.96.0.1 tcp dport 80 counter dnat to numgen random mod 3 map { 0 : 10.2.0.2, 1 : 10.2.0.3, 2 : 10.1.0.2 }
        ip daddr 10.96.0.3 meta l4proto tcp counter dnat ip to numgen random mod 2 map { 0 : 10.2.0.2 . 80, 1 : 10.2.0.3 . 8080 }
        ip daddr 10.96.0.9 meta l4proto tcp counter dnat to jhash ip saddr . tcp dport mod 2 seed 0xdeadbeef map { 0 : 10.2.0.2, 1 : 10.2.0.3 }:8081
        ip daddr 10.96.0.10 meta l4proto { tcp, udp } counter dnat to jhash ip saddr mod 4 seed 0x1 offset 1 map { 1 : 10.2.0.2, 2 : 10.2.0.3, 3-4 : 10.2.0.200 }
        ip daddr 10.60.0.1 counter dnat ip to ip daddr . tcp dport map @backends
        ip daddr 10.60.0.2 counter dnat to ip daddr map @addresses
        ip daddr 10.60.0.3 meta l4proto tcp counter dnat to 10.2.0.2:tcp dport map { 80 : 81, 443 : 444 }
        ip daddr 10.60.0.4 counter dnat to 10.3.0.1
        ip daddr 10.60.0.5 meta l4proto tcp counter redirect to :8888
        ip daddr 10.60.0.6 counter redirect
        ip daddr 10.99.0.0/24 counter dnat ip prefix to ip daddr map { 10.99.0.0/24 : 10.3.5.0/24 }
        counter
      }
      chain output { type nat hook output priority -100; policy accept;
        ip daddr 10.96.0.1 tcp dport 80 counter dnat to 10.2.0.2:8080
        ip daddr 10.60.0.5 meta l4proto tcp counter redirect to :8888
        ip daddr 10.60.0.4 counter dnat to 10.1.0.2
      }
      chain postrouting { type nat hook postrouting priority srcnat; policy accept;
        ct status dnat counter
        ct original ip daddr 10.96.0.1 counter masquerade
        ct original ip daddr 10.60.0.0/16 meta l4proto tcp ct original proto-dst 80 counter masquerade fully-random
        ip saddr 10.9.0.0/16 oifname "n1" meta l4proto tcp counter snat to 10.2.0.1:30000-30100
        ip saddr 10.9.0.0/16 oifname "n1" counter snat to 10.50.0.0-10.50.0.3
        counter
      }
    }
    table ip filter {
      chain forward { type filter hook forward priority filter; policy accept;
        ct status dnat counter
        ct original ip daddr != 10.96.0.1 counter
        ct direction original counter
        ct state new counter
        meta l4proto tcp ct original proto-dst 80 counter
        tcp dport 8080 counter
      }
    }`,
  },
  {
    name: 'fall through translation: no entry, a second table, a rule after none',
    families: [4],
    nft: `table ip a {
      map m { type ipv4_addr : ipv4_addr; elements = { 10.60.0.2 : 10.2.0.3 } }
      chain c { type nat hook prerouting priority dstnat; policy accept;
        dnat to ip daddr map @m
        ip daddr 10.60.0.1 counter accept
        counter
      }
    }
    table ip b { chain c { type nat hook prerouting priority dstnat + 1; policy accept; counter; ip daddr { 10.60.0.1, 10.60.0.2, 10.60.0.3 } counter dnat to 10.2.0.2; }; }
    table ip c { chain c { type filter hook prerouting priority dstnat + 2; policy accept; ip daddr 10.2.0.2 counter; ip daddr 10.2.0.3 counter; }; }`,
  },
  {
    name: 'no tracking, and connection states',
    families: [4, 6],
    nft: `table inet t {
      chain raw { type filter hook prerouting priority raw; policy accept;
        ct state untracked counter
        ct state invalid counter
        th dport { 53, 443 } counter notrack
        ct state untracked counter
      }
      chain rawout { type filter hook output priority raw; policy accept; udp dport 53 counter notrack; }
      chain mangle { type filter hook prerouting priority mangle; policy accept;
        ct state untracked counter
        ct state new counter
        ct state established,related counter
        ct state invalid counter
        ct state != new counter
        ct state ! new,untracked counter
        ct state vmap { new : continue, untracked : continue, invalid : drop }
        counter
        ct direction original counter
        ct mark 0 counter
      }
      chain out { type filter hook output priority 0; policy accept; meta nfproto ipv4 ct state untracked counter; meta nfproto ipv4 ct state new counter; meta nfproto ipv4 counter; }
    }`,
  },
  {
    name: 'headers: flags, types, lengths, hop limits, bits',
    families: [4],
    nft: `table ip t {
      chain forward { ${FORWARD}
        tcp flags syn counter
        tcp flags != syn counter
        tcp flags ! syn counter
        tcp flags == syn counter
        tcp flags syn,fin counter
        tcp flags syn / syn,ack counter
        tcp flags != syn / fin,syn,rst,ack counter
        tcp flags { syn, ack } counter
        tcp flags & (fin | rst) != 0 counter
        icmp type echo-request counter
        icmp type { echo-reply, 13 } counter
        icmp code 0 counter
        icmp type != echo-request counter
        ip ttl < 64 counter
        ip ttl >= 63 counter
        ip dscp 46 counter
        ip dscp != 0 counter
        ip length 36-40 counter
        meta length > 36 counter
        ip protocol { 6, 17 } counter
        ip protocol != tcp counter
        meta l4proto icmp counter
        meta protocol ip counter
        ip version 4 counter
        ip hdrlength 5 counter
        ip frag-off & 0x1fff != 0 counter
        ip saddr & 0.0.0.1 == 0.0.0.1 counter
        ip daddr & 255.255.0.255 == 10.2.0.2 counter
        @th,16,16 80 counter
        @nh,96,32 0x0a010002 counter
        @nh,72,8 17 counter
        @th,0,8 & 0xf0 == 0x40 counter
        th dport > 1024 counter
        th dport <= 80 counter
        tcp dport != 80 counter
        udp dport != 53 counter
      }
    }`,
  },
  {
    name: 'headers of IPv6',
    families: [6],
    nft: `table inet t {
      set six { type ipv6_addr; flags interval; elements = { fd09::/126, fd01::2 } }
      chain forward { ${FORWARD}
        ip6 saddr @six counter
        ip6 saddr != @six counter
        ip6 daddr fd02::/64 counter
        ip6 daddr != { fd02::2, 2001:db8::/32 } counter
        ip6 nexthdr tcp counter
        ip6 hoplimit < 64 counter
        ip6 dscp 10 counter
        ip6 length > 16 counter
        icmpv6 type echo-request counter
        icmpv6 type != 129 counter
        meta nfproto ipv6 counter
        meta protocol ip6 counter
        meta l4proto { udp, ipv6-icmp } counter
        ip saddr 10.1.0.2 counter
        ip saddr != 10.1.0.2 counter
        ip6 saddr . th dport { fd01::2 . 80, fd09::9 . 443 } counter
        ip6 saddr & ::f == ::9 counter
        ct original ip6 daddr fd02::2 counter
        ct original ip daddr != 1.1.1.1 counter
        exthdr frag missing counter
        exthdr frag exists counter
      }
    }`,
  },
  {
    name: 'meta data, marks and computed values',
    families: [4],
    nft: `table inet t {
      map tags { type inet_service : mark; elements = { 80 : 0x10, 443 : 0x20 } }
      chain prerouting { type filter hook prerouting priority mangle; policy accept;
        iifname "n0" counter
        iifname "n*" counter
        iifname != { "n1", "lo" } counter
        iif "n1" counter
        oifname "n1" counter
        meta mark set th dport map @tags
        meta mark 0x10 counter
        meta mark & 0x30 == 0x20 counter
        meta mark set meta mark | 0x100
        meta mark set meta mark & 0xfffffff0 ^ 0x3
        meta mark 0x113 counter
        meta mark 0x103 counter
        meta mark != 0x103 counter
        ct mark set meta mark << 4
        meta mark set (meta mark & 0xff) << 8 | 0x1
        meta mark { 0x1301, 0x301 } counter
        meta mark 0x300-0x400 counter
        meta mark > 0x1000 counter
        meta pkttype host counter
        meta priority 0 counter
        meta cpu >= 0 counter
        meta skuid 0 counter
        numgen random mod 2 vmap { 0 : continue, 1 : jump odd }
        symhash mod 1 0 counter
      }
      chain odd { counter; }
      chain forward { ${FORWARD} ct mark 0x1130 counter; ct mark != 0x1130 counter; iifname "n0" oifname "n1" counter; oif "n1" counter; }
      chain output { type route hook output priority mangle; policy accept;
        meta skuid 1000 counter; meta skuid 0-999 counter; meta skgid != 0 counter; oifname "n*" counter; iifname "n0" counter; meta mark set 0x7; }
      chain postrouting { type filter hook postrouting priority 0; policy accept; oifname "n0" counter; oifname != "n0" counter; meta mark 0x7 counter; meta mark 0x1301 counter; }
    }`,
  },
  {
    name: 'routes: fib of addresses',
    families: [4, 6],
    nft: `table inet t {
      chain prerouting { type filter hook prerouting priority raw; policy accept;
        fib daddr type local counter
        fib daddr type unicast counter
        fib daddr type != { local, broadcast } counter
        fib daddr . iif type local counter
        fib saddr type local counter
        fib saddr . iif oif missing counter
        fib saddr . iif oif exists counter
        fib saddr oifname "n0" counter
        fib saddr oifname != "n0" counter
        fib saddr oif "n1" counter
        fib daddr oifname "n1" counter
        fib daddr . iif type vmap { local : jump mine, unicast : continue }
        counter
      }
      chain mine { counter; fib daddr type local fib saddr type != local counter; }
    }`,
  },
  {
    name: 'rejects',
    families: [4],
    nft: `table inet t {
      chain forward { ${FORWARD}
        tcp dport 80 counter reject with tcp reset
        tcp dport 443 counter reject with icmpx admin-prohibited
        tcp dport 22 counter reject
        udp dport 53 counter reject with icmp host-unreachable
        meta nfproto ipv4 udp dport 80 counter reject with icmpx no-route
        icmp type echo-request ip daddr 10.2.0.3 counter reject with icmp net-prohibited
        counter
      }
      chain input { type filter hook input priority filter; policy accept; tcp dport 80 counter reject with tcp reset; udp dport { 53, 80 } counter reject with icmpx host-unreachable; counter; }
    }`,
  },
  {
    name: 'packet changes',
    families: [4],
    nft: `table ip t {
      chain prerouting { type filter hook prerouting priority raw; policy accept;
        ip daddr 10.60.0.1 ip dscp set 12 counter
        ip dscp 12 counter
        ip ttl set 33 counter
        ip ttl 33 counter
        ip daddr 10.60.0.2 counter ip daddr set 10.2.0.3
        ip daddr 10.2.0.3 counter
        tcp dport 81 counter tcp dport set 8081
        tcp dport 8081 counter
      }
      chain forward { ${FORWARD} ip daddr 10.2.0.3 counter; tcp dport 8081 counter; ip dscp 12 counter; }
    }`,
  },
  {
    name: 'kube-proxy, as it writes services',
    families: [4],
    nft: `table ip kube-proxy {
      set cluster-ips { type ipv4_addr; elements = { 10.96.0.1, 10.96.0.3, 10.96.0.9, 10.96.0.10 } }
      set nodeport-ips { type ipv4_addr; elements = { 10.1.0.1 } }
      set affinity-B { type ipv4_addr; flags dynamic,timeout; timeout 3h; size 1000; elements = { 10.9.0.2 } }
      map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.96.0.9 . tcp . 80 comment "shop/none:http" : goto reject-chain } }
      map no-endpoint-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30081 : goto reject-chain } }
      map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.99.0.5 . tcp . 80 : goto firewall-LB } }
      map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = {
        10.96.0.1 . tcp . 80 comment "shop/web:http" : goto service-WEB, 10.99.0.1 . tcp . 80 : goto external-WEB,
        10.96.0.10 . udp . 53 : goto service-DNS, 10.96.0.3 . tcp . 443 : goto service-B, 10.99.0.5 . tcp . 80 : goto external-WEB } }
      map service-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30080 : goto external-WEB } }
      chain filter-prerouting { type filter hook prerouting priority dstnat - 10; policy accept; ct state new counter jump firewall-check; }
      chain filter-input { type filter hook input priority -110; policy accept; ct state new counter jump nodeport-endpoints-check; ct state new counter jump service-endpoints-check; }
      chain filter-forward { type filter hook forward priority -110; policy accept; ct state new counter jump service-endpoints-check; ct state new counter jump cluster-ips-check; }
      chain filter-output { type filter hook output priority -110; policy accept; ct state new counter jump service-endpoints-check; ct state new counter jump firewall-check; }
      chain filter-output-post-dnat { type filter hook output priority -90; policy accept; ct state new counter jump cluster-ips-check; }
      chain nat-prerouting { type nat hook prerouting priority dstnat; policy accept; counter jump services; }
      chain nat-output { type nat hook output priority -100; policy accept; counter jump services; }
      chain nat-postrouting { type nat hook postrouting priority srcnat; policy accept; counter jump masquerading; }
      chain nodeport-endpoints-check { ip daddr @nodeport-ips counter meta l4proto . th dport vmap @no-endpoint-nodeports; }
      chain service-endpoints-check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
      chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips; }
      chain firewall-LB { ip saddr 10.9.0.1 counter return; counter drop; }
      chain services { ip daddr . meta l4proto . th dport vmap @service-ips; ip daddr @nodeport-ips counter meta l4proto . th dport vmap @service-nodeports; counter; }
      chain masquerading { meta mark & 0x4000 == 0 counter return; meta mark set meta mark ^ 0x4000; counter masquerade fully-random; }
      chain cluster-ips-check { ip daddr @cluster-ips counter reject comment "Reject traffic to invalid ports of ClusterIPs"; ip daddr 10.96.0.0/16 counter drop; }
      chain mark-for-masquerade { counter meta mark set meta mark or 0x4000; }
      chain reject-chain { counter reject; }
      chain external-WEB { counter jump mark-for-masquerade; counter goto service-WEB; }
      chain service-WEB { ip daddr 10.96.0.1 tcp dport 80 ip saddr != 10.1.0.0/24 counter jump mark-for-masquerade; numgen random mod 2 vmap { 0 : goto endpoint-W1, 1 : goto endpoint-W2 }; }
      chain endpoint-W1 { ip saddr 10.2.0.2 counter jump mark-for-masquerade; meta l4proto tcp counter dnat to 10.2.0.2:8080; }
      chain endpoint-W2 { ip saddr 10.1.0.2 counter jump mark-for-masquerade; meta l4proto tcp counter dnat to 10.1.0.2:8080; }
      chain service-DNS { numgen random mod 1 vmap { 0 : goto endpoint-D1 }; }
      chain endpoint-D1 { meta l4proto udp counter dnat to 10.2.0.3:5353; }
      chain service-B { ip saddr @affinity-B counter goto endpoint-B1; numgen random mod 1 vmap { 0 : goto endpoint-B1 }; }
      chain endpoint-B1 { ip saddr 10.2.0.2 counter jump mark-for-masquerade; meta l4proto tcp counter dnat to 10.2.0.2:8443; }
    }`,
  },
]
