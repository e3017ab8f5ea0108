// SPDX-License-Identifier: Apache-2.0

import { type Command, HELP_OPTION, type OptionGroup } from './command.ts'
import type { OptionSpec } from './options.ts'

const WIDTH = 100

/** The list of commands. */
export function overviewText(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => command.name.length))
  const list = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`)
  return [
    'plumbline: where Kubernetes packets really go, through iptables, nftables and eBPF.',
    '',
    'Usage: plumbline COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...list,
    '',
    '`plumbline COMMAND --help` explains a command. Answers go to standard output, everything else to standard error.',
    'Exit codes: 0 answered, 1 findings at or above --fail-on, 2 wrong usage, 3 facts missing or unreadable, 4 cluster or agent unreachable.',
    '',
  ].join('\n')
}

export function commandText(command: Command): string {
  const groups = [...command.groups, { title: 'Other', options: [HELP_OPTION] }]
  return [
    `plumbline ${command.name}: ${command.summary}`,
    '',
    ...command.usage.map((line, index) => `${index === 0 ? 'Usage:' : '      '} plumbline ${command.name} ${line}`.trimEnd()),
    '',
    ...wrap(command.description, 0),
    ...groups.flatMap(groupLines),
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
  ].join('\n')
}

function groupLines(group: OptionGroup): readonly string[] {
  return ['', `${group.title}:`, ...group.options.flatMap(optionLines)]
}

function optionLines(spec: OptionSpec): readonly string[] {
  const placeholder = spec.placeholder ?? spec.choices?.join('|')
  const value = placeholder === undefined ? '' : ` ${placeholder}${spec.takes === 'values' ? ' …' : ''}`
  const head = `  ${spec.short === undefined ? '' : `-${spec.short}, `}--${spec.name}${value}`
  const help = wrap(spec.help, 28)
  return head.length <= 26 ? [head.padEnd(28) + (help[0] ?? '').trimStart(), ...help.slice(1)] : [head, ...help]
}

function wrap(text: string, indent: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(' '.repeat(indent) + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, ' '.repeat(indent) + line]
}
