// SPDX-License-Identifier: Apache-2.0

import type { RuleCase } from './rulesets.ts'

/** The same node with rules written for nft. Every rule has a counter: it tells which rules were hit. */

const KUBE_PROXY: RuleCase = {
  name: 'kube-proxy in nftables mode',
  family: 4,
  nft: `
table ip kube-proxy {
  set cluster-ips { type ipv4_addr; elements = { 10.96.0.1, 10.96.0.3, 10.96.0.10 } }
  set nodeport-ips { type ipv4_addr; elements = { 10.1.0.1, 10.2.0.1 } }
  map no-endpoint-services {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 10.96.0.9 . tcp . 80 : goto reject-chain }
  }
  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30081 : goto reject-chain } }
  map service-ips {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = {
      10.96.0.1 . tcp . 80 : goto service-web,
      10.96.0.10 . udp . 53 : goto service-dns,
      10.99.0.1 . tcp . 80 : goto external-web,
      10.96.0.3 . tcp . 443 : goto service-local
    }
  }
  map service-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30080 : goto external-web } }
  map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.99.0.5 . tcp . 80 : goto firewall-lb } }
  chain filter-prerouting { type filter hook prerouting priority -110; policy accept; ct state new counter jump firewall-check; }
  chain filter-input { type filter hook input priority -110; policy accept; ct state new counter jump nodeport-endpoints-check; ct state new counter jump service-endpoints-check; }
  chain filter-forward { type filter hook forward priority -110; policy accept; ct state new counter jump service-endpoints-check; ct state new counter jump cluster-ips-check; }
  chain filter-output { type filter hook output priority -110; policy accept; ct state new counter jump service-endpoints-check; ct state new counter jump firewall-check; }
  chain filter-output-post-dnat { type filter hook output priority -90; policy accept; ct state new counter jump cluster-ips-check; }
  chain nat-prerouting { type nat hook prerouting priority -100; policy accept; counter jump services; }
  chain nat-output { type nat hook output priority -100; policy accept; counter jump services; }
  chain nat-postrouting { type nat hook postrouting priority 100; policy accept; counter jump masquerading; }
  chain cluster-ips-check {
    ip daddr @cluster-ips counter reject comment "Reject traffic to invalid ports of ClusterIPs"
    ip daddr { 10.96.0.0/16 } counter drop comment "Drop traffic to unallocated ClusterIPs"
  }
  chain nodeport-endpoints-check { ip daddr @nodeport-ips counter meta l4proto . th dport vmap @no-endpoint-nodeports; }
  chain service-endpoints-check { counter ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
  chain firewall-check { counter ip daddr . meta l4proto . th dport vmap @firewall-ips; }
  chain firewall-lb { ip saddr { 10.9.0.0/29, 10.1.0.2 } counter return; counter drop; }
  chain services {
    counter ip daddr . meta l4proto . th dport vmap @service-ips
    ip daddr @nodeport-ips counter meta l4proto . th dport vmap @service-nodeports
  }
  chain reject-chain { counter reject; }
  chain mark-for-masquerade { counter meta mark set meta mark | 0x4000; }
  chain masquerading {
    meta mark & 0x4000 == 0 counter return
    counter meta mark set meta mark ^ 0x4000
    counter masquerade fully-random
  }
  chain external-web { counter jump mark-for-masquerade; counter goto service-web; }
  chain service-web {
    ip daddr 10.96.0.1 tcp dport 80 ip saddr != 10.1.0.0/24 counter jump mark-for-masquerade
    counter numgen random mod 3 vmap { 0 : goto endpoint-1, 1 : goto endpoint-2, 2 : goto endpoint-3 }
  }
  chain endpoint-1 { ip saddr 10.2.0.2 counter jump mark-for-masquerade; meta l4proto tcp counter dnat to 10.2.0.2:8080; }
  chain endpoint-2 { ip saddr 10.2.0.3 counter jump mark-for-masquerade; meta l4proto tcp counter dnat to 10.2.0.3:8080; }
  chain endpoint-3 { ip saddr 10.1.0.2 counter jump mark-for-masquerade; meta l4proto tcp counter dnat to 10.1.0.2:8080; }
  chain service-dns { counter numgen random mod 1 vmap { 0 : goto endpoint-dns }; }
  chain endpoint-dns { meta l4proto udp counter dnat to 10.2.0.2:53; }
  chain service-local { ip saddr 10.9.0.0/24 counter drop; counter dnat to 10.2.0.3; }
}
`,
}

