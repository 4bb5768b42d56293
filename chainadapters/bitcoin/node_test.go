package bitcoin

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// regtestGenesis is block 0 of regtest.
const regtestGenesis = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

// scripted is a node that says what a test wants, in Bitcoin Core's words.
type scripted struct {
	mu      sync.Mutex
	answers map[string]func(params []json.RawMessage) string // JSON of result, or of an error object
}

// refuses is an error object.
func refuses(code int, message string) func([]json.RawMessage) string {
	return func([]json.RawMessage) string { return fmt.Sprintf(`{"code":%d,"message":%q}`, code, message) }
}

func says(result string) func([]json.RawMessage) string {
	return func([]json.RawMessage) string { return result }
}

func (s *scripted) set(method string, answer func([]json.RawMessage) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[method] = answer
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID     json.RawMessage   `json:"id"`
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	if user, password, _ := r.BasicAuth(); user != "u" || password != "p" || json.NewDecoder(r.Body).Decode(&q) != nil {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	answer, known := s.answers[q.Method]
	s.mu.Unlock()
	if !known {
		answer = refuses(codeNoMethod, "Method not found")
	}
	text := answer(q.Params)
	if bytes.HasPrefix([]byte(text), []byte(`{"code"`)) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, `{"result":null,"error":%s,"id":%s}`, text, q.ID)
		return
	}
	_, _ = fmt.Fprintf(w, `{"result":%s,"error":null,"id":%s}`, text, q.ID)
}

