package mesosjson

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "stoa/internal/mesos/agentpb"
	_ "stoa/internal/mesos/executorpb"
	_ "stoa/internal/mesos/internalpb"
	_ "stoa/internal/mesos/maintenancepb"
	_ "stoa/internal/mesos/masterpb"
	_ "stoa/internal/mesos/mesospb"
	_ "stoa/internal/mesos/quotapb"
	_ "stoa/internal/mesos/schedulerpb"
)

// sample is one line of the files in testdata (see the README there).
type sample struct {
	Kind    string // see the tests
	Type    string // full name of the message
	Dialect string
	Text    string // JSON
	Error   string // what the daemon answered to a request that it did not understand
	B64     []byte // protobuf
	B64Want []byte // what the original made of B64
	Decoded string // the same as JSON with bytes as base64 and 64-bit integers as strings
	File    string // the recording
}

func samples(tb testing.TB, kind string) []sample {
	tb.Helper()
	name := "testdata/recorded.jsonl.gz"
	if kind == "stout" {
		name = "testdata/stout.jsonl.gz"
	}
	f, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var list []sample
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			tb.Fatal(err)
		}
		if s.Kind == kind {
			list = append(list, s)
		}
	}
	if lines.Err() != nil || len(list) == 0 {
		tb.Fatalf("no samples of kind %q (%v)", kind, lines.Err())
	}
	return list
}

func (s sample) dialect() Dialect {
	return map[string]Dialect{"V1": V1, "V0": V0, "AsV1": AsV1}[s.Dialect]
}

func (s sample) message(tb testing.TB) proto.Message {
	tb.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(s.Type))
	if err != nil {
		tb.Fatalf("%s: %v", s.Type, err)
	}
	return mt.New().Interface()
}

// Operator responses are partly written by hand and print lists that are empty; Append never does.
var emptyList = regexp.MustCompile(`"[a-z_]+":\[\],?`)

func withoutEmptyLists(text string) string {
	text = emptyList.ReplaceAllString(text, "")
	return strings.ReplaceAll(text, ",}", "}")
}

func TestRecordedBodiesAreWrittenByteForByte(t *testing.T) {
	for _, s := range samples(t, "json") {
		m := s.message(t)
		if err := Unmarshal([]byte(s.Text), m, s.dialect()); err != nil {
			t.Errorf("%s %s: %v", s.File, s.Type, err)
			continue
		}
		want, got := withoutEmptyLists(s.Text), string(Append(nil, m, s.dialect()))
		if s.Type == "mesos.v1.quota.QuotaStatus" {
			// Full of maps, which the daemon prints in the order of its hash.
			want, got = alphabeticalText(t, want), alphabeticalText(t, got)
		}
		if got != want {
			t.Errorf("%s %s\n%s", s.File, s.Type, firstDifference(want, got))
		}
	}
}

func TestRecordedAlphabeticalBodiesAreWrittenByteForByte(t *testing.T) {
	for _, s := range samples(t, "sorted") {
		m := s.message(t)
		if err := Unmarshal([]byte(s.Text), m, s.dialect()); err != nil {
			t.Errorf("%s %s: %v", s.File, s.Type, err)
			continue
		}
		if got := string(AppendSorted(nil, m, s.dialect())); got != s.Text {
			t.Errorf("%s %s\n%s", s.File, s.Type, firstDifference(s.Text, got))
		}
	}
}

func TestRecordedFreeDocumentsSurviveParseAndAppend(t *testing.T) {
	for _, s := range samples(t, "value") {
		v, err := Parse([]byte(s.Text))
		if err != nil {
			t.Errorf("%s: %v", s.File, err)
			continue
		}
		if got := string(v.Append(nil)); got != s.Text {
			t.Errorf("%s\n%s", s.File, firstDifference(s.Text, got))
		}
	}
}

// Requests that the daemon understood must be understood, and the others refused with the daemon's words.
func TestRecordedRequestsGetTheRecordedErrors(t *testing.T) {
	for _, s := range samples(t, "request") {
		got := ""
		err := Unmarshal([]byte(s.Text), s.message(t), s.dialect())
		var syntax *SyntaxError
		switch {
		case errors.As(err, &syntax):
			got = "Failed to parse body into JSON: " + err.Error()
		case err != nil && s.Type == "mesos.v1.agent.Call":
			got = err.Error()
		case err != nil:
			got = "Failed to convert JSON into Call protobuf: " + err.Error()
		}
		if got != s.Error {
			t.Errorf("%s %s %.300s\n got %q\nwant %q", s.File, s.Type, s.Text, got, s.Error)
		}
	}
}

// The recorder decoded protobuf bodies with another implementation; both readings of the bytes must agree, and our JSON must
// read back as the same message.
func TestRecordedProtobufBodiesAgreeWithTheirDecoding(t *testing.T) {
	for _, s := range samples(t, "proto") {
		wire, decoded, again := s.message(t), s.message(t), s.message(t)
		if err := proto.Unmarshal(s.B64, wire); err != nil {
			t.Errorf("%s %s: %v", s.File, s.Type, err)
			continue
		}
		if err := Unmarshal([]byte(s.Decoded), decoded, s.dialect()); err != nil {
			t.Errorf("%s %s: %v", s.File, s.Type, err)
			continue
		}
		// Compared as text, because the recorder did not know AgentInfo.checkpoint in v1 messages.
		if diff := cmp.Diff(string(Append(nil, wire, s.dialect())), string(Append(nil, decoded, s.dialect()))); diff != "" {
			t.Errorf("%s %s\n%s", s.File, s.Type, diff)
		}
		if len(wire.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%s %s: unknown fields", s.File, s.Type)
		}
		text := Append(nil, wire, s.dialect())
		if err := Unmarshal(text, again, s.dialect()); err != nil {
			t.Errorf("%s %s: our own text: %v", s.File, s.Type, err)
			continue
		}
		if second := Append(nil, again, s.dialect()); !bytes.Equal(text, second) {
			t.Errorf("%s %s\n%s", s.File, s.Type, firstDifference(string(text), string(second)))
		}
	}
}

func TestRecordedNumbersAreWrittenByteForByte(t *testing.T) {
	for _, s := range samples(t, "numbers") {
		for text := range strings.SplitSeq(s.Text, "\n") {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(AppendDouble(nil, f)); got != text {
				t.Errorf("%s is written as %s", text, got)
			}
		}
	}
}

func alphabeticalText(tb testing.TB, text string) string {
	tb.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return string(v.Append(nil))
}

func firstDifference(want, got string) string {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	from := max(0, i-150)
	return "want ..." + want[from:min(len(want), i+250)] + "\n got ..." + got[from:min(len(got), i+250)]
}
