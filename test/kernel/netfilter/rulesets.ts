// SPDX-License-Identifier: Apache-2.0

import type { Family } from '../../../core/net/address.ts'

/**
 * Rule sets the kernel and the evaluator are both asked about. The node is 10.1.0.1 (n0, clients) and 10.2.0.1 (n1, server
 * 10.2.0.2 and everything else). iptables texts are loaded with both of iptables' backends.
 */
export interface RuleCase {
  readonly name: string
  readonly family: Family
  readonly iptables?: string
  readonly nft?: string
  readonly ipset?: string
}

function table(name: string, chains: readonly string[], rules: readonly string[]): string {
  const builtin = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'])
  const declared = chains.map((chain) => `:${chain} ${builtin.has(chain) ? 'ACCEPT' : '-'} [0:0]`)
  return `*${name}\n${declared.join('\n')}\n${rules.map((rule) => `-A ${rule}`).join('\n')}\nCOMMIT\n`
}

const FILTER = ['INPUT', 'FORWARD', 'OUTPUT']
const NAT = ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING']
const MANGLE = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']
const RAW = ['PREROUTING', 'OUTPUT']

/** Services as kube-proxy writes them: three endpoints, session to itself, node port, external IP, local traffic policy. */
const KUBE_PROXY: RuleCase = {
  name: 'kube-proxy',
  family: 4,
  iptables:
    table(
      'filter',
      [
        ...FILTER,
        'KUBE-FIREWALL',
        'KUBE-FORWARD',
        'KUBE-SERVICES',
        'KUBE-EXTERNAL-SERVICES',
        'KUBE-NODEPORTS',
        'KUBE-PROXY-FIREWALL',
      ],
      [
        'INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        'INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        'INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        'INPUT -j KUBE-FIREWALL',
        'FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        'FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        'FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        'FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        'OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        'OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        'OUTPUT -j KUBE-FIREWALL',
        'KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "shop/none:http has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30081 -j REJECT --reject-with icmp-port-unreachable',
        'KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
        'KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name x -j DROP',
        'KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
        'KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        'KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "shop/none:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
        'KUBE-PROXY-FIREWALL -d 10.99.0.5/32 -p tcp -m comment --comment "shop/lb:http traffic not accepted by KUBE-FW-LB" -m tcp --dport 80 -j DROP',
      ].filter((rule) => !rule.includes('nfacct')),
    ) +
    table(
      'nat',
      [
        ...NAT,
        'KUBE-SERVICES',
        'KUBE-NODEPORTS',
        'KUBE-POSTROUTING',
        'KUBE-MARK-MASQ',
        'KUBE-SVC-WEB',
        'KUBE-SEP-W1',
        'KUBE-SEP-W2',
        'KUBE-SEP-W3',
        'KUBE-EXT-WEB',
        'KUBE-SVC-DNS',
        'KUBE-SEP-D1',
        'KUBE-SVL-LOC',
        'KUBE-EXT-LOC',
        'KUBE-SEP-L1',
        'KUBE-SVC-LOC',
      ],
      [
        'PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        'OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        'POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
        'KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
        'KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
        'KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
        'KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
        'KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-WEB',
        'KUBE-SERVICES -d 10.99.0.1/32 -p tcp -m comment --comment "shop/web:http external IP" -m tcp --dport 80 -j KUBE-EXT-WEB',
        'KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/dns cluster IP" -m udp --dport 53 -j KUBE-SVC-DNS',
        'KUBE-SERVICES -d 10.96.0.3/32 -p tcp -m comment --comment "shop/local cluster IP" -m tcp --dport 443 -j KUBE-SVC-LOC',
        'KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
        'KUBE-NODEPORTS -p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-EXT-WEB',
        'KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m comment --comment "shop/local" -m tcp --dport 30443 -j KUBE-EXT-LOC',
        'KUBE-NODEPORTS -p tcp -m comment --comment "shop/local" -m tcp --dport 30443 -j KUBE-EXT-LOC',
        'KUBE-EXT-WEB -m comment --comment "masquerade traffic for shop/web:http external destinations" -j KUBE-MARK-MASQ',
        'KUBE-EXT-WEB -j KUBE-SVC-WEB',
        'KUBE-EXT-LOC -s 10.1.0.0/24 -m comment --comment "pod traffic for shop/local external destinations" -j KUBE-SVC-LOC',
        'KUBE-EXT-LOC -m comment --comment "masquerade LOCAL traffic for shop/local external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
        'KUBE-EXT-LOC -m comment --comment "route LOCAL traffic for shop/local external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-LOC',
        'KUBE-EXT-LOC -j KUBE-SVL-LOC',
        'KUBE-SVL-LOC -m comment --comment "shop/local has no local endpoints" -j MARK --set-xmark 0x8000/0x8000',
        'KUBE-SVC-WEB ! -s 10.1.0.0/24 -d 10.96.0.1/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ',
        'KUBE-SVC-WEB -m comment --comment "shop/web:http -> 10.2.0.2:8080" -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-W1',
        'KUBE-SVC-WEB -m comment --comment "shop/web:http -> 10.2.0.3:8080" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-W2',
        'KUBE-SVC-WEB -m comment --comment "shop/web:http -> 10.1.0.2:8080" -j KUBE-SEP-W3',
        'KUBE-SEP-W1 -s 10.2.0.2/32 -j KUBE-MARK-MASQ',
        'KUBE-SEP-W1 -p tcp -m tcp -j DNAT --to-destination 10.2.0.2:8080',
        'KUBE-SEP-W2 -s 10.2.0.3/32 -j KUBE-MARK-MASQ',
        'KUBE-SEP-W2 -p tcp -m tcp -j DNAT --to-destination 10.2.0.3:8080',
        'KUBE-SEP-W3 -s 10.1.0.2/32 -j KUBE-MARK-MASQ',
        'KUBE-SEP-W3 -p tcp -m tcp -j DNAT --to-destination 10.1.0.2:8080',
        'KUBE-SVC-DNS -m comment --comment "kube-system/dns -> 10.2.0.2:53" -j KUBE-SEP-D1',
        'KUBE-SEP-D1 -s 10.2.0.2/32 -j KUBE-MARK-MASQ',
        'KUBE-SEP-D1 -p udp -m udp -j DNAT --to-destination 10.2.0.2:53',
        'KUBE-SVC-LOC -j KUBE-SEP-L1',
        'KUBE-SEP-L1 -p tcp -m tcp -j DNAT --to-destination 10.2.0.2:8443',
      ],
    ),
}

