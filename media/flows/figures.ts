// SPDX-License-Identifier: Apache-2.0

/** Exact, with thin spaces between thousands: "1 204". */
export function exact(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, '\u202f')
}

/** Exact below ten thousand, in thousands and millions above: "86 k", "1.2 M". */
export function brief(count: number): string {
  if (count < 10_000) return exact(count)
  return count < 1_000_000 ? `${exact(Math.floor(count / 1000))} k` : `${(Math.floor(count / 100_000) / 10).toFixed(1)} M`
}
