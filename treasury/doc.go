// Package treasury says what people of the house see and do about its money: requests
// that wait for consent, the vaults and what moves between them, policies, addresses and
// people. It is the contract between who keeps these (desk) and who shows or drives them
// (pages, workflows, commands). It has no behaviour: rules are in the packages below, rows
// in treasurydb.
package treasury
