package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestTradeCommandsSignWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	writeKey(t, customerFile(dir), "key_customer")
	var asked []string
	url := fakeAPI(t, &asked, map[string]string{
		"GET /v1/orders": `{"items":[]}`, "POST /v1/orders": `{"id":"77"}`, "DELETE /v1/orders/77": `{"id":"77"}`, "DELETE /v1/orders/client:a b": `{"id":"78"}`,
		"DELETE /v1/orders": `{"cancelled":2}`, "GET /v1/transfers": `{"items":[]}`, "POST /v1/transfers": `{"id":"fnd_1"}`,
	})
	for _, c := range []struct {
		args       []string
		code       int
		says, asks string
	}{
		{[]string{"orders"}, 0, `"items"`, "key_customer GET /v1/orders?state=open"},
		{[]string{"orders", "list", "--state=all", "--market=BTC-USDC"}, 0, `"items"`, "key_customer GET /v1/orders?market=BTC-USDC"},
		{
			[]string{"orders", "place", "BTC-USDC", "buy", "0.5", "--price=60000", "--post-only=slide", "--client-id=k"},
			0, "client id k",
			`key_customer POST /v1/orders {"clientOrderId":"k","market":"BTC-USDC","postOnly":"slide","price":"60000","quantity":"0.5","side":"buy","type":"limit"}`,
		},
		{
			[]string{"orders", "place", "BTC-USDC", "sell", "0.5", "--client-id=k"},
			0, `"77"`, `key_customer POST /v1/orders {"clientOrderId":"k","market":"BTC-USDC","quantity":"0.5","side":"sell","type":"market"}`,
		},
		{[]string{"orders", "place", "BTC-USDC", "long", "0.5"}, 2, "sell", ""},
		{[]string{"orders", "cancel", "77"}, 0, `"77"`, "key_customer DELETE /v1/orders/77"},
		{[]string{"orders", "cancel", "client:a b"}, 0, `"78"`, "key_customer DELETE /v1/orders/client:a%20b"},
		{[]string{"orders", "cancel", "--all", "--market=BTC-USDC", "--side=buy"}, 0, `"cancelled"`, "key_customer DELETE /v1/orders?market=BTC-USDC&side=buy"},
		{[]string{"orders", "cancel"}, 2, "--all", ""},
		{[]string{"orders", "cancel", "77", "--all"}, 2, "--all", ""},
		{[]string{"transfers"}, 0, `"items"`, "key_customer GET /v1/transfers"},
		{
			[]string{"transfers", "create", "BTC", "0.1", "to-trading", "--idempotency-key=z"},
			0, "idempotency key z", `key_customer POST /v1/transfers z{"amount":"0.1","asset":"BTC","direction":"to_trading"}`,
		},
	} {
		asked = nil
		var out, errOut bytes.Buffer
		code := run(context.Background(), append(c.args, "--dir="+dir, "--api-url="+url), &out, &errOut)
		last := ""
		if len(asked) > 0 {
			last = asked[len(asked)-1]
		}
		if text := out.String() + errOut.String(); code != c.code || !strings.Contains(text, c.says) || last != c.asks {
			t.Errorf("%v: exit %d, said %q, asked %q; want %d, %q, %q", c.args, code, text, last, c.code, c.says, c.asks)
		}
	}
}