const MARKS: RuleCase = {
  name: 'marks, goto and connmark across tables',
  family: 4,
  iptables:
    table('raw', RAW, [
      'PREROUTING -p udp -m udp --dport 53 -j CT --notrack',
      'PREROUTING -s 10.9.0.7/32 -j DROP',
      'OUTPUT -p udp -m udp --dport 53 -j CT --notrack',
      'PREROUTING -p tcp -m tcp --dport 8443 -j MARK --set-xmark 0x100/0xf00',
    ]) +
    table(
      'mangle',
      [...MANGLE, 'SORT', 'DEEP', 'END'],
      [
        'PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff',
        'PREROUTING -m mark ! --mark 0x0/0xff -j ACCEPT',
        'PREROUTING -i n0 -j SORT',
        'PREROUTING -m mark --mark 0x100/0xf00 -j MARK --or-mark 0x1000',
        'PREROUTING -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff',
        'SORT -p tcp -g DEEP',
        'SORT -p icmp -j MARK --set-mark 0x5',
        'SORT -j RETURN',
        'DEEP -m dscp --dscp 0x0a -j MARK --set-xmark 0x2/0xff',
        'DEEP -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xff',
        'DEEP -p tcp -m tcp --dport 443 -g END',
        'DEEP -m mark --mark 0x2 -j MARK --xor-mark 0x30',
        'END -j MARK --set-xmark 0x3/0xff',
        'END -j RETURN',
        'FORWARD -m mark --mark 0x1/0xff -j DSCP --set-dscp 0x2e',
        'FORWARD -m connmark --mark 0x3/0xff -j MARK --and-mark 0xfffffffe',
        'OUTPUT -m owner --uid-owner 1000 -j MARK --set-mark 0x7',
        'OUTPUT -m owner ! --uid-owner 0-999 -j MARK --or-mark 0x40',
        'OUTPUT -m owner --gid-owner 2000 -j MARK --or-mark 0x80',
        'POSTROUTING -o n1 -m mark --mark 0x2/0xff -j TTL --ttl-set 33',
      ],
    ) +
    table(
      'filter',
      [...FILTER, 'LOGDROP'],
      [
        'FORWARD -m mark --mark 0x32 -j ACCEPT',
        'FORWARD -m conntrack --ctstate INVALID -g LOGDROP',
        'FORWARD -m conntrack --ctstate UNTRACKED -j ACCEPT',
        'FORWARD -m mark --mark 0x2/0x2 -j ACCEPT',
        'FORWARD -m connmark --mark 0x5 -j REJECT --reject-with icmp-host-prohibited',
        'FORWARD -m mark --mark 0x1/0x1 -j ACCEPT',
        'FORWARD -p tcp -m mark --mark 0x1100/0x1f00 -j REJECT --reject-with tcp-reset',
        'FORWARD -m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY -j ACCEPT',
        'INPUT -m mark --mark 0x2/0x2 -j DROP',
        'OUTPUT -m mark --mark 0x7 -j DROP',
        'OUTPUT -m owner --socket-exists -j RETURN',
        'LOGDROP -m comment --comment "never logged here" -j NFLOG --nflog-group 3',
        'LOGDROP -j DROP',
      ],
    ),
}

