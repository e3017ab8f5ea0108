// SPDX-License-Identifier: Apache-2.0

import { Graph, layout } from '@dagrejs/dagre'
import type { MapEdge, MapNode, MapOfServices } from '../../protocol/flowsPanel.ts'

export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface PlacedNode extends Box {
  readonly node: MapNode
}

export interface PlacedEdge {
  readonly edge: MapEdge
  readonly points: readonly { readonly x: number; readonly y: number }[]
  readonly label: { readonly x: number; readonly y: number }
}

export interface Drawing {
  readonly width: number
  readonly height: number
  readonly nodes: readonly PlacedNode[]
  readonly edges: readonly PlacedEdge[]
  readonly namespaces: readonly (Box & { readonly name: string })[]
}

const NODE_HEIGHT = 30
const MAX_NAME = 28

/** From callers on the left to what they call on the right, each namespace in a box of its own. */
export function layOutMap({ nodes, edges }: MapOfServices): Drawing {
  const graph = new Graph({ compound: true, multigraph: true })
  graph.setGraph({ rankdir: 'LR', nodesep: 18, ranksep: 110, marginx: 16, marginy: 16 })
  graph.setDefaultEdgeLabel(() => ({}))
  const namespaces = [...new Set(nodes.map(({ namespace }) => namespace).filter((name) => name !== ''))]
  for (const name of namespaces) graph.setNode(boxId(name), {})
  for (const node of nodes) {
    graph.setNode(node.id, { width: Math.max(72, shortName(node.name).length * 7.2 + 34), height: NODE_HEIGHT })
    if (node.namespace !== '') graph.setParent(node.id, boxId(node.namespace))
  }
  for (const [index, edge] of edges.entries()) {
    graph.setEdge(
      { v: edge.from, w: edge.to, name: String(index) },
      { width: edgeLabel(edge).length * 6.4, height: 16, labelpos: 'c' },
    )
  }
  layout(graph)
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return {
    width,
    height: height + 12,
    nodes: nodes.map((node) => ({ node, ...boxOf(graph.node(node.id)) })),
    edges: edges.map((edge, index) => {
      const {
        points,
        x = 0,
        y = 0,
      } = graph.edge({ v: edge.from, w: edge.to, name: String(index) }) as {
        points: { x: number; y: number }[]
        x?: number
        y?: number
      }
      return { edge, points, label: { x, y } }
    }),
    namespaces: namespaces.map((name) => ({ name, ...boxOf(graph.node(boxId(name))) })),
  }
}

export function shortName(name: string): string {
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 1)}…`
}

/** "5432/TCP +1" */
export function edgeLabel({ ports }: MapEdge): string {
  return ports.length <= 1 ? (ports[0] ?? '') : `${ports[0]} +${ports.length - 1}`
}

/** A line through the points, bent gently. */
export function pathOf(points: PlacedEdge['points']): string {
  const [start, ...rest] = points
  if (start === undefined) return ''
  const bends = rest.slice(0, -1).map(({ x, y }, index) => {
    const next = rest[index + 1] ?? { x, y }
    return `Q${x} ${y} ${(x + next.x) / 2} ${(y + next.y) / 2}`
  })
  const end = rest.at(-1) ?? start
  return [`M${start.x} ${start.y}`, ...bends, `L${end.x} ${end.y}`].join('')
}

/** Dagre gives centres. */
function boxOf(node: unknown): Box {
  const { x = 0, y = 0, width = 0, height = 0 } = node as Partial<Box>
  return { x: x - width / 2, y: y - height / 2, width, height }
}

function boxId(namespace: string): string {
  return `namespace ${namespace}`
}
