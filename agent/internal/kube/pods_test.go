// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"plumbline.dev/agent/internal/scope"
)

const answer = `{"kind":"PodList","items":[
	{"metadata":{"namespace":"shop","name":"web","uid":"u1"},"spec":{"nodeName":"n1"},"status":{"phase":"Running"}},
	{"metadata":{"namespace":"kube-system","name":"apiserver-n1","uid":"u2","annotations":{"kubernetes.io/config.hash":"abcd"}},
	 "spec":{"hostNetwork":true},"status":{"phase":"Running"}},
	{"metadata":{"namespace":"shop","name":"job","uid":"u3"},"status":{"phase":"Succeeded"}}]}`

// server is an API server that answers as told, and a service account for it.
func server(t *testing.T, handle http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	server := httptest.NewTLSServer(handle)
	t.Cleanup(server.Close)
	folder := t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, content := range map[string][]byte{"ca.crt": authority, "token": []byte("secret")} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client, err := newClient("n1", server.URL, folder)
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestPodsOfTheNodeAreAskedForAndNamed(t *testing.T) {
	_, client := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/pods" || r.URL.Query().Get("fieldSelector") != "spec.nodeName=n1" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		w.Write([]byte(answer))
	})
	pods, err := client.Pods(t.Context())
	want := []scope.Pod{
		{Namespace: "shop", Name: "web", UID: "u1"}, {Namespace: "kube-system", Name: "apiserver-n1", UID: "u2", StaticUID: "abcd", HostNetwork: true},
	}
	if err != nil || !reflect.DeepEqual(pods, want) {
		t.Errorf("%+v, %v", pods, err)
	}
}

func TestLastNamesSurviveTheServer(t *testing.T) {
	running, client := server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) })
	if _, err := client.Pods(t.Context()); err != nil {
		t.Fatal(err)
	}
	running.Close()
	pods, err := client.Pods(t.Context())
	if err == nil || len(pods) != 2 {
		t.Errorf("%+v, %v", pods, err)
	}
}

func TestRefusalsAndNonsenseAreErrors(t *testing.T) {
	for reply, want := range map[string]string{"": "403", "not json": "invalid character"} {
		_, client := server(t, func(w http.ResponseWriter, _ *http.Request) {
			if reply == "" {
				http.Error(w, "forbidden", http.StatusForbidden)
				return
			}
			w.Write([]byte(reply))
		})
		if _, err := client.Pods(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", reply, err)
		}
	}
}

func TestServersWithAnotherNameAreNotTrusted(t *testing.T) {
	_, client := server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) })
	client.base = strings.Replace(client.base, "127.0.0.1", "localhost", 1)
	if _, err := client.Pods(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}
