// Package naive is the second matching engine: the rules of docs/matching.md written
// down as plainly as possible, with slices, sorting, linear scans and numbers of any
// size. It exists to be compared with package engine, command by command, and is a
// thousand times slower. It shares with it only the types of the contract, never a rule,
// and no server runs it.
package naive
