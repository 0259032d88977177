package checkpoint

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
)

// Durability says what a write must survive.
type Durability int

const (
	// Process is enough for files that mean nothing once the machine has rebooted,
	// as its containers are then gone: the page cache outlives a killed agent.
	Process Durability = iota
	// Machine also survives a power failure.
	Machine
)

// WriteMessage replaces the file at path by one length-prefixed message. A reader
// sees the old file or the new one, never a part.
func WriteMessage(path string, m proto.Message, d Durability) error {
	record, err := AppendRecord(nil, m)
	if err != nil {
		return fmt.Errorf("cannot checkpoint %s: %w", path, err)
	}
	return WriteFile(path, record, d)
}

// WriteFile replaces the file at path, making missing directories. The file is readable
// by its owner only, as the original's are.
func WriteFile(path string, content []byte, d Durability) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot checkpoint: %w", err)
	}
	temp, err := os.CreateTemp(dir, "")
	if err != nil {
		return fmt.Errorf("cannot checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
			err = fmt.Errorf("cannot checkpoint %s: %w", path, err)
		}
	}()
	if _, err := temp.Write(content); err != nil {
		return err
	}
	if d == Machine {
		if err := temp.Sync(); err != nil {
			return err
		}
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	if d == Machine {
		return syncDir(dir)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Touch makes an empty marker file, with its directories.
func Touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot checkpoint: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot checkpoint: %w", err)
	}
	return f.Close()
}

// PointLatest makes the link at path point to target, which becomes its only
// meaning at once: readers never find the link missing.
func PointLatest(path, target string) error {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// AppendRecord appends m with its length prefix. The length is in the machine's
// byte order, as the original writes it.
func AppendRecord(dst []byte, m proto.Message) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
	if err != nil {
		return nil, err
	}
	binary.NativeEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// Log is an append-only file of records, such as task.updates.
type Log struct {
	file   *os.File
	offset int64
}

// OpenLog opens the log at path for appending and makes it if it is missing.
func OpenLog(path string) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot checkpoint: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot checkpoint: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot checkpoint: %w", err)
	}
	return &Log{file: f, offset: info.Size()}, nil
}

// Append writes one record. When only a part could be written (the disk
// is full) the part is taken back, so that a later record is not read as its rest.
func (l *Log) Append(m proto.Message) error {
	record, err := AppendRecord(nil, m)
	if err != nil {
		return fmt.Errorf("cannot checkpoint %s: %w", l.file.Name(), err)
	}
	n, err := l.file.Write(record)
	if err != nil {
		if n > 0 {
			if cut := l.file.Truncate(l.offset); cut != nil {
				err = fmt.Errorf("%w (and cannot take back a part: %v)", err, cut)
			}
		}
		return fmt.Errorf("cannot checkpoint %s: %w", l.file.Name(), err)
	}
	l.offset += int64(n)
	return nil
}

// Close releases the file.
func (l *Log) Close() error { return l.file.Close() }
