// SPDX-License-Identifier: Apache-2.0

import type { Timestamp } from './flow.ts'

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/

/** RFC 3339, as protobuf's JSON has it. Undefined when the text is none, or no such moment exists. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = RFC3339.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHours, offsetMinutes] = match
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const offset = sign === undefined ? 0 : Number(`${sign}1`) * (Number(offsetHours) * 3600 + Number(offsetMinutes) * 60)
  const seconds = date.getTime() / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset
  return { seconds, nanos: Number(fraction.padEnd(9, '0')) }
}

/** As protobuf's JSON writes it: UTC, with 0, 3, 6 or 9 digits behind the point. */
export function formatTimestamp({ seconds, nanos }: Timestamp): string {
  const whole = new Date(seconds * 1000).toISOString().replace(/\.000Z$/, '')
  const digits = String(nanos).padStart(9, '0')
  const fraction = nanos === 0 ? '' : `.${digits.replace(/(?:000){1,2}$/, '')}`
  return `${whole}${fraction}Z`
}

const UNITS: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 }

/**
 * A moment as Hubble's --since takes it: how long ago (`5m`, `1h30m`), a date, or a date and time with zone down to the hour, the
 * minute or more.
 *
 * @throws Error that shows the forms.
 */
export function parseMoment(text: string, now: Timestamp): Timestamp {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h|d)/gy)]
  if (parts.length > 0 && parts.reduce((length, [part]) => length + part.length, 0) === text.length) {
    const ago = parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0), 0)
    return earlier(now, ago)
  }
  const date = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d))?$/.exec(text)
  const [, day, hour = '00', minute = '00', zone = 'Z'] = date ?? []
  const moment = parseTimestamp(date === null ? text : `${day}T${hour}:${minute}:00${zone}`)
  if (moment === undefined) throw new Error(`\`${text}\` is no time: 5m, 2006-01-02 or 2006-01-02T15:04:05Z`)
  return moment
}

function earlier({ seconds, nanos }: Timestamp, ago: number): Timestamp {
  const left = nanos - Math.round((ago % 1) * 1e9)
  const borrowed = Math.floor(left / 1e9)
  return { seconds: seconds - Math.floor(ago) + borrowed, nanos: left - borrowed * 1e9 }
}
