package hugepage

import (
	"syscall"
	"unsafe"
)

const (
	hugeBytes = 2 << 20
	// adviceHuge is MADV_HUGEPAGE of madvise(2).
	adviceHuge = 14
)

// advise asks for huge pages for those that lie in s as a whole. Nobody has touched s
// yet, so they come when it is. It is a wish: a refusal changes nothing but the speed.
func advise[T any](s []T) {
	var one T
	size := uintptr(len(s)) * unsafe.Sizeof(one)
	if size < 2*hugeBytes {
		return
	}
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(s))) //nolint:gosec // an address, to be rounded
	skip := (hugeBytes - begin%hugeBytes) % hugeBytes
	whole := (size - skip) / hugeBytes * hugeBytes
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), size) //nolint:gosec // the bytes of s and no more
	_ = syscall.Madvise(bytes[skip:skip+whole], adviceHuge)                   // a wish
}
