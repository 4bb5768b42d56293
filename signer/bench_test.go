//go:build cgo

package signer

import (
	"fmt"
	"testing"
)

// BenchmarkSignByKeystore prints signatures per second: of keys alone, and of whole requests with
// journal, for both keystores.
func BenchmarkSignByKeystore(b *testing.B) {
	hash := make([]byte, wordSize)
	for _, store := range []string{"file", "pkcs11"} {
		b.Run(store, func(b *testing.B) {
			cfg := testConfig(b.TempDir(), newClock())
			if store == "pkcs11" {
				cfg, _ = loaded(b)
			}
			s := openSigner(b, cfg)
			b.Cleanup(func() { _ = s.Close() })
			key, err := s.chains[evmName].(*evmChain).keys.private(hotPath)
			if err != nil {
				b.Fatal(err)
			}
			b.Run("key", func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := key.compact(hash); err != nil {
							b.Error(err)
						}
					}
				})
				perSecond(b)
			})
			nonce := uint64(0)
			b.Run("request", func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Sign(ethWithdrawal(b, fmt.Sprintf("wdr_%d", nonce), nonce, 1)); err != nil {
						b.Fatal(err)
					}
					nonce++
				}
				perSecond(b)
			})
		})
	}
}

func perSecond(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sign/s")
}
