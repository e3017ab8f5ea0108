// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func written(t *testing.T) (Request, string) {
	t.Helper()
	dir := t.TempDir()
	request := Request{
		Dir: dir, Server: "https://10.200.0.1:6443", ServerNames: []string{"10.200.0.1", "10.96.0.1"},
		Nodes:    []Node{{Name: "n1", Addresses: []string{"10.200.0.11", "fd00:10:200::11"}}},
		ValidFor: 24 * time.Hour, ClusterLabel: "lab",
	}
	if err := Write(request); err != nil {
		t.Fatal(err)
	}
	return request, dir
}

func TestServerAndNodeAuthenticateEachOther(t *testing.T) {
	_, dir := written(t)
	pool := x509.NewCertPool()
	authority, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil || !pool.AppendCertsFromPEM(authority) {
		t.Fatalf("unreadable authority: %v", err)
	}
	load := func(name string) tls.Certificate {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	client, server := net.Pipe()
	go func() {
		_ = tls.Client(client, &tls.Config{
			RootCAs: pool, ServerName: "10.96.0.1", Certificates: []tls.Certificate{load("kubelet-n1")},
		}).Handshake()
	}()
	serving := tls.Server(server, &tls.Config{
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, Certificates: []tls.Certificate{load("apiserver")},
	})
	if err := serving.Handshake(); err != nil {
		t.Fatal(err)
	}
	peer := serving.ConnectionState().PeerCertificates[0]
	if peer.Subject.CommonName != "system:node:n1" || peer.Subject.Organization[0] != "system:nodes" {
		t.Errorf("kubelet's identity is %v", peer.Subject)
	}
	if err := peer.VerifyHostname("fd00:10:200::11"); err != nil {
		t.Errorf("kubelet's certificate does not serve its IPv6 address: %v", err)
	}
}

func TestKubeconfigIsCompleteAndPrivate(t *testing.T) {
	request, dir := written(t)
	path := filepath.Join(dir, "admin.kubeconfig")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v lets others read the admin's key", info.Mode().Perm())
	}
	text, _ := os.ReadFile(path)
	var config struct {
		Current  string `json:"current-context"`
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User map[string]string `json:"user"`
		} `json:"users"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if config.Current != "lab" || config.Clusters[0].Cluster.Server != request.Server {
		t.Errorf("unexpected kubeconfig %+v", config)
	}
	decode := func(name string) []byte {
		raw, err := base64.StdEncoding.DecodeString(config.Users[0].User[name])
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if _, err := tls.X509KeyPair(decode("client-certificate-data"), decode("client-key-data")); err != nil {
		t.Errorf("certificate and key do not belong together: %v", err)
	}
}
