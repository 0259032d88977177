// Package store keeps the durable state of a daemon: small records under
// slash-separated keys, changed in atomic batches.
//
// Comes in: keys, bytes and the versions the caller expects. Goes out: the same,
// after they are on disk. It never interprets a value.
//
// There is one interface and more than one engine; File opens the embedded one.
package store

import (
	"context"
	"errors"
)

// Versions with a meaning of their own in [Op.Expect]. A key that exists has a
// version of 1 or more, which grows with every write to it.
const (
	// AnyVersion writes whatever the current version is.
	AnyVersion int64 = -1
	// Absent demands that the key does not exist.
	Absent int64 = 0
)

// Limits of every engine. A batch that breaks one is refused with ErrTooLarge
// before anything is written.
const (
	// MaxKey is the longest key, in bytes.
	MaxKey = 1024
	// MaxValue is the largest value, in bytes.
	MaxValue = 64 << 20
)

var (
	// ErrNotFound says that Get found no such key.
	ErrNotFound = errors.New("store: key not found")
	// ErrConflict says that a key did not have the expected version, so that
	// nothing of the batch was written.
	ErrConflict = errors.New("store: version conflict")
	// ErrTooLarge says that a key or value is over the limit.
	ErrTooLarge = errors.New("store: key or value too large")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store: closed")
)

// Record is one key with its value and version.
type Record struct {
	Key     string
	Value   []byte
	Version int64
}

// Op is one change of a batch: a write of Value, or a deletion.
type Op struct {
	Key    string
	Value  []byte
	Delete bool
	// Expect is the version the key must have now: AnyVersion, Absent or the
	// number that Get, List or Apply gave.
	Expect int64
}

// Put is an Op that writes value whatever the key holds now.
func Put(key string, value []byte) Op { return Op{Key: key, Value: value, Expect: AnyVersion} }

// Remove is an Op that deletes key whatever it holds now; a missing key is no error.
func Remove(key string) Op { return Op{Key: key, Delete: true, Expect: AnyVersion} }

// Store is durable state. All methods may be called from any goroutine.
type Store interface {
	// Get returns the record at key, or ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)
	// List returns every record whose key begins with prefix, in key order.
	List(ctx context.Context, prefix string) ([]Record, error)
	// Apply makes all changes of the batch or none, and returns once they will
	// survive a crash of the process and of the machine. It returns the new
	// version of each op's key (0 for a deletion), or ErrConflict.
	Apply(ctx context.Context, ops ...Op) ([]int64, error)
	// Close waits for running batches and releases the engine.
	Close() error
}
