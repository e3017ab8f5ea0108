// SPDX-License-Identifier: Apache-2.0

import { html, nothing, svg, type TemplateResult } from 'lit'
import { printable } from '../../core/text/printable.ts'
import type { MapEdge, MapNode, MapOfServices } from '../../protocol/flowsPanel.ts'
import { linkButton } from '../components/controls.ts'
import { icon } from '../components/icon.ts'
import { foreign } from '../components/text.ts'
import { exact } from './figures.ts'
import { edgeLabel, type Drawing, layOutMap, pathOf, type PlacedEdge, type PlacedNode, shortName } from './mapLayout.ts'

let drawn: { readonly map: MapOfServices; readonly drawing: Drawing } | undefined

/** Who talks to whom: a picture, and the same as a list. A press on an end or a line shows its flows. */
export function serviceMap(map: MapOfServices | null, onFilter: (text: string) => void): TemplateResult {
  if (map === null) return html`<p class="note waiting-note" role="status">Drawing the map…</p>`
  if (drawn?.map !== map) drawn = { map, drawing: layOutMap(map) }
  const { drawing } = drawn
  return html`<div class="service-map">
    <div class="map-picture" tabindex="0" role="group" aria-label="Service map">
      <svg width=${drawing.width} height=${drawing.height} viewBox="0 0 ${drawing.width} ${drawing.height}" role="group" aria-label="Who talks to whom">
        <defs>
          ${['forwarded', 'dropped'].map((kind) => svg`<marker id="map-end-${kind}" class="map-end ${kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"></path></marker>`)}
        </defs>
        ${drawing.namespaces.map(({ x, y, width, height, name }) => svg`<g class="map-namespace" aria-hidden="true"><rect x=${x} y=${y} width=${width} height=${height} rx="6"></rect><text x=${x + 8} y=${y + 13}>${printable(name)}</text></g>`)}
        ${drawing.edges.map((edge) => edgeView(edge, map, onFilter))}
        ${drawing.nodes.map((node) => nodeView(node, onFilter))}
      </svg>
    </div>
    <div class="map-list" role="region" aria-label="Who talks to whom, as a list" tabindex="0">
      ${map.left === 0 ? nothing : html`<p class="note">${icon('info')} ${exact(map.left)} less busy ends are left out. A filter makes them visible.</p>`}
      <ul>${map.edges.map((edge) => edgeLine(edge, map, onFilter))}</ul>
    </div>
  </div>`
}

function nodeView({ node, x, y, width, height }: PlacedNode, onFilter: (text: string) => void): TemplateResult {
  const label = `${node.namespace === '' ? '' : `${node.namespace}/`}${node.name}`
  return svg`<g class="map-node ${node.kind}" role="button" tabindex="0" aria-label=${printable(`${shortName(node.name)}: show flows of ${label}`)}
      @click=${() => onFilter(node.filter)} @keydown=${(event: KeyboardEvent) => press(event, () => onFilter(node.filter))}>
      <title>${printable(label)}</title>
      <rect x=${x} y=${y} width=${width} height=${height} rx=${node.kind === 'workload' ? 5 : height / 2}></rect>
      <text x=${x + width / 2} y=${y + height / 2 + 4} text-anchor="middle">${printable(shortName(node.name))}</text>
    </g>` as TemplateResult
}

function edgeView({ edge, points, label }: PlacedEdge, map: MapOfServices, onFilter: (text: string) => void): TemplateResult {
  const kind = edge.dropped > 0 ? 'dropped' : 'forwarded'
  const path = pathOf(points)
  const text = edge.dropped > 0 ? `${edgeLabel(edge)} ⊘ ${exact(edge.dropped)}` : edgeLabel(edge)
  return svg`<g class="map-edge ${kind}" role="button" tabindex="0" aria-label=${printable(`${text}: ${edgeWords(edge, map)}`)}
      @click=${() => onFilter(edge.filter)} @keydown=${(event: KeyboardEvent) => press(event, () => onFilter(edge.filter))}>
      <title>${edgeWords(edge, map)}</title>
      <path class="map-hit" d=${path}></path>
      <path class="map-line" d=${path} marker-end="url(#map-end-${kind})"></path>
      <text x=${label.x} y=${label.y - 4} text-anchor="middle">${printable(text)}</text>
    </g>` as TemplateResult
}

function edgeLine(edge: MapEdge, map: MapOfServices, onFilter: (text: string) => void): TemplateResult {
  const { from, to } = ends(edge, map)
  return html`<li>
    ${edge.dropped > 0 ? icon('circle-slash', { tone: 'bad' }) : icon('check', { tone: 'good' })}
    ${foreign(from)} ${icon('arrow-right', { tone: 'quiet' })}<span class="spoken"> to </span> ${foreign(to)}
    <p><span class="note">${foreign(edge.ports.join(', '))} · ${exact(edge.forwarded)} forwarded${edge.dropped > 0 ? html` · <span class="bad">${exact(edge.dropped)} dropped</span>` : nothing}</span>
    ${linkButton('Show Flows', `Show Flows: ${edgeWords(edge, map)}`, () => onFilter(edge.filter))}</p>
  </li>`
}

function edgeWords(edge: MapEdge, map: MapOfServices): string {
  const { from, to } = ends(edge, map)
  const ports = edge.ports.length === 0 ? '' : ` at ${edge.ports.join(', ')}`
  return printable(`${from} to ${to}${ports}: ${exact(edge.forwarded)} forwarded, ${exact(edge.dropped)} dropped`)
}

function ends({ from, to }: MapEdge, { nodes }: MapOfServices): { readonly from: string; readonly to: string } {
  const name = (id: string) => {
    const node: MapNode | undefined = nodes.find((each) => each.id === id)
    return node === undefined ? id : node.namespace === '' ? node.name : `${node.namespace}/${node.name}`
  }
  return { from: name(from), to: name(to) }
}

function press(event: KeyboardEvent, act: () => void): void {
  if (event.key !== 'Enter' && event.key !== ' ') return
  event.preventDefault()
  act()
}
