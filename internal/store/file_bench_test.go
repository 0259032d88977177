package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"stoa/internal/store"
)

// BenchmarkApply writes records of 1 KiB from several goroutines at once; ns/op
// is per batch, all writers taken together.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("%d-writers", writers), func(b *testing.B) {
			f := fresh(b)
			value := make([]byte, 1024)
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for writer := range writers {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						key := fmt.Sprintf("tasks/%d/%d", writer, next.Load()%10_000)
						if _, err := f.Apply(b.Context(), store.Put(key, value)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func BenchmarkGet(b *testing.B) {
	f := fresh(b)
	apply(b, f, store.Put("k", make([]byte, 1024)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Get(b.Context(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	f := fresh(b)
	for n := range 10 {
		ops := make([]store.Op, 0, 100)
		for m := range 100 {
			ops = append(ops, store.Put(fmt.Sprintf("tasks/%d/%d", n, m), make([]byte, 1024)))
		}
		apply(b, f, ops...)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if records, err := f.List(b.Context(), "tasks/"); err != nil || len(records) != 1000 {
			b.Fatal(len(records), err)
		}
	}
}
