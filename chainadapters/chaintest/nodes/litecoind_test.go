package nodes

import "testing"

// TestAddressesAreTheNodesOwn lets the node read what we write, and pay to the same
// script.
func TestAddressesAreTheNodesOwn(t *testing.T) {
	h := NewLitecoind(t)
	for text, canonical := range h.Addresses().Valid {
		var told struct {
			IsValid      bool
			ScriptPubKey string
		}
		h.call(t, &told, "validateaddress", text)
		if want := hexOf(h.scriptOf(t, canonical)); !told.IsValid || told.ScriptPubKey != want {
			t.Errorf("%s: the node says %+v, want script %s", text, told, want)
		}
	}
}
