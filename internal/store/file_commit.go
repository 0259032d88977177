package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// Bounds of what waits and of what goes to disk together.
const (
	maxQueued     = 4096
	maxGroup      = 1024
	maxGroupBytes = 64 << 20
)

// write is one batch on its way to disk.
type write struct {
	ops   []Op
	bytes int
	state atomic.Int32
	// The result, valid once done is closed.
	versions []int64
	err      error
	done     chan struct{}
}

// A write is either taken by the committing goroutine or given up by its caller,
// never both: a caller whose context ends knows that nothing was written.
const (
	waiting int32 = iota
	taken
	abandoned
)

// Apply implements Store. When ctx ends while the batch still waits for its
// turn, nothing is written and the error is that of ctx. The ops of a batch
// take effect in order: a key that occurs twice is checked against what the
// earlier op left.
func (f *File) Apply(ctx context.Context, ops ...Op) ([]int64, error) {
	size, err := check(ops)
	if err != nil {
		return nil, err
	}
	if err := f.enter(ctx); err != nil {
		return nil, err
	}
	defer f.leave()
	if err := f.failure(); err != nil {
		return nil, err
	}
	if len(ops) == 0 {
		return nil, nil
	}
	w := &write{ops: ops, bytes: size, done: make(chan struct{})}
	select {
	case f.queue <- w:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if w.state.CompareAndSwap(waiting, abandoned) {
			return nil, ctx.Err()
		}
		<-w.done
	}
	return w.versions, w.err
}

// check refuses what no engine takes, and measures the rest.
func check(ops []Op) (size int, err error) {
	for i := range ops {
		op := &ops[i]
		switch {
		case op.Key == "":
			return 0, errors.New("store: empty key")
		case len(op.Key) > MaxKey:
			return 0, fmt.Errorf("%w: a key of %d bytes; the limit is %d", ErrTooLarge, len(op.Key), MaxKey)
		case len(op.Value) > MaxValue:
			return 0, fmt.Errorf("%w: %d bytes for %s; the limit is %d", ErrTooLarge, len(op.Value), op.Key, MaxValue)
		case op.Expect < AnyVersion:
			return 0, fmt.Errorf("store: %d is no version to expect of %s", op.Expect, op.Key)
		}
		size += len(op.Key) + len(op.Value)
	}
	if size > MaxBatch {
		return 0, fmt.Errorf("%w: a batch of %d bytes; the limit is %d", ErrTooLarge, size, MaxBatch)
	}
	return size, nil
}

// run is the one goroutine that writes.
func (f *File) run() {
	defer close(f.done)
	for first := range f.queue {
		group := append(make([]*write, 0, 16), first)
		size := first.bytes
	gather:
		for len(group) < maxGroup && size < maxGroupBytes {
			select {
			case w, ok := <-f.queue:
				if !ok {
					break gather
				}
				group = append(group, w)
				size += w.bytes
			default:
				break gather
			}
		}
		f.commit(group)
	}
}

// commit writes a group of batches in one transaction and tells their callers.
func (f *File) commit(group []*write) {
	batches := group[:0]
	for _, w := range group {
		if w.state.CompareAndSwap(waiting, taken) {
			batches = append(batches, w)
		}
	}
	if len(batches) == 0 {
		return
	}
	err := f.failure()
	if err == nil {
		err = f.guard(func() error { return f.transact(batches) })
	}
	for _, w := range batches {
		if err != nil {
			// Conflicts count for nothing here: they may be with batches of this very
			// group, of which nothing was kept.
			w.versions, w.err = nil, err
		}
		close(w.done)
	}
}

func (f *File) transact(batches []*write) error {
	tx, err := f.db.Begin(true)
	if err != nil {
		return f.writeError(err)
	}
	bucket := tx.Bucket(recordsBucket)
	dirty := false
	for _, w := range batches {
		if w.err = conflict(bucket, w.ops); w.err != nil {
			continue
		}
		dirty = true
		if w.versions, err = put(bucket, w.ops); err != nil {
			return f.writeError(errors.Join(err, tx.Rollback()))
		}
	}
	if !dirty {
		return tx.Rollback()
	}
	if err := tx.Commit(); err != nil {
		_ = tx.Rollback() // most failures have done so already
		return f.writeError(err)
	}
	return nil
}

// conflict returns an error if an op's key does not have the version it expects.
func conflict(bucket *bolt.Bucket, ops []Op) error {
	var earlier map[string]bool // what the ops before leave: is the key there?
	for i := range ops {
		op := &ops[i]
		if op.Expect != AnyVersion {
			have := Absent
			if exists, ok := earlier[op.Key]; ok {
				if exists {
					have = ownVersion
				}
			} else if raw := bucket.Get([]byte(op.Key)); raw != nil {
				version, _, err := decode(raw)
				if err != nil {
					return fmt.Errorf("%w: %s: %v", ErrBroken, op.Key, err)
				}
				have = version
			}
			if have != op.Expect {
				return &conflictError{key: op.Key, have: have, want: op.Expect}
			}
		}
		if i+1 < len(ops) {
			if earlier == nil {
				earlier = make(map[string]bool, len(ops))
			}
			earlier[op.Key] = !op.Delete
		}
	}
	return nil
}

// ownVersion stands for the version an earlier op of the same batch gives a key:
// no caller can expect it, since it is not known yet.
const ownVersion int64 = -2

type conflictError struct {
	key        string
	have, want int64
}

func (e *conflictError) Error() string {
	have := fmt.Sprintf("has version %d", e.have)
	switch e.have {
	case Absent:
		have = "is absent"
	case ownVersion:
		have = "was written earlier in the batch"
	}
	return fmt.Sprintf("%v: %s %s, expected %d", ErrConflict, e.key, have, e.want)
}

func (e *conflictError) Is(target error) bool { return target == ErrConflict }

// put makes the changes of a batch. Versions come from one counter for the whole
// store, so that a key that was deleted and made anew never has a version it had
// before.
func put(bucket *bolt.Bucket, ops []Op) ([]int64, error) {
	versions := make([]int64, len(ops))
	for i := range ops {
		op := &ops[i]
		if op.Delete {
			if err := bucket.Delete([]byte(op.Key)); err != nil {
				return nil, err
			}
			continue
		}
		version, err := bucket.NextSequence()
		if err != nil {
			return nil, err
		}
		versions[i] = int64(version)
		if err := bucket.Put([]byte(op.Key), encode(int64(version), op.Value)); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

// writeError says what a failed write means. Lack of space passes; after any
// other failure nobody knows what reached the disk, so nothing more is written.
func (f *File) writeError(err error) error {
	if noSpace(err) {
		return fmt.Errorf("%w for %s: free some on its disk (%v)", ErrFull, f.path, err)
	}
	broken := fmt.Errorf("%w: writing %s failed, check its disk and start again: %w", ErrBroken, f.path, err)
	f.broken.CompareAndSwap(nil, &broken)
	return broken
}

// noSpace recognises a full disk, a quota and a file size limit, also where the
// engine keeps only the text of the error.
func noSpace(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, errno) || strings.Contains(err.Error(), errno.Error()) {
			return true
		}
	}
	return false
}

// failure is what broke the store, or nil.
func (f *File) failure() error {
	if err := f.broken.Load(); err != nil {
		return *err
	}
	return nil
}
