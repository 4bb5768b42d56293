package main

import (
	"fmt"
	"strings"

	"strongroom/internal/mtls"
	"strongroom/matching/client"
	"strongroom/matching/settle"
)

// shardFlags say which shard of matching is meant. Without addresses the platform does
// not trade.
type shardFlags struct {
	Matching []string       `name:"matching-addresses" help:"Addresses of the nodes of matching; none where the platform does not trade." env:"STRONGROOM_MATCHING_ADDRESSES" placeholder:"HOST:PORT"`
	Shard    settle.ShardID `name:"matching-shard" help:"Number of the shard." env:"STRONGROOM_MATCHING_SHARD_NUMBER" default:"1"`
	Markets  string         `name:"markets-file" help:"JSON file of the markets that trade." env:"STRONGROOM_MARKETS_FILE" placeholder:"FILE"`
}

// matchingServer is in the certificates of matching's nodes.
const matchingServer = "matching"

// trades reports whether this installation has matching.
func (f shardFlags) trades() bool { return len(f.Matching) > 0 && strings.Join(f.Matching, "") != "" }

// shardIn reads the flags from the environment of a development stack's processes.
func shardIn(vars map[string]string) shardFlags {
	f := shardFlags{Shard: 1, Markets: vars["STRONGROOM_MARKETS_FILE"]}
	if at := vars["STRONGROOM_MATCHING_ADDRESSES"]; at != "" {
		f.Matching = strings.Split(at, ",")
	}
	return f
}

// shardOf prepares the connection of process name to matching; it connects when something
// is asked.
func (f shardFlags) shardOf(certs, name string) (*client.Client, error) {
	tlsConfig, err := mtls.ClientConfig(certs, name, matchingServer)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Addresses: f.Matching, TLS: tlsConfig})
	if err != nil {
		return nil, fmt.Errorf("prepare connection to matching: %w", err)
	}
	return c, nil
}
