package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// What a file holds: a bucket that says what it is, and a bucket of records.
var (
	aboutBucket   = []byte("stoa")
	recordsBucket = []byte("records")
	formatKey     = []byte("format")
)

// format is the version of what a file holds. A later version reads all earlier
// ones; an earlier one refuses a later one.
const format = 1

// lockWait is how long OpenFile waits for a process that is about to end: the last one, or what
// that was just forking when it was killed.
const lockWait = 3 * time.Second

// OpenFile opens the store in the file at path and makes it, with its directory,
// when it is not there. The errors, each one line that says what to do, are
// ErrInUse, ErrFormat, ErrBroken for a damaged file, ErrFull and those of the
// operating system.
func OpenFile(path string) (*File, error) { return openFile(path, lockWait) }

func openFile(path string, wait time.Duration) (*File, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path, wait); err != nil {
			return nil, err
		}
	}
	db, file, err := openDB(path, wait)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, db: db, file: file, queue: make(chan *write, maxQueued), done: make(chan struct{})}
	go f.run()
	return f, nil
}

// openDB opens the database of an existing file and checks its format.
func openDB(path string, wait time.Duration) (db *bolt.DB, file *os.File, err error) {
	options := &bolt.Options{
		Timeout: wait,
		// The list of free pages is written at every commit. Without it the engine
		// would search the whole file at start, in a goroutine of its own where a
		// damaged page ends the process.
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (opened *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	}
	err = protect(func() (err error) {
		if db, err = bolt.Open(path, 0o600, options); err != nil {
			return err
		}
		return checkFormat(db)
	})
	if err == nil {
		return db, file, nil
	}
	var panicked *panicError
	switch {
	case errors.As(err, &panicked):
		if file != nil {
			file.Close() // the database's own Close could wait for ever
		}
	case db != nil:
		db.Close()
	}
	return nil, nil, openError(path, err)
}

// openError puts an error into words for the operator.
func openError(path string, err error) error {
	var panicked *panicError
	var system *fs.PathError
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s is open in another process%s; stop that one or use another directory", ErrInUse, path, holder(path))
	case errors.Is(err, ErrFormat):
		return fmt.Errorf("%s: %w", path, err)
	case noSpace(err):
		return fmt.Errorf("%w for %s: free some on its disk (%v)", ErrFull, path, err)
	case errors.As(err, &system) && !errors.As(err, &panicked):
		return fmt.Errorf("store: %w", err)
	}
	return fmt.Errorf("%w: %s is damaged or no store (%w); put back a copy, or move it away to begin anew", ErrBroken, path, err)
}

// create makes an empty store under another name first: a crash at any moment
// leaves either no file at path or a good one.
func create(path string, wait time.Duration) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	fresh := path + ".new"
	err := initialise(fresh, wait)
	if errors.Is(err, ErrBroken) {
		// Left behind by a crash while it was made; nothing was ever kept in it.
		if err := os.Remove(fresh); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		err = initialise(fresh, wait)
	}
	if err != nil {
		return err
	}
	// Another process that starts at the same time may have been faster.
	if err := os.Rename(fresh, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return syncDir(dir)
}

func initialise(path string, wait time.Duration) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: wait, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return openError(path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(recordsBucket); err != nil {
			return err
		}
		about, err := tx.CreateBucketIfNotExists(aboutBucket)
		if err != nil {
			return err
		}
		return about.Put(formatKey, []byte(strconv.Itoa(format)))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return openError(path, err)
	}
	return nil
}

// syncDir makes the names in a directory survive a crash of the machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("store: making %s durable: %w", dir, err)
	}
	return nil
}

func checkFormat(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		about := tx.Bucket(aboutBucket)
		if about == nil || tx.Bucket(recordsBucket) == nil {
			return fmt.Errorf("%w: this is another program's database", ErrFormat)
		}
		text := string(about.Get(formatKey))
		switch found, err := strconv.Atoi(text); {
		case err != nil || found < 1:
			return fmt.Errorf("%w: %q", ErrFormat, text)
		case found > format:
			return fmt.Errorf("%w: written by a later version (format %d, this one knows %d); use that version", ErrFormat, found, format)
		}
		return nil
	})
}

// The engine panics, or reads memory that is not there, where a file is damaged.

// panicError is a panic of the engine as an error.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprint(e.value) }

// protect turns a panic into an error.
func protect(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value}
		}
	}()
	return do()
}

// guard is protect for an open store: after a panic it takes no more calls.
func (f *File) guard(do func() error) error {
	err := protect(do)
	var panicked *panicError
	if errors.As(err, &panicked) {
		f.stuck.Store(true)
		return f.damaged(err)
	}
	return err
}

// damaged breaks the store because of what was read from it.
func (f *File) damaged(err error) error {
	broken := fmt.Errorf("%w: %s is damaged (%w); put back a copy", ErrBroken, f.path, err)
	f.broken.CompareAndSwap(nil, &broken)
	return broken
}
