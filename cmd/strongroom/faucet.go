package main

import (
	"fmt"

	"strongroom/internal/devstack/outside"
	"strongroom/money"
)

// faucetCommand plays the world outside by hand, on the development chains.
type faucetCommand struct {
	Pay     faucetPayCommand     `cmd:"" help:"Pay from outside to an address, such as a deposit address, and wait for the block."`
	Address faucetAddressCommand `cmd:"" help:"Print an outside address to withdraw to."`
	Balance faucetBalanceCommand `cmd:"" help:"Print what an address has on chain."`
}

// faucetFlags say which development stack is meant.
type faucetFlags struct {
	stateFlag

	Asset string `arg:"" enum:"BTC,LTC,ETH,USDC" help:"BTC, LTC, ETH or USDC."`
}

func (f faucetFlags) world() (*outside.World, error) {
	vars, err := readEnvFile(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: no development stack has run in %s; start one with strongroom up", errUsage, f.Dir)
	}
	return openOutside(vars)
}

// asset returns the development asset as it counts.
func (f faucetFlags) asset() money.Asset {
	scale := map[string]uint8{"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}
	return money.Asset{Code: f.Asset, Scale: scale[f.Asset]}
}

type faucetPayCommand struct {
	faucetFlags

	Amount string `arg:"" help:"Decimal amount."`
	To     string `arg:"" help:"Address that is paid."`
}

// Run pays.
func (c *faucetPayCommand) Run(e *env) error {
	units, err := c.asset().Parse(c.Amount)
	if err != nil {
		return fmt.Errorf("%w: amount: %w", errUsage, err)
	}
	world, err := c.world()
	if err != nil {
		return err
	}
	txid, err := world.Pay(e.ctx, c.Asset, c.To, units)
	if err != nil {
		return err
	}
	e.printf("paid %s %s to %s in %s\n", c.Amount, c.Asset, c.To, txid)
	return nil
}

type faucetAddressCommand struct {
	faucetFlags

	Label string `arg:"" optional:"" default:"me" help:"The same label gives the same address."`
}

// Run prints an address that belongs to nobody of the platform.
func (c *faucetAddressCommand) Run(e *env) error {
	world, err := c.world()
	if err != nil {
		return err
	}
	at, err := world.Address(c.Asset, "by hand "+c.Label)
	if err != nil {
		return err
	}
	e.printf("%s\n", at)
	return nil
}

type faucetBalanceCommand struct {
	faucetFlags

	At string `arg:"" name:"address" help:"Outside address."`
}

// Run asks the node.
func (c *faucetBalanceCommand) Run(e *env) error {
	world, err := c.world()
	if err != nil {
		return err
	}
	units, err := world.Balance(e.ctx, c.Asset, c.At)
	if err != nil {
		return err
	}
	e.printf("%s\n", money.Amount{Asset: c.asset(), Units: units})
	return nil
}
