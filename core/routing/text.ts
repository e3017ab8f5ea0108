// SPDX-License-Identifier: Apache-2.0

import type { FactPlace, Netns, Route } from '../facts/netns.ts'
import { formatAddress } from '../net/address.ts'
import { formatPrefix } from '../net/prefix.ts'
import type { Evidence } from '../path/answer.ts'
import { tableName } from './rules.ts'

/** As `ip route` prints it. */
export function routeText(netns: Netns, route: Route): string {
  const words = [route.type === 'unicast' ? '' : route.type, route.dst.bits === 0 ? 'default' : formatPrefix(route.dst)]
  const hops = route.nexthops.map((nexthop) => {
    const via = nexthop.via === undefined ? '' : `via ${formatAddress(nexthop.via)} `
    return `${via}dev ${netns.devices.nameOf(nexthop.ifindex) ?? '?'}`
  })
  words.push(hops.length > 1 ? hops.map((hop) => `nexthop ${hop}`).join(' ') : (hops[0] ?? ''))
  if (route.table !== 254) words.push(`table ${tableName(route.table)}`)
  if (route.metric !== 0) words.push(`metric ${route.metric}`)
  if (route.prefsrc !== undefined) words.push(`src ${formatAddress(route.prefsrc)}`)
  return words.filter((word) => word !== '').join(' ')
}

export function factEvidence(place: FactPlace, text: string): Evidence {
  return { kind: 'fact', file: place.file, pointer: place.pointer, text }
}
