// SPDX-License-Identifier: Apache-2.0

// Package pki makes the lab's certificates and kubeconfigs: one authority, the API server's and kubelets' serving
// certificates, and one client certificate per Kubernetes user. The bootstrap roles of RBAC know these users by name,
// so nothing has to be bound afterwards.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Node is one kubelet's identity.
type Node struct {
	Name      string
	Addresses []string
}

// Request says what to make certificates for.
type Request struct {
	Dir          string
	Server       string   // URL of the API server, as kubeconfigs name it
	ServerNames  []string // more names and addresses of the API server
	Nodes        []Node
	ValidFor     time.Duration
	ClusterLabel string // name of cluster and context in the kubeconfigs
}

// identity is one certificate to make. Kubeconfig says whether its user gets a kubeconfig file too.
type identity struct {
	file, commonName string
	groups, names    []string
	kubeconfig       bool
}

// Write makes everything the request asks for. Existing files are replaced.
func Write(request Request) error {
	if err := os.MkdirAll(request.Dir, 0o700); err != nil {
		return err
	}
	authority, err := newAuthority(request.ValidFor)
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.crt": authority.certificatePEM()}
	if files["ca.key"], err = keyPEM(authority.key); err != nil {
		return err
	}
	if err := addServiceAccountKey(files); err != nil {
		return err
	}
	for _, id := range identities(request) {
		if err := addIdentity(files, authority, request, id); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(request.Dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// identities lists the users of a cluster. The names and groups are Kubernetes' own.
func identities(request Request) []identity {
	serverNames := []string{
		"localhost", "127.0.0.1", "kubernetes", "kubernetes.default",
		"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}
	list := []identity{
		{file: "apiserver", commonName: "kube-apiserver", names: append(serverNames, request.ServerNames...)},
		{file: "apiserver-kubelet-client", commonName: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
		{file: "front-proxy-client", commonName: "front-proxy-client"},
		{file: "admin", commonName: "admin", groups: []string{"system:masters"}, kubeconfig: true},
		{file: "controller-manager", commonName: "system:kube-controller-manager", kubeconfig: true},
		{file: "scheduler", commonName: "system:kube-scheduler", kubeconfig: true},
		{file: "kube-proxy", commonName: "system:kube-proxy", kubeconfig: true},
	}
	for _, node := range request.Nodes {
		list = append(list, identity{
			file: "kubelet-" + node.Name, commonName: "system:node:" + node.Name, groups: []string{"system:nodes"},
			names: append([]string{node.Name}, node.Addresses...), kubeconfig: true,
		})
	}
	return list
}

// addIdentity makes one key and certificate, and the user's kubeconfig.
func addIdentity(files map[string][]byte, authority *authority, request Request, id identity) error {
	certificate, key, err := authority.issue(id, request.ValidFor)
	if err != nil {
		return err
	}
	secret, err := keyPEM(key)
	if err != nil {
		return err
	}
	files[id.file+".crt"], files[id.file+".key"] = certificate, secret
	if id.kubeconfig {
		files[id.file+".kubeconfig"] = kubeconfig(request, id.file, authority.certificatePEM(), certificate, secret)
	}
	return nil
}

// addServiceAccountKey makes the key pair that signs and verifies service account tokens.
func addServiceAccountKey(files map[string][]byte) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	files["sa.pub"] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	files["sa.key"], err = keyPEM(key)
	return err
}

// authority is the lab's certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(validFor time.Duration) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template, err := template("plumbline-lab", nil, validFor)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key}, err
}

// issue signs a certificate that serves and authenticates: a kubelet uses one for both.
func (a *authority) issue(id identity, validFor time.Duration) (certificate []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = newKey(); err != nil {
		return nil, nil, err
	}
	template, err := template(id.commonName, id.groups, validFor)
	if err != nil {
		return nil, nil, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	for _, name := range id.names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	return certificatePEM(der), key, err
}

func (a *authority) certificatePEM() []byte { return certificatePEM(a.certificate.Raw) }

// template is what all certificates share. They start an hour ago, because clocks of machines differ.
func template(commonName string, groups []string, validFor time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	start := time.Now().Add(-time.Hour)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName, Organization: groups},
		NotBefore:    start,
		NotAfter:     start.Add(validFor),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}, nil
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
