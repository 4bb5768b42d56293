package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"strongroom/ledger"
)

// Ledger is what LedgerBooks reads.
type Ledger interface {
	BalancesUnder(ctx context.Context, prefix string, after ledger.AccountID, limit int) ([]ledger.Balance, error)
	Transfers(ctx context.Context, account ledger.AccountID, cursor string, limit int) (ledger.Page, error)
}

// LedgerBooks is the ledger as Books: it knows how customers' accounts are named.
type LedgerBooks struct{ Ledger Ledger }

var _ Books = LedgerBooks{}

// maxAccounts bounds the accounts of one customer: three for each asset.
const maxAccounts = 10_000

// Balances returns a customer's balances, by asset code.
func (b LedgerBooks) Balances(ctx context.Context, customer string) ([]Balance, error) {
	prefix := "customer/" + customer + "/"
	accounts, err := b.Ledger.BalancesUnder(ctx, prefix, "", maxAccounts)
	if err != nil {
		return nil, err
	}
	var out []Balance
	for _, a := range accounts {
		// Accounts of one asset follow each other: they sort by name.
		if len(out) == 0 || out[len(out)-1].Asset != a.Asset {
			out = append(out, Balance{Asset: a.Asset})
		}
		into := &out[len(out)-1]
		switch name := string(a.Account); name[strings.LastIndexByte(name, '/')+1:] {
		case "funding":
			into.Available = a.Available()
			into.Held = a.DebitsPending
		case "maturing":
			into.Maturing = a.Posted()
		case "debt":
			into.Debt = a.Posted()
		}
	}
	return out, nil
}

// Entries returns a page of one account's bookings, newest first.
func (b LedgerBooks) Entries(ctx context.Context, q EntryQuery) ([]Entry, string, error) {
	account := ledger.AccountID("customer/" + q.Customer + "/" + q.Asset + "/" + q.Account)
	page, err := b.Ledger.Transfers(ctx, account, q.Cursor, q.Limit)
	if errors.Is(err, ledger.ErrAccountUnknown) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	out := make([]Entry, len(page.Entries))
	for i, e := range page.Entries {
		kind, err := kindName(e.Kind)
		if err != nil {
			return nil, "", err
		}
		out[i] = Entry{ID: string(e.ID), Direction: "credit", Kind: kind, Amount: e.Amount, BookedAt: e.Booked, EventTime: e.EventTime}
		if e.Debit == account {
			out[i].Direction = "debit"
		}
	}
	return out, page.Next, nil
}

func kindName(k ledger.Kind) (string, error) {
	switch k {
	case ledger.Single:
		return "single", nil
	case ledger.Pending:
		return "pending", nil
	case ledger.Post:
		return "post", nil
	case ledger.Void:
		return "void", nil
	}
	return "", fmt.Errorf("transfer of unknown kind %d", k)
}
