package recordio

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func readAll(r io.Reader, limit int) (records []string, err error) {
	reader := NewReader(r, limit)
	for {
		record, err := reader.Next()
		if err != nil {
			return records, err
		}
		records = append(records, string(record))
	}
}

func TestAppendWritesLengthLineFeedRecord(t *testing.T) {
	var stream []byte
	for _, record := range []string{"hello!", "", " ", "13 characters"} {
		stream = Append(stream, []byte(record))
	}
	if got, want := string(stream), "6\nhello!0\n1\n 13\n13 characters"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(Append(nil, []byte(`{"type":"HEARTBEAT"}`))); got != "20\n{\"type\":\"HEARTBEAT\"}" {
		t.Errorf("heartbeat: %q", got)
	}
}

// However the network cuts the stream, the records are the same.
func TestReaderFindsRecordsAcrossEveryChunkBoundary(t *testing.T) {
	want := []string{"hello!", "", " ", "13 characters", "a\nb\n", "0\n"}
	var stream []byte
	for _, record := range want {
		stream = Append(stream, []byte(record))
	}
	for cut := range len(stream) + 1 {
		r := io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:]))
		got, err := readAll(r, 100)
		if diff := cmp.Diff(want, got); err != io.EOF || diff != "" {
			t.Errorf("cut at %d: %v %s", cut, err, diff)
		}
	}
	got, err := readAll(iotest.OneByteReader(bytes.NewReader(stream)), 100)
	if diff := cmp.Diff(want, got); err != io.EOF || diff != "" {
		t.Errorf("byte by byte: %v %s", err, diff)
	}
}

func TestReaderTellsEndFromLoss(t *testing.T) {
	for stream, want := range map[string]error{
		"":          io.EOF,
		"2\nab":     io.EOF,
		"2":         io.ErrUnexpectedEOF,
		"2\n":       io.ErrUnexpectedEOF,
		"2\na":      io.ErrUnexpectedEOF,
		"1\na3\nab": io.ErrUnexpectedEOF,
	} {
		if _, err := readAll(strings.NewReader(stream), 10); err != want {
			t.Errorf("%q: got %v, want %v", stream, err, want)
		}
	}
}

func TestReaderRefusesBadLengthsForGood(t *testing.T) {
	for stream, want := range map[string]string{
		"not a number\n...": "Failed to decode length 'not a number': Failed to convert 'not a number' to number",
		"\nx":               "Failed to decode length '': Failed to convert '' to number",
		"5\r\nhello":        "Failed to decode length '5\r': Failed to convert '5\r' to number",
		"1_0\n":             "Failed to decode length '1_0': Failed to convert '1_0' to number",
		"99999999999999999999\n": "Failed to decode length '99999999999999999999': " +
			"Failed to convert '99999999999999999999' to number",
	} {
		reader := NewReader(strings.NewReader(stream), 100)
		if _, err := reader.Next(); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", stream, err, want)
		}
		if _, err := reader.Next(); err == nil || err.Error() != "Decoder is in a FAILED state" {
			t.Errorf("%q: second call: %v", stream, err)
		}
	}
	if _, err := readAll(strings.NewReader(strings.Repeat("1", 1000)), 100); err == nil || !strings.HasPrefix(err.Error(), "Failed to decode length '111") {
		t.Errorf("endless header: %v", err)
	}
}

func TestReaderAcceptsWhatNumifyAccepts(t *testing.T) {
	got, err := readAll(strings.NewReader("+1\na0x2\nbc-0\n03\ndef"), 10)
	if diff := cmp.Diff([]string{"a", "bc", "", "def"}, got); err != io.EOF || diff != "" {
		t.Error(err, diff)
	}
}

func TestReaderKeepsItsLimit(t *testing.T) {
	for _, stream := range []string{"6\nabcdef", "-1\na", "18446744073709551615\n"} {
		_, err := readAll(strings.NewReader(stream), 5)
		var tooLong *TooLongError
		if !errors.As(err, &tooLong) || tooLong.Limit != 5 {
			t.Errorf("%q: %v", stream, err)
		}
	}
	if got, err := readAll(strings.NewReader("5\nabcde"), 5); err != io.EOF || len(got) != 1 {
		t.Errorf("record at the limit: %q %v", got, err)
	}
}

// A header that promises a lot must not cost memory before the bytes are there.
func TestReaderDoesNotTrustTheHeader(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readAll(strings.NewReader("200000000\nabc"), DefaultMaxRecord); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 4*step {
		t.Errorf("%d bytes allocated", allocated)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("6\nhello!0\n1\n 13\n13 characters"))
	f.Add([]byte("0x2\nab-1\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		records, err := readAll(bytes.NewReader(stream), 1<<16)
		if err == nil {
			t.Fatal("no end")
		}
		var again []byte
		for _, record := range records {
			again = Append(again, []byte(record))
		}
		got, err := readAll(bytes.NewReader(again), 1<<16)
		if diff := cmp.Diff(records, got); err != io.EOF || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	stream := bytes.Repeat(Append(nil, bytes.Repeat([]byte("x"), 500)), 1000)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := readAll(bytes.NewReader(stream), 1<<20); err != io.EOF || len(n) != 1000 {
			b.Fatal(err)
		}
	}
}
