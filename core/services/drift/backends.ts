// SPDX-License-Identifier: Apache-2.0

import type { Entry } from '../../ebpf/cilium/entries.ts'
import { formatEndpoint } from '../../net/address.ts'
import type { Evidence } from '../../path/answer.ts'
import type { Backend } from '../backends.ts'
import { type ExpectedFrontend, objectEvidence } from './expected.ts'
import { backendName, frontendName } from './phrases.ts'
import type { ProgrammedFrontend, ProgrammedServices } from './programmed.ts'
import type { DriftFinding } from './report.ts'

const STATES: Readonly<Record<number, string>> = { 0: 'active', 1: 'terminating', 2: 'quarantined', 3: 'in maintenance' }

/** Backends among which a frontend's connections are balanced. @param reported backends without an entry, each told once */
export function compareBackends(
  frontend: ExpectedFrontend,
  found: ProgrammedFrontend,
  programmed: ProgrammedServices,
  reported: Map<number, ExpectedFrontend>,
): readonly DriftFinding[] {
  const unknown = unknownBackends(frontend, found, programmed, reported)
  const there = new Map(
    found.slots.flatMap(({ backend }) => (backend === undefined ? [] : [[endpointOf(backend), backend] as const])),
  )
  const asked = new Map(frontend.backends.map((backend) => [formatEndpoint(backend.address, backend.port), backend]))
  const extra = [...there].filter(([endpoint]) => !asked.has(endpoint))
  const lacking = [...asked].filter(([endpoint]) => !there.has(endpoint)).map(([, backend]) => backend)
  const states = [...there].flatMap(([endpoint, backend]) => {
    const wanted = asked.get(endpoint)
    return wanted === undefined ? [] : wrongState(frontend, wanted, backend)
  })
  // A backend that has no entry can't be told from one that has no slot: it is told of once, above.
  const unexplained = unknown.dangling > 0 ? lacking.slice(unknown.dangling) : lacking
  if (unexplained.length === 0 && extra.length === 0) return [...unknown.findings, ...states]
  return [...unknown.findings, different(frontend, found, unexplained, extra), ...states]
}

function endpointOf(backend: Entry): string {
  return formatEndpoint(backend.valueAddress('address'), backend.value('port'))
}

/** Slots that name a backend which is in no map. */
function unknownBackends(
  frontend: ExpectedFrontend,
  { slots }: ProgrammedFrontend,
  { family }: ProgrammedServices,
  reported: Map<number, ExpectedFrontend>,
): { readonly findings: readonly DriftFinding[]; readonly dangling: number } {
  const dangling = slots.filter(({ entry, backend }) => entry !== undefined && backend === undefined)
  const map = `cilium_lb${family}_backends_v3`
  const findings = dangling.flatMap(({ entry }): readonly DriftFinding[] => {
    const id = entry?.value('backend') ?? 0
    if (entry === undefined || reported.has(id)) return []
    reported.set(id, frontend)
    return [
      {
        kind: 'backend-unknown',
        severity: 'error',
        subject: frontend.subject,
        text: `${frontendName(frontend)} is balanced to backend ${id}, which ${map} does not have: such connections fail`,
        expected: `backend ${id}`,
        programmed: null,
        evidence: [frontend.evidence, entry.evidence, { kind: 'map', map, key: `id=${id}`, value: 'no entry' }],
      },
    ]
  })
  return { findings, dangling: dangling.length }
}

function different(
  frontend: ExpectedFrontend,
  found: ProgrammedFrontend,
  lacking: readonly Backend[],
  extra: readonly (readonly [string, Entry])[],
): DriftFinding {
  const parts = [
    ...(lacking.length === 0 ? [] : [`lacks ${lacking.map(backendName).join(', ')}`]),
    ...(extra.length === 0 ? [] : [`has ${extra.map(([endpoint]) => endpoint).join(', ')}, which no usable endpoint is`]),
  ]
  const some = found.slots.length > 0
  return {
    kind: 'backends-different',
    severity: extra.length > 0 || !some ? 'error' : 'warning',
    subject: frontend.subject,
    text: `${frontendName(frontend)} ${some ? parts.join(', and ') : `has no backends, and should have ${frontend.backends.map(backendName).join(', ')}`}`,
    expected: frontend.backends.map(({ address, port }) => formatEndpoint(address, port)).join(', ') || 'no backends',
    programmed:
      found.slots.flatMap(({ backend }) => (backend === undefined ? [] : [endpointOf(backend)])).join(', ') || 'no backends',
    evidence: [...sliceEvidence(frontend, lacking), found.master.evidence, ...extra.map(([, backend]) => backend.evidence)],
  }
}

/** Where the API says so: the endpoints that are lacking, or else who asks for the frontend. */
function sliceEvidence(frontend: ExpectedFrontend, lacking: readonly Backend[]): readonly Evidence[] {
  const slices = lacking.flatMap(({ slice }) =>
    slice === undefined ? [] : [objectEvidence({ meta: slice.object.meta }, `endpoints[${slice.endpoint}]`)],
  )
  return slices.length === 0 ? [frontend.evidence] : slices
}

/** Health checks quarantine by themselves; that a backend terminates is what the API says, or not. */
function wrongState(frontend: ExpectedFrontend, wanted: Backend, backend: Entry): readonly DriftFinding[] {
  const state = backend.value('state')
  const { slice } = wanted
  const ready = slice === undefined || (slice.object.endpoints[slice.endpoint]?.ready ?? true)
  if (state === 0 || (state === 1 && !ready)) return []
  const name = STATES[state] ?? `in state ${state}`
  return [
    {
      kind: 'backend-state',
      severity: state === 1 ? 'warning' : 'info',
      subject: frontend.subject,
      text: `${backendName(wanted)}, a backend of ${frontendName(frontend)}, is ${name} on the node and ready to the API`,
      expected: 'active',
      programmed: name,
      evidence: [...sliceEvidence(frontend, [wanted]), backend.evidence],
    },
  ]
}
