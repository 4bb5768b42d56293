package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/client"
)

type statusCommand struct {
	Certs     string        `help:"Folder with ca.pem and the caller's certificate." env:"STRONGROOM_MATCHING_CERTS" required:"" placeholder:"DIR"`
	Name      string        `help:"Name in the caller's certificate." default:"cli"`
	Addresses []string      `help:"Addresses of the nodes' gRPC services." env:"STRONGROOM_MATCHING_ADDRESSES" default:"127.0.0.1:7543" placeholder:"HOST:PORT"`
	Timeout   time.Duration `help:"How long to wait for each answer." default:"5s"`
}

// nodeView is what a node says of itself.
type nodeView struct {
	Address  string     `json:"address"`
	Error    string     `json:"error,omitempty"`
	Leading  bool       `json:"leading"`
	Epoch    uint64     `json:"epoch"`
	Seq      uint64     `json:"seq"`
	Hash     string     `json:"hash"`
	Sessions uint32     `json:"sessions"`
	LogTime  *time.Time `json:"logTime,omitempty"`
}

// Run prints one object of each node. It fails where no node leads.
func (c *statusCommand) Run(e *env) error {
	tls, err := mtls.ClientConfig(c.Certs, c.Name, serverName)
	if err != nil {
		return err
	}
	to, err := client.New(client.Config{Addresses: c.Addresses, TLS: tls})
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }() // nothing was sent that could be lost
	views, led := make([]nodeView, 0, len(c.Addresses)), false
	for i, address := range c.Addresses {
		v := c.ask(e.ctx, to.Any(i), address)
		led = led || v.Leading
		views = append(views, v)
	}
	encoder := json.NewEncoder(e.out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(views); err != nil {
		return fmt.Errorf("print status: %w", err)
	}
	if !led {
		return client.ErrNoLeader
	}
	return nil
}

func (c *statusCommand) ask(ctx context.Context, node matchingv1.MatchingClient, address string) nodeView {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	s, err := node.Status(ctx, &matchingv1.StatusRequest{})
	if err != nil {
		return nodeView{Address: address, Error: err.Error()}
	}
	v := nodeView{
		Address: address, Leading: s.GetLeading(), Epoch: s.GetEpoch(), Seq: s.GetSeq(),
		Hash: hex.EncodeToString(s.GetHash()), Sessions: s.GetSessions(),
	}
	if ns := s.GetTimeNs(); ns > 0 {
		at := time.Unix(0, ns).UTC()
		v.LogTime = &at
	}
	return v
}
