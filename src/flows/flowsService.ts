// SPDX-License-Identifier: Apache-2.0

import { complete } from '../../core/flows/filter/completion.ts'
import { rateOf } from '../../core/flows/rate.ts'
import type { ClusterFacts } from '../../core/facts/cluster.ts'
import type { FlowsPanelContract } from '../../protocol/flowsPanel.ts'
import type { Handlers } from '../webview/bridge.ts'
import { flowDetails } from './flowDetails.ts'
import { dropGroups, mapOfServices } from './flowViews.ts'
import type { FlowsModel } from './flowsModel.ts'

type Asked = 'rows' | 'locate' | 'details' | 'filter' | 'complete' | 'drops' | 'serviceMap' | 'rate'

/** What the page asks of the flows themselves. No VS Code in here. */
export function flowsHandlers(
  model: FlowsModel,
  facts: () => ClusterFacts | undefined,
): Pick<Handlers<FlowsPanelContract>, Asked> {
  return {
    rows: async ({ generation, from, to }) => (generation === model.generation ? model.rows(from, to) : []),
    locate: async ({ seq }) => {
      const index = model.locate(seq)
      return index === undefined ? null : { index }
    },
    details: async ({ seq }) => {
      const event = model.eventOf(seq)
      return event === undefined ? null : flowDetails(seq, event.flow, facts())
    },
    filter: async ({ text }) => model.setFilter(text, now()),
    complete: async ({ text, at }) => complete(model.store, text, at),
    drops: async () => dropGroups(model, facts()),
    serviceMap: async () => mapOfServices(model),
    rate: async ({ buckets }) => rateOf(model.store, model.list, buckets),
  }
}

function now() {
  const ms = Date.now()
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 }
}
