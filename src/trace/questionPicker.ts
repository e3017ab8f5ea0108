// SPDX-License-Identifier: Apache-2.0

/** Asks a question in up to three steps: from, to, port. Known parts are skipped; the last answers come first. */

import * as vscode from 'vscode'
import type { PodObject, ServiceObject } from '../../core/facts/objects.ts'
import type { ClusterObjects } from '../../core/facts/objectsIndex.ts'
import { formatAddress } from '../../core/net/address.ts'
import { PlaceError, parsePlace } from '../../core/path/place.ts'
import { printable } from '../../core/text/printable.ts'
import type { AskedTrace } from './question.ts'

interface PlaceItem extends vscode.QuickPickItem {
  readonly place?: string
}

const BACK = Symbol('back')
type Answer = string | typeof BACK | undefined

export interface PickerOptions {
  readonly objects: ClusterObjects
  /** Namespace whose pods come first. */
  readonly namespace: string
  /** Parts already known, from where the command was called. */
  readonly known: Partial<AskedTrace>
  readonly last: AskedTrace | undefined
}

/** Undefined: the person changed their mind. */
export async function pickQuestion(options: PickerOptions): Promise<AskedTrace | undefined> {
  const { objects, known, last } = options
  const total = 1 + (known.from === undefined ? 1 : 0) + (known.to === undefined ? 1 : 0)
  let from = known.from
  let to = known.to
  for (;;) {
    if (from === undefined) {
      const answer = await pickPlace(vscode.l10n.t('From'), fromItems(options), 1, total, last?.from, false)
      if (typeof answer !== 'string') return undefined
      from = answer
    }
    if (to === undefined) {
      const step = known.from === undefined ? 2 : 1
      const answer = await pickPlace(vscode.l10n.t('To'), toItems(options), step, total, last && withoutPort(last.to), step > 1)
      if (answer === undefined) return undefined
      if (answer === BACK) {
        from = undefined
        continue
      }
      to = answer
    }
    const full = await pickPort(objects, to, total, last, total > 1)
    if (full === undefined) return undefined
    if (full !== BACK) return { from, to: full }
    to = known.to
    if (to !== undefined) from = undefined
  }
}

function fromItems({ objects, namespace }: PickerOptions): PlaceItem[] {
  const near = (pod: PodObject) => (pod.meta.namespace === namespace ? 0 : 1)
  const pods = [...objects.pods.values()].toSorted((a, b) => near(a) - near(b) || a.meta.name.localeCompare(b.meta.name))
  return [separator(vscode.l10n.t('Pods')), ...pods.map(podItem), ...nodeItems(objects)]
}

function toItems({ objects, namespace }: PickerOptions): PlaceItem[] {
  const near = (service: ServiceObject) => (service.meta.namespace === namespace ? 0 : 1)
  const services = [...objects.services.values()].toSorted((a, b) => near(a) - near(b) || a.meta.name.localeCompare(b.meta.name))
  const pods = [...objects.pods.values()]
  return [
    separator(vscode.l10n.t('Services')),
    ...services.map(serviceItem),
    separator(vscode.l10n.t('Pods')),
    ...pods.map(podItem),
    ...nodeItems(objects),
  ]
}

function podItem(pod: PodObject): PlaceItem {
  const { namespace, name } = pod.meta
  const description = [pod.podIPs.map(formatAddress)[0], pod.nodeName].filter((part) => part !== undefined).join(' · ')
  return {
    label: `$(package) ${printable(`${namespace}/${name}`)}`,
    description: printable(description),
    place: `pod:${namespace}/${name}`,
  }
}

function serviceItem(service: ServiceObject): PlaceItem {
  const { namespace, name } = service.meta
  const ports = service.ports.map((port) => `${port.port}/${port.protocol}`).join(', ')
  const description = [service.clusterIPs.map(formatAddress)[0], ports].filter((part) => part !== undefined).join(' · ')
  return {
    label: `$(symbol-interface) ${printable(`${namespace}/${name}`)}`,
    description: printable(description),
    place: `svc:${namespace}/${name}`,
  }
}

function nodeItems(objects: ClusterObjects): PlaceItem[] {
  const items = [...objects.nodes.values()].map(
    (node): PlaceItem => ({
      label: `$(server) ${printable(node.meta.name)}`,
      description: node.internalIPs.map(formatAddress)[0] ?? '',
      place: `host:${node.meta.name}`,
    }),
  )
  return items.length === 0 ? [] : [separator(vscode.l10n.t('Nodes')), ...items]
}

