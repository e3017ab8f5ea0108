// SPDX-License-Identifier: Apache-2.0

// Package kube asks the API server for the pods of this node, and nothing else. One list call needs no client library.
package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"plumbline.dev/agent/internal/scope"
)

const (
	accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
	timeout       = 5 * time.Second
	// 500 pods of 64 KiB each would not be a node's list any more.
	maxResponse = 32 << 20
)

// Client lists the pods of one node with the service account of the agent's own pod.
type Client struct {
	node   string
	base   string
	folder string
	http   *http.Client

	mutex sync.Mutex
	last  []scope.Pod
}

// InCluster connects the way every pod can: environment and mounted service account. It does not contact the server.
func InCluster(node string) (*Client, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("not running in a pod: KUBERNETES_SERVICE_HOST is not set")
	}
	return newClient(node, "https://"+net.JoinHostPort(host, port), accountFolder)
}

func newClient(node, base, folder string) (*Client, error) {
	authority, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("service account: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("service account: %s/ca.crt holds no certificate", folder)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second}
	return &Client{node: node, base: base, folder: folder, http: &http.Client{Transport: transport, Timeout: timeout}}, nil
}

type podList struct {
	Items []struct {
		Metadata struct {
			Namespace   string            `json:"namespace"`
			Name        string            `json:"name"`
			UID         string            `json:"uid"`
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Spec struct {
			HostNetwork bool `json:"hostNetwork"`
		} `json:"spec"`
		Status struct {
			Phase string `json:"phase"`
		} `json:"status"`
	} `json:"items"`
}

// Pods lists the node's pods that have not ended. When the server can't be reached, which is likely on the very node one
// looks at, the names of the last successful call are returned together with the error.
func (c *Client) Pods(ctx context.Context) ([]scope.Pod, error) {
	list, err := c.list(ctx)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err != nil {
		return c.last, fmt.Errorf("pod names from the API server: %w", err)
	}
	c.last = []scope.Pod{}
	for _, item := range list.Items {
		if item.Status.Phase == "Succeeded" || item.Status.Phase == "Failed" {
			continue
		}
		c.last = append(c.last, scope.Pod{
			Namespace: item.Metadata.Namespace, Name: item.Metadata.Name, UID: item.Metadata.UID,
			// kubelet names the cgroup of a pod from a manifest file by the file's hash.
			StaticUID: item.Metadata.Annotations["kubernetes.io/config.hash"], HostNetwork: item.Spec.HostNetwork,
		})
	}
	return c.last, nil
}

func (c *Client) list(ctx context.Context) (*podList, error) {
	// The token is read each time: kubelet renews it.
	token, err := os.ReadFile(filepath.Join(c.folder, "token"))
	if err != nil {
		return nil, err
	}
	// resourceVersion=0 is answered from the server's cache.
	query := url.Values{"fieldSelector": {"spec.nodeName=" + c.node}, "resourceVersion": {"0"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1/pods?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("list pods: %s", response.Status)
	}
	list := &podList{}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxResponse)).Decode(list); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return list, nil
}