const MAPS: RuleCase = {
  name: 'sets, maps, vmaps, concatenations, intervals',
  family: 4,
  nft: `
table inet corp {
  set hosts { type ipv4_addr; flags interval; elements = { 10.9.0.0-10.9.0.3, 10.9.1.0/24, 10.1.0.2 } }
  set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.2.0.0/24 . 80-90, 10.3.0.0/16 . 443, 10.2.0.2 . 8080 } }
  set ports { type inet_proto . inet_service; elements = { tcp . 22, udp . 53, tcp . 8443 } }
  map marks { type ipv4_addr : mark; flags interval; elements = { 10.9.0.0/29 : 0x10, 10.9.0.9 : 0x20, 10.1.0.2 : 0x31 } }
  map verdicts { type ifname . ipv4_addr : verdict; elements = { "n0" . 10.2.0.3 : jump third, "n1" . 10.1.0.1 : accept } }
  chain prerouting {
    type filter hook prerouting priority mangle; policy accept;
    counter meta mark set ip saddr map @marks
    meta mark & 0x1 == 0x1 counter meta mark set meta mark ^ 0xf0
    iifname { "n0", "foo*" } meta mark 0x10-0x20 counter ct mark set meta mark
    udp dport 53 counter meta mark set ct mark | 0x100
    counter tcp dport vmap { 22 : continue, 443-445 : accept, 8888 : drop }
    ip dscp { af11, ef } counter meta mark set mark or 0x1000
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state vmap { established : accept, related : accept, invalid : jump broken }
    ip saddr . th dport @pairs counter drop
    ip daddr . tcp dport @pairs counter accept
    ct mark 0x10 counter jump third
    meta mark != { 0x0, 0x20, 0xc1 } meta l4proto { icmp, udp } counter reject with icmpx admin-prohibited
    counter iifname . ip daddr vmap @verdicts
    meta l4proto . th dport @ports counter accept
    ip saddr @hosts tcp dport != { 1-1023 } counter reject with tcp reset
    icmp type { echo-request, timestamp-request } ip ttl > 60 counter accept
    icmp type . icmp code { echo-request . 0 } counter reject with icmp host-prohibited
    oifname "n1" ip daddr & 255.0.0.255 == 10.0.0.1 counter accept
    tcp flags & (fin | syn | rst | ack) != syn counter drop
    tcp flags syn / fin,syn,rst,ack ip length 40 counter accept
  }
  chain third {
    ip daddr 10.2.0.3 udp dport { 53, 5353 } counter accept
    ip protocol tcp counter goto fourth
    counter return
  }
  chain fourth {
    tcp sport 20000-40000 counter return
    counter drop
  }
  chain broken { counter; tcp flags rst counter accept; counter drop; }
  chain input {
    type filter hook input priority filter; policy accept;
    fib daddr type { broadcast, multicast } counter drop
    fib saddr . iif oif missing counter drop
    ip daddr 127.0.0.0/8 iifname != "lo" counter reject
    meta l4proto != icmp ct direction original tcp dport { 80, 443 } counter accept
    meta iifname "lo" counter accept
    ct status dnat counter drop
  }
  chain output {
    type route hook output priority mangle; policy accept;
    meta skuid 1000 counter meta mark set 0x77
    meta skgid >= 2000 counter drop
    oifname != "n1" tcp dport 80 counter reject with icmp type net-unreachable
  }
  chain postrouting {
    type filter hook postrouting priority srcnat; policy accept;
    meta mark 0x77 ip dscp != 0 counter ip dscp set cs1
    meta iifname "n0" counter
  }
}
table ip second {
  chain forward {
    type filter hook forward priority filter + 10; policy accept;
    meta mark & 0x1000 == 0x1000 counter drop
    ct original ip daddr 10.2.0.0/24 meta l4proto tcp ct original proto-dst 80 counter accept
    ct zone 0 counter
  }
}
table ip first {
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip daddr 10.60.0.0/16 counter meta mark set 0x20
  }
}
`,
}

const NAT: RuleCase = {
  name: 'nft translations: maps, ranges, several nat chains',
  family: 4,
  nft: `
table ip lb {
  map backends { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 10.96.0.1 . 80 : 10.2.0.2 . 8080, 10.96.0.3 . 443 : 10.2.0.3 . 8443 } }
  map spans { type ipv4_addr : ipv4_addr; elements = { 10.60.0.1 : 10.2.0.2, 10.60.0.2 : 10.2.0.3 } }
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    udp dport 5353 counter notrack
    ip saddr 10.9.0.9 counter ct zone set 7
    ip saddr 10.9.0.9 udp dport 443 counter notrack
    ip daddr 10.99.0.5 ip saddr != 10.1.0.2 counter ip daddr set 10.2.0.200
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    meta l4proto { tcp, udp } counter dnat ip to ip daddr . th dport map @backends
    ip daddr 10.60.0.1-10.60.0.2 tcp dport 80 counter dnat to ip daddr map @spans
    ip daddr 10.60.0.3 tcp dport 80-9000 counter dnat to numgen random mod 2 map { 0 : 10.2.0.2, 1 : 10.2.0.3 }
    ip daddr 10.60.0.4 counter dnat to jhash ip saddr . ip daddr mod 3 seed 0x1234 map { 0 : 10.2.0.4, 1 : 10.2.0.5, 2 : 10.2.0.6 }
    ip daddr 10.60.0.5 counter dnat to 10.2.0.2-10.2.0.9 persistent
    ip daddr 10.60.0.6 tcp dport 2000-4000 counter dnat to 10.2.0.7:5000-5005
    ip daddr 10.50.0.0/24 counter dnat ip prefix to ip daddr map { 10.50.0.0/24 : 10.2.0.0/24 }
    tcp dport 8888 counter redirect to :9999
    udp dport 8888 counter redirect
    counter dnat to tcp dport map { 9090 : 10.2.0.9 }
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr 10.60.0.0/24 tcp dport 80 counter dnat to 10.2.0.2:8081
    tcp dport 8888 counter redirect to :9998
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.9.0.1 oifname "n1" counter snat to 10.2.0.100
    ip saddr 10.9.0.2 meta l4proto tcp counter snat to 10.2.0.100-10.2.0.109
    ip saddr 10.9.0.3 counter snat to ip daddr map { 10.2.0.2 : 10.2.0.50, 10.2.0.3 : 10.2.0.51 }
    ip saddr 10.9.0.5 meta l4proto { tcp, udp } counter masquerade to :30000-30003
    ip saddr 10.9.0.4 counter masquerade
  }
}
table inet other {
  chain early {
    type nat hook prerouting priority dstnat - 10; policy accept;
    ip daddr 10.60.0.1 udp dport 53 counter dnat ip to 10.2.0.77:5300
    tcp dport 22 counter accept
  }
  chain late {
    type nat hook prerouting priority dstnat + 10; policy accept;
    ip daddr 10.60.0.0/16 counter dnat ip to 10.2.0.88
  }
  chain input {
    type nat hook input priority 100; policy accept;
    tcp dport 9999 counter snat ip to 10.8.8.8
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    ct original ip daddr 10.60.0.5 ct reply ip saddr != 10.2.0.2 counter
    ct status & (dnat | snat) == dnat counter
    ct state untracked counter accept
    ct status dnat ct state new counter accept
    ct zone 7 counter drop
  }
}
`,
}

