// SPDX-License-Identifier: Apache-2.0

import type { OptionGroup } from '../command.ts'
import type { OptionSpec } from '../options.ts'

/** Filters, named and meant as the hubble client's (Cilium 1.19); core/flows/hubbleFlags.ts reads them. */
export const FILTER_OPTIONS: OptionGroup = {
  title: "Filters, as the hubble client's; the same one again: either value; different ones: both",
  options: [
    { name: 'not', takes: 'switch', help: 'Reverses the next filter' },
    ...ends('pod', '[NS/]PREFIX', 'Pods by the beginning of their names; without NS in `default`'),
    ...ends('namespace', 'NAME', 'Pods of a namespace', 'n'),
    ...ends('service', '[NS/]PREFIX', 'Services by the beginning of their names'),
    ...ends('workload', '[KIND/]NAME', 'Workloads'),
    ...ends('label', 'SELECTOR', 'Labels, as `app=web` or `reserved:world`', 'l'),
    ...ends('identity', 'ID', "Cilium's identities, by number or reserved name"),
    ...ends('ip', 'ADDR|CIDR', 'Addresses or networks'),
    ...ends('fqdn', 'PATTERN', 'DNS names, with `*`'),
    ...ends('port', 'PORT', 'Ports'),
    ...ends('cluster', 'NAME', 'Clusters'),
    ...['all-namespaces', 'from-all-namespaces', 'to-all-namespaces'].map(
      (name): OptionSpec => ({
        name,
        ...(name === 'all-namespaces' && { short: 'A' }),
        takes: 'switch',
        help: 'Pods of any namespace',
      }),
    ),
    { name: 'snat-ip', takes: 'each', placeholder: 'ADDR|CIDR', help: 'Source address after NAT' },
    { name: 'protocol', takes: 'each', placeholder: 'NAME', help: 'tcp, udp, sctp, icmp, icmpv4, icmpv6, http, dns, kafka' },
    { name: 'ip-version', takes: 'each', placeholder: 'v4|v6|none', help: 'Address family' },
    { name: 'ipv4', short: '4', takes: 'switch', help: 'IPv4 only' },
    { name: 'ipv6', short: '6', takes: 'switch', help: 'IPv6 only' },
    { name: 'tcp-flags', takes: 'each', placeholder: 'FLAGS', help: 'All of these TCP flags, as `syn,ack`' },
    {
      name: 'verdict',
      takes: 'each',
      placeholder: 'NAME',
      help: 'FORWARDED, DROPPED, AUDIT, REDIRECTED, ERROR, TRACED, TRANSLATED',
    },
    { name: 'drop-reason-desc', takes: 'each', placeholder: 'NAME', help: 'Reason of a drop, as POLICY_DENIED' },
    { name: 'traffic-direction', takes: 'each', placeholder: 'NAME', help: 'ingress or egress' },
    {
      name: 'type',
      short: 't',
      takes: 'each',
      placeholder: 'TYPE[:SUBTYPE]',
      help: 'Kind of event: drop, trace:to-endpoint, policy-verdict, l7, …',
    },
    { name: 'interface', takes: 'each', placeholder: 'NAME', help: 'Network interface' },
    { name: 'node-name', takes: 'each', placeholder: 'PATTERN', help: 'Nodes that saw it, with `*`' },
    { name: 'node-label', takes: 'each', placeholder: 'SELECTOR', help: 'Labels of nodes that saw it' },
    { name: 'encrypted', takes: 'switch', help: 'Encrypted ones' },
    { name: 'unencrypted', takes: 'switch', help: 'Others' },
    { name: 'uuid', takes: 'each', placeholder: 'UUID', help: 'The very flow' },
    { name: 'trace-id', takes: 'each', placeholder: 'ID', help: 'OpenTelemetry trace' },
    { name: 'ip-trace-id', takes: 'each', placeholder: 'ID', help: 'Trace id in IP options' },
    { name: 'http-status', takes: 'each', placeholder: 'CODE', help: 'HTTP status, as 404 or 5+' },
    { name: 'http-method', takes: 'each', placeholder: 'NAME', help: 'HTTP method' },
    { name: 'http-path', takes: 'each', placeholder: 'REGEX', help: 'HTTP path' },
    { name: 'http-url', takes: 'each', placeholder: 'REGEX', help: 'HTTP URL' },
    { name: 'http-header', takes: 'each', placeholder: 'KEY:VALUE', help: 'HTTP header' },
    { name: 'allowlist', takes: 'each', placeholder: 'JSON', help: 'Flows that one of these FlowFilters matches' },
    { name: 'denylist', takes: 'each', placeholder: 'JSON', help: 'No flow that one of these FlowFilters matches' },
  ],
}

