// Package treasurydb keeps treasury's rows in PostgreSQL: requests and what people signed,
// versions of policy and roster, vaults with what is in them and moves between them,
// address books and proofs of control. Nothing is deleted, what was asked or signed stays
// as it was, and what is read is held against its hash. It decides nothing: who may
// approve, what a policy asks for and when an entry becomes active is for others to say.
package treasurydb