const SAME_PRIORITY: RuleCase = {
  name: 'chains of one priority, numbers drawn',
  family: 4,
  nft: `
table ip a {
  chain one { type filter hook forward priority 0; policy accept; meta mark 0x2 counter drop; counter meta mark set 0x1; }
  chain two { type filter hook forward priority 0; policy accept; meta mark 0x3 counter drop; counter meta mark set 0x2; }
}
table inet b {
  chain three { type filter hook forward priority 0; policy accept; meta mark 0x1 counter drop; counter meta mark set 0x3; }
  chain dice {
    type filter hook postrouting priority 0; policy accept;
    numgen random mod 4 < 1 counter drop
    numgen inc mod 2 0 counter jump odd
    meta random & 0x80000000 == 0 counter
    symhash mod 2 0 counter
    jhash ip saddr . tcp sport mod 10 seed 7 < 5 counter drop
    jhash ip saddr . tcp sport mod 10 seed 7 >= 7 counter accept
    jhash ip saddr . tcp sport mod 10 < 5 counter drop
    jhash ip saddr . tcp sport mod 10 >= 5 counter accept
    symhash mod 2 1 counter accept
  }
  chain odd { numgen random mod 10 offset 100 vmap { 100-104 : accept, 105-108 : return, 109 : drop }; }
}
`,
}

/** nft asks for a family or protocol in front of some rejects, and leaves the question out of its listings. */
const REJECTS: RuleCase = {
  name: 'rejects for one family or protocol, in inet',
  family: 4,
  nft: `
table inet fw {
  chain forward {
    type filter hook forward priority filter; policy accept;
    th dport { 53, 8080 } reject with icmpv6 no-route
    meta l4proto { tcp, udp } th dport { 80, 443 } reject with icmp host-unreachable
    reject with icmpv6 admin-prohibited
    reject with tcp reset
    udp dport 53 counter drop
    counter accept
  }
}
`,
}

const SIX: RuleCase = {
  name: 'nft with IPv6',
  family: 6,
  nft: `
table inet six {
  set nets { type ipv6_addr; flags interval; elements = { fd09::/125, fd01::2-fd01::5 } }
  map services { type ipv6_addr . inet_proto . inet_service : verdict; elements = { fd96::1 . tcp . 80 : goto web } }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    counter ip6 daddr . meta l4proto . th dport vmap @services
    ip6 daddr fd60::1 counter dnat ip6 to fd02::2-fd02::9
    ip6 daddr fd50::/64 tcp dport 443 counter dnat ip6 to [fd02::3]:8443
    tcp dport 8888 counter redirect to :9999
  }
  chain web { ip6 saddr @nets meta l4proto tcp counter dnat ip6 to [fd02::2]:8080; meta l4proto tcp counter dnat ip6 to [fd02::3]:8080; }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip6 saddr fd09::3 counter masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related counter accept
    meta nfproto ipv4 counter accept
    icmpv6 type echo-request counter accept
    ip6 hoplimit < 20 counter reject
    ip6 saddr & ffff:ffff:: == fd09:: tcp dport 80-8080 counter accept
    ip6 daddr fd02::2 meta l4proto { tcp, udp } th dport { 53, 80, 8080 } counter accept
    ip6 dscp ef counter accept
    udp dport 443 counter reject with icmpv6 admin-prohibited
  }
}
`,
}

export const NFT_CASES: readonly RuleCase[] = [KUBE_PROXY, MAPS, NAT, SAME_PRIORITY, REJECTS, SIX]
