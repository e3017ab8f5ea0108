// SPDX-License-Identifier: Apache-2.0

/**
 * How fast iptables-save is read, against iptables' own reader (`iptables-legacy-restore --test`) and against JSON.parse of as
 * many bytes: the floor for reading text in JavaScript. "index" finds tables, chains and rules, as a trace needs it; "whole"
 * takes every rule apart and lists all problems.
 */
import { spawnSync } from 'node:child_process'
import { parseIptablesSave } from '../core/netfilter/iptables/save.ts'
import { print, takeTurns, timed } from './measure.ts'
import { kubeProxyIptables } from './ruleset-generator.ts'

const smoke = process.argv.includes('--smoke')
const sizes = smoke ? [50] : [10_000, 30_000]
const rounds = smoke ? 1 : 7

/** Milliseconds of the peer, without the time a process takes to start. */
function restore(text: string): number {
  return timed(() => spawnSync('iptables-legacy-restore', ['--test'], { input: text }))
}

const peer = process.getuid?.() === 0 && spawnSync('iptables-legacy-restore', ['--version']).status === 0
if (!peer) print('skipped: comparison with iptables-legacy-restore needs root and that tool')

for (const services of sizes) {
  const text = kubeProxyIptables({ services, endpointsPerService: 1 })
  const rules = text.split('\n').filter((line) => line.startsWith('-A')).length
  const json = JSON.stringify(text.split('\n'))
  const medians = await takeTurns(
    [
      { name: 'index', run: () => timed(() => parseIptablesSave(text, 'bench')) },
      { name: 'whole', run: () => timed(() => parseIptablesSave(text, 'bench').problems.length) },
      { name: 'JSON.parse', run: () => timed(() => JSON.parse(json)) },
      ...(peer
        ? [
            { name: 'restore --test', run: () => restore(text) },
            { name: 'start', run: () => restore('') },
          ]
        : []),
    ],
    rounds,
  )
  const of = (name: string) => medians.get(name) ?? Number.NaN
  const rate = (name: string) => `${Math.round(rules / of(name))}k rules/s`
  print(`${services} services, ${rules} rules, ${(text.length / 1e6).toFixed(1)} MB; median of ${rounds}`)
  print(`  index ${rate('index')}, whole ${rate('whole')}`)
  print(
    `  against JSON.parse of the same bytes: index ${(of('index') / of('JSON.parse')).toFixed(1)}×, whole ${(of('whole') / of('JSON.parse')).toFixed(1)}× its time`,
  )
  if (peer) {
    const theirs = of('restore --test') - of('start')
    print(
      `  iptables-legacy-restore --test ${Math.round(rules / theirs)}k rules/s: index ${(theirs / of('index')).toFixed(1)}×, whole ${(theirs / of('whole')).toFixed(1)}× as fast`,
    )
  }
}
