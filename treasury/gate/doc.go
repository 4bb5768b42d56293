// Package gate stands between custody and the treasury: before a withdrawal or a sweep
// goes on, it asks what the policy says and, where that asks for people, waits for them.
// It implements custody's port for policies. Whatever it cannot learn stands in the way:
// nothing passes because nobody could be asked.
package gate
