// SPDX-License-Identifier: Apache-2.0

import { formatTrace } from '../../core/path/format.ts'
import { answer } from '../answer.ts'
import { coloured } from '../colour.ts'
import { type Command, JSON_OPTION } from '../command.ts'
import { EXIT, UsageError } from '../errors.ts'
import { jsonText } from '../output.ts'
import { QUESTION_OPTIONS, traceRequest } from '../question.ts'
import { CLUSTER_OPTIONS, FILE_OPTIONS, factSource, RULE_OPTIONS } from '../sources.ts'

export const traceCommand: Command = {
  name: 'trace',
  summary: "Follow one packet through the node's rules and through eBPF",
  usage: [
    '--context NAME --from PLACE --to PLACE [--prove]',
    '--bundle PATH --from PLACE --to PLACE',
    '--objects PATH… --from PLACE --to PLACE',
    '--iptables-save FILE… [--ipset FILE] [--local ADDR,…] --from ADDR --to ADDR:PORT/PROTOCOL',
  ],
  description:
    'Says where a packet goes: every way it may take, with its probability, what happens to it on the way, and the rule, route, ' +
    'policy or map entry behind each decision. With facts about a cluster it follows the packet through two lanes, the ' +
    "node's real rules and the eBPF datapath, and says where they part. What the facts can't decide is shown as unknown.",
  groups: [
    QUESTION_OPTIONS,
    CLUSTER_OPTIONS,
    FILE_OPTIONS,
    RULE_OPTIONS,
    {
      title: 'Output',
      options: [
        JSON_OPTION,
        { name: 'verbose', short: 'v', takes: 'flag', help: 'Show every step with its evidence, and every bypassed rule' },
      ],
    },
  ],
  examples: [
    'plumbline trace --context prod-eu --from pod:shop/web-0 --to svc:shop/db:5432/TCP --prove',
    'plumbline trace --bundle incident.zip --from pod:shop/web-0 --to 10.96.0.20:80/TCP --json',
    'plumbline trace --iptables-save rules.txt --local 10.0.0.1 --from 10.0.0.5 --to 10.0.0.1:80/TCP',
    "plumbline trace --nft rules.nft --from fd00::5 --to '[fd00::1]:443/TCP' --hook-path forward",
  ],
  async run(options, io) {
    if (options.positionals[0] !== undefined) throw new UsageError(`unexpected \`${options.positionals[0]}\``)
    const source = factSource(options)
    const result = await answer(traceRequest(options, source), source, io)
    if (options.flag('json')) await io.out(jsonText(result))
    else {
      const text = formatTrace(result, { verbose: options.flag('verbose') })
      await io.out(io.colour ? coloured(text) : text)
    }
    return EXIT.answered
  },
}
