package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"strongroom/chainadapters"
	"strongroom/custody/custodydb"
)

// chainReport is a chain with its nodes, as `chains list -o json` prints it.
type chainReport struct {
	custodydb.ChainStatus

	Nodes []chainadapters.NodeStatus `json:"nodes"`
}

// reportOf adds the nodes to each chain.
func reportOf(e *env, store *custodydb.Store, list []custodydb.ChainStatus) ([]chainReport, error) {
	out := make([]chainReport, 0, len(list))
	for _, chain := range list {
		nodes, err := store.Nodes(e.ctx, chain.Chain)
		if err != nil {
			return nil, err
		}
		out = append(out, chainReport{chain, nodes})
	}
	return out, nil
}

// printReport prints chains and nodes as JSON.
func printReport(e *env, report []chainReport) error {
	encoder := json.NewEncoder(e.out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(report); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printNodes prints one line per node of the chains that have several.
func printNodes(e *env, report []chainReport) error {
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	head := "\nNODE\tCHAIN\tSTATE\tHEIGHT\tLAG\tREASON\n"
	for _, chain := range report {
		for _, n := range chain.Nodes {
			_, _ = fmt.Fprintf(w, "%s%s\t%s\t%s\t%d\t%d\t%s\n", head, n.Name, chain.Chain, n.State, n.Height, n.Lag, n.Reason)
			head = ""
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

type readmitNodeCommand struct {
	chainFlags

	Chain string `arg:"" help:"Name of the chain, such as ethereum-dev."`
	Node  string `arg:"" help:"Name of the ejected node: its host and port, as \"chains list\" shows it."`
}

// Run lets an ejected node count again; the watcher takes note when it looks next.
func (c *readmitNodeCommand) Run(e *env) error {
	return c.with(e, func(store *custodydb.Store) error {
		if err := store.ReadmitNode(e.ctx, chainadapters.ChainID(c.Chain), c.Node); err != nil {
			return err
		}
		e.printf("%s counts again once the watcher of %s looks next\n", c.Node, c.Chain)
		return nil
	})
}
