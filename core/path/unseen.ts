// SPDX-License-Identifier: Apache-2.0

import { Devices, type Netns } from '../facts/netns.ts'

/** Stands for a namespace that no snapshot shows: without rules, routes and devices. */
export function unseenNetns(node: string, label: string): Netns {
  const nothing: readonly never[] = []
  return {
    node,
    id: label === 'host' ? 'host' : '',
    label,
    folder: `nodes/${node}`,
    pods: nothing,
    devices: new Devices(nothing),
    addresses: nothing,
    routes: nothing,
    rules: nothing,
    neighbours: nothing,
    conntrack: undefined,
    kernelRelease: '',
    sysctl: () => undefined,
    text: () => undefined,
  }
}
