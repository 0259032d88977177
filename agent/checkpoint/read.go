package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"
)

// MaxRecord is the largest record that is read: protobuf's own limit for one message in
// the original.
const MaxRecord = 64 << 20

// ErrCorrupt says that a file holds something that is no record.
var ErrCorrupt = errors.New("damaged record")

// ReadMessage reads a file of one record into m. It returns false without an
// error if the file is missing or empty, as after a crash between creation and write.
func ReadMessage(path string, m proto.Message) (bool, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(content) == 0 {
		return false, nil
	}
	_, n, err := nextRecord(content, m)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if n == 0 {
		return false, fmt.Errorf("%s: %w: shorter than it says", path, ErrCorrupt)
	}
	return true, nil
}

// nextRecord parses the record at the start of content. n is its length with
// prefix, 0 if content holds only a part of it.
func nextRecord(content []byte, m proto.Message) (body []byte, n int, err error) {
	if len(content) < 4 {
		return nil, 0, nil
	}
	size := binary.NativeEndian.Uint32(content)
	if size > MaxRecord {
		return nil, 0, fmt.Errorf("%w: length %d", ErrCorrupt, size)
	}
	if uint64(len(content)-4) < uint64(size) {
		return nil, 0, nil
	}
	body = content[4 : 4+size]
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, 0, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return body, 4 + int(size), nil
}

// Records parses content as a sequence of records and calls each with every one;
// each returns the message to fill next. It returns how many bytes hold whole
// records: a partial last record is the trace of a crash while it was
// written and no error.
func Records(content []byte, next func() proto.Message, each func(proto.Message)) (int, error) {
	used := 0
	for used < len(content) {
		m := next()
		_, n, err := nextRecord(content[used:], m)
		if err != nil {
			return used, err
		}
		if n == 0 {
			break
		}
		used += n
		each(m)
	}
	return used, nil
}

// readLog reads all records of the log at path and cuts a partial last one off.
func readLog(path string, next func() proto.Message, each func(proto.Message)) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	used, err := Records(content, next, each)
	if used < len(content) {
		if cut := f.Truncate(int64(used)); cut != nil {
			return fmt.Errorf("cannot cut the damaged end off %s: %w", path, cut)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
