// SPDX-License-Identifier: Apache-2.0

/**
 * Arrow keys in the lanes' grid. A stop is whatever can be focused: a step, a fold, or a cell in which there is nothing. Up and
 * down stay in the lane, left and right in the row; Escape closes the fold one is in.
 */
export function moveFocus(grid: HTMLElement, event: KeyboardEvent): boolean {
  const stop = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>('[data-stop]') : null
  if (stop === null || event.altKey || event.metaKey) return false
  const target = next(grid, stop, event.ctrlKey ? `Control+${event.key}` : event.key)
  if (target === null || target === undefined) return false
  target.focus()
  target.scrollIntoView({ block: 'nearest' })
  return true
}

function next(grid: HTMLElement, stop: HTMLElement, key: string): HTMLElement | null | undefined {
  const lane = Number(stop.dataset['lane'])
  switch (key) {
    case 'ArrowDown':
      return neighbour(inLane(grid, lane), stop, 1)
    case 'ArrowUp':
      return neighbour(inLane(grid, lane), stop, -1)
    case 'ArrowRight':
      return beside(grid, stop, lane + 1)
    case 'ArrowLeft':
      return beside(grid, stop, lane - 1)
    case 'Home':
      return inLane(grid, lane)[0]
    case 'End':
      return inLane(grid, lane).at(-1)
    case 'Control+Home':
      return all(grid, '[data-stop]')[0]
    case 'Control+End':
      return all(grid, '[data-stop]').at(-1)
    case 'Escape':
      return closeFold(grid, stop)
    default:
      return null
  }
}

function all(grid: HTMLElement, selector: string): readonly HTMLElement[] {
  return [...grid.querySelectorAll<HTMLElement>(selector)]
}

function inLane(grid: HTMLElement, lane: number): readonly HTMLElement[] {
  return all(grid, `[data-stop][data-lane="${lane}"]`)
}

function neighbour(stops: readonly HTMLElement[], stop: HTMLElement, by: number): HTMLElement | undefined {
  return stops[stops.indexOf(stop) + by]
}

/** The stop of the other lane in the same row; the one at the same position, when a cell has several. */
function beside(grid: HTMLElement, stop: HTMLElement, lane: number): HTMLElement | undefined {
  const row = (of: number) => inLane(grid, of).filter(({ dataset }) => dataset['row'] === stop.dataset['row'])
  const targets = row(lane)
  return targets[Math.min(row(Number(stop.dataset['lane'])).indexOf(stop), targets.length - 1)]
}

/** The nearest open fold above, in the same lane. */
function closeFold(grid: HTMLElement, stop: HTMLElement): HTMLElement | undefined {
  const stops = inLane(grid, Number(stop.dataset['lane']))
  const fold = stops.slice(0, stops.indexOf(stop) + 1).findLast((other) => other.getAttribute('aria-expanded') === 'true')
  fold?.click()
  return fold
}
