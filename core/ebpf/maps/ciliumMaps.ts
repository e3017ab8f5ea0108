// SPDX-License-Identifier: Apache-2.0

/** Cilium's maps that hold no data to decode: what they are, for views that list every map of a node. */

export interface DatalessMap {
  readonly name: RegExp
  readonly title: string
}

export const DATALESS: readonly DatalessMap[] = [
  {
    name: /^cilium_calls_(\d+|hostns_\d+|netdev_\d+|overlay_\d+|wireguard_\d+|xdp_\d+|xdp|custom.*)$/,
    title: 'Programs a program goes on with',
  },
  { name: /^cilium_(call|egresscall)_policy$/, title: 'Policy programs of the endpoints, by endpoint' },
  { name: /^cilium_events$/, title: 'Buffer of events for Hubble and cilium-dbg monitor' },
  { name: /^cilium_signals$/, title: 'Buffer of signals to the agent' },
  { name: /^cilium_(tail_call_buffer[46]|dsr_nat_buffer|nodeport_nat_buffer|xdp_scratch)$/, title: 'Memory between tail calls' },
]

/** What a map without a layout is for, if it is one of these. */
export function datalessTitle(name: string): string | undefined {
  return DATALESS.find((map) => map.name.test(name))?.title
}
