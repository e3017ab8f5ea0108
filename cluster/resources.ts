// SPDX-License-Identifier: Apache-2.0

import type { ResourceType } from './apiServer.ts'

export const NODES: ResourceType = { group: '', version: 'v1', resource: 'nodes', namespaced: false }
export const NAMESPACES: ResourceType = { group: '', version: 'v1', resource: 'namespaces', namespaced: false }
export const PODS: ResourceType = { group: '', version: 'v1', resource: 'pods', namespaced: true }
export const SERVICES: ResourceType = { group: '', version: 'v1', resource: 'services', namespaced: true }
export const ENDPOINT_SLICES: ResourceType = {
  group: 'discovery.k8s.io',
  version: 'v1',
  resource: 'endpointslices',
  namespaced: true,
}
export const NETWORK_POLICIES: ResourceType = {
  group: 'networking.k8s.io',
  version: 'v1',
  resource: 'networkpolicies',
  namespaced: true,
}
export const DAEMON_SETS: ResourceType = { group: 'apps', version: 'v1', resource: 'daemonsets', namespaced: true }
export const EVENTS: ResourceType = { group: '', version: 'v1', resource: 'events', namespaced: true }

/** What every collection asks for. */
export const CORE_RESOURCES: readonly ResourceType[] = [NODES, NAMESPACES, PODS, SERVICES, ENDPOINT_SLICES, NETWORK_POLICIES]

/** What a collection asks for where the cluster serves it: group to plural names. */
export const OPTIONAL_RESOURCES: Readonly<Record<string, readonly string[]>> = {
  'policy.networking.k8s.io': ['clusternetworkpolicies', 'adminnetworkpolicies', 'baselineadminnetworkpolicies'],
  'cilium.io': [
    'ciliumnetworkpolicies',
    'ciliumclusterwidenetworkpolicies',
    'ciliumendpoints',
    'ciliumendpointslices',
    'ciliumidentities',
    'ciliumnodes',
    'ciliumcidrgroups',
    'ciliumlocalredirectpolicies',
    'ciliumegressgatewaypolicies',
    'ciliumloadbalancerippools',
  ],
  'gateway.networking.k8s.io': [
    'gatewayclasses',
    'gateways',
    'httproutes',
    'grpcroutes',
    'tcproutes',
    'tlsroutes',
    'udproutes',
    'referencegrants',
  ],
}
