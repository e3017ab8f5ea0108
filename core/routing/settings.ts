// SPDX-License-Identifier: Apache-2.0

import type { Netns } from '../facts/netns.ts'
import type { Family } from '../net/address.ts'

/** Per-device settings, `net.ipv4.conf.<device>.<name>` and the like, combined with `all` as include/linux/inetdevice.h does. */

/** The kernel's built-in values, for settings that were not collected. */
const DEFAULTS: Readonly<Record<string, number>> = { forwarding: 0, rp_filter: 0, accept_local: 0, route_localnet: 0 }

export interface Setting {
  readonly value: number
  /** The sysctl that decides, for evidence. */
  readonly key: string
  readonly known: boolean
}

/** The device's own value (IN_DEV_CONF_GET). */
export function ownSetting(netns: Netns, family: Family, device: string, name: string): Setting {
  const base = `net.ipv${family}.conf.`
  const key = `${base}${device}.${name}`
  // sysctl(8) swaps dots in device names for slashes; files under /proc/sys keep them.
  const text = netns.sysctl(key) ?? netns.sysctl(`${base}${device.replaceAll('.', '/')}.${name}`)
  return parsed(text, key, name)
}

/** True when either `all` or the device says so (IN_DEV_ORCONF). */
export function eitherSetting(netns: Netns, family: Family, device: string, name: string): Setting {
  const all = ownSetting(netns, family, 'all', name)
  return all.value !== 0 ? all : ownSetting(netns, family, device, name)
}

/** The greater of `all` and the device (IN_DEV_MAXCONF). */
export function maxSetting(netns: Netns, family: Family, device: string, name: string): Setting {
  const all = ownSetting(netns, family, 'all', name)
  const own = ownSetting(netns, family, device, name)
  return all.value > own.value ? all : own
}

/** A setting of the whole namespace. */
export function globalSetting(netns: Netns, key: string, fallback: number): Setting {
  const value = netns.sysctl(key)
  return value === undefined ? { value: fallback, key, known: false } : { value: Number.parseInt(value, 10), key, known: true }
}

function parsed(text: string | undefined, key: string, name: string): Setting {
  const value = text === undefined ? Number.NaN : Number.parseInt(text, 10)
  return Number.isNaN(value) ? { value: DEFAULTS[name] ?? 0, key, known: false } : { value, key, known: true }
}
