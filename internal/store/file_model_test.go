package store_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stoa/internal/store"
)

// modelRecord is what the model knows of a key.
type modelRecord struct {
	value   string
	version int64
}

// TestTheStoreBehavesLikeAMap compares the engine with a map under random
// batches, right and wrong expectations, listings and restarts.
func TestTheStoreBehavesLikeAMap(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		path := filepath.Join(dir, fmt.Sprint(runs))
		f, err := store.OpenFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { f.Close() }()
		model := make(map[string]modelRecord)
		highest := int64(0)
		key := rapid.SampledFrom([]string{"a", "a/1", "a/2", "b", "b/1"})
		rt.Repeat(map[string]func(*rapid.T){
			"apply": func(rt *rapid.T) {
				var ops []store.Op
				after := maps.Clone(model)
				touched := make(map[string]bool)
				conflict := false
				for range rapid.IntRange(1, 4).Draw(rt, "ops") {
					op := store.Op{Key: key.Draw(rt, "key"), Delete: rapid.Bool().Draw(rt, "delete")}
					if !op.Delete {
						op.Value = rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(rt, "value")
					}
					have := model[op.Key].version
					op.Expect = rapid.SampledFrom([]int64{store.AnyVersion, store.AnyVersion, have, have, store.Absent, have + 1}).Draw(rt, "expect")
					_, exists := after[op.Key]
					switch {
					case op.Expect == store.AnyVersion:
					case touched[op.Key]:
						// Its version is not known yet, but whether it exists is.
						conflict = conflict || exists || op.Expect != store.Absent
					default:
						conflict = conflict || op.Expect != have
					}
					touched[op.Key] = true
					delete(after, op.Key)
					if !op.Delete {
						after[op.Key] = modelRecord{value: string(op.Value)}
					}
					ops = append(ops, op)
				}
				versions, err := f.Apply(t.Context(), ops...)
				if conflict {
					if !errors.Is(err, store.ErrConflict) {
						rt.Fatalf("%+v over %v: %v", ops, model, err)
					}
					return
				}
				if err != nil {
					rt.Fatalf("%+v over %v: %v", ops, model, err)
				}
				for i, op := range ops {
					if op.Delete {
						if versions[i] != 0 {
							rt.Fatalf("a deletion has version %d", versions[i])
						}
						continue
					}
					if versions[i] <= highest {
						rt.Fatalf("version %d after %d", versions[i], highest)
					}
					highest = versions[i]
					if r, ok := after[op.Key]; ok {
						r.version = versions[i]
						after[op.Key] = r
					}
				}
				model = after
			},
			"reopen": func(rt *rapid.T) {
				if err := f.Close(); err != nil {
					rt.Fatal(err)
				}
				if f, err = store.OpenFile(path); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				for _, prefix := range []string{"", "a", "a/", "b", "c"} {
					records, err := f.List(t.Context(), prefix)
					if err != nil {
						rt.Fatal(err)
					}
					found := 0
					for key, want := range model {
						if !strings.HasPrefix(key, prefix) {
							continue
						}
						found++
						r, err := f.Get(t.Context(), key)
						if err != nil || string(r.Value) != want.value || r.Version != want.version {
							rt.Fatalf("%s is %+v (%v), want %+v", key, r, err, want)
						}
					}
					if found != len(records) {
						rt.Fatalf("%d records under %q, want %d", len(records), prefix, found)
					}
				}
			},
		})
	})
}
