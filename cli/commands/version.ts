// SPDX-License-Identifier: Apache-2.0

import type { Command } from '../command.ts'
import { EXIT } from '../errors.ts'
import { VERSION } from '../version.ts'

export const versionCommand: Command = {
  name: 'version',
  summary: 'Print the version',
  usage: [''],
  description: 'Prints the version of Plumbline.',
  groups: [],
  examples: ['plumbline version'],
  async run(_options, io) {
    await io.out(`plumbline ${VERSION}\n`)
    return EXIT.answered
  },
}
