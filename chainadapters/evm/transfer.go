package evm

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters"
	"strongroom/money"
)

// transferTopic is keccak256("Transfer(address,address,uint256)"), ERC-20.
const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

// transferTopics is how many topics an ERC-20 Transfer has: signature, from, to.
// An ERC-721 Transfer has the same signature and one topic more.
const transferTopics = 3

const wordLength = 32

func (l *rpcLog) equal(o *rpcLog) bool {
	return l.Address == o.Address && l.TxHash == o.TxHash && l.Index == o.Index && l.BlockHash == o.BlockHash &&
		l.BlockNumber == o.BlockNumber && slices.Equal(l.Topics, o.Topics) && bytes.Equal(l.Data, o.Data)
}

// transfers reads the token movements of one block by transaction. The node is
// asked for the logs by block hash, and they must be the very logs that the
// receipts hold: a log index that lags behind would otherwise hide a deposit.
func (a *Adapter) transfers(ctx context.Context, block common.Hash, contracts []string, receipts []rpcReceipt, names *names) (map[common.Hash][]chainadapters.Movement, error) {
	if len(contracts) == 0 {
		return nil, nil
	}
	wanted, err := parseContracts(contracts)
	if err != nil {
		return nil, err
	}
	filter := map[string]any{"blockHash": block, "address": wanted, "topics": []string{transferTopic}}
	answer, err := ask[rpcLogs](ctx, a.rpc, "eth_getLogs", filter)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return nil, fmt.Errorf("%w: null for the logs", chainadapters.ErrIncomplete)
	}
	logs := slices.DeleteFunc(*answer, func(l rpcLog) bool { return l.Removed })
	if err := agree(logs, receiptLogs(receipts, wanted)); err != nil {
		return nil, err
	}
	movements := make(map[common.Hash][]chainadapters.Movement, len(logs))
	places, err := placesInTransaction(receipts)
	if err != nil {
		return nil, err
	}
	for i := range logs {
		m, ok, err := movement(&logs[i], block, places, names)
		if err != nil {
			return nil, err
		}
		if ok {
			movements[logs[i].TxHash] = append(movements[logs[i].TxHash], m)
		}
	}
	return movements, nil
}

func parseContracts(contracts []string) ([]common.Address, error) {
	wanted := make([]common.Address, len(contracts))
	for i, c := range contracts {
		address, err := parseAddress(c)
		if err != nil {
			return nil, fmt.Errorf("contract %.60q: %w", c, err)
		}
		wanted[i] = address
	}
	return wanted, nil
}

// receiptLogs picks the transfer logs of the wanted contracts out of receipts.
func receiptLogs(receipts []rpcReceipt, wanted []common.Address) []rpcLog {
	topic := common.HexToHash(transferTopic)
	var logs []rpcLog
	for i := range receipts {
		for j := range receipts[i].Logs {
			l := &receipts[i].Logs[j]
			if len(l.Topics) > 0 && l.Topics[0] == topic && slices.Contains(wanted, l.Address) {
				logs = append(logs, *l)
			}
		}
	}
	return logs
}

func agree(logs, fromReceipts []rpcLog) error {
	same := len(logs) == len(fromReceipts)
	for i := 0; same && i < len(logs); i++ {
		same = logs[i].equal(&fromReceipts[i])
	}
	if !same {
		return fmt.Errorf("%w: %d logs by filter, %d in the receipts, or they differ", chainadapters.ErrIncomplete, len(logs), len(fromReceipts))
	}
	return nil
}

// placesInTransaction counts each transaction's logs from zero, by their index in
// the block. A movement is known by its place in its transaction: mined again in
// another block, the transaction has other logs before it and is still the same.
func placesInTransaction(receipts []rpcReceipt) (map[uint64]uint32, error) {
	places := make(map[uint64]uint32, len(receipts))
	for i := range receipts {
		for place := range receipts[i].Logs {
			l := &receipts[i].Logs[place]
			if _, twice := places[l.Index]; twice {
				return nil, fmt.Errorf("%w: two logs of the block have index %d", chainadapters.ErrIncomplete, l.Index)
			}
			places[l.Index] = uint32(place)
		}
	}
	return places, nil
}

// movement reads one log; ok is false for what moves nothing: a zero value, or
// an event that is no ERC-20 transfer.
func movement(l *rpcLog, block common.Hash, places map[uint64]uint32, names *names) (m chainadapters.Movement, ok bool, err error) {
	place, known := places[l.Index]
	if l.BlockHash != block || !known || place >= chainadapters.NativeIndex {
		return m, false, fmt.Errorf("%w: log %d of %s is of block %s", chainadapters.ErrIncomplete, l.Index, l.TxHash, l.BlockHash)
	}
	if len(l.Topics) != transferTopics || len(l.Data) != wordLength {
		return m, false, nil
	}
	amount := money.FromBytes32([wordLength]byte(l.Data))
	if amount.IsZero() {
		return m, false, nil
	}
	return chainadapters.Movement{
		TxID:     hashText(l.TxHash),
		Index:    place,
		From:     names.of(common.BytesToAddress(l.Topics[1][:])),
		To:       names.of(common.BytesToAddress(l.Topics[2][:])),
		Contract: names.of(l.Address),
		Amount:   amount,
	}, true, nil
}
