// SPDX-License-Identifier: Apache-2.0

import { svg, type TemplateResult } from 'lit'
import { html } from 'lit'
import type { Weight } from '../../core/path/weight.ts'

export type Glyph = Weight | 'fold' | 'end' | 'absent'

/** What a shape means, for those who don't see it. */
export const GLYPH_WORDS: Readonly<Record<Glyph, string>> = {
  decisive: 'Changed or decided:',
  passing: 'Passed:',
  idle: 'Passed:',
  wall: 'Stopped:',
  unknown: 'Unknown:',
  bypass: 'Bypassed:',
  fold: 'Folded:',
  end: 'Arrives:',
  absent: 'Not here:',
}

const SHAPES: Readonly<Record<Glyph, TemplateResult>> = {
  decisive: svg`<path class="solid" d="M8 1.5 14.5 8 8 14.5 1.5 8Z"/>`,
  passing: svg`<path class="hollow" d="M8 3.5 12.5 8 8 12.5 3.5 8Z"/>`,
  idle: svg`<circle class="hollow" cx="8" cy="8" r="2.5"/>`,
  wall: svg`<path class="stop" d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z"/><path class="mark" d="m5.5 5.5 5 5m0-5-5 5"/>`,
  unknown: svg`<circle class="hollow wide" cx="8" cy="8" r="6.5"/><path class="mark" d="M6 6.3c0-1.2.9-2 2-2s2 .8 2 1.9c0 1.6-2 1.5-2 3.2"/><circle class="dot" cx="8" cy="11.6" r=".9"/>`,
  bypass: svg`<path class="mark" d="M3 8h10"/>`,
  fold: svg`<circle class="dot" cx="8" cy="3.5" r="1.3"/><circle class="dot" cx="8" cy="8" r="1.3"/><circle class="dot" cx="8" cy="12.5" r="1.3"/>`,
  end: svg`<circle class="solid" cx="8" cy="8" r="6.5"/><path class="inverse" d="m4.8 8.2 2.2 2.3 4.2-4.6"/>`,
  absent: svg`<path class="mark faint" d="M4 8h8"/>`,
}

/** `on` marks the shapes the lane's line runs through. */
export function glyph(shape: Glyph, lane: number, on: boolean): TemplateResult {
  return html`<svg class="glyph ${shape}" viewBox="0 0 16 16" aria-hidden="true" data-way=${on ? lane : 'none'}>${SHAPES[shape]}</svg>`
}
