// Package addressbook says which outside addresses an owner has allowed, from when
// each may be paid, and what a destination therefore is to the policy: own, allowed
// or new. An entry is proposed, approved by those whom the policy asks, and then
// waits: who gets hold of somebody's session or approvals does not have the money
// before the owner had time to see it. An address that resembles a known one is
// named as such to whoever approves it and waits longer. The package decides on
// values that it is given. It keeps nothing, reads no clock, and checks no
// approvals; addresses come to it in their chain's canonical form.
package addressbook
