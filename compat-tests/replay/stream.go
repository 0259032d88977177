package replay

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxRecord is the largest record a stream may have.
const maxRecord = 64 << 20

// maxWaiting is how many records may come before a step asks for them.
const maxWaiting = 10_000

// stream is a response that stays open.
type stream struct {
	body    io.ReadCloser
	records chan string // closed when the server ended it
	err     error       // why it ended, valid once records is closed; nil for a proper end
	stop    context.CancelFunc
}

// openStream reads records in the background until the server or close ends it.
func openStream(body io.ReadCloser, framing string, stop context.CancelFunc) *stream {
	s := &stream{body: body, records: make(chan string, maxWaiting), stop: stop}
	next := recordIO(bufio.NewReader(body))
	if framing == "sse" {
		next = serverSentEvents(bufio.NewReader(body))
	}
	go func() {
		defer close(s.records)
		for {
			record, err := next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					s.err = err
				}
				return
			}
			select {
			case s.records <- record:
			default:
				s.err = fmt.Errorf("more than %d records that no step asked for", maxWaiting)
				return
			}
		}
	}()
	return s
}

func (s *stream) close() {
	s.stop()
	s.body.Close()
	for range s.records {
		// Until the reader has seen it.
	}
}

// recordIO cuts "<length>\n<bytes>" frames. A proper end lies between frames.
func recordIO(r *bufio.Reader) func() (string, error) {
	return func() (string, error) {
		head, err := readLine(r, 20)
		if err != nil {
			if errors.Is(err, io.EOF) && head != "" {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
		size, err := strconv.ParseUint(head, 10, 63)
		if err != nil {
			return "", fmt.Errorf("%q is no record length", head)
		}
		if size > maxRecord {
			return "", fmt.Errorf("a record of %d bytes; the limit is %d", size, maxRecord)
		}
		var record strings.Builder
		if n, err := io.CopyN(&record, r, int64(size)); err != nil {
			return "", fmt.Errorf("the stream ended %d bytes into a record of %d: %w", n, size, io.ErrUnexpectedEOF)
		}
		return record.String(), nil
	}
}

// readLine reads up to a line feed, which it drops.
func readLine(r *bufio.Reader, most int) (string, error) {
	var line []byte
	for {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return string(line), err
		case c == '\n':
			return string(line), nil
		case len(line) == most:
			return "", fmt.Errorf("a line of more than %d bytes", most)
		}
		line = append(line, c)
	}
}

// serverSentEvents makes a JSON object of each event; data that is no JSON becomes a string.
func serverSentEvents(r *bufio.Reader) func() (string, error) {
	return func() (string, error) {
		event, data := "message", []string(nil)
		for {
			line, err := readLine(r, maxRecord)
			if err != nil {
				return "", err
			}
			line = strings.TrimSuffix(line, "\r")
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case line == "":
				if data == nil {
					continue // a heartbeat
				}
				return eventJSON(event, strings.Join(data, "\n"))
			case name == "event":
				event = value
			case name == "data":
				data = append(data, value)
			}
		}
	}
}

func eventJSON(event, data string) (string, error) {
	name, err := json.Marshal(event)
	if err != nil {
		return "", err
	}
	if !json.Valid([]byte(data)) {
		quoted, err := json.Marshal(data)
		if err != nil {
			return "", err
		}
		data = string(quoted)
	}
	return `{"event":` + string(name) + `,"data":` + data + `}`, nil
}
