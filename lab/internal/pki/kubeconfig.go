// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"encoding/base64"
	"encoding/json"
)

type object = map[string]any

// kubeconfig is written as JSON, which every YAML reader accepts, so that no value needs quoting rules.
// The certificates are inside: the file works wherever it is copied.
func kubeconfig(request Request, user string, authority, certificate, key []byte) []byte {
	encode := base64.StdEncoding.EncodeToString
	name := request.ClusterLabel
	config := object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters": []object{{"name": name, "cluster": object{
			"server": request.Server, "certificate-authority-data": encode(authority)}}},
		"users": []object{{"name": user, "user": object{
			"client-certificate-data": encode(certificate), "client-key-data": encode(key)}}},
		"contexts": []object{{"name": name, "context": object{"cluster": name, "user": user}}},
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return append(text, '\n')
}
