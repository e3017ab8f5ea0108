// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"time"

	"plumbline.dev/lab/internal/host"
)

// waitForPolicyKinds waits until the operator has registered the kinds of Cilium's policies.
func (l *lab) waitForPolicyKinds(client *api) error {
	for _, kind := range []string{"ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"} {
		path := fmt.Sprintf("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s.cilium.io", kind)
		err := l.wait("kind "+kind, time.Minute, "cilium-operator", func() (bool, error) { return client.established(path), nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// waitForPolicies waits until what the policies say has become entries of the pods' maps.
func (l *lab) waitForPolicies(nodes []node) error {
	return each(nodes, func(n node) error {
		if !n.cilium() {
			return nil
		}
		return l.wait("policies on node "+n.name, time.Minute, cilium{}.blame(n), func() (bool, error) {
			return n.policiesRealized(), nil
		})
	})
}

// policiesRealized tells whether every pod of the node runs the newest policies that the agent knows.
func (n node) policiesRealized() bool {
	var known struct{ Revision int }
	var endpoints []struct {
		Status struct {
			State  string
			Policy struct {
				Realized struct {
					Revision int `json:"policy-revision"`
				}
			}
		}
	}
	if n.askCilium(&known, "policy", "get", "-o", "json") != nil || n.askCilium(&endpoints, "endpoint", "list", "-o", "json") != nil {
		return false
	}
	for _, endpoint := range endpoints {
		if endpoint.Status.State != "ready" || endpoint.Status.Policy.Realized.Revision < known.Revision {
			return false
		}
	}
	return len(endpoints) > 0
}

func (n node) askCilium(value any, arguments ...string) error {
	line := n.ciliumDbg(arguments...)
	output, err := host.Run(line[0], line[1:]...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(output), value)
}
