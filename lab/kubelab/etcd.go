// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd runs one embedded etcd member until SIGTERM. The lab's state is thrown away with the lab, so it does not
// wait for the disk.
func runEtcd(args []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := flags.String("data-dir", "etcd", "folder of the database")
	clients := flags.String("listen-client-url", "http://127.0.0.1:2379", "address for clients")
	peers := flags.String("listen-peer-url", "http://127.0.0.1:2380", "address for peers (one member: unused)")
	if err := flags.Parse(args); err != nil {
		return err
	}

	config := embed.NewConfig()
	config.Dir = *dir
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	clientURLs, err := urls(*clients)
	if err != nil {
		return err
	}
	peerURLs, err := urls(*peers)
	if err != nil {
		return err
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = clientURLs, clientURLs
	config.ListenPeerUrls, config.AdvertisePeerUrls = peerURLs, peerURLs
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}

func urls(text string) ([]url.URL, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	return []url.URL{*parsed}, nil
}
