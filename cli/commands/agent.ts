// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AgentDeployment, AgentStatus, PlanEntry } from '../../cluster/agentDeployment.ts'
import type { ClusterSession } from '../../cluster/session.ts'
import { printable } from '../../core/text/printable.ts'
import { didYouMean } from '../../core/text/suggest.ts'
import { type Command, JSON_OPTION } from '../command.ts'
import { CliError, EXIT, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { type LiveSource, withSession } from '../live.ts'
import type { Options } from '../options.ts'
import { jsonText } from '../output.ts'
import { CLUSTER_OPTIONS } from '../sources.ts'

const STATUS_SCHEMA = 'plumbline.agent-status/v1'
const ACTIONS = ['install', 'status', 'remove'] as const

export const agentCommand: Command = {
  name: 'agent',
  summary: 'Install the node agent, ask how it fares, or remove it',
  usage: [
    'install --context NAME [--node NAME] [--image IMAGE] [--yes]',
    'status --context NAME [--json]',
    'remove --context NAME [--yes]',
  ],
  description:
    '`install` shows what it would create, as the API server judges it in a dry run, and asks before it does so. `status` lists ' +
    'every agent with its node. `remove` deletes everything `install` created, and ends once nothing is left.',
  groups: [
    CLUSTER_OPTIONS,
    {
      title: 'Agent',
      options: [
        { name: 'node', takes: 'value', placeholder: 'NAME', help: 'Install on this node only, not on every Linux node' },
        { name: 'image', takes: 'value', placeholder: 'IMAGE', help: "Image to run instead of this version's" },
        { name: 'dry-run', takes: 'flag', help: 'Show what would be done, and change nothing' },
        { name: 'yes', short: 'y', takes: 'flag', help: 'Do it without asking' },
        JSON_OPTION,
      ],
    },
  ],
  examples: [
    'plumbline agent install --context prod-eu --dry-run',
    'plumbline agent install --context prod-eu --node worker-3 --yes',
    'plumbline agent status --context prod-eu --json',
    'plumbline agent remove --context prod-eu',
  ],
  async run(options, io) {
    const action = checkUsage(options)
    const source = liveSource(options)
    return withSession(source, io, async (session) => {
      const deployment = await openDeployment(session, options, io)
      if (action === 'install') return install(deployment, session, options, io)
      return action === 'status' ? status(deployment, session, options, io) : remove(deployment, options, io)
    })
  },
}

function checkUsage(options: Options): (typeof ACTIONS)[number] {
  const [typed, extra] = options.positionals
  const action = ACTIONS.find((each) => each === typed)
  const all = ACTIONS.map((each) => `\`${each}\``).join(', ')
  if (typed === undefined) throw new UsageError(`say what to do: ${all}`)
  if (action === undefined) throw new UsageError(`unknown action \`${typed}\`${didYouMean(typed, ACTIONS)}; there are: ${all}`)
  if (extra !== undefined) throw new UsageError(`unexpected \`${extra}\``)
  const foreign = { install: ['json'], status: ['node', 'image', 'dry-run', 'yes'], remove: ['node', 'image', 'json'] }[action]
  const given = options.given(foreign)[0]
  if (given !== undefined) throw new UsageError(`\`--${given}\` has no meaning for \`agent ${action}\``)
  return action
}

/** Without a context: the current one, as kubectl takes it; the question before a change names it. */
function liveSource(options: Options): LiveSource {
  return { kind: 'live', context: options.value('context'), kubeconfig: options.values('kubeconfig') }
}

async function openDeployment(session: ClusterSession, options: Options, io: Io): Promise<AgentDeployment> {
  const { AgentDeployment } = await import('../../cluster/agentDeployment.ts')
  const { readManifests } = await import('../../cluster/manifests.ts')
  const image = options.value('image')
  const node = options.value('node')
  return new AgentDeployment(session.server, await readManifests(manifestFolder()), {
    ...(image === undefined ? {} : { image }),
    ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': await hostnameOf(session, node, io) } }),
  })
}

/** The manifests lie at the same place below the project, whether this runs from source or bundled. */
function manifestFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); dirname(folder) !== folder; folder = dirname(folder)) {
    const manifests = join(folder, 'agent', 'deploy')
    if (existsSync(manifests)) return manifests
  }
  throw new CliError(EXIT.facts, 'agent/deploy: the manifests of the agent are not part of this installation')
}

/** A node's name and its hostname label may differ; the label is what a selector can name. */
async function hostnameOf(session: ClusterSession, node: string, io: Io): Promise<string> {
  const { listAll } = await import('../../cluster/objects.ts')
  const { NODES } = await import('../../cluster/resources.ts')
  const { items } = await listAll<{ metadata?: { name?: string; labels?: Record<string, string> } }>(session.server, NODES, {
    signal: io.signal,
  })
  const found = items.find((item) => item.metadata?.name === node)
  if (found !== undefined) return found.metadata?.labels?.['kubernetes.io/hostname'] ?? node
  const names = items.map((item) => item.metadata?.name ?? '')
  throw new CliError(EXIT.facts, `there is no node \`${node}\` in ${session.name}${didYouMean(node, names)}`)
}

