// SPDX-License-Identifier: Apache-2.0

/** Recordings: Hubble's JSON lines, one event a line, as `hubble observe -o json` and Cilium's sysdump write them. */

import { messageOf, PlumblineError } from '../../cluster/errors.ts'
import { FactsError } from '../../core/facts/error.ts'
import { hubbleLine, readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import type { FlowsModel } from './flowsModel.ts'

/** Lines read before the rest of the extension gets its turn. */
const SLICE = 2000

/** Reads a recording into the model. A line that can't be read is told of by its number; nothing after it is taken. */
export async function readRecording(model: FlowsModel, bytes: Uint8Array, name: string, signal: AbortSignal): Promise<void> {
  let number = 0
  for (const line of linesOf(bytes)) {
    number++
    if (line.trim() !== '') {
      try {
        model.append(readHubbleLine(line))
      } catch (error) {
        throw new FactsError(messageOf(error), { file: name, line: number })
      }
    }
    if (number % SLICE === 0) {
      model.update()
      await new Promise((resolve) => setImmediate(resolve))
      if (signal.aborted) throw new PlumblineError('cancelled', 'Reading was cancelled')
    }
  }
  model.update()
}

/** What is kept, as a recording. */
export function exportRecording(model: FlowsModel): Uint8Array {
  const { store } = model
  const encoder = new TextEncoder()
  const parts: Uint8Array[] = []
  for (let seq = store.first; seq < store.next; seq++) parts.push(encoder.encode(`${hubbleLine(store.event(seq))}\n`))
  return Buffer.concat(parts)
}

/** Decoded a line at a time: a recording may be longer than a string can be. */
function* linesOf(bytes: Uint8Array): Generator<string> {
  const decoder = new TextDecoder()
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at)
    const stop = end < 0 ? bytes.length : end
    yield decoder.decode(bytes.subarray(at, stop))
    at = stop + 1
  }
}
