package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func readAll(next func() (string, error)) (records []string, err error) {
	for {
		record, err := next()
		if err != nil {
			return records, err
		}
		records = append(records, record)
	}
}

func FuzzRecordIO(f *testing.F) {
	f.Add("5\nhello0\n")
	f.Add("99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		records, err := readAll(recordIO(bufio.NewReader(strings.NewReader(text))))
		if !errors.Is(err, io.EOF) {
			return
		}
		var again strings.Builder
		for _, record := range records {
			fmt.Fprintf(&again, "%d\n%s", len(record), record)
		}
		if len(again.String()) > len(text) {
			t.Fatalf("%q was read as %q", text, records)
		}
	})
}

func FuzzServerSentEvents(f *testing.F) {
	f.Add("event: a\r\ndata: {}\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := readAll(serverSentEvents(bufio.NewReader(strings.NewReader(text)))); err == nil {
			t.Fatal("no end")
		}
	})
}

func TestRecordLengthsAreBounded(t *testing.T) {
	for text, want := range map[string]string{
		"100000000000\nx":              "the limit is",
		"x\n":                          "no record length",
		strings.Repeat("1", 30) + "\n": "a line of more than",
		"12":                           "unexpected EOF",
	} {
		_, err := readAll(recordIO(bufio.NewReader(strings.NewReader(text))))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