const FIREWALL: RuleCase = {
  name: 'odd firewall: ranges, types, states, rejects',
  family: 4,
  ipset: [
    'create bad hash:ip family inet',
    'add bad 10.9.0.5',
    'add bad 10.1.0.2',
    'create nets hash:net family inet',
    'add nets 10.9.0.0/24',
    'add nets 10.9.0.8/29 nomatch',
    'create ports bitmap:port range 0-65535',
    'add ports 8080',
    'add ports 53',
    'create pairs hash:ip,port family inet',
    'add pairs 10.2.0.2,tcp:443',
    'add pairs 10.2.0.3,udp:53',
    'add pairs 10.2.0.2,icmp:8/0',
    'create triples hash:ip,port,net family inet',
    'add triples 10.9.0.1,tcp:80,10.2.0.0/28',
    'create vias hash:net,iface family inet',
    'add vias 10.9.0.0/29,n0',
    'create netports hash:net,port family inet',
    'add netports 10.3.0.0/16,tcp:80',
    'add netports 10.3.0.0/24,tcp:80 nomatch',
    'create all list:set',
    'add all bad',
    'add all nets',
    'create range bitmap:ip range 10.9.0.0-10.9.0.255',
    'add range 10.9.0.3-10.9.0.6',
  ].join('\n'),
  iptables: table(
    'filter',
    [...FILTER, 'SETS', 'CHECK'],
    [
      'FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      'FORWARD -m set --match-set all src -j SETS',
      'FORWARD -m set --match-set triples src,dst,dst -j REJECT --reject-with icmp-admin-prohibited',
      'FORWARD -m set --match-set vias src,src -p udp -j REJECT --reject-with icmp-net-unreachable',
      'FORWARD -m set ! --match-set range src -p icmp -j REJECT --reject-with icmp-proto-unreachable',
      'FORWARD -p tcp -m set --match-set netports dst,dst -j REJECT --reject-with tcp-reset',
      'FORWARD -m iprange --src-range 10.9.0.16-10.9.0.99 --dst-range 10.2.0.2-10.2.0.3 -j DROP',
      'FORWARD -m iprange ! --dst-range 10.2.0.0-10.3.255.255 -j CHECK',
      'FORWARD -p tcp -m multiport --dports 22,80:90,443 -j ACCEPT',
      'FORWARD -p udp -m multiport ! --dports 53,5353 -j REJECT',
      'FORWARD -p tcp -m multiport --ports 8080,40001:40100 -j DROP',
      'FORWARD -p tcp -m tcp --tcp-flags SYN,RST,ACK,FIN SYN -m length --length 0:39 -j DROP',
      'FORWARD -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP',
      'FORWARD -p icmp -m icmp --icmp-type 8/0 -m ttl --ttl-lt 65 -j ACCEPT',
      'FORWARD -p icmp -m icmp ! --icmp-type echo-request -j DROP',
      'FORWARD -m set --match-set ports dst -m comment --comment "of UDP and TCP" -j ACCEPT',
      'FORWARD -s 10.9.0.0/255.255.0.1 -j DROP',
      'SETS -m set --match-set pairs dst,dst -j RETURN',
      'SETS -m set ! --match-set nets src -j DROP',
      'SETS -p udp -j RETURN',
      'SETS -j REJECT --reject-with icmp-host-unreachable',
      'CHECK -m addrtype --dst-type MULTICAST -j DROP',
      'CHECK -m addrtype ! --dst-type UNICAST -j REJECT',
      'CHECK -m ttl --ttl-gt 62 -m tos --tos 0x28/0xfc -j DROP',
      'INPUT -m addrtype --dst-type LOCAL --limit-iface-in -p tcp -j ACCEPT',
      'INPUT -m addrtype ! --src-type LOCAL -p udp -j DROP',
      'INPUT -i lo -j ACCEPT',
      'INPUT -m pkttype --pkt-type unicast -p icmp -m conntrack --ctstate NEW -j REJECT --reject-with icmp-host-prohibited',
      'OUTPUT -o n1 -p tcp -m multiport --sports 40000:45000 -j ACCEPT',
      'OUTPUT -o lo+ -j ACCEPT',
      'OUTPUT ! -d 10.2.0.0/24 -p udp -j DROP',
      'OUTPUT -m owner --gid-owner 1000-3000 -j REJECT --reject-with icmp-net-prohibited',
    ],
  ).replace(':FORWARD ACCEPT', ':FORWARD DROP'),
}

