// SPDX-License-Identifier: Apache-2.0

import type { Evidence } from '../../core/path/answer.ts'

export interface EvidenceText {
  /** Where it stands: "iptables-nft-save.4.txt:218". */
  readonly where: string
  /** The whole place: "nodes/node-a/netns/host/iptables-nft-save.4.txt:218". */
  readonly fullWhere: string
  /** What stands there; empty for objects, which are opened. */
  readonly quote: string
}

export function evidenceText(evidence: Evidence): EvidenceText {
  switch (evidence.kind) {
    case 'file':
      return placed(evidence.file, `:${evidence.line}`, evidence.text)
    case 'fact':
      return placed(evidence.file, evidence.pointer === '' ? '' : `#${evidence.pointer}`, evidence.text)
    case 'map':
      return { where: evidence.map, fullWhere: `map ${evidence.map}`, quote: `${evidence.key} → ${evidence.value}` }
    case 'object': {
      const name = evidence.namespace === '' ? evidence.name : `${evidence.namespace}/${evidence.name}`
      const where = `${evidence.object} ${name}`
      return { where, fullWhere: `${evidence.apiVersion} ${where}`, quote: evidence.field }
    }
  }
}

function placed(file: string, position: string, quote: string): EvidenceText {
  return { where: `${file.slice(file.lastIndexOf('/') + 1)}${position}`, fullWhere: `${file}${position}`, quote }
}