func newScripted(t *testing.T) (*scripted, *Adapter) {
	t.Helper()
	s := &scripted{answers: map[string]func([]json.RawMessage) string{
		"getblockchaininfo": says(`{"chain":"regtest"}`), "getblockhash": says(`"` + regtestGenesis + `"`),
	}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	a, err := New(chainadapters.Config{
		Chain: "bitcoin-regtest", URL: server.URL, User: "u", Password: "p",
		Expect: chainadapters.Identity{Network: "regtest", Genesis: regtestGenesis},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

func TestQuoteReadsBothNodes(t *testing.T) {
	for _, tc := range []struct {
		name, smart, plain string
		want               uint64
	}{
		{"Core", `{"feerate":0.00012345,"blocks":3}`, "", 12_345},
		{"Core rounds up", `{"feerate":0.000123451}`, "", 12_346},
		{"Core knows too little", `{"errors":["Insufficient data or no feerate found"],"blocks":3}`, "", fallbackSatPerKVB},
		{"floor", `{"feerate":0.00000100}`, "", floorSatPerKVB},
		{"ceiling", `{"feerate":21}`, "", ceilingSatPerKVB},
		{"beyond any number", `{"feerate":1e300}`, "", fallbackSatPerKVB},
		{"negative", `{"feerate":-1}`, "", fallbackSatPerKVB},
		{"btcd", "", `2e-05`, 2_000},
		{"btcd knows too little", "", `-1`, fallbackSatPerKVB},
		{"neither", "", "", fallbackSatPerKVB},
	} {
		s, a := newScripted(t)
		if tc.smart != "" {
			s.set("estimatesmartfee", says(tc.smart))
		}
		if tc.plain != "" {
			s.set("estimatefee", says(tc.plain))
		}
		if fee, err := a.Quote(t.Context(), chainadapters.Plan{}); err != nil || fee.SatPerKVB != tc.want {
			t.Errorf("%s: %d, %v, want %d", tc.name, fee.SatPerKVB, err, tc.want)
		}
	}
}

// someTx is a signed transaction with its id.
func someTx(t *testing.T) (raw []byte, txid string, tx *wire.MsgTx) {
	t.Helper()
	tx = wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, [][]byte{make([]byte, 72), make([]byte, 33)}))
	tx.AddTxOut(wire.NewTxOut(1_000, network.KeyScript(make([]byte, 33))))
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), tx.TxHash().String(), tx
}

func TestStatusInCoresWords(t *testing.T) {
	raw, txid, _ := someTx(t)
	stale := `{"hex":"` + hex.EncodeToString(raw) + `","blockhash":"` + txid + `","confirmations":0}`
	header := func([]json.RawMessage) string {
		return fmt.Sprintf(`{"hash":%q,"height":7,"previousblockhash":%q,"time":1,"confirmations":-1}`, txid, regtestGenesis)
	}
	for _, tc := range []struct {
		name       string
		raw, entry func([]json.RawMessage) string
		want       chainadapters.TxState
		err        error
	}{
		{"unknown", refuses(-5, "No such mempool or blockchain transaction. Use gettransaction for wallet transactions."), nil, chainadapters.Absent, nil},
		{"no index", refuses(-5, "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries."), nil, 0, chainadapters.ErrIncomplete},
		{"half an index", refuses(-5, "No such mempool transaction. Blockchain transactions are still in the process of being indexed."), nil, 0, chainadapters.ErrIncomplete},
		{"in a replaced block", says(stale), refuses(-5, "Transaction not in mempool"), chainadapters.Absent, nil},
		{"back from a replaced block", says(stale), says(`{"vsize":110}`), chainadapters.Pooled, nil},
		{"another transaction", says(`{"hex":"00"}`), nil, 0, chainadapters.ErrIncomplete},
		{"null", says("null"), nil, 0, chainadapters.ErrIncomplete},
	} {
		s, a := newScripted(t)
		s.set("getrawtransaction", tc.raw)
		s.set("getblockheader", header)
		if tc.entry != nil {
			s.set("getmempoolentry", tc.entry)
		}
		got, err := a.Statuses(t.Context(), []string{txid})
		if !errors.Is(err, tc.err) || (tc.err == nil && (len(got) != 1 || got[0].State != tc.want)) {
			t.Errorf("%s: %+v, %v", tc.name, got, err)
		}
	}
}

func TestRefusalIsSuccessOnlyWhereTheNodeHasIt(t *testing.T) {
	raw, txid, _ := someTx(t)
	have := says(`{"hex":"` + hex.EncodeToString(raw) + `"}`)
	none := refuses(-5, "No such mempool or blockchain transaction.")
	for _, tc := range []struct {
		name       string
		send, look func([]json.RawMessage) string
		want       error
		refused    bool
	}{
		{"taken", says(`"` + txid + `"`), none, nil, false},
		{"already there", refuses(-27, "Transaction already in block chain"), have, nil, false},
		{"said to be there, and is not", refuses(-27, "txn-already-known"), none, chainadapters.ErrRefused, true},
		{"inputs are gone", refuses(-25, "bad-txns-inputs-missingorspent"), none, chainadapters.ErrRefused, true},
		{"cannot be looked up", refuses(-26, "min relay fee not met"), refuses(-5, "Use -txindex"), chainadapters.ErrIncomplete, false},
		{"node is starting", refuses(codeWarmup, "Loading block index…"), none, nil, false},
		{"takes it for another", says(`"` + regtestGenesis + `"`), none, chainadapters.ErrIncomplete, false},
	} {
		s, a := newScripted(t)
		s.set("sendrawtransaction", tc.send)
		s.set("getrawtransaction", tc.look)
		err := a.Broadcast(t.Context(), raw)
		if errors.Is(err, chainadapters.ErrRefused) != tc.refused || (tc.want != nil && !errors.Is(err, tc.want)) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if tc.name == "node is starting" && err == nil {
			t.Errorf("%s: taken for success", tc.name)
		}
	}
}

func TestHoldingsCompareWhatTheNodeTells(t *testing.T) {
	_, txid, tx := someTx(t)
	script := hex.EncodeToString(tx.TxOut[0].PkScript)
	s, a := newScripted(t)
	address, _ := a.params.Address(tx.TxOut[0].PkScript)
	coin := chainadapters.Coin{Outpoint: chainadapters.Outpoint{TxID: txid}, Amount: money.FromUint64(1_000), Address: address}
	s.set("getbestblockhash", says(`"`+regtestGenesis+`"`))
	s.set("getblockheader", says(`{"hash":"`+regtestGenesis+`","height":0,"time":1}`))
	q := chainadapters.Holdings{Coins: []chainadapters.Coin{coin}, At: chainadapters.Ref{Hash: regtestGenesis}}
	out := func(best, value, script string) func([]json.RawMessage) string {
		return says(fmt.Sprintf(`{"bestblock":%q,"confirmations":1,"value":%s,"scriptPubKey":{"hex":%q}}`, best, value, script))
	}
	for _, tc := range []struct {
		name   string
		answer func([]json.RawMessage) string
		want   uint64
		err    error
	}{
		{"as expected", out(regtestGenesis, "0.00001000", script), 1_000, nil},
		{"with an exponent", out(regtestGenesis, "1e-05", script), 1_000, nil},
		{"spent", says("null"), 0, nil},
		{"another amount", out(regtestGenesis, "0.00001001", script), 0, chainadapters.ErrIncomplete},
		{"another address", out(regtestGenesis, "0.00001", "6a"), 0, chainadapters.ErrIncomplete},
		{"of another head", out(txid, "0.00001", script), 0, chainadapters.ErrIncomplete},
	} {
		s.set("gettxout", tc.answer)
		got, err := a.Holdings(t.Context(), q)
		if !errors.Is(err, tc.err) || got != money.FromUint64(tc.want) {
			t.Errorf("%s: %s, %v", tc.name, got, err)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := chainadapters.Config{URL: "http://127.0.0.1:1", Expect: chainadapters.Identity{Network: "regtest"}}
	for name, change := range map[string]func(*chainadapters.Config){
		"no URL":            func(c *chainadapters.Config) { c.URL = "" },
		"other scheme":      func(c *chainadapters.Config) { c.URL = "ftp://127.0.0.1" },
		"unknown network":   func(c *chainadapters.Config) { c.Expect.Network = "mars" },
		"malformed genesis": func(c *chainadapters.Config) { c.Expect.Genesis = "00" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
	if _, err := New(good); err != nil {
		t.Errorf("good: %v", err)
	}
}

func TestWrongPasswordIsNoAnswer(t *testing.T) {
	_, a := newScripted(t)
	a.rpc.password = "guess"
	if _, err := a.Head(t.Context()); err == nil || errors.Is(err, chainadapters.ErrForeign) || errors.Is(err, chainadapters.ErrNotFound) {
		t.Errorf("got %v, want a fault", err)
	}
}
