// SPDX-License-Identifier: Apache-2.0

/*
 * Up to 1.17 the agent named the maps when it compiled the programs (pkg/datapath/linux/config); the headers have names for tests.
 */
#undef POLICY_MAP
#define POLICY_MAP PLUMBLINE_POLICY_MAP
#undef AUTH_MAP
#define AUTH_MAP cilium_auth_map
#undef CONFIG_MAP
#define CONFIG_MAP cilium_runtime_config
#undef CT_MAP_ANY4
#define CT_MAP_ANY4 cilium_ct_any4_global
#undef CT_MAP_ANY6
#define CT_MAP_ANY6 cilium_ct_any6_global
#undef CT_MAP_TCP4
#define CT_MAP_TCP4 cilium_ct4_global
#undef CT_MAP_TCP6
#define CT_MAP_TCP6 cilium_ct6_global
#undef EGRESS_POLICY_MAP
#define EGRESS_POLICY_MAP cilium_egress_gw_policy_v4
#undef ENCRYPT_MAP
#define ENCRYPT_MAP cilium_encrypt_state
#undef ENDPOINTS_MAP
#define ENDPOINTS_MAP cilium_lxc
#undef EVENTS_MAP
#define EVENTS_MAP cilium_events
#undef IPCACHE_MAP
#define IPCACHE_MAP cilium_ipcache
#undef IPV4_FRAG_DATAGRAMS_MAP
#define IPV4_FRAG_DATAGRAMS_MAP cilium_ipv4_frag_datagrams
#undef IP_MASQ_AGENT_IPV4
#define IP_MASQ_AGENT_IPV4 cilium_ipmasq_v4
#undef IP_MASQ_AGENT_IPV6
#define IP_MASQ_AGENT_IPV6 cilium_ipmasq_v6
#undef L2_RESPONDER_MAP4
#define L2_RESPONDER_MAP4 cilium_l2_responder_v4
#undef LB4_AFFINITY_MAP
#define LB4_AFFINITY_MAP cilium_lb4_affinity
#undef LB4_BACKEND_MAP
#define LB4_BACKEND_MAP cilium_lb4_backends_v3
#undef LB4_HEALTH_MAP
#define LB4_HEALTH_MAP cilium_lb4_health
#undef LB4_MAGLEV_MAP_OUTER
#define LB4_MAGLEV_MAP_OUTER cilium_lb4_maglev
#undef LB4_REVERSE_NAT_MAP
#define LB4_REVERSE_NAT_MAP cilium_lb4_reverse_nat
#undef LB4_REVERSE_NAT_SK_MAP
#define LB4_REVERSE_NAT_SK_MAP cilium_lb4_reverse_sk
#undef LB4_SERVICES_MAP_V2
#define LB4_SERVICES_MAP_V2 cilium_lb4_services_v2
#undef LB4_SKIP_MAP
#define LB4_SKIP_MAP cilium_skip_lb4
#undef LB4_SRC_RANGE_MAP
#define LB4_SRC_RANGE_MAP cilium_lb4_source_range
#undef LB6_AFFINITY_MAP
#define LB6_AFFINITY_MAP cilium_lb6_affinity
#undef LB6_BACKEND_MAP
#define LB6_BACKEND_MAP cilium_lb6_backends_v3
#undef LB6_HEALTH_MAP
#define LB6_HEALTH_MAP cilium_lb6_health
#undef LB6_MAGLEV_MAP_OUTER
#define LB6_MAGLEV_MAP_OUTER cilium_lb6_maglev
#undef LB6_REVERSE_NAT_MAP
#define LB6_REVERSE_NAT_MAP cilium_lb6_reverse_nat
#undef LB6_REVERSE_NAT_SK_MAP
#define LB6_REVERSE_NAT_SK_MAP cilium_lb6_reverse_sk
#undef LB6_SERVICES_MAP_V2
#define LB6_SERVICES_MAP_V2 cilium_lb6_services_v2
#undef LB6_SKIP_MAP
#define LB6_SKIP_MAP cilium_skip_lb6
#undef LB6_SRC_RANGE_MAP
#define LB6_SRC_RANGE_MAP cilium_lb6_source_range
#undef LB_ACT_MAP
#define LB_ACT_MAP cilium_lb_act
#undef LB_AFFINITY_MATCH_MAP
#define LB_AFFINITY_MATCH_MAP cilium_lb_affinity_match
#undef METRICS_MAP
#define METRICS_MAP cilium_metrics
#undef NODEPORT_NEIGH4
#define NODEPORT_NEIGH4 cilium_nodeport_neigh4
#undef NODEPORT_NEIGH6
#define NODEPORT_NEIGH6 cilium_nodeport_neigh6
#undef NODE_MAP
#define NODE_MAP cilium_node_map
#undef NODE_MAP_V2
#define NODE_MAP_V2 cilium_node_map_v2
#undef PER_CLUSTER_CT_ANY4
#define PER_CLUSTER_CT_ANY4 cilium_per_cluster_ct_any4
#undef PER_CLUSTER_CT_ANY6
#define PER_CLUSTER_CT_ANY6 cilium_per_cluster_ct_any6
#undef PER_CLUSTER_CT_TCP4
#define PER_CLUSTER_CT_TCP4 cilium_per_cluster_ct_tcp4
#undef PER_CLUSTER_CT_TCP6
#define PER_CLUSTER_CT_TCP6 cilium_per_cluster_ct_tcp6
#undef PER_CLUSTER_SNAT_MAPPING_IPV4
#define PER_CLUSTER_SNAT_MAPPING_IPV4 cilium_per_cluster_snat_v4_external
#undef PER_CLUSTER_SNAT_MAPPING_IPV6
#define PER_CLUSTER_SNAT_MAPPING_IPV6 cilium_per_cluster_snat_v6_external
#undef RATELIMIT_MAP
#define RATELIMIT_MAP cilium_ratelimit
#undef RATELIMIT_METRICS_MAP
#define RATELIMIT_METRICS_MAP cilium_ratelimit_metrics
#undef SIGNAL_MAP
#define SIGNAL_MAP cilium_signals
#undef SNAT_MAPPING_IPV4
#define SNAT_MAPPING_IPV4 cilium_snat_v4_external
#undef SNAT_MAPPING_IPV6
#define SNAT_MAPPING_IPV6 cilium_snat_v6_external
#undef SRV6_POLICY_MAP4
#define SRV6_POLICY_MAP4 cilium_srv6_policy_v4
#undef SRV6_POLICY_MAP6
#define SRV6_POLICY_MAP6 cilium_srv6_policy_v6
#undef SRV6_SID_MAP
#define SRV6_SID_MAP cilium_srv6_sid
#undef SRV6_VRF_MAP4
#define SRV6_VRF_MAP4 cilium_srv6_vrf_v4
#undef SRV6_VRF_MAP6
#define SRV6_VRF_MAP6 cilium_srv6_vrf_v6
#undef THROTTLE_MAP
#define THROTTLE_MAP cilium_throttle
#undef TUNNEL_MAP
#define TUNNEL_MAP cilium_tunnel_map
#undef VTEP_MAP
#define VTEP_MAP cilium_vtep_map
#undef WORLD_CIDRS4_MAP
#define WORLD_CIDRS4_MAP cilium_world_cidrs4
#undef POLICY_CALL_MAP
#define POLICY_CALL_MAP cilium_call_policy
#undef POLICY_EGRESSCALL_MAP
#define POLICY_EGRESSCALL_MAP cilium_egresscall_policy
#undef CALLS_MAP
#define CALLS_MAP cilium_calls