const TRANSLATIONS: RuleCase = {
  name: 'translations: ranges, NETMAP, REDIRECT, hairpin, SNAT ports',
  family: 4,
  iptables:
    table(
      'nat',
      [...NAT, 'WEB'],
      [
        'PREROUTING -d 10.50.0.0/24 -j NETMAP --to 10.2.0.0/24',
        'PREROUTING -d 10.60.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.2.0.2-10.2.0.9:8080',
        'PREROUTING -d 10.60.0.1/32 -p udp -j DNAT --to-destination 10.2.0.2-10.2.0.9 --persistent',
        'PREROUTING -d 10.60.0.2/32 -p tcp -m tcp --dport 1000:2000 -j DNAT --to-destination 10.2.0.2:3000-3010',
        'PREROUTING -d 10.60.0.2/32 -p tcp -m tcp --dport 3000:3010 -j DNAT --to-destination 10.2.0.3:3000-3010',
        'PREROUTING -d 10.60.0.3/32 -p tcp -j DNAT --to-destination 10.2.0.4:5000-5003 --random',
        'PREROUTING -d 10.60.0.5/32 -p tcp -m tcp --dport 2000:2010 -j DNAT --to-destination 10.2.0.5:6000-6010/2000',
        'PREROUTING -i n0 -p tcp -m tcp --dport 8888 -j REDIRECT --to-ports 9999',
        'PREROUTING -i n0 -p udp -m udp --dport 8888 -j REDIRECT',
        'PREROUTING -d 10.60.0.4/32 -j DNAT --to-destination 10.1.0.2',
        'PREROUTING -j WEB',
        'WEB -d 10.2.0.200/32 -j RETURN',
        'WEB -p tcp -m tcp --dport 9090 -j DNAT --to-destination :9091',
        'INPUT -p tcp -m tcp --dport 9999 -j SNAT --to-source 10.7.7.7',
        'OUTPUT -p tcp -m tcp --dport 8888 -j REDIRECT --to-ports 9999',
        'OUTPUT -d 10.60.0.1/32 -p tcp -j DNAT --to-destination 10.2.0.2:8080',
        'OUTPUT -d 10.60.0.6/32 -j DNAT --to-destination 10.1.0.1',
        'POSTROUTING -s 10.1.0.0/24 -d 10.1.0.0/24 -j MASQUERADE',
        'POSTROUTING -o n1 -s 10.9.0.1/32 -j SNAT --to-source 10.2.0.100',
        'POSTROUTING -o n1 -s 10.9.0.2/32 -p tcp -j SNAT --to-source 10.2.0.101-10.2.0.110',
        'POSTROUTING -o n1 -s 10.9.0.3/32 -p tcp -j SNAT --to-source 10.2.0.120:7000-7003',
        'POSTROUTING -o n1 -s 10.9.0.4/32 -j NETMAP --to 10.99.0.0/16',
        'POSTROUTING -o n1 -s 10.9.0.5/32 -p udp -j MASQUERADE --to-ports 40000-50000',
        'POSTROUTING -o n1 -s 10.9.0.6/32 -j MASQUERADE --random',
        'POSTROUTING -o n1 -m addrtype ! --src-type LOCAL -p icmp -j MASQUERADE',
        'POSTROUTING -s 127.0.0.0/8 -o n1 -j MASQUERADE',
      ],
    ) +
    table('filter', FILTER, [
      'FORWARD -m conntrack --ctstate DNAT -j ACCEPT',
      'FORWARD -m conntrack --ctorigdst 10.60.0.0/16 -j DROP',
      'FORWARD -m conntrack --ctstate SNAT,NEW -p udp -j ACCEPT',
      'FORWARD -m conntrack --ctorigdstport 80 --ctproto 6 -j ACCEPT',
      'FORWARD -m conntrack ! --ctstatus CONFIRMED --ctreplsrc 10.2.0.3 -j DROP',
      'INPUT -m conntrack --ctorigdst 10.2.0.2 -j ACCEPT',
    ]),
}