async function install(deployment: AgentDeployment, session: ClusterSession, options: Options, io: Io): Promise<number> {
  const plan = await deployment.plan(io.signal)
  for (const entry of plan) io.say(planLine(entry))
  await refuseIncomplete(plan, session)
  if (options.flag('dry-run')) return EXIT.answered
  if (plan.some((entry) => entry.action !== 'unchanged')) await confirm(`Apply this to ${session.name}?`, options, io)
  const progress = {
    signal: io.signal,
    onProgress: ({ text, ready, of }: { text: string; ready: number; of: number }) => io.say(`${text} (${ready} of ${of})`),
  }
  await deployment.apply(progress)
  const pods = await deployment.waitReady({ ...progress, onProgress: changesOnly(progress.onProgress) })
  await io.out(`${printable(`The agent is ready on ${pods.map((pod) => pod.node).join(', ')}`)}\n`)
  return EXIT.answered
}

/** Waiting asks several times a second; a line is worth printing when it says something new. */
function changesOnly<T extends { readonly text: string; readonly ready: number }>(
  tell: (progress: T) => void,
): (progress: T) => void {
  let last = ''
  return (progress) => {
    const now = `${progress.ready} ${progress.text}`
    if (now !== last) tell(progress)
    last = now
  }
}

function planLine({ manifest, action, reason }: PlanEntry): string {
  const name = manifest.namespace === undefined ? manifest.name : `${manifest.namespace}/${manifest.name}`
  return `  ${action.padEnd(9)}  ${manifest.kind} ${name}${reason === '' ? '' : `: ${reason}`}`
}

async function refuseIncomplete(plan: readonly PlanEntry[], session: ClusterSession): Promise<void> {
  const refused = plan.filter((entry) => entry.action === 'refused')
  if (refused.length === 0) return
  const missing = refused.flatMap((entry) => entry.missing ?? [])
  const { rbacSnippet } = await import('../../cluster/rbac.ts')
  const help = missing.length === 0 ? '' : `\nThese rights would allow it:\n${rbacSnippet(missing, session.context.user)}`
  throw new CliError(
    EXIT.unreachable,
    `${session.name} refuses ${refused.length} of ${plan.length} objects; nothing was changed${help}`,
  )
}

async function confirm(question: string, options: Options, io: Io): Promise<void> {
  if (options.flag('yes')) return
  const answer = await io.ask(`${question} [y/N] `)
  if (answer === undefined) throw new UsageError('nothing was changed: there is no terminal to ask on, so add `--yes`')
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.interrupted, 'nothing was changed')
}

async function remove(deployment: AgentDeployment, options: Options, io: Io): Promise<number> {
  const there = await deployment.leftovers(io.signal)
  if (there.length === 0) {
    await io.out('Nothing to remove\n')
    return EXIT.answered
  }
  for (const name of there) io.say(`  delete     ${name}`)
  if (options.flag('dry-run')) return EXIT.answered
  await confirm('Delete these?', options, io)
  await deployment.remove({ signal: io.signal, onProgress: changesOnly(({ text }) => io.say(text)) })
  await io.out(`Removed; nothing is left of ${there.length} objects\n`)
  return EXIT.answered
}

async function status(deployment: AgentDeployment, session: ClusterSession, options: Options, io: Io): Promise<number> {
  const agents = await deployment.status(session.agents, io.signal)
  await io.out(options.flag('json') ? jsonText(statusDocument(agents)) : statusText(agents))
  return agents.length > 0 && agents.every((agent) => agent.info === undefined) ? EXIT.unreachable : EXIT.answered
}

function statusDocument(agents: readonly AgentStatus[]) {
  return {
    schema: STATUS_SCHEMA,
    agents: agents.map(({ node, pod, image, ready, reason, info }) => ({
      node,
      pod,
      image,
      ready,
      reason,
      agentVersion: info?.agentVersion ?? null,
      kernelRelease: info?.kernelRelease ?? null,
      architecture: info?.architecture ?? null,
      capabilities: info?.capabilities.map(({ name, available, reason: why }) => ({ name, available, reason: why })) ?? [],
      overhead:
        info?.overhead === undefined
          ? null
          : { cpuNanoseconds: String(info.overhead.cpuNanoseconds), residentBytes: String(info.overhead.residentBytes) },
    })),
  }
}

function statusText(agents: readonly AgentStatus[]): string {
  if (agents.length === 0) return 'The agent is not installed\n'
  const rows = agents.map(({ node, pod, ready, reason, info }) => {
    const missing = info?.capabilities.filter((capability) => !capability.available).map((capability) => capability.name) ?? []
    const kernel = info === undefined ? '' : `kernel ${info.kernelRelease}, agent ${info.agentVersion}`
    const lacks = missing.length === 0 ? '' : `, not available: ${missing.join(', ')}`
    return `${node}  ${pod}  ${ready ? 'ready' : `not ready: ${reason}`}  ${kernel}${lacks}`.trimEnd()
  })
  return rows.map((row) => `${printable(row)}\n`).join('')
}
