// SPDX-License-Identifier: Apache-2.0

import * as vscode from 'vscode'
import type { AgentDeployment, DeployProgress, PlanEntry } from '../../cluster/agentDeployment.ts'
import { PlumblineError } from '../../cluster/errors.ts'
import { printable } from '../../core/text/printable.ts'
import { copyRbac } from '../failures.ts'
import type { Prompts } from '../prompts.ts'
import type { LiveSource } from '../sources/liveSource.ts'
import { abortOn } from '../trace/traces.ts'
import { readSetting } from '../typed.ts'

export interface AgentParts {
  readonly extensionUri: vscode.Uri
  readonly prompts: Prompts
  readonly log: vscode.LogOutputChannel
}

/** Shows what would be done, asks, deploys, and waits until every node's agent is ready. `node`: on that node alone. */
export async function deployAgent(source: LiveSource, node: string | undefined, parts: AgentParts): Promise<void> {
  const deployment = await openDeployment(source, node, parts)
  const plan = await withProgress(vscode.l10n.t('Planning the deployment'), (signal) => deployment.plan(signal))
  for (const entry of plan) parts.log.info(`plan for ${source.name}: ${planLine(entry)}`)
  const refused = plan.filter((entry) => entry.action === 'refused')
  if (refused.length > 0) return refuse(source, refused)
  const message = vscode.l10n.t('Deploy the agent to {0}?', printable(source.name))
  const detail = [
    ...plan.map(planLine),
    '',
    vscode.l10n.t('It runs privileged in the namespace plumbline, opens no port, and reads no secrets.'),
  ].join('\n')
  if (!(await parts.prompts.confirm({ message, detail, action: vscode.l10n.t('Deploy') }))) return
  try {
    await withProgress(vscode.l10n.t('Deploying the agent to {0}', source.name), async (signal, tell) => {
      await deployment.apply({ signal, onProgress: tell })
      await deployment.waitReady({ signal, onProgress: tell })
    })
  } catch (error) {
    await source.refreshAgents().catch(() => undefined)
    await offerCleanUp(source, deployment, parts)
    throw error
  }
  await source.refreshAgents()
}

/** Removes everything `deployAgent` created, and proves by listing that nothing is left. */
export async function removeAgent(source: LiveSource, parts: AgentParts): Promise<void> {
  const deployment = await openDeployment(source, undefined, parts)
  const session = await source.connect()
  const left = await deployment.leftovers()
  if (left.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('There is no agent in {0}.', printable(source.name)))
    return
  }
  const message = vscode.l10n.t('Remove the agent from {0}?', printable(source.name))
  if (!(await parts.prompts.confirm({ message, detail: left.join('\n'), action: vscode.l10n.t('Remove') }))) return
  session.agents.close()
  await remove(source, deployment)
}

async function remove(source: LiveSource, deployment: AgentDeployment): Promise<void> {
  await withProgress(vscode.l10n.t('Removing the agent from {0}', source.name), (signal, tell) =>
    deployment.remove({ signal, onProgress: tell }),
  )
  await source.refreshAgents()
  void vscode.window.showInformationMessage(
    vscode.l10n.t('The agent is gone from {0}; nothing of it is left.', printable(source.name)),
  )
}

async function offerCleanUp(source: LiveSource, deployment: AgentDeployment, parts: AgentParts): Promise<void> {
  const left = await deployment.leftovers().catch(() => [])
  if (left.length === 0) return
  const message = vscode.l10n.t('The deployment did not finish. Remove what it created?')
  if (await parts.prompts.confirm({ message, detail: left.join('\n'), action: vscode.l10n.t('Remove') }))
    await remove(source, deployment)
}

async function refuse(source: LiveSource, refused: readonly PlanEntry[]): Promise<void> {
  const missing = refused.flatMap((entry) => entry.missing ?? [])
  const copy = vscode.l10n.t('Copy RBAC Snippet')
  const message = vscode.l10n.t(
    '{0} refuses {1} objects of the agent: {2}',
    printable(source.name),
    refused.length,
    refused[0]?.reason ?? '',
  )
  void vscode.window.showErrorMessage(message, ...(missing.length > 0 ? [copy] : [])).then((answer) => {
    return answer === copy ? copyRbac(missing, source.context.user) : undefined
  })
  throw new PlumblineError('cancelled', message)
}

async function openDeployment(
  source: LiveSource,
  node: string | undefined,
  { extensionUri }: AgentParts,
): Promise<AgentDeployment> {
  const session = await source.connect()
  const { AgentDeployment } = await import('../../cluster/agentDeployment.ts')
  const { readManifests } = await import('../../cluster/manifests.ts')
  const manifests = await readManifests(vscode.Uri.joinPath(extensionUri, 'agent', 'deploy').fsPath)
  const image = readSetting('plumbline.agent.image')
  const selector = readSetting('plumbline.agent.nodeSelector')
  const labels = node === undefined ? undefined : source.current?.cluster.objects.nodes.get(node)?.meta.labels
  const nodeSelector =
    node === undefined ? selector : { ...selector, 'kubernetes.io/hostname': labels?.get('kubernetes.io/hostname') ?? node }
  return new AgentDeployment(session.server, manifests, { ...(image !== '' && { image }), nodeSelector })
}

function planLine({ manifest, action, reason }: PlanEntry): string {
  const name = manifest.namespace === undefined ? manifest.name : `${manifest.namespace}/${manifest.name}`
  return `${action}: ${manifest.kind} ${name}${reason === '' ? '' : ` (${reason})`}`
}

function withProgress<T>(
  title: string,
  task: (signal: AbortSignal, tell: (progress: DeployProgress) => void) => Promise<T>,
): Promise<T> {
  const options = { location: vscode.ProgressLocation.Notification, title: printable(title), cancellable: true }
  return Promise.resolve(
    vscode.window.withProgress(options, (progress, token) => {
      const tell = ({ text, ready, of }: DeployProgress) => progress.report({ message: printable(`${ready}/${of} · ${text}`) })
      return task(abortOn(token), tell)
    }),
  )
}
