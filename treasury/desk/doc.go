// Package desk is where people's consent is asked and taken: it decides by the policy in
// force who is asked, keeps requests until enough people agreed, one said no or time ran
// out, and keeps vaults, address books, policies and rosters. Whatever it decides is one
// SQL transaction over rows that it holds locked, so that any number of processes may run
// one. It moves no money and holds no key: the signer believes nothing of it, and verifies
// consent and policy again by itself.
package desk
