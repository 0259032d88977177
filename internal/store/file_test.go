package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"stoa/internal/store"
)

func open(t testing.TB, path string) *store.File {
	t.Helper()
	f, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func fresh(t testing.TB) *store.File { return open(t, filepath.Join(t.TempDir(), "stoa.db")) }

func apply(t testing.TB, s store.Store, ops ...store.Op) []int64 {
	t.Helper()
	versions, err := s.Apply(t.Context(), ops...)
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

// values lists the values under prefix by key.
func values(t testing.TB, s store.Store, prefix string) map[string]string {
	t.Helper()
	records, err := s.List(context.Background(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	last := ""
	for _, r := range records {
		if r.Key <= last {
			t.Errorf("%q comes after %q", r.Key, last)
		}
		last = r.Key
		out[r.Key] = string(r.Value)
	}
	return out
}

func TestWhatIsWrittenIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "down", "stoa.db")
	f := open(t, path)
	apply(t, f, store.Put("apps/a", []byte("1")), store.Put("apps/b", []byte("2")), store.Put("apq", nil), store.Put("tasks/a", []byte("3")))
	versions := apply(t, f, store.Remove("apps/b"), store.Put("apps/c", []byte("4")))
	if versions[0] != 0 || versions[1] < 1 {
		t.Errorf("versions %v", versions)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open(t, path)
	if diff := cmp.Diff(map[string]string{"apps/a": "1", "apps/c": "4"}, values(t, f, "apps/")); diff != "" {
		t.Error(diff)
	}
	if got := len(values(t, f, "")); got != 4 {
		t.Errorf("%d records", got)
	}
	record, err := f.Get(t.Context(), "apps/c")
	if err != nil || string(record.Value) != "4" || record.Version != versions[1] || record.Key != "apps/c" {
		t.Errorf("%+v, %v", record, err)
	}
	if _, err := f.Get(t.Context(), "apps/b"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if record, err := f.Get(t.Context(), "apq"); err != nil || len(record.Value) != 0 {
		t.Errorf("an empty value is a value: %+v, %v", record, err)
	}
}

func TestABatchWithAConflictWritesNothing(t *testing.T) {
	f := fresh(t)
	first := apply(t, f, store.Op{Key: "leader", Value: []byte("a"), Expect: store.Absent})[0]
	for _, op := range []store.Op{
		{Key: "leader", Value: []byte("b"), Expect: store.Absent},
		{Key: "leader", Value: []byte("b"), Expect: first + 1},
		{Key: "leader", Delete: true, Expect: first + 1},
		{Key: "nobody", Value: []byte("b"), Expect: first},
	} {
		if _, err := f.Apply(t.Context(), store.Put("other", nil), op); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%+v: %v", op, err)
		}
	}
	if diff := cmp.Diff(map[string]string{"leader": "a"}, values(t, f, "")); diff != "" {
		t.Error(diff)
	}
	second := apply(t, f, store.Op{Key: "leader", Value: []byte("b"), Expect: first})[0]
	if second <= first {
		t.Errorf("version %d after %d", second, first)
	}
}

func TestAVersionNeverComesBack(t *testing.T) {
	f := fresh(t)
	old := apply(t, f, store.Put("k", []byte("1")))[0]
	apply(t, f, store.Remove("k"))
	apply(t, f, store.Put("k", []byte("2")))
	if _, err := f.Apply(t.Context(), store.Op{Key: "k", Value: []byte("3"), Expect: old}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the key was made anew since: %v", err)
	}
}

func TestOpsOfABatchTakeEffectInOrder(t *testing.T) {
	f := fresh(t)
	apply(t, f,
		store.Put("k", []byte("1")),
		store.Remove("k"),
		store.Op{Key: "k", Value: []byte("2"), Expect: store.Absent},
	)
	if got := values(t, f, "k")["k"]; got != "2" {
		t.Error(got)
	}
	version := apply(t, f, store.Put("k", []byte("3")))[0]
	_, err := f.Apply(t.Context(), store.Put("k", []byte("4")), store.Op{Key: "k", Value: []byte("5"), Expect: version})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("the batch itself changed k: %v", err)
	}
}

func TestOnlyOneOfManyWinsAndAConflictHurtsNobodyElse(t *testing.T) {
	f := fresh(t)
	const writers = 64
	var wg sync.WaitGroup
	won := make(chan int, writers)
	for n := range writers {
		wg.Go(func() {
			_, err := f.Apply(t.Context(), store.Op{Key: "leader", Value: []byte(fmt.Sprint(n)), Expect: store.Absent})
			switch {
			case err == nil:
				won <- n
			case !errors.Is(err, store.ErrConflict):
				t.Error(err)
			}
			if _, err := f.Apply(t.Context(), store.Put(fmt.Sprintf("writer/%02d", n), nil)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d leaders", len(won))
	}
	if got, want := values(t, f, "leader")["leader"], fmt.Sprint(<-won); got != want {
		t.Errorf("leader %s, but %s was told so", got, want)
	}
	if got := len(values(t, f, "writer/")); got != writers {
		t.Errorf("%d of %d writers", got, writers)
	}
}

func TestLimitsAreRefusedBeforeWriting(t *testing.T) {
	f := fresh(t)
	for name, op := range map[string]store.Op{
		"key":   store.Put(strings.Repeat("k", store.MaxKey+1), nil),
		"value": store.Put("k", make([]byte, store.MaxValue+1)),
	} {
		if _, err := f.Apply(t.Context(), store.Put("other", nil), op); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	half := make([]byte, store.MaxValue)
	batch := make([]store.Op, 0, 5)
	for n := range 5 {
		batch = append(batch, store.Put(fmt.Sprint(n), half))
	}
	if _, err := f.Apply(t.Context(), batch...); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("batch: %v", err)
	}
	if _, err := f.Apply(t.Context(), store.Put("", nil)); err == nil {
		t.Error("an empty key is none")
	}
	if _, err := f.Apply(t.Context(), store.Op{Key: "k", Expect: -7}); err == nil {
		t.Error("-7 is no version")
	}
	apply(t, f, store.Put(strings.Repeat("k", store.MaxKey), nil))
	apply(t, f)
	if got := len(values(t, f, "")); got != 1 {
		t.Errorf("%d records", got)
	}
}

func TestACallerWhoseContextEndedWritesNothing(t *testing.T) {
	f := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Apply(ctx, store.Put("k", nil)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := f.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := f.List(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Cancelled while they wait: each is either written and told so, or not written.
	var wg sync.WaitGroup
	told := make([]error, 100)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	for n := range told {
		wg.Go(func() {
			_, told[n] = f.Apply(ctx, store.Put(fmt.Sprintf("%03d", n), nil))
			if n == len(told)/2 {
				cancel()
			}
		})
	}
	wg.Wait()
	there := values(t, f, "")
	for n, err := range told {
		if _, ok := there[fmt.Sprintf("%03d", n)]; ok != (err == nil) {
			t.Errorf("%d: there %v, but the caller was told %v", n, ok, err)
		}
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	f := fresh(t)
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for n := range errs {
		wg.Go(func() { _, errs[n] = f.Apply(t.Context(), store.Put(fmt.Sprintf("%02d", n), nil)) })
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	}
	if _, err := f.Apply(t.Context(), store.Put("k", nil)); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
	if _, err := f.Get(t.Context(), "k"); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	again := open(t, f.Path())
	there := values(t, again, "")
	for n, err := range errs {
		if _, ok := there[fmt.Sprintf("%02d", n)]; ok != (err == nil) {
			t.Errorf("%d: there %v, but the caller was told %v", n, ok, err)
		}
	}
}

func TestASecondProcessIsToldWhoHasTheFile(t *testing.T) {
	f := fresh(t)
	_, err := store.OpenFile(f.Path())
	if !errors.Is(err, store.ErrInUse) {
		t.Fatal(err)
	}
	text := err.Error()
	if !strings.Contains(text, f.Path()) || strings.Contains(text, "\n") || !strings.Contains(text, "stop that one") {
		t.Errorf("not one clear line: %s", text)
	}
	if _, err := os.Stat("/proc/locks"); err == nil && !strings.Contains(text, fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("does not say who: %s", text)
	}
}

func TestFilesThatAreNoStoreAreRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(name, bucket, format string) string {
		path := filepath.Join(dir, name)
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bolt.Tx) error {
			if _, err := tx.CreateBucket([]byte("records")); err != nil {
				return err
			}
			b, err := tx.CreateBucket([]byte(bucket))
			if err != nil {
				return err
			}
			return b.Put([]byte("format"), []byte(format))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]error{
		write("text", []byte(strings.Repeat("not a database\n", 10_000))): store.ErrBroken,
		write("short", []byte("x")):                                       store.ErrBroken,
		write("zeros", make([]byte, 1<<16)):                               store.ErrBroken,
		database("other", "something", "1"):                               store.ErrFormat,
		database("later", "stoa", "2"):                                    store.ErrFormat,
		database("nonsense", "stoa", "version"):                           store.ErrFormat,
		dir:                                                               nil, // the system's own error
	} {
		_, err := store.OpenFile(path)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
			continue
		}
		if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, path) {
			t.Errorf("not one line with the path: %s", text)
		}
	}
}

func TestADamagedFileIsReportedNotServed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stoa.db")
	f := open(t, path)
	want := make(map[string]string)
	for n := range 200 {
		key, value := fmt.Sprintf("key/%03d", n), strings.Repeat(fmt.Sprint(n%10), 2000)
		want[key] = value
		apply(t, f, store.Put(key, []byte(value)))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for n := 0; n < len(good)/page; n += 7 {
		for name, damage := range map[string]func([]byte) []byte{
			"page header overwritten": func(b []byte) []byte {
				for i := range 32 {
					b[n*page+i] = 0xff
				}
				return b
			},
			"cut off": func(b []byte) []byte { return b[:n*page+page/2] },
		} {
			path := filepath.Join(t.TempDir(), "stoa.db")
			if err := os.WriteFile(path, damage(append([]byte(nil), good...)), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := store.OpenFile(path)
			if err != nil {
				if !errors.Is(err, store.ErrBroken) || strings.Contains(err.Error(), "\n") {
					t.Errorf("page %d %s: %v", n, name, err)
				}
				continue
			}
			// What can still be read must be what was written; the rest is an error.
			records, err := f.List(t.Context(), "")
			if err == nil {
				for _, r := range records {
					if want[r.Key] != string(r.Value) {
						t.Errorf("page %d %s: %s has a wrong value", n, name, r.Key)
					}
				}
			} else if !errors.Is(err, store.ErrBroken) {
				t.Errorf("page %d %s: %v", n, name, err)
			}
			if _, err := f.Apply(t.Context(), store.Put("key/000", []byte("new"))); err != nil && !errors.Is(err, store.ErrBroken) {
				t.Errorf("page %d %s: %v", n, name, err)
			}
			f.Close()
		}
	}
}