function separator(label: string): PlaceItem {
  return { label, kind: vscode.QuickPickItemKind.Separator }
}

function pickPlace(
  what: string,
  items: PlaceItem[],
  step: number,
  total: number,
  last: string | undefined,
  canGoBack: boolean,
): Promise<Answer> {
  const pick = vscode.window.createQuickPick<PlaceItem>()
  pick.title = vscode.l10n.t('Trace Packet: {0}', what)
  pick.step = step
  pick.totalSteps = total
  pick.placeholder = vscode.l10n.t('Choose, or type an address')
  pick.ignoreFocusOut = true
  pick.matchOnDescription = true
  pick.buttons = canGoBack ? [vscode.QuickInputButtons.Back] : []
  pick.items = items
  const remembered = items.find((item) => item.place !== undefined && item.place === last)
  if (remembered !== undefined) pick.activeItems = [remembered]
  // A typed address is offered first, as it is.
  pick.onDidChangeValue((value) => {
    const typed = typedPlace(value.trim())
    pick.items = typed === undefined ? items : [typed, ...items]
  })
  return answered(pick, () => pick.activeItems[0]?.place)
}

function typedPlace(text: string): PlaceItem | undefined {
  try {
    const place = parsePlace(text)
    return { label: `$(edit) ${printable(text)}`, description: vscode.l10n.t('as typed'), alwaysShow: true, place: place.text }
  } catch (error) {
    if (error instanceof PlaceError) return undefined
    throw error
  }
}

async function pickPort(
  objects: ClusterObjects,
  to: string,
  total: number,
  last: AskedTrace | undefined,
  canGoBack: boolean,
): Promise<Answer> {
  const place = parsePlace(to)
  if (place.port !== undefined || (place.protocol !== undefined && !/^(6|17|132)$/.test(String(place.protocol)))) return to
  const ports = knownPorts(objects, to)
  const only = ports[0]
  if (ports.length === 1 && only !== undefined && place.kind === 'service') return `${to}:${only}`
  const pick = vscode.window.createQuickPick<PlaceItem>()
  pick.title = vscode.l10n.t('Trace Packet: Port and Protocol')
  pick.step = total
  pick.totalSteps = total
  pick.placeholder = vscode.l10n.t('Port/protocol, for example 5432/TCP')
  pick.ignoreFocusOut = true
  pick.buttons = canGoBack ? [vscode.QuickInputButtons.Back] : []
  const items = ports.map((port): PlaceItem => ({ label: port, place: port }))
  pick.items = items
  const before = last === undefined ? undefined : /:(\d+\/\w+)$/.exec(last.to)?.[1]
  const remembered = items.find((item) => item.place === before)
  if (remembered !== undefined) pick.activeItems = [remembered]
  pick.onDidChangeValue((value) => {
    const typed = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(value.trim())
    const port = typed && `${typed[1]}/${(typed[2] ?? 'TCP').toUpperCase()}`
    pick.items =
      port === null ? items : [{ label: port, alwaysShow: true, place: port }, ...items.filter((item) => item.place !== port)]
  })
  const answer = await answered(pick, () => pick.activeItems[0]?.place)
  if (typeof answer !== 'string') return answer
  return place.kind === 'address' && place.address.family === 6 && !to.startsWith('[') ? `[${to}]:${answer}` : `${to}:${answer}`
}

/** Ports of the service or the pod's containers, as "80/TCP". */
function knownPorts(objects: ClusterObjects, to: string): string[] {
  const place = parsePlace(to)
  if (place.kind !== 'pod' && place.kind !== 'service') return []
  const key = `${place.namespace}/${place.name}`
  if (place.kind === 'service') return objects.services.get(key)?.ports.map((port) => `${port.port}/${port.protocol}`) ?? []
  return [...new Set(objects.pods.get(key)?.ports.map((port) => `${port.containerPort}/${port.protocol}`) ?? [])]
}

function withoutPort(to: string): string {
  return to.replace(/:\d+\/\w+$/, '')
}

function answered(pick: vscode.QuickPick<PlaceItem>, value: () => string | undefined): Promise<Answer> {
  return new Promise((resolve) => {
    pick.onDidAccept(() => {
      const chosen = value()
      if (chosen !== undefined) settle(chosen)
    })
    pick.onDidTriggerButton(() => settle(BACK))
    pick.onDidHide(() => settle(undefined))
    const settle = (answer: Answer) => {
      resolve(answer)
      pick.dispose()
    }
    pick.show()
  })
}