/** A filter for either end, the source and the destination. */
function ends(name: string, placeholder: string, help: string, short?: string): readonly OptionSpec[] {
  return [
    { name, ...(short !== undefined && { short }), takes: 'each', placeholder, help },
    { name: `from-${name}`, takes: 'each', placeholder, help: 'The same, of the source' },
    { name: `to-${name}`, takes: 'each', placeholder, help: 'The same, of the destination' },
  ]
}

export const SELECTION_OPTIONS: OptionGroup = {
  title: 'Which flows',
  options: [
    { name: 'last', takes: 'value', placeholder: 'N', help: 'The newest N of each node; 20 unless something else is asked' },
    { name: 'first', takes: 'value', placeholder: 'N', help: 'The oldest N of each node' },
    { name: 'all', takes: 'flag', help: 'All that are remembered' },
    { name: 'since', takes: 'value', placeholder: 'TIME', help: 'Not older than: 5m, 1h30m, 2026-01-31, RFC 3339' },
    { name: 'until', takes: 'value', placeholder: 'TIME', help: 'Not newer than' },
    { name: 'follow', short: 'f', takes: 'flag', help: 'Go on with new flows, until Ctrl-C' },
  ],
}

export const SERVER_OPTIONS: OptionGroup = {
  title: 'Which Hubble; by default the relay of the cluster, else the agents on its nodes',
  options: [
    {
      name: 'server',
      takes: 'value',
      placeholder: 'ADDRESS',
      help: 'host:port, tls://host:port or unix:///path, reached from this machine',
    },
    { name: 'port-forward', short: 'P', takes: 'flag', help: 'The relay, and nothing else' },
    {
      name: 'relay',
      takes: 'value',
      placeholder: '[NS/]SERVICE',
      help: "The relay's Service, if it is not labelled k8s-app=hubble-relay",
    },
    { name: 'node', takes: 'each', placeholder: 'NAME', help: 'This node, by its agent; may be repeated' },
    { name: 'tls', takes: 'flag', help: 'The server speaks TLS' },
    { name: 'tls-allow-insecure', takes: 'flag', help: 'Trust whoever answers' },
    { name: 'tls-ca-cert-files', takes: 'each', placeholder: 'FILE', help: "CA of the server's certificate; may be repeated" },
    { name: 'tls-client-cert-file', takes: 'value', placeholder: 'FILE', help: "Client's certificate" },
    { name: 'tls-client-key-file', takes: 'value', placeholder: 'FILE', help: 'Its key' },
    { name: 'tls-server-name', takes: 'value', placeholder: 'NAME', help: "Name in the server's certificate" },
  ],
}

export const OUTPUT_OPTIONS: OptionGroup = {
  title: 'Output',
  options: [
    {
      name: 'output',
      short: 'o',
      takes: 'value',
      choices: ['json', 'jsonpb', 'compact', 'dict', 'table'],
      help: 'Default: table on a terminal (compact with --follow), else json',
    },
    { name: 'json', takes: 'flag', help: 'The same as -o json: one flow a line, as the hubble client prints it' },
  ],
}
