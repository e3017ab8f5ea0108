// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { Evidence } from '../../core/path/answer.ts'
import { EVIDENCE_SCHEME } from '../contributions.ts'

/** What of the facts a document shows. `facts` is a source's id for its current facts, or a trace's for those it used. */
export type EvidenceAddress =
  | { readonly facts: string; readonly view: 'file' | 'json'; readonly path: string }
  | { readonly facts: string; readonly view: 'object'; readonly kind: string; readonly namespace: string; readonly name: string }
  | { readonly facts: string; readonly view: 'map'; readonly map: string; readonly key: string; readonly value: string }

/** A fact file as it was collected. */
export function evidenceUri(facts: string, path: string): vscode.Uri {
  return addressUri({ facts, view: 'file', path })
}

/** The address travels as JSON in the query; the path is what people see in the tab. */
export function addressUri(address: EvidenceAddress): vscode.Uri {
  return vscode.Uri.from({ scheme: EVIDENCE_SCHEME, path: `/${titleOf(address)}`, query: JSON.stringify(address) })
}

export function parseAddress(uri: vscode.Uri): EvidenceAddress {
  return JSON.parse(uri.query) as EvidenceAddress
}

export function addressOf(facts: string, evidence: Evidence): EvidenceAddress {
  switch (evidence.kind) {
    case 'file':
      return { facts, view: 'file', path: evidence.file }
    case 'fact':
      return { facts, view: 'json', path: evidence.file }
    case 'object':
      return { facts, view: 'object', kind: evidence.object, namespace: evidence.namespace, name: evidence.name }
    case 'map':
      return { facts, view: 'map', map: evidence.map, key: evidence.key, value: evidence.value }
  }
}

function titleOf(address: EvidenceAddress): string {
  switch (address.view) {
    case 'file':
    case 'json':
      return address.path
    case 'object':
      return `${[address.kind, address.namespace, address.name].filter((part) => part !== '').join('/')}.yaml`
    case 'map':
      return `${address.map.replaceAll('/', '_')}.txt`
  }
}
