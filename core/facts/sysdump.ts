// SPDX-License-Identifier: Apache-2.0

import { FactsError } from './error.ts'
import type { FactFiles } from './files.ts'
import { objectFiles } from './manifests.ts'

/**
 * `cilium sysdump` names each file of API objects after the resource and the moment it was taken
 * (cilium-cli/sysdump/constants.go), with the leading "cilium-sysdump-<moment>/" in archives of some versions.
 */
const OBJECT_FILE =
  /^(?:[^/]+\/)?(?:k8s-(?:nodes|namespaces|pods|services|endpoints|endpointslices|networkpolicies)|cilium(?:networkpolicies|clusterwidenetworkpolicies|endpoints|endpointslices|identities|nodes|cidrgroups)|gatewayapi-[a-z]+)-\d{8}-\d{6}\.yaml$/

/** Flows that a node's Hubble remembered, as JSON lines; named after its Cilium agent's pod. */
const FLOW_FILE = /^(?:[^/]+\/)?hubble-flows-(.+)-\d{8}-\d{6}\.json$/

/** Present in every sysdump that could reach the API server. */
const NODES_FILE = /^(?:[^/]+\/)?k8s-nodes-\d{8}-\d{6}\.yaml$/

/** Whether these paths are those of a Cilium sysdump. */
export function isSysdump(paths: readonly string[]): boolean {
  return (
    paths.some((path) => NODES_FILE.test(path)) || paths.some((path) => /^(?:[^/]+\/)?cilium-bugtool-.+\.tar\.gz$/.test(path))
  )
}

/** Which files of a sysdump are read. */
export function isSysdumpFile(path: string): boolean {
  return OBJECT_FILE.test(path) || FLOW_FILE.test(path)
}

/** The cluster objects and flows of a Cilium sysdump, as a bundle's files. Node snapshots are not imported. Throws FactsError. */
export function importSysdump(files: FactFiles): FactFiles {
  const contents = (path: string) => files.read(path) ?? new Uint8Array()
  const paths = files.list().filter((path) => OBJECT_FILE.test(path))
  if (paths.length === 0) throw new FactsError('is a Cilium sysdump without Kubernetes objects', { file: files.name })
  const objects = objectFiles(
    files.name,
    paths.map((path) => ({ file: `${files.name}/${path}`, bytes: contents(path) })),
  )
  const flows = new Map<string, string>(
    files.list().flatMap((path) => {
      const pod = FLOW_FILE.exec(path)?.[1]
      return pod === undefined ? [] : [[`flows/${pod}.jsonl`, path] as const]
    }),
  )
  const read = (path: string) => {
    const flowFile = flows.get(path)
    return flowFile === undefined ? objects.read(path) : contents(flowFile)
  }
  return { ...objects, list: () => [...flows.keys(), ...objects.list()].sort(), read }
}
