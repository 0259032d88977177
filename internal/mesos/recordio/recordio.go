// Package recordio frames the records of Mesos event streams: the decimal length of the record in bytes, a line feed, the
// record; nothing between records (3rdparty/stout/include/stout/recordio.hpp).
//
// In: records or a byte stream. Out: the stream, or the records one by one. It never looks into a record.
package recordio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Append appends one record with its header.
func Append(dst, record []byte) []byte {
	return append(AppendHeader(dst, len(record)), record...)
}

// AppendHeader appends the header of a record of the given size, for callers that write the record themselves.
func AppendHeader(dst []byte, size int) []byte {
	return append(strconv.AppendInt(dst, int64(size), 10), '\n')
}

// DefaultMaxRecord is a limit for records that suits every stream of the Mesos APIs: the snapshot of a big cluster that an
// operator stream begins with has tens of megabytes.
const DefaultMaxRecord = 256 << 20

// maxHeader bounds what is read in search of a header's line feed. A length of 64 bits has 20 digits.
const maxHeader = 64

// step is how far a record's buffer grows ahead of the bytes that have arrived, so that a header alone costs no memory.
const step = 256 << 10

// TooLongError reports a record beyond the reader's limit. The stream can't be read any further.
type TooLongError struct {
	Length, Limit uint64
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("record of %d bytes exceeds the limit of %d bytes", e.Length, e.Limit)
}

// errFailed is what the original's decoder answers after its first error.
var errFailed = errors.New("Decoder is in a FAILED state")

// Reader takes records out of a stream.
type Reader struct {
	in     *bufio.Reader
	limit  uint64
	buffer []byte
	failed bool
}

// NewReader reads from r. Records of more than maxRecord bytes are an error.
func NewReader(r io.Reader, maxRecord int) *Reader {
	return &Reader{in: bufio.NewReader(r), limit: uint64(max(0, maxRecord))}
}

// Next returns the next record; the slice is valid until the next call. The error is io.EOF when the stream ends between
// records and io.ErrUnexpectedEOF when it ends inside one. After a bad header or a record that is too long ("Failed to decode
// length ...", *TooLongError) the position of the next record is unknown and every further call fails.
func (r *Reader) Next() ([]byte, error) {
	if r.failed {
		return nil, errFailed
	}
	length, err := r.header()
	if err == nil && length > r.limit {
		err = &TooLongError{length, r.limit}
	}
	if err == nil {
		err = r.record(int(length))
	}
	if err != nil {
		r.failed = !errors.Is(err, io.EOF)
		return nil, err
	}
	return r.buffer, nil
}

// header reads the length of the next record.
func (r *Reader) header() (uint64, error) {
	var header [maxHeader]byte
	for n := range header {
		c, err := r.in.ReadByte()
		switch {
		case err == io.EOF && n > 0:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case c == '\n':
			return parseLength(string(header[:n]))
		}
		header[n] = c
	}
	return 0, lengthError(string(header[:]))
}

// record reads a record of the given length into the buffer.
func (r *Reader) record(length int) error {
	if cap(r.buffer) > 4*step && length < step {
		r.buffer = nil // one big record must not stay in memory for the life of the stream
	}
	r.buffer = r.buffer[:0]
	if r.buffer == nil {
		r.buffer = []byte{}
	}
	for len(r.buffer) < length {
		start := len(r.buffer)
		chunk := min(step, length-start)
		r.buffer = append(r.buffer, make([]byte, chunk)...)
		if _, err := io.ReadFull(r.in, r.buffer[start:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func lengthError(text string) error {
	return fmt.Errorf("Failed to decode length '%s': Failed to convert '%s' to number", text, text)
}

// parseLength understands what the original's numify<size_t> does: digits with an optional sign, or hexadecimal digits after 0x.
// A negative number wraps around and so is far beyond every limit.
func parseLength(text string) (uint64, error) {
	unsigned, negative := strings.CutPrefix(text, "-")
	digits, base := unsigned, 10
	if len(digits) > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') {
		digits, base = digits[2:], 16
	} else if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return 0, lengthError(text)
	}
	if negative && n > 0 {
		return math.MaxUint64 - n + 1, nil
	}
	return n, nil
}
