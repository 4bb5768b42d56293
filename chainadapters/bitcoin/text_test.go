package bitcoin_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"
)

func upper(s string) string { return strings.ToUpper(s) }

// flipLast changes the last character to another of both alphabets.
func flipLast(s string) string {
	last := byte('q')
	if s[len(s)-1] == last {
		last = 'p'
	}
	return s[:len(s)-1] + string(last)
}

func decodeBlock(result json.RawMessage) (*wire.MsgBlock, error) {
	var text string
	if err := json.Unmarshal(result, &text); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var block wire.MsgBlock
	return &block, block.Deserialize(bytes.NewReader(raw))
}

func encodeBlock(block *wire.MsgBlock) string {
	var raw bytes.Buffer
	if err := block.Serialize(&raw); err != nil {
		panic(err)
	}
	return hex.EncodeToString(raw.Bytes())
}

// bip84Account is account 0 of BIP 84's own vector (abandon … about), with the
// version of test networks in place of zpub.
const bip84Account = "tpubDCxX2sYFS5bDkSe5GKKYHjBW7tgyN1R3UchpLJvdbf54ohxeGRtd8MbDUe1cguVHe4vnK68DsuD5MXjxi9EXx16rb9EnNsaF5KT99CinaJz"
