// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// api is the little of the Kubernetes API that bringing a cluster up needs. kubectl would do, but starting it costs
// more than most of the questions asked here.
type api struct{ client *http.Client }

func newAPI() (*api, error) {
	pair, err := tls.LoadX509KeyPair(secret("admin.crt"), secret("admin.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(secret("ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}}
	return &api{&http.Client{Transport: transport, Timeout: 5 * time.Second}}, nil
}

// ready tells whether the API server is ready. It gives up soon: a question asked while the server starts may stay
// without an answer, and the next one gets it.
func (a *api) ready() bool {
	impatient := *a.client
	impatient.Timeout = 300 * time.Millisecond
	return (&api{&impatient}).get("/readyz", nil) == nil
}

// get reads an object into value, which may be nil.
func (a *api) get(path string, value any) error { return a.do(http.MethodGet, path, "", nil, value) }

// patch merges a change into an object.
func (a *api) patch(path string, change any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return a.do(http.MethodPatch, path, "application/merge-patch+json", body, nil)
}

func (a *api) do(method, path, kind string, body []byte, value any) error {
	request, err := http.NewRequest(method, server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, text)
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(text, value)
}

type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

func isTrue(conditions []condition, kind string) bool {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Status == "True"
		}
	}
	return false
}

// established tells whether a custom resource definition is served.
func (a *api) established(path string) bool {
	var definition struct {
		Status struct {
			Conditions []condition `json:"conditions"`
		} `json:"status"`
	}
	return a.get(path, &definition) == nil && isTrue(definition.Status.Conditions, "Established")
}

// nodeReady tells whether a node is ready; a node that is not there yet is not.
func (a *api) nodeReady(name string) bool {
	var found struct {
		Status struct {
			Conditions []condition `json:"conditions"`
		} `json:"status"`
	}
	return a.get("/api/v1/nodes/"+name, &found) == nil && isTrue(found.Status.Conditions, "Ready")
}

// unreadyPods lists pods that are not ready, as namespace/name: phase.
func (a *api) unreadyPods() (unready []string, total int, err error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"metadata"`
			Status struct {
				Phase      string      `json:"phase"`
				Conditions []condition `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := a.get("/api/v1/pods", &list); err != nil {
		return nil, 0, err
	}
	for _, pod := range list.Items {
		if !isTrue(pod.Status.Conditions, "Ready") {
			unready = append(unready, pod.Metadata.Namespace+"/"+pod.Metadata.Name+": "+pod.Status.Phase)
		}
	}
	return unready, len(list.Items), nil
}

// deploymentsComplete tells whether every Deployment has all its pods available.
func (a *api) deploymentsComplete() (bool, error) {
	var list struct {
		Items []struct {
			Spec   struct{ Replicas int }          `json:"spec"`
			Status struct{ AvailableReplicas int } `json:"status"`
		} `json:"items"`
	}
	if err := a.get("/apis/apps/v1/deployments", &list); err != nil {
		return false, err
	}
	for _, deployment := range list.Items {
		if deployment.Status.AvailableReplicas < deployment.Spec.Replicas {
			return false, nil
		}
	}
	return true, nil
}
