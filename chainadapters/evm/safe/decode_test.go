package safe_test

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
)

func TestEffectInPlainWords(t *testing.T) {
	v := vaultOf(2, keysOf(3)...)
	hot := named("hot").Hex()
	tail := "From vault " + v.Address.Hex() + " on chain 31337, with its nonce 7\n" +
		"It takes 2 of 3 owners; nobody is paid for gas, and nothing else is done\n"
	for name, want := range map[string]string{
		"ether": "Pays 1.5 ETH to " + hot + " (hot wallet)\n" + tail,
		"token": "Pays 1.25 USDC to " + hot + " (hot wallet), token " + named("dollar").Hex() + "\n" + tail,
		"batch": "A batch of 2, all or none:\nPays 0.000000000000000001 ETH to " + hot + " (hot wallet)\nPays 0.000002 USDC to " +
			named("other").Hex() + " (an address without a name), token " + named("dollar").Hex() + "\n" + tail,
	} {
		e, err := safe.Decode(v, payments(t)[name], known())
		if err != nil {
			t.Fatal(err)
		}
		if got := e.String(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// selectorOf is the call of a function with addresses and numbers.
func callOf(signature string, words ...any) []byte {
	data := crypto.Keccak256([]byte(signature))[:4]
	for _, w := range words {
		switch w := w.(type) {
		case common.Address:
			data = append(data, common.LeftPadBytes(w[:], 32)...)
		case int:
			data = append(data, common.LeftPadBytes(big.NewInt(int64(w)).Bytes(), 32)...)
		}
	}
	return data
}

func TestWhatNobodyShouldSign(t *testing.T) {
	v, set := vaultOf(2, keysOf(3)...), safe.Canonical()
	dollar, hot := named("dollar"), named("hot")
	self := func(data []byte) safe.Tx { return safe.Tx{To: v.Address, Data: data} }
	token := func(data []byte) safe.Tx { return safe.Tx{To: dollar, Data: data} }
	whole := must[safe.Tx](t)(safe.Batch(set, safe.PayNative(hot, wei(1), 0), safe.PayToken(dollar, hot, wei(2), 0)))
	batch := func(change func(t *safe.Tx)) safe.Tx {
		tx := whole
		tx.Data = bytes.Clone(tx.Data)
		change(&tx)
		return tx
	}
	inBatch := func(call safe.Tx) safe.Tx {
		return must[safe.Tx](t)(safe.Batch(set, safe.PayNative(hot, wei(1), 0), call))
	}
	pay := func(change func(t *safe.Tx)) safe.Tx {
		tx := safe.PayNative(hot, wei(1), 0)
		change(&tx)
		return tx
	}
	for name, c := range map[string]struct {
		tx   safe.Tx
		says string
	}{
		"delegatecall":                 {pay(func(t *safe.Tx) { t.Operation = 1 }), "delegatecall"},
		"unknown operation":            {pay(func(t *safe.Tx) { t.Operation = 2 }), "operation 2"},
		"delegatecall to the token":    {safe.Tx{To: dollar, Data: callOf("transfer(address,uint256)", hot, 1), Operation: 1}, "delegatecall"},
		"adds an owner":                {self(callOf("addOwnerWithThreshold(address,uint256)", hot, 1)), "addOwnerWithThreshold"},
		"removes an owner":             {self(callOf("removeOwner(address,address,uint256)", hot, hot, 1)), "removeOwner"},
		"swaps an owner":               {self(callOf("swapOwner(address,address,address)", hot, hot, hot)), "swapOwner"},
		"changes the threshold":        {self(callOf("changeThreshold(uint256)", 1)), "changeThreshold"},
		"sets a guard":                 {self(callOf("setGuard(address)", hot)), "setGuard"},
		"enables a module":             {self(callOf("enableModule(address)", hot)), "enableModule"},
		"disables a module":            {self(callOf("disableModule(address,address)", hot, hot)), "disableModule"},
		"sets the fallback handler":    {self(callOf("setFallbackHandler(address)", hot)), "setFallbackHandler"},
		"ether to itself":              {safe.PayNative(v.Address, wei(1), 0), "vault itself"},
		"token to itself":              {safe.PayToken(dollar, v.Address, wei(1), 0), "vault itself"},
		"approval":                     {token(callOf("approve(address,uint256)", hot, 1)), "approve(address,uint256)"},
		"allowance":                    {token(callOf("increaseAllowance(address,uint256)", hot, 1)), "increaseAllowance"},
		"transfer from another":        {token(callOf("transferFrom(address,address,uint256)", hot, hot, 1)), "transferFrom"},
		"unknown function":             {token(callOf("surprise()")), "is unknown"},
		"three bytes":                  {token([]byte{1, 2, 3}), "less than names a function"},
		"transfer with more":           {token(append(callOf("transfer(address,uint256)", hot, 1), 0)), "69 bytes"},
		"transfer with less":           {token(callOf("transfer(address,uint256)", hot)), "36 bytes"},
		"transfer to no address":       {token(append(callOf("transfer(address,uint256)"), bytes.Repeat([]byte{9}, 64)...)), "no address"},
		"transfer with ether":          {func() safe.Tx { x := safe.PayToken(dollar, hot, wei(1), 0); x.Value = wei(1); return x }(), "carries 1 wei"},
		"ether to the token":           {safe.PayNative(dollar, wei(1), 0), "carries 1 wei"},
		"token to the token":           {safe.PayToken(dollar, dollar, wei(1), 0), "lost"},
		"token that is not known":      {safe.PayToken(named("worthless"), hot, wei(1), 0), "no token that is known"},
		"call of a person":             {pay(func(t *safe.Tx) { t.Data = []byte{0} }), "no token that is known"},
		"nothing":                      {safe.PayNative(hot, wei(0), 0), "nothing"},
		"nothing of the token":         {safe.PayToken(dollar, hot, wei(0), 0), "nothing"},
		"to nobody":                    {safe.PayNative(common.Address{}, wei(1), 0), "zero address"},
		"token to nobody":              {safe.PayToken(dollar, common.Address{}, wei(1), 0), "zero address"},
		"ether to the code of vaults":  {safe.PayNative(set.Singleton, wei(1), 0), "lost"},
		"gas of its own":               {pay(func(t *safe.Tx) { t.SafeTxGas = wei(1) }), "safeTxGas"},
		"base gas":                     {pay(func(t *safe.Tx) { t.BaseGas = wei(1) }), "baseGas"},
		"an absurd fee":                {pay(func(t *safe.Tx) { t.GasPrice = wei(1e18) }), "gasPrice"},
		"refund in a token":            {pay(func(t *safe.Tx) { t.GasToken = dollar }), "refund"},
		"refund to somebody":           {pay(func(t *safe.Tx) { t.RefundReceiver = hot }), "refund"},
		"a negative value":             {pay(func(t *safe.Tx) { t.Value = wei(-1) }), "256 bits"},
		"a value that is too large":    {pay(func(t *safe.Tx) { t.Value = new(big.Int).Lsh(wei(1), 256) }), "256 bits"},
		"too much data":                {pay(func(t *safe.Tx) { t.Data = make([]byte, safe.MaxData+1) }), "bytes of data"},
		"batch by another contract":    {batch(func(t *safe.Tx) { t.To = hot }), "delegatecall to"},
		"batch with value":             {batch(func(t *safe.Tx) { t.Value = wei(1) }), "1 wei of its own"},
		"batch that is called":         {batch(func(t *safe.Tx) { t.Operation = 0 }), "no token that is known"},
		"batch of another function":    {batch(func(t *safe.Tx) { t.Data[0]++ }), "another function"},
		"batch cut off":                {batch(func(t *safe.Tx) { t.Data = t.Data[:len(t.Data)-32] }), "batch"},
		"batch of nothing":             {batch(func(t *safe.Tx) { t.Data = callOf("multiSend(bytes)", 32, 0) }), "no call in it"},
		"batch with a delegatecall":    {batch(func(t *safe.Tx) { t.Data[4+64] = 1 }), "call 1 of the batch is a delegatecall"},
		"batch with more behind":       {batch(func(t *safe.Tx) { t.Data = append(t.Data, make([]byte, 32)...) }), "canonical"},
		"batch that changes owners":    {inBatch(self(callOf("changeThreshold(uint256)", 1))), "call 2 of the batch: refused: a call to the vault itself: changeThreshold"},
		"batch with an approval":       {inBatch(token(callOf("approve(address,uint256)", hot, 1))), "approve"},
		"batch in a batch":             {inBatch(safe.Tx{To: set.MultiSend, Data: whole.Data}), "multiSend"},
		"batch with a payment of none": {inBatch(safe.PayNative(hot, wei(0), 0)), "nothing"},
	} {
		_, err := safe.Decode(v, c.tx, known())
		if !errors.Is(err, safe.ErrRefused) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, and it should say %q", name, err, c.says)
		}
	}
	if _, err := safe.Decode(safe.Vault{}, safe.PayNative(hot, wei(1), 0), known()); !errors.Is(err, safe.ErrVault) {
		t.Errorf("no vault: %v", err)
	}
}

func TestBatchesThatCannotBe(t *testing.T) {
	one := safe.PayNative(named("hot"), wei(1), 0)
	delegated, paid := one, one
	delegated.Operation, paid.GasPrice = 1, wei(1)
	for name, calls := range map[string][]safe.Tx{
		"none": nil, "too many": slices.Repeat([]safe.Tx{one}, safe.MaxBatch+1), "delegated": {one, delegated}, "paid for": {paid},
	} {
		_, err := safe.Batch(safe.Canonical(), calls...)
		if !errors.Is(err, safe.ErrRefused) || name == "delegated" && !strings.Contains(err.Error(), "call 2 is") || name == "paid for" && !strings.Contains(err.Error(), "call 1: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	full := must[safe.Tx](t)(safe.Batch(safe.Canonical(), slices.Repeat([]safe.Tx{one}, safe.MaxBatch)...))
	if e := must[safe.Effect](t)(safe.Decode(vaultOf(2, keysOf(3)...), full, known())); len(e.Payments) != safe.MaxBatch {
		t.Errorf("%d payments", len(e.Payments))
	}
}
