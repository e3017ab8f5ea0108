// SPDX-License-Identifier: Apache-2.0

import type { FactFiles } from './files.ts'
import { MapDumps } from './mapDumps.ts'
import { type Device, type DeviceAddress, Devices, type Neighbour, type Netns, type Route, type RoutingRule } from './netns.ts'
import { parseConntrack, parseDeviceAddress, parseLink, parseNeighbour, parseRoute, parseRule } from './netnsParse.ts'
import type { ConntrackFile } from './node.ts'
import { type FactProblem, Shape } from './objectsShape.ts'
import { decodeText, parseJson } from './text.ts'

/** All facts of one node at one moment, each read when first asked for. */
export class NodeSnapshot {
  readonly node: string
  /** "nodes/<node>" */
  readonly folder: string
  readonly kernelRelease: string
  readonly capturedAt: string | undefined
  readonly bootId: string | undefined
  /** By folder name: "host", or an inode number. */
  readonly netns: ReadonlyMap<string, Netns>
  /** What the agent could not read (paths relative to the bundle), and what could not be read here. Grows as facts are read. */
  readonly problems: FactProblem[] = []

  readonly #files: FactFiles
  readonly #podNetns: ReadonlyMap<string, string>
  #maps: MapDumps | undefined

  constructor(files: FactFiles, node: string) {
    this.#files = files
    this.node = node
    this.folder = `nodes/${node}`
    const info = readShape(files, `${this.folder}/node.json`, this.problems)
    this.kernelRelease = info.field('kernelRelease').text() ?? ''
    this.capturedAt = info.field('capturedAt').text()
    this.bootId = info.field('bootId').text()
    for (const problem of info.field('problems').items()) {
      const path = problem.field('path').text() ?? ''
      this.problems.push({ file: `${this.folder}/${path}`, pointer: '', reason: problem.field('reason').text() ?? 'missing' })
    }
    this.netns = this.#namespaces(files)
    this.#podNetns = this.#pods(files)
  }

  get host(): Netns | undefined {
    return this.netns.get('host')
  }

  /** Contents of eBPF maps. */
  get maps(): MapDumps {
    this.#maps ??= new MapDumps(this.#files, this.folder, this.shape('bpf/maps/index.json'), this.problems)
    return this.#maps
  }

  /** One of the node's JSON files; absent when there is none. */
  shape(path: string): Shape {
    return readShape(this.#files, `${this.folder}/${path}`, this.problems)
  }

  /** The namespace a pod lives in; undefined when the snapshot doesn't have it. */
  netnsOfPod(namespace: string, name: string): Netns | undefined {
    return this.netns.get(this.#podNetns.get(`${namespace}/${name}`) ?? '')
  }

  #namespaces(files: FactFiles): ReadonlyMap<string, Netns> {
    const prefix = `${this.folder}/netns/`
    const ids = new Set(
      files
        .list()
        .filter((path) => path.startsWith(prefix))
        .flatMap((path) => path.slice(prefix.length).split('/', 1)),
    )
    return new Map([...ids].sort().map((id) => [id, new FileNetns(files, this, id)]))
  }

  #pods(files: FactFiles): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    for (const netns of this.netns.values()) {
      for (const pod of netns.pods) found.set(`${pod.namespace}/${pod.name}`, netns.id)
    }
    const listed = readShape(files, `${this.folder}/pods.json`, this.problems)
    for (const pod of listed.field('pods').items()) {
      const netns = pod.field('netns').text()
      if (netns !== undefined) found.set(`${pod.field('namespace').text()}/${pod.field('name').text()}`, netns)
    }
    return found
  }
}

export function loadNodeSnapshot(files: FactFiles, node: string): NodeSnapshot {
  return new NodeSnapshot(files, node)
}

class FileNetns implements Netns {
  readonly node: string
  readonly id: string
  readonly folder: string
  readonly kernelRelease: string
  readonly pods: Netns['pods']
  readonly label: string

  readonly #files: FactFiles
  readonly #problems: FactProblem[]
  #devices: Devices | undefined
  #addresses: readonly DeviceAddress[] | undefined
  #routes: readonly Route[] | undefined
  #rules: readonly RoutingRule[] | undefined
  #neighbours: readonly Neighbour[] | undefined
  #conntrack: ConntrackFile | null | undefined
  #sysctls: ReadonlyMap<string, string> | undefined

  constructor(files: FactFiles, snapshot: NodeSnapshot, id: string) {
    this.#files = files
    this.#problems = snapshot.problems
    this.node = snapshot.node
    this.kernelRelease = snapshot.kernelRelease
    this.id = id
    this.folder = `${snapshot.folder}/netns/${id}`
    this.pods = this.#shape('netns.json')
      .field('pods')
      .items()
      .map((pod) => ({ namespace: pod.field('namespace').text() ?? '', name: pod.field('name').text() ?? '' }))
    const pod = this.pods[0]
    this.label = id === 'host' || pod === undefined ? id : `pod:${pod.namespace}/${pod.name}`
  }

  get devices(): Devices {
    this.#devices ??= new Devices(this.#list<Device>('links.json', parseLink))
    return this.#devices
  }

  get addresses(): readonly DeviceAddress[] {
    this.#addresses ??= this.#list('addresses.json', parseDeviceAddress)
    return this.#addresses
  }

  get routes(): readonly Route[] {
    this.#routes ??= this.#list('routes.json', parseRoute)
    return this.#routes
  }

  get rules(): readonly RoutingRule[] {
    this.#rules ??= this.#list('rules.json', parseRule).toSorted((a, b) => a.priority - b.priority)
    return this.#rules
  }

  get neighbours(): readonly Neighbour[] {
    this.#neighbours ??= this.#list('neighbours.json', parseNeighbour)
    return this.#neighbours
  }

  get conntrack(): ConntrackFile | undefined {
    if (this.#conntrack === undefined) {
      const shape = this.#shape('conntrack.json')
      this.#conntrack = shape.present ? parseConntrack(shape) : null
    }
    return this.#conntrack ?? undefined
  }

  sysctl(key: string): string | undefined {
    this.#sysctls ??= this.#shape('sysctl.json').strings()
    return this.#sysctls.get(key)
  }

  text(file: string): string | undefined {
    const path = `${this.folder}/${file}`
    const bytes = this.#files.read(path)
    return bytes === undefined ? undefined : guarded(path, this.#problems, () => decodeText(bytes, path))
  }

  #shape(file: string): Shape {
    return readShape(this.#files, `${this.folder}/${file}`, this.#problems)
  }

  #list<T>(file: string, parse: (shape: Shape) => T | undefined): readonly T[] {
    return this.#shape(file)
      .items()
      .flatMap((item) => parse(item) ?? [])
  }
}

/** The file's JSON; an absent or broken file gives an absent value. */
export function readShape(files: FactFiles, path: string, problems: FactProblem[]): Shape {
  const bytes = files.read(path)
  const value = bytes === undefined ? undefined : guarded(path, problems, () => parseJson(bytes, path))
  return new Shape(value, path, '', problems)
}

function guarded<T>(path: string, problems: FactProblem[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    problems.push({ file: path, pointer: '', reason: error instanceof Error ? error.message : String(error) })
    return undefined
  }
}
