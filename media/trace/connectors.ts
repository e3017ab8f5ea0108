// SPDX-License-Identifier: Apache-2.0

/** Draws each lane's way through its shapes, dashed and bowed where it goes past places the other lane visits. */

const SVG = 'http://www.w3.org/2000/svg'
const BOW = 9
const BEND = 12

interface Point {
  readonly x: number
  readonly y: number
  /** Whether places were passed by on the way here. */
  readonly past: boolean
}

/** Fills the element's `svg.connectors`, which lies under its table. Shapes on the way carry `data-way`, gaps `data-past`. */
export function drawConnectors(element: HTMLElement): void {
  const canvas = element.querySelector<SVGElement>('svg.connectors')
  if (canvas === null) return
  const frame = element.getBoundingClientRect()
  const lanes = new Map<string, Point[]>()
  const past = new Set<string>()
  for (const mark of element.querySelectorAll<HTMLElement | SVGElement>('[data-way], [data-past]')) {
    const { way, past: gap } = mark.dataset
    if (gap !== undefined && gap !== 'none') past.add(gap)
    if (way === undefined || way === 'none') continue
    const { left, top, width, height } = mark.getBoundingClientRect()
    const point = { x: left - frame.left + width / 2, y: top - frame.top + height / 2, past: past.delete(way) }
    lanes.set(way, [...(lanes.get(way) ?? []), point])
  }
  canvas.setAttribute('width', String(frame.width))
  canvas.setAttribute('height', String(element.scrollHeight))
  canvas.replaceChildren(...[...lanes].flatMap(([lane, points]) => segments(lane, points)))
}

function segments(lane: string, points: readonly Point[]): readonly SVGElement[] {
  return points.slice(1).map((to, index) => {
    const from = points[index] ?? to
    const path = document.createElementNS(SVG, 'path')
    path.setAttribute('class', `way lane-${lane} ${to.past ? 'past' : ''}`)
    path.setAttribute('d', to.past ? bowed(from, to) : `M${from.x} ${from.y}L${to.x} ${to.y}`)
    return path
  })
}

function bowed(from: Point, to: Point): string {
  const x = from.x - BOW
  const bend = Math.min(BEND, (to.y - from.y) / 2)
  return `M${from.x} ${from.y}Q${x} ${from.y} ${x} ${from.y + bend}V${to.y - bend}Q${x} ${to.y} ${to.x} ${to.y}`
}
