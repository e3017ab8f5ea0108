// SPDX-License-Identifier: Apache-2.0

import { html, type PropertyValues, type TemplateResult } from 'lit'
import uPlot from 'uplot'
import type { RateSeries } from '../../protocol/flowsPanel.ts'
import { LightElement } from '../components/lightElement.ts'
import { exact } from './figures.ts'

const HEIGHT = 76
/** Distances of the marks of time. */
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400]

/** Flows over time, forwarded and dropped. Dragging over it chooses a time. */
export class RateChart extends LightElement {
  static override properties = { series: { attribute: false } }

  declare series: RateSeries | null
  /** Seconds since 1970. */
  onChoose: (from: number, to: number) => void = () => {}

  #plot: uPlot | undefined
  readonly #resized = new ResizeObserver(() => this.#fit())
  /** VS Code tells of another theme by the body's class and the root's variables. */
  readonly #themed = new MutationObserver(() => this.#make())

  constructor() {
    super()
    this.series = null
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#resized.observe(this)
    this.#themed.observe(document.body, { attributes: true, attributeFilter: ['class'] })
  }

  override disconnectedCallback(): void {
    this.#resized.disconnect()
    this.#themed.disconnect()
    this.#plot?.destroy()
    this.#plot = undefined
    super.disconnectedCallback()
  }

  protected override render(): TemplateResult {
    return html`<div class="chart" role="img" aria-label=${words(this.series)}></div>
      <p class="chart-legend" aria-hidden="true"><span class="line forwarded"></span> forwarded <span class="line dropped"></span> dropped <span class="note">flows/s · drag to choose a time</span></p>`
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has('series') || this.series === null) return
    if (this.#plot === undefined) this.#make()
    else this.#plot.setData(dataOf(this.series))
  }

  #make(): void {
    const host = this.querySelector<HTMLElement>('.chart')
    if (host === null || this.series === null) return
    this.#plot?.destroy()
    this.#plot = new uPlot(this.#options(host.clientWidth), dataOf(this.series), host)
  }

  #fit(): void {
    const width = this.querySelector('.chart')?.clientWidth ?? 0
    if (this.#plot !== undefined && width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT })
  }

  #options(width: number): uPlot.Options {
    const colour = (name: string, other: string) => cssVariable(name) || cssVariable(other)
    const quiet = colour('--vscode-descriptionForeground', '--vscode-foreground')
    const grid = { stroke: colour('--vscode-panel-border', '--vscode-contrastBorder'), width: 1 }
    const font = `11px ${cssVariable('--vscode-font-family') || 'sans-serif'}`
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      scales: { y: { range: (_, __, max) => [0, ceiling(max)] } },
      axes: [
        { stroke: quiet, grid: { show: false }, ticks: grid, font, size: 24, gap: 3, incrs: SECONDS },
        {
          stroke: quiet,
          grid,
          ticks: { show: false },
          font,
          size: 44,
          gap: 4,
          splits: (plot) => [0, plot.scales['y']?.max ?? 1],
        },
      ],
      series: [
        {},
        { stroke: colour('--vscode-charts-green', '--vscode-foreground'), width: 1, paths: stepped(), points: { show: false } },
        {
          stroke: colour('--vscode-charts-red', '--vscode-errorForeground'),
          width: 2,
          dash: [4, 2],
          paths: stepped(),
          points: { show: false },
        },
      ],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      hooks: { setSelect: [(plot) => this.#chosen(plot)] },
    }
  }

  #chosen(plot: uPlot): void {
    const { left, width } = plot.select
    if (width < 3) return
    this.onChoose(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'))
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  }
}

/** The next of 1, 2, 5, 10, 20, … */
function ceiling(max: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, max)))
  return ([1, 2, 5, 10].find((step) => step * power >= max) ?? 10) * power
}

function stepped(): uPlot.Series.PathBuilder {
  const paths = uPlot.paths.stepped
  if (paths === undefined) throw new Error('uPlot has no stepped paths')
  return paths({ align: 1 })
}

function dataOf({ times, forwarded, dropped, step }: RateSeries): uPlot.AlignedData {
  const perSecond = (counts: readonly number[]) => counts.map((count) => count / step)
  return [[...times], perSecond(forwarded), perSecond(dropped)]
}

function words(series: RateSeries | null): string {
  if (series === null) return 'Rate of flows'
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0)
  const seconds = series.times.length * series.step
  return `Rate of flows: ${exact(sum(series.forwarded))} forwarded and ${exact(sum(series.dropped))} dropped in ${exact(seconds)} seconds`
}

function cssVariable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

customElements.define('rate-chart', RateChart)
