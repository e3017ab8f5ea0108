// SPDX-License-Identifier: Apache-2.0

import type { FactFiles } from './files.ts'
import { ClusterObjects, type ObjectDocument } from './objectsIndex.ts'
import type { FactProblem } from './objectsShape.ts'
import { loadNodeSnapshot, type NodeSnapshot, readShape } from './snapshot.ts'

/** Everything Plumbline knows about a cluster: its objects, and a snapshot of some or all of its nodes. */
export interface ClusterFacts {
  /** What a person would recognise it by. */
  readonly name: string
  readonly objects: ClusterObjects
  /** By node name. */
  readonly nodes: ReadonlyMap<string, NodeSnapshot>
  /** Files that could not be used, each once. */
  readonly problems: readonly FactProblem[]
}

/** Reads the files of a bundle (docs/bundle.md), from wherever they come. Nothing throws: what is broken is a problem. */
export function loadCluster(files: FactFiles): ClusterFacts {
  const unreadable: FactProblem[] = []
  const documents = files
    .list()
    .filter((path) => path.startsWith('objects/') && path.endsWith('.json'))
    .map((file): ObjectDocument => ({ file, pointer: '', value: readShape(files, file, unreadable).value }))
  const objects = new ClusterObjects(documents)
  const nodes = new Map(nodeNames(files).map((node) => [node, loadNodeSnapshot(files, node)]))
  const wrong = objects.problems.map((problem) => asWritten(files, problem))
  const problems = [...unreadable, ...wrong, ...[...nodes.values()].flatMap((node) => node.problems)]
  return { name: files.name, objects, nodes, problems }
}

/** At the place a person wrote it, for objects from manifests. */
function asWritten(files: FactFiles, problem: FactProblem): FactProblem {
  const origin = files.origin?.(problem.file, problem.pointer)
  if (origin === undefined) return problem
  const { file, line, pointer } = origin
  return { ...problem, file: line === undefined ? file : `${file}:${line}`, pointer }
}

/** Facts from objects alone, as `--objects` gives them. */
export function clusterOfObjects(name: string, documents: Iterable<ObjectDocument>): ClusterFacts {
  const objects = new ClusterObjects(documents)
  return { name, objects, nodes: new Map(), problems: objects.problems }
}

function nodeNames(files: FactFiles): readonly string[] {
  const names = files
    .list()
    .filter((path) => path.startsWith('nodes/'))
    .flatMap((path) => path.split('/')[1] ?? [])
  return [...new Set(names)].sort()
}
