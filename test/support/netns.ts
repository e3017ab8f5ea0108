// SPDX-License-Identifier: Apache-2.0

import { spawnSync } from 'node:child_process'
import { memoryFiles } from '../../core/facts/memory.ts'
import type { Netns } from '../../core/facts/netns.ts'
import { loadNodeSnapshot } from '../../core/facts/snapshot.ts'
import { addressFacts, linkFacts, neighbourFacts, routeFacts, ruleFacts } from './iproute2.ts'

/** Why network namespaces can't be used here; false when they can. Fits node:test's `skip`. */
export function withoutNetns(): string | false {
  if (process.getuid?.() !== 0) return 'skipped: needs root, to make network namespaces'
  return spawnSync('ip', ['-V']).error === undefined ? false : 'skipped: needs iproute2'
}

export interface Output {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export function run(command: string, args: readonly string[], input?: string): Output {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (error) throw error
  return { status: status ?? -1, stdout, stderr }
}

/** A network namespace of the test's own, removed at the end. */
export class TestNetns implements Disposable {
  readonly name: string

  constructor(name: string) {
    this.name = name
    run('ip', ['netns', 'del', name])
    this.must('ip', ['netns', 'add', name])
  }

  [Symbol.dispose](): void {
    run('ip', ['netns', 'del', this.name])
  }

  exec(command: string, args: readonly string[], input?: string): Output {
    return run('ip', ['netns', 'exec', this.name, command, ...args], input)
  }

  /** `ip` commands, one a line; those that fail are skipped. Gives the numbers (from 1) and reasons of those that failed. */
  ip(
    lines: readonly string[],
    options: readonly string[] = [],
  ): { readonly stdout: string; readonly failed: ReadonlyMap<number, string> } {
    const args = ['-n', this.name, ...options, '-force', '-batch', '-']
    const { stdout, stderr } = run('ip', args, `${lines.join('\n')}\n`)
    const failed = new Map<number, string>()
    let reason = ''
    for (const line of stderr.split('\n')) {
      const match = /^Command failed -:(\d+)/.exec(line)
      if (match) failed.set(Number(match[1]), reason)
      else if (line !== '') reason = line
    }
    return { stdout, failed }
  }

  sysctl(settings: Readonly<Record<string, string | number>>): void {
    const lines = Object.entries(settings).map(([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`)
    this.must('ip', ['netns', 'exec', this.name, 'sh', '-c', lines.join('\n')])
  }

  /** What a snapshot of it would hold. Sysctls are those asked for. */
  facts(sysctls: Readonly<Record<string, string>>, kernelRelease = run('uname', ['-r']).stdout.trim()): Netns {
    const json = (...args: readonly string[]) => JSON.parse(run('ip', ['-n', this.name, '-j', '-d', ...args]).stdout || '[]')
    const rawLinks = json('addr')
    const links = linkFacts(rawLinks)
    const files = {
      'netns/host/netns.json': { inode: '1', pods: [] },
      'netns/host/sysctl.json': sysctls,
      'netns/host/links.json': links,
      'netns/host/addresses.json': addressFacts(rawLinks),
      'netns/host/routes.json': [
        ...routeFacts(json('-4', 'route', 'show', 'table', 'all'), 4, links),
        ...routeFacts(json('-6', 'route', 'show', 'table', 'all'), 6, links),
      ],
      'netns/host/rules.json': [...ruleFacts(json('-4', 'rule'), 4), ...ruleFacts(json('-6', 'rule'), 6)],
      'netns/host/neighbours.json': neighbourFacts(json('neigh'), links),
      'node.json': { kernelRelease, problems: [] },
    }
    const contents = Object.entries(files).map(
      ([path, value]) => [`nodes/test/${path}`, new TextEncoder().encode(JSON.stringify(value))] as const,
    )
    const snapshot = loadNodeSnapshot(memoryFiles('test', new Map(contents)), 'test')
    const host = snapshot.host
    if (host === undefined) throw new Error('the snapshot has no host namespace')
    return host
  }

  must(command: string, args: readonly string[]): void {
    const { status, stderr } = run(command, args)
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  }
}
