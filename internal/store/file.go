package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// Errors of File beyond those of every engine.
var (
	// ErrFull says that the disk or a quota has no room for a batch. Nothing of it
	// was written; the store works on and takes batches again once there is room.
	ErrFull = errors.New("store: no space left")
	// ErrBroken says that the disk failed or the file is damaged. The store takes
	// no more batches until the process starts again.
	ErrBroken = errors.New("store: broken")
	// ErrInUse says that another process has the file open.
	ErrInUse = errors.New("store: in use")
	// ErrFormat says that a file is no store, or one of a later version.
	ErrFormat = errors.New("store: unknown format")
)

// MaxBatch is how many bytes of keys and values one batch may hold. A batch over
// it is refused with ErrTooLarge before anything is written.
const MaxBatch = 256 << 20

// File is the embedded engine: one file, one process. Batches that arrive while
// another is being written wait and then go to disk together, in one
// transaction with one sync, so that many writers cost little more than one.
type File struct {
	path    string
	db      *bolt.DB
	file    *os.File // what db has open and locked
	queue   chan *write
	done    chan struct{} // closed when the committing goroutine has ended
	broken  atomic.Pointer[error]
	stuck   atomic.Bool // the engine panicked and may hold its locks
	mu      sync.RWMutex
	closed  bool           // guarded by mu
	running sync.WaitGroup // calls that use db; Add under mu
}

var _ Store = (*File)(nil)

// enter announces a call that uses the database, until leave.
func (f *File) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return ErrClosed
	}
	f.running.Add(1)
	return nil
}

func (f *File) leave() { f.running.Done() }

// Path is the file's name.
func (f *File) Path() string { return f.path }

// Get implements Store.
func (f *File) Get(ctx context.Context, key string) (Record, error) {
	var record Record
	err := f.view(ctx, func(b *bolt.Bucket) error {
		raw := b.Get([]byte(key))
		if raw == nil {
			return ErrNotFound
		}
		version, value, err := decode(raw)
		if err != nil {
			return f.damaged(err)
		}
		record = Record{Key: key, Value: bytes.Clone(value), Version: version}
		return nil
	})
	return record, err
}

// List implements Store.
func (f *File) List(ctx context.Context, prefix string) ([]Record, error) {
	var records []Record
	err := f.view(ctx, func(b *bolt.Bucket) error {
		cursor := b.Cursor()
		for key, raw := cursor.Seek([]byte(prefix)); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, raw = cursor.Next() {
			if len(records)%1024 == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			version, value, err := decode(raw)
			if err != nil {
				return f.damaged(err)
			}
			records = append(records, Record{Key: string(key), Value: bytes.Clone(value), Version: version})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// view reads in one consistent state.
func (f *File) view(ctx context.Context, read func(*bolt.Bucket) error) error {
	if err := f.enter(ctx); err != nil {
		return err
	}
	defer f.leave()
	if f.stuck.Load() {
		return f.failure()
	}
	return f.guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error { return read(tx.Bucket(recordsBucket)) })
	})
}

// Close implements Store. Batches that were accepted are written first.
func (f *File) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.mu.Unlock()
	f.running.Wait()
	close(f.queue)
	<-f.done
	if f.stuck.Load() {
		// The engine's own locks may never come free, but the file's lock can.
		return f.file.Close()
	}
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("store: closing %s: %w", f.path, err)
	}
	return nil
}

// Records are kept as eight bytes of version, big-endian, and the value.

func encode(version int64, value []byte) []byte {
	raw := make([]byte, 8+len(value))
	binary.BigEndian.PutUint64(raw, uint64(version))
	copy(raw[8:], value)
	return raw
}

func decode(raw []byte) (version int64, value []byte, err error) {
	if len(raw) < 8 {
		return 0, nil, errors.New("a record is too short")
	}
	return int64(binary.BigEndian.Uint64(raw)), raw[8:], nil
}
