// SPDX-License-Identifier: Apache-2.0

/** Who keeps an eBPF program on a node, and what tells. The kernel remembers no loader, so pins, names and maps have to. */
export interface ProgramOwner {
  /** "cilium", "plumbline", "systemd", …; "unknown" when nothing tells. */
  readonly name: string
  /** What tells, as the end of "it is theirs, because …". */
  readonly because: string
}

/** What is known of a program beyond its attachment. */
export interface OwnerHints {
  readonly name: string
  readonly type: string
  /** The agent loaded it itself. */
  readonly own: boolean
  /** Pins of the program and of its link. */
  readonly pins: readonly string[]
  readonly cgroup: string | undefined
  /** Paths of the pinned maps it uses. */
  readonly mapPins: readonly string[]
}

const PINS: readonly (readonly [path: RegExp, owner: string])[] = [
  [/\/plumbline\//, 'plumbline'],
  [/\/cilium\/|\/cilium_[^/]*$/, 'cilium'],
  [/\/(calico|cali)[^/]*\/|\/cali_[^/]*$/, 'calico'],
  [/\/globals\/aws\//, 'aws-network-policy'],
  [/\/antrea\//, 'antrea'],
  [/\/istio|\/ambient/, 'istio'],
  [/\/tetragon\//, 'tetragon'],
  [/\/netd_shared\//, 'android'],
]

const NAMES: readonly (readonly [name: RegExp, owner: string])[] = [
  [/^cil_/, 'cilium'],
  [/^cali_|^calico_/, 'calico'],
  [/^sd_/, 'systemd'],
  [/^pl_|^plumbline/, 'plumbline'],
  [/^generic_[kp]probe|^tetragon/, 'tetragon'],
]

/** Container managers name the control groups of containers so. */
const CONTAINER = /(cri-containerd|crio|docker|libpod)[-:]|\/kubepods[^/]*\/.+/
const UNIT = /\/([^/]+\.(service|scope|slice|socket))$/

export function programOwner(hints: OwnerHints): ProgramOwner {
  const { name, type, own, pins, cgroup, mapPins } = hints
  if (own) return { name: 'plumbline', because: 'the agent loaded it' }
  const pinned = ownerByPin(pins)
  if (pinned !== undefined) return { name: pinned.owner, because: `it is pinned at ${pinned.path}` }
  const named = match(NAMES, name)
  if (named !== undefined) return { name: named, because: `it is called ${name}` }
  const byMap = ownerByPin(mapPins)
  if (byMap !== undefined) return { name: byMap.owner, because: `it uses the map pinned at ${byMap.path}` }
  if (cgroup !== undefined && type === 'cgroup_device' && CONTAINER.test(cgroup))
    return { name: 'container runtime', because: `it guards the devices of the container in ${cgroup}` }
  const unit = UNIT.exec(cgroup ?? '')?.[1]
  if (unit !== undefined) return { name: 'systemd', because: `it is attached to the control group of ${unit}` }
  return { name: 'unknown', because: 'it has no pin, and neither its name nor its maps tell' }
}

function ownerByPin(paths: readonly string[]): { readonly owner: string; readonly path: string } | undefined {
  for (const path of paths) {
    const owner = match(PINS, path)
    if (owner !== undefined) return { owner, path }
  }
  return undefined
}

function match(patterns: readonly (readonly [RegExp, string])[], text: string): string | undefined {
  return patterns.find(([pattern]) => pattern.test(text))?.[1]
}