const CHANCE: RuleCase = {
  name: 'statistic, every order of chains',
  family: 4,
  iptables: table(
    'filter',
    [...FILTER, 'A', 'B', 'C'],
    [
      'FORWARD -m statistic --mode nth --every 3 --packet 0 -j A',
      'FORWARD -m statistic --mode random --probability 0.25 -g B',
      'FORWARD -p udp -m statistic --mode random ! --probability 0.5 -j REJECT',
      'FORWARD -m statistic --mode nth ! --every 2 --packet 1 -j C',
      'A -p tcp -m statistic --mode random --probability 0.5 -j DROP',
      'A -j RETURN',
      'B -p icmp -j DROP',
      'C -j ACCEPT',
    ],
  ).replace(':FORWARD ACCEPT', ':FORWARD DROP'),
}

const SIX: RuleCase = {
  name: 'IPv6 services and firewall',
  family: 6,
  iptables:
    table(
      'nat',
      [...NAT, 'SVC', 'S1', 'S2', 'MASQ'],
      [
        'PREROUTING -d fd96::1/128 -p tcp -m tcp --dport 80 -j SVC',
        'PREROUTING -d fd50::/64 -j NETMAP --to fd02::/64',
        'PREROUTING -d fd60::1/128 -j DNAT --to-destination fd02::2-fd02::9',
        'PREROUTING -p tcp -m tcp --dport 8888 -j REDIRECT --to-ports 9999',
        'OUTPUT -d fd96::1/128 -p tcp -m tcp --dport 80 -j SVC',
        'SVC ! -s fd01::/64 -j MASQ',
        'SVC -m statistic --mode random --probability 0.5 -j S1',
        'SVC -j S2',
        'S1 -p tcp -j DNAT --to-destination [fd02::2]:8080',
        'S2 -p tcp -j DNAT --to-destination [fd02::3]:8081',
        'MASQ -j MARK --set-xmark 0x4000/0x4000',
        'POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE',
        'POSTROUTING -s fd09::3/128 -o n1 -j SNAT --to-source fd02::77',
      ],
    ) +
    table(
      'filter',
      [...FILTER, 'X'],
      [
        'FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        'FORWARD -s fd09::/125 -j X',
        'FORWARD -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT',
        'FORWARD -p tcp -m multiport --dports 80,8080:8081 -j ACCEPT',
        'FORWARD -m hl --hl-lt 20 -j DROP',
        'FORWARD -d fd02::3/128 -p udp -j DROP',
        'X -p udp -g X2',
        'X -m addrtype --dst-type UNICAST -j RETURN',
        'X -j DROP',
      ].map((rule) => rule.replace('-g X2', '-j DROP')),
    ),
}

export const IPTABLES_CASES: readonly RuleCase[] = [KUBE_PROXY, MARKS, FIREWALL, TRANSLATIONS, CHANCE, SIX]
