// Package hugepage makes large slices that are read all over, so that the processor
// finds their addresses with fewer steps: on Linux it asks for pages of 2 MiB, elsewhere
// and where there are none the slices are as any others.
package hugepage

// Make returns a slice of n zero values, which must hold no pointers.
func Make[T any](n int) []T {
	s := make([]T, n)
	advise(s)
	return s
}
